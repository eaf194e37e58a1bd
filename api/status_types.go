package api

import "github.com/pitchstream/pitchstream/schemas"

// Stream is the status of the stream.
type Stream struct {
	At      schemas.TimeMS `json:"at" doc:"When this was put together"`
	State   string         `json:"state" enum:"ok,degraded,behind,held,down" doc:"down: no processor is alive; held: the breaker of one is open, or a gap, and a person must act; behind: a record has waited for too long, or nobody reads a partition; degraded: a store or a processor is not well"`
	Reasons []string       `json:"reasons" doc:"Why it is not ok, for people"`

	RecordsPerS  float64 `json:"records_per_s" doc:"Records of all processors that are alive, over some ten seconds"`
	BytesPerS    float64 `json:"bytes_per_s" doc:"Bytes of their values"`
	Records      int64   `json:"records" doc:"Records since the processors began; less when one began anew"`
	Rows         int64   `json:"rows" doc:"Rows that they became"`
	LettersTotal int64   `json:"letters_total" doc:"Dead letters that they became"`

	LagRecords schemas.Opt[int64] `json:"lag_records" doc:"Records that wait in all partitions; null where that of one is null, as while no processor reads it, or where a processor that reported none does not reach Kafka"`
	Partitions []StreamPartition  `json:"partitions" doc:"By number"`
	Steps      []StreamStep       `json:"steps" doc:"What a batch spends its time on, in this order"`
	Letters    StreamLetters      `json:"letters" doc:"Records that no row could be made of"`
	Stores     []StoreHealth      `json:"stores" doc:"Kafka, Postgres and Redis"`
	Breaker    Breaker            `json:"breaker" doc:"Whether a processor waits for a person, because too much is rejected"`
	Processors []Processor        `json:"processors" doc:"By instance; those that died stand for an hour"`

	AsOf        schemas.Opt[schemas.TimeMS] `json:"as_of" doc:"Event time of the newest pitch; null where there is none"`
	ProcessedAt schemas.Opt[schemas.TimeMS] `json:"processed_at" doc:"When the newest row of its game was written; null where there is none"`
	Condition
}

func (Stream) counted() string { return "" }

// States of the stream.
const (
	stateOK       = "ok"
	stateDegraded = "degraded"
	stateBehind   = "behind"
	stateHeld     = "held"
	stateDown     = "down"
)

// StreamPartition is the progress in one partition of the raw topic.
type StreamPartition struct {
	Topic      string             `json:"topic" doc:"The raw topic"`
	Partition  int32              `json:"partition" doc:"Its partition"`
	NextOffset int64              `json:"next_offset" doc:"The offset of the next record to be applied"`
	Processor  string             `json:"processor" doc:"Who reads it; empty: nobody"`
	LagRecords schemas.Opt[int64] `json:"lag_records" doc:"Records that wait; null where no processor reports it, or it reported none and does not reach Kafka"`
	LagMS      schemas.Opt[int64] `json:"lag_ms" doc:"Age of the oldest that waits, in ms; 0 when caught up; null where no processor reports it, or it was caught up and does not reach Kafka"`
}

// StreamStep is the time of one step of the batches.
type StreamStep struct {
	Step    string               `json:"step" doc:"decode, postgres, redis, produce or commit"`
	Batches int64                `json:"batches" doc:"How often it was made in the last ten seconds"`
	MeanMS  schemas.Opt[float64] `json:"mean_ms" doc:"Its mean time, in ms; null where it was not made"`
	MaxMS   schemas.Opt[float64] `json:"max_ms" doc:"Its longest time, in ms; null where it was not made"`
}

// StreamLetters are the dead letters since the processors started.
type StreamLetters struct {
	ByCode []CodeCount    `json:"by_code" doc:"The most frequent first"`
	Newest []StreamLetter `json:"newest" doc:"The newest first, ten at most"`
}

// CodeCount counts the dead letters of one code.
type CodeCount struct {
	Code  schemas.Code `json:"code" doc:"Why they are no rows"`
	Count int64        `json:"count" doc:"How many"`
}

// StreamLetter is a dead letter without its record.
type StreamLetter struct {
	schemas.DeadLetterNote
	Processor string `json:"processor" doc:"Whose letter it is"`
}

// StoreHealth reports whether a server can be used.
type StoreHealth struct {
	Name         string               `json:"name" enum:"kafka,postgres,redis" doc:"Which: kafka as the processors see it, the others as this API does"`
	OK           bool                 `json:"ok" doc:"It answers"`
	Detail       string               `json:"detail" doc:"What is wrong, for people; empty where nothing is"`
	AnsweredInMS schemas.Opt[float64] `json:"answered_in_ms" doc:"How long the last look took, in ms; null where there is none"`
}

// Breaker reports whether a processor has stopped because too many records were rejected.
type Breaker struct {
	Open   bool   `json:"open" doc:"A processor holds"`
	Reason string `json:"reason" doc:"Why, for people"`
}

// Processor is one that is alive, or that died within the last hour.
type Processor struct {
	Instance    string                      `json:"instance" doc:"Its name"`
	Alive       bool                        `json:"alive" doc:"It was heard within three seconds"`
	At          schemas.TimeMS              `json:"at" doc:"When it was heard last"`
	AgeMS       int64                       `json:"age_ms" doc:"How long ago that was, in ms"`
	Phase       string                      `json:"phase" doc:"What it expects of Redis: ok, mending, away, refused"`
	LagMS       int64                       `json:"lag_ms" doc:"Age of its oldest record that waits, in ms"`
	Ready       bool                        `json:"ready" doc:"It is well"`
	Faults      []string                    `json:"faults" doc:"Why it is not, for people"`
	Build       string                      `json:"build" doc:"What it runs; empty where it does not tell"`
	Since       schemas.Opt[schemas.TimeMS] `json:"since" doc:"When it began; null where it does not tell"`
	RecordsPerS float64                     `json:"records_per_s" doc:"Its records over some ten seconds"`
}
