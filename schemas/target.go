package schemas

import "time"

// Target is a Postgres schema, a Redis prefix, a consumer group, and topics for rows and letters: what one processor
// writes to, all named after it. All targets read the same raw topic.
type Target struct {
	Name   string `json:"name"`
	Schema string `json:"postgres_schema"`
	Prefix string `json:"redis_prefix"`
	Group  string `json:"kafka_group"`
	Rows   string `json:"topic_rows"`
	Dead   string `json:"topic_dead"`
}

// Pointer is the target that readers see.
type Pointer struct {
	Target     Target // of live only the name: the rest is what the settings say
	Previous   string // the target before it; "" for none
	Generation int64  // one more with each change; 0: it was never moved
	MovedAt    time.Time
}
