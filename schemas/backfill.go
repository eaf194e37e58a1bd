package schemas

import "time"

// States of a batch of a backfill. A batch is planned, then running, and then passed or refused. A refused
// one runs again when its backfill does, because its cause may be repaired, or is accepted with a reason.
const (
	BatchPlanned  = "planned"
	BatchRunning  = "running"
	BatchPassed   = "passed"
	BatchRefused  = "refused"  // a gate stops the backfill here
	BatchAccepted = "accepted" // somebody said why it may go on
)

// Backfill is a season, or another stretch of history, that is brought into a target batch by batch.
type Backfill struct {
	Name      string    `json:"name"`
	Target    string    `json:"target"`
	SHA256    string    `json:"sha256"` // of the file that describes it
	StartedAt time.Time `json:"started_at"`
	By        string    `json:"by"`
}

// BackfillBatch is a part of a backfill that is checked before the next one begins. Its offsets follow those
// of the batch before, without a gap, so that each record of the source is in one batch.
type BackfillBatch struct {
	Number int    `json:"number"` // from 1
	Name   string `json:"name"`   // 2024-04, 2024-04-01, or a path
	// FromDate and ToDate are the game dates of the batch; "" where they are not known before it is in.
	FromDate string `json:"from_date"`
	ToDate   string `json:"to_date"`
	// First and End are the offsets by partition, [First, End). Those of files are known when they are
	// loaded.
	First   map[int32]int64 `json:"first_offsets"`
	End     map[int32]int64 `json:"end_offsets"`
	Records int64           `json:"records"` // that the source has
	State   string          `json:"state"`
	Source  string          `json:"source"` // where it comes from
	SHA256  string          `json:"sha256"` // of the source
	Counts  ReplayCounts    `json:"counts"` // what became of the records
	Gates   []BackfillGate  `json:"gates"`
	Seconds float64         `json:"seconds"`
	Reason  string          `json:"reason"` // why it was accepted
	// Readings is how often the same records were read again after the batch was refused. Files are loaded
	// again instead.
	Readings int `json:"readings,omitempty"`
}

// BackfillGate is one check of a batch. It is kept when it passes too, so that a reader sees how far the
// value was from its limit.
type BackfillGate struct {
	Gate   string   `json:"gate"`
	Passed bool     `json:"passed"`
	Value  float64  `json:"value"`
	Limit  float64  `json:"limit"`
	Named  []string `json:"named"` // what is beyond the limit, 50 at most
}

// BackfillEvent is a line of the audit of a backfill. It is stored in the transaction of the change that it
// is about.
type BackfillEvent struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Role   string    `json:"role"` // in Postgres
	Action string    `json:"action"`
	Batch  string    `json:"batch"` // "": the whole backfill
	Source string    `json:"source"`
	SHA256 string    `json:"sha256"`
	Detail string    `json:"detail"`
}

// ColumnShift compares a column of a batch with the batches before it.
type ColumnShift struct {
	Column        string
	Rows, Before  int64      // with a value, in the batch and before
	Shift         float64    // of the mean, in standard deviations
	MissingShares [2]float64 // before, and in the batch
}
