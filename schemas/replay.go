package schemas

import "slices"

// Register is one version of one register of a pitch. Records with equal versions have equal content.
type Register struct {
	PitchID  PitchID
	Identify bool
	Version  Version
}

// RegisterOf is the one that a change is about.
func RegisterOf(c *Change) Register {
	return Register{PitchID: c.PitchID, Identify: c.Op == OpIdentify, Version: c.Version}
}

// Fate is what became of a record that was replayed: exactly one of these.
type Fate int16

// The fates of a record.
const (
	FateRow        Fate = iota // it wrote a row, of a greater version than stood or of the same one
	FateDelete                 // it deleted a pitch
	FateID                     // it identified a pitch
	FateDeadLetter             // it could not become a row
	FateSuperseded             // a greater version made it void, or an equal one of a newer core
	FateDuplicate              // another record of its batch had the same version
)

// Replay asks a store to count what becomes of a batch's records, in the batch's transaction, and only of those that
// have not been counted before.
type Replay struct {
	ID      string
	Records []ReplayRecord // those of one register in the order in which they were read
}

// ReplayRecord is one record of a batch.
type ReplayRecord struct {
	Partition int32
	Offset    int64
	Op        Op
	Register  Register
	Rejected  bool // the core rejected it: Register is empty
}

// Fates says what becomes of the records, in their order, when the store took these registers and refused those.
func (r *Replay) Fates(took, refused map[Register]bool) []Fate {
	fates := make([]Fate, len(r.Records))
	seen := make(map[Register]bool, len(r.Records))
	for i, rec := range r.Records {
		switch {
		case rec.Rejected, refused[rec.Register]:
			fates[i] = FateDeadLetter
		case seen[rec.Register]:
			fates[i] = FateDuplicate
		case !took[rec.Register]:
			fates[i] = FateSuperseded
		case rec.Op == OpDelete:
			fates[i] = FateDelete
		case rec.Op == OpIdentify:
			fates[i] = FateID
		default:
			fates[i] = FateRow
		}
		seen[rec.Register] = !rec.Rejected
	}
	return fates
}

// ReplayCounts counts records by their fate.
type ReplayCounts struct {
	Records    int64 `json:"records"`
	Rows       int64 `json:"rows"`
	Deletes    int64 `json:"deletes"`
	IDs        int64 `json:"ids"`
	Letters    int64 `json:"letters"`
	Superseded int64 `json:"superseded"`
	Duplicates int64 `json:"duplicates"`
}

// Balances says whether every record that was read has one fate.
func (c ReplayCounts) Balances() bool {
	return c.Records == c.Rows+c.Deletes+c.IDs+c.Letters+c.Superseded+c.Duplicates
}

// Plus is both together.
func (c ReplayCounts) Plus(o ReplayCounts) ReplayCounts {
	return ReplayCounts{
		c.Records + o.Records, c.Rows + o.Rows, c.Deletes + o.Deletes, c.IDs + o.IDs, c.Letters + o.Letters,
		c.Superseded + o.Superseded, c.Duplicates + o.Duplicates,
	}
}

// ReplayPart is how far a replay is in one partition.
type ReplayPart struct {
	Partition int32 `json:"partition"`
	From      int64 `json:"from"`
	To        int64 `json:"to"`   // the offset at which it ends
	Next      int64 `json:"next"` // from here on nothing is counted yet
	ReplayCounts
}

// ReplayState is a replay as a store has it.
type ReplayState struct {
	ID       string
	Spec     string // what was asked for
	Group    string // the consumer group that it reads as
	Finished bool
	Parts    []ReplayPart // by partition
}

// Counts are those of all partitions.
func (s ReplayState) Counts() (sum ReplayCounts) {
	for p := range slices.Values(s.Parts) {
		sum = sum.Plus(p.ReplayCounts)
	}
	return sum
}
