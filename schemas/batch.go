package schemas

import "errors"

// ErrPositionBehind reports that the store of record holds less than this processor wrote there: it was
// restored from a backup, or failed over to a lagging copy. The processor must read again from the stored
// position.
var ErrPositionBehind = errors.New(
	"the stored position is behind what was written: the store came back older")

// Batch is everything that one poll writes to the store of record, in one transaction. It is already reduced:
// one entry a pitch, sorted by pitch id, so that two processors lock the same rows in the same order.
type Batch struct {
	Group     string // the consumer group whose positions move
	Pitches   []PitchChanges
	Positions []PositionMove
	Replay    *Replay // nil for a live batch
}

// PitchChanges are the changes of one pitch within a batch.
type PitchChanges struct {
	PitchID PitchID
	// Measured are the upserts and deletes, newest version first, each version once. Only the first counts,
	// unless the store refuses it permanently; then the next one takes its place.
	Measured []Change
	// Identified are the identifies, by the same rule.
	Identified []Change
}

// Versions returns the list to which changes of an op belong: one list for each register.
func (p *PitchChanges) Versions(op Op) *[]Change {
	if op == OpIdentify {
		return &p.Identified
	}
	return &p.Measured
}

// PositionMove moves the position of one partition.
type PositionMove struct {
	Position
	// Expected is the stored position as this processor last saw it. A stored position below it shows that the
	// store was restored to an older state: it must refuse the batch with ErrPositionBehind and change nothing.
	// A stored position above it is kept, because another processor was there and a position never moves back.
	Expected int64
}

// Outcome is what a store of record did with a batch.
type Outcome struct {
	// Published are the pitches whose stored version now is one of this batch's, sorted by pitch id, for the
	// rows topic. If a newer core wrote that version, its row is here as it is stored, and the change counts as
	// superseded all the same.
	Published []Published
	// Refused are the changes that the store will never take, with its reasons. They become dead letters.
	Refused []Refusal
	// Snapshots are the aggregates of the batters and pitchers that may have changed, one each, for the live
	// store. They are sorted by side and player.
	Snapshots []Snapshot
	// Superseded counts the changes that lost against an equal or newer version, stored or in the same batch.
	Superseded int
}

// Published is the current state of a pitch.
type Published struct {
	PitchID     PitchID
	Row         *StoredRow   // nil if the pitch is deleted
	Version     Version      // of the measured register
	CoreVersion int32        // that wrote the measured register
	Identified  Opt[Version] // of the identified register; missing if no identify has arrived
	Scores      []Score      // of the row; nil if no version of a model scores it
}

// Refusal is a change that the store refuses permanently, and the reason in one line.
type Refusal struct {
	Change Change
	Reason string // one line
}

// PlayerSeq is a player's current sequence number, and whether any row of the player is current.
type PlayerSeq struct {
	PlayerID int64
	Seq      int64
	HasRows  bool // current ones
}
