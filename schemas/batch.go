package schemas

// Batch is what one poll asks of the store of record, already reduced: one entry a pitch, sorted by pitch id.
type Batch struct {
	Group     string // the consumer group whose positions move
	Pitches   []PitchChanges
	Positions []PositionMove
	Replay    *Replay // nil: it is none
}

// PitchChanges are the changes of one pitch within a batch.
type PitchChanges struct {
	PitchID PitchID
	// Measured are the upserts and deletes, newest version first, each version once. Only the first counts unless the
	// store refuses it for good; then the next takes its place.
	Measured []Change
	// Identified is the newest identify, nil where there is none.
	Identified *Change
}

// PositionMove moves the position of one partition.
type PositionMove struct {
	Position
	// Expected is the position as this processor last saw it stored. A stored one below it means that the store came
	// back older than it was: the store must refuse the batch with ErrPositionBehind and change nothing. One above it
	// (another processor was there) is kept: a position never moves back.
	Expected int64
}

// Outcome is what a store of record did with a batch.
type Outcome struct {
	// Published are the pitches whose stored state is what this batch brought, sorted by pitch id: for the rows topic.
	Published []Published
	// Refused are the changes that the store will never take, with its reason.
	Refused []Refusal
	// Snapshots are the batters whose aggregates may have changed, one each, sorted by batter.
	Snapshots []Snapshot
	// Superseded counts the changes that lost against an equal or newer version, stored or in the same batch.
	Superseded int
}

// Published is the present state of a pitch: its row, or nil where it was deleted.
type Published struct {
	PitchID    PitchID
	Row        *StoredRow
	Version    Version      // of the measured register
	Identified Opt[Version] // of the identified register; missing where no identify came
}

// Refusal is a change that the store refused for good, and why.
type Refusal struct {
	Change Change
	Reason string // one line
}

// BatterSeq is a batter's present sequence number, and whether any row of his stands.
type BatterSeq struct {
	BatterID int64
	Seq      int64
	Standing bool
}
