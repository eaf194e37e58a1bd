package consumer

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// Store is the record of truth: registers of pitches, aggregates, positions.
//
// Apply writes a whole batch or nothing. It may be called again with the same batch, or with one that overlaps it, in
// any order and from several processors at once; the state it ends in depends only on the versions. A nil error means
// that the batch is durable. A record that the store will never take comes back in Outcome.Refused; every error is ours
// and is tried again, except schemas.ErrPositionBehind: reading must go back to the stored position.
//
// EnsurePositions answers the stored position of each given partition, in their order; one that is not stored yet is
// stored first, as given.
//
// Changed answers which of the published pitches another processor has changed meanwhile, and how they stand now.
//
// SetPosition stores a position whatever stood there: the way on after an accepted gap.
type Store interface {
	Apply(ctx context.Context, b schemas.Batch) (schemas.Outcome, error)
	EnsurePositions(ctx context.Context, start []schemas.Position) ([]schemas.Position, error)
	Changed(ctx context.Context, published []schemas.Published) ([]schemas.Published, error)
	SetPosition(ctx context.Context, p schemas.Position) error
}

// View is a projection of the store that readers are served from. It is written after the store and mended from it, so
// nothing here can fail the stream: Push returns when the snapshots are readable, or when the view is away and will be
// mended later. RequestSweep asks for a comparison with the store soon: partitions were assigned, whose last owner may have died
// between the store and the view.
type View interface {
	Push(ctx context.Context, snapshots []schemas.Snapshot, applied []schemas.Position)
	RequestSweep()
}

// Encoder makes the records that are produced: letters, whole and unchanged, and the rows that now stand. A nil record
// is not produced.
type Encoder interface {
	DeadLetter(l schemas.DeadLetter, failedAt time.Time) *kgo.Record
	Row(p schemas.Published) *kgo.Record
}

// Observer is told what happened; every method returns at once. NopObserver does nothing.
type Observer interface {
	// BatchStarted is a batch that begins; one that was not committed by then was dropped, and is read again.
	BatchStarted()
	// Polled are the records of a poll of the batch, before they are decoded; not to be kept.
	Polled(records []*kgo.Record)
	// Step is one step of a batch: decode, postgres, redis, produce, commit.
	Step(step string, took time.Duration)
	// Batch is a batch that was committed (or, when refilling, applied).
	Batch(s BatchSummary)
	// Lag is how many records of a partition are not applied yet; −1 when the partition is not ours any more.
	Lag(topic string, partition int32, records int64)
	// Position is the offset of a partition that is ours below which the view was given everything, and the time of the
	// oldest record known that waits there; zero when none does.
	Position(topic string, partition int32, next int64, waits time.Time)
	// Readable is the time of the newest record of a poll in a partition: from now on it can be read.
	Readable(topic string, partition int32, newest time.Time)
	// Condition says whether something the stream needs is there, and why not.
	Condition(name string, ok bool, reason string)
}

// BatchSummary counts what one batch was.
type BatchSummary struct {
	Records, Deletes, Identifies int
	Rows                         int // pitches whose stored row is what this batch brought
	Superseded                   int // changes that a version that stands made void
	Bytes                        int64
	DeadLetters                  map[schemas.Code]int
	Issues                       map[string]int           // of the rows, as they are written in a row
	Newest                       []schemas.DeadLetterNote // the last of the letters, schemas.MaxNotes at most, the newest last; without a time
	Took                         time.Duration
}

// NopObserver ignores everything.
type NopObserver struct{}

func (NopObserver) BatchStarted()                            {}
func (NopObserver) Polled([]*kgo.Record)                     {}
func (NopObserver) Step(string, time.Duration)               {}
func (NopObserver) Batch(BatchSummary)                       {}
func (NopObserver) Lag(string, int32, int64)                 {}
func (NopObserver) Position(string, int32, int64, time.Time) {}
func (NopObserver) Readable(string, int32, time.Time)        {}
func (NopObserver) Condition(string, bool, string)           {}
