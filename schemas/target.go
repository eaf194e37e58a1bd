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
	Target     Target    `json:"target"`     // of live only the name: the rest is what the settings say
	Previous   string    `json:"previous"`   // the target before it; "" for none
	Generation int64     `json:"generation"` // one more with each change; 0: it was never moved
	MovedAt    time.Time `json:"moved_at"`
}

// TargetDiff is what two targets have otherwise. What either has written beyond the position of the other is moving, and
// is left out.
type TargetDiff struct {
	A           string    `json:"a"`
	B           string    `json:"b"`
	Rows        TableDiff `json:"rows"`
	Batters     TableDiff `json:"batters"`
	BatterGames TableDiff `json:"batter_games"`
	OtherCore   int64     `json:"rows_of_another_core_version"` // of the rows that both have; no difference by itself
}

// Different says whether anything is.
func (d TargetDiff) Different() bool {
	return d.Rows.different() || d.Batters.different() || d.BatterGames.different()
}

// TableDiff compares the lines of one view.
type TableDiff struct {
	InA     int64        `json:"in_a"`
	InB     int64        `json:"in_b"`
	OnlyA   int64        `json:"only_in_a"`
	OnlyB   int64        `json:"only_in_b"`
	Differ  int64        `json:"differ"` // of those that both have
	Moving  int64        `json:"moving"` // left out
	Columns []ColumnDiff `json:"columns,omitempty"`
	OnlyInA []string     `json:"examples_only_in_a,omitempty"` // two keys at most
	OnlyInB []string     `json:"examples_only_in_b,omitempty"`
}

func (d TableDiff) different() bool { return d.OnlyA+d.OnlyB+d.Differ > 0 }

// ColumnDiff is one column in which lines differ that both targets have.
type ColumnDiff struct {
	Name     string        `json:"name"`
	Differ   int64         `json:"differ"`
	Max      Opt[float64]  `json:"max"`  // the greatest absolute difference; of numbers that both have
	Mean     Opt[float64]  `json:"mean"` // of those that differ
	Examples []ValueDiffer `json:"examples"`
}

// ValueDiffer is one value in both targets, as text; "" where there is none.
type ValueDiffer struct {
	Key string `json:"key"`
	A   string `json:"a"`
	B   string `json:"b"`
}
