package schemas

import "slices"

// Register is the key of one version in one register of a pitch. A pitch has two registers: what was
// measured, and who took part (identify). Each holds one version, and the greatest that was written wins.
// Records with equal keys have equal content.
type Register struct {
	PitchID  PitchID
	Identify bool // the register of who took part, not of what was measured
	Version  Version
}

// RegisterOf returns the register and version that a change writes.
func RegisterOf(c *Change) Register {
	return Register{PitchID: c.PitchID, Identify: c.Op == OpIdentify, Version: c.Version}
}

// Fate is what became of a replayed record. Every record has exactly one.
type Fate int16

// The fates of a record.
const (
	FateRow        Fate = iota // it wrote a row, with a greater version than the stored one or with the same
	FateDelete                 // it deleted a pitch
	FateID                     // it identified a pitch
	FateDeadLetter             // it became a dead letter
	FateSuperseded             // a greater version is stored, or an equal one of a newer core
	FateDuplicate              // an earlier record of its batch had the same version
)

// Replay asks a store to count the fates of a batch's records, in the batch's transaction. Records that have
// been counted before are left out.
type Replay struct {
	ID string
	// Records of one register must be in the order in which they were read.
	Records []ReplayRecord
}

// ReplayRecord is one record of a batch.
type ReplayRecord struct {
	Partition int32
	Offset    int64
	Op        Op
	Register  Register
	Rejected  bool // by the core; the Register is empty then
}

// Fates returns the fate of each record, in their order, given the registers that the store took and those
// that it refused.
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

// Balances reports whether every record that was read has one fate.
func (c ReplayCounts) Balances() bool {
	return c.Records == c.Rows+c.Deletes+c.IDs+c.Letters+c.Superseded+c.Duplicates
}

// Plus returns the sum of both.
func (c ReplayCounts) Plus(o ReplayCounts) ReplayCounts {
	return ReplayCounts{
		c.Records + o.Records, c.Rows + o.Rows, c.Deletes + o.Deletes, c.IDs + o.IDs, c.Letters + o.Letters,
		c.Superseded + o.Superseded, c.Duplicates + o.Duplicates,
	}
}

// ReplayPart is the progress of a replay in one partition. Offsets from From to below To are replayed; those
// below Next are counted.
type ReplayPart struct {
	Partition int32 `json:"partition"`
	From      int64 `json:"from"`
	To        int64 `json:"to"` // the offset at which it ends
	Next      int64 `json:"next"`
	ReplayCounts
}

// ReplayState is a replay as a store holds it.
type ReplayState struct {
	ID       string
	Spec     string // the range that was asked for, as text
	Group    string // the consumer group that the replay reads as
	Finished bool
	Parts    []ReplayPart // sorted by partition
}

// Counts returns the sum over all partitions.
func (s ReplayState) Counts() (sum ReplayCounts) {
	for p := range slices.Values(s.Parts) {
		sum = sum.Plus(p.ReplayCounts)
	}
	return sum
}
