// Package verify holds the raw topic against the store of record: every record that the group has processed is read and
// run through the core once more, and what should stand of it is compared with what stands.
//
//	topic.go    the order of it all: positions, letters, records, registers, a second look, the repair
//	compare.go  every pitch once, and those that differ once more
//	repair.go   what the topic says of them, written again
//	resolve.go  which version of each pitch wins, in 100 bytes a pitch
//	judge.go    one pitch: the topic's winner and the store's registers
//	letters.go  rejected records and dead letters
//	groups.go   counts by game and by batter
//	read.go     the core, on a poll of records (package kafkaread reads them)
//
// The other comparisons need the knowledge of one store only and live there: pgsink.CompareTotals, redissink.Audit.
package verify

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// Store is the store of record, as far as it is compared.
type Store interface {
	// AppliedPositions gives the stored positions of the consumer group.
	AppliedPositions(ctx context.Context) ([]schemas.Position, error)
	// Registers gives both registers of the next limit pitches after a pitch, sorted by pitch.
	Registers(ctx context.Context, after schemas.PitchID, limit int) ([]schemas.StoredRegisters, error)
	// RegistersOf gives those of some pitches, sorted by pitch.
	RegistersOf(ctx context.Context, ids []schemas.PitchID) ([]schemas.StoredRegisters, error)
	// Apply writes a batch; of one without positions only the pitches.
	Apply(ctx context.Context, b schemas.Batch) (schemas.Outcome, error)
}

// Options say what Topic compares.
type Options struct {
	Client    []kgo.Opt // how to reach the brokers
	Raw, Dead string    // topics
	Group     string    // the consumer group whose work is checked
	Build     string    // of this program: a letter of another build is judged by that build's rules
	Limits    features.Limits
	// Repair writes what is lost, older or otherwise again from the topic.
	Repair bool
	// Push is given the batters that a repair changed; nil: nobody is.
	Push func(ctx context.Context, snaps []schemas.Snapshot) error
	// Progress is called with the records that were read, and how many there are; nil: by nobody.
	Progress func(done, total int64)
}

// Report says what Topic found. Counts of pitches are of those that stand.
type Report struct {
	Partitions []kafkaread.Span `json:"partitions"`
	Records    int64            `json:"records"`
	Topic      int64            `json:"pitches_in_topic"`
	Postgres   int64            `json:"pitches_in_postgres"`
	// NotCheckable are pitches whose version the topic does not hold any more (or never held), or that a newer core
	// wrote: nothing can be said of them.
	NotCheckable int64 `json:"not_checkable"`
	// Moving are pitches that the stream has written since: newer than the positions that were compared.
	Moving      int64                `json:"moving"`
	Games       []Group              `json:"games,omitempty"`   // in which something differs
	Batters     []Group              `json:"batters,omitempty"` // of whom something differs
	Letters     Letters              `json:"letters"`
	Differences []schemas.Difference `json:"differences,omitempty"`
}

// Group counts the standing pitches of one game or batter on both sides, and those that differ.
type Group struct {
	Name     string `json:"name"`
	Topic    int64  `json:"pitches_in_topic"`
	Postgres int64  `json:"pitches_in_postgres"`
	Differ   int64  `json:"differ"`
}

// Letters compares rejected records with dead letters, by the coordinates of the record.
type Letters struct {
	Rejected     int64 `json:"rejected"`       // records that this build rejects
	Found        int64 `json:"letters"`        // distinct ones of this group about the records compared
	SinkRejected int64 `json:"sink_rejected"`  // of them, those about records that the store refused
	OtherBuild   int64 `json:"of_other_build"` // of them, those of another build about records that this one takes
	NotCheckable int64 `json:"not_checkable"`  // rejected records whose letter the topic may have dropped
}
