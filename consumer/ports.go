package consumer

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// Store is the store of record: registers of pitches, aggregates, positions.
//
// Apply writes a batch completely or not at all. It may be called again with the same batch, or with one that
// overlaps it, in any order and by several processors at once: only the versions decide the result. A nil
// error means that the batch is durable. A change that the store will never accept comes back in
// Outcome.Refused. Every error is the server's and is retried, except schemas.ErrPositionBehind: then reading
// must go back to the stored position.
//
// EnsurePositions returns the stored position of each given partition, in their order. A partition without
// one is stored first, as given.
//
// Changed returns those of the published pitches that another processor has changed since, in their current
// state.
//
// Positions returns the stored positions of a topic by partition, without those that are not stored.
//
// SetPosition overwrites a position, also with a lower one. It is only called after a person accepted a gap.
//
// LabelPosition stores the TopicID and the Gap of a position, and leaves its offset.
//
// RaiseDeadLetters stores DeadLettersFrom and DeadLettersBelow of positions, where the second is more than
// what is stored. It passes over a position of another topic ID, and one whose offset is less.
//
// TopicIDs returns the ID that was stored first for each topic, and stores those of topics that have none. It
// stores all of them with overwrite, which a person has asked for.
type Store interface {
	Apply(ctx context.Context, b schemas.Batch) (schemas.Outcome, error)
	EnsurePositions(ctx context.Context, start []schemas.Position) ([]schemas.Position, error)
	Changed(ctx context.Context, published []schemas.Published) ([]schemas.Published, error)
	Positions(ctx context.Context, topic string) (map[int32]int64, error)
	SetPosition(ctx context.Context, p schemas.Position) error
	LabelPosition(ctx context.Context, p schemas.Position) error
	RaiseDeadLetters(ctx context.Context, at []schemas.Position) error
	TopicIDs(ctx context.Context, ids map[string]string, overwrite bool) (map[string]string, error)
}

// View is a projection of the store that serves readers. It is written after the store and repaired from it,
// so it cannot fail the stream.
//
// Push returns when the snapshots are readable, or when the view is unavailable and will be repaired later.
//
// RequestSweep asks for a comparison with the store soon: the last owner of newly assigned partitions may
// have died between the store and the view.
type View interface {
	Push(ctx context.Context, snapshots []schemas.Snapshot, applied []schemas.Position)
	RequestSweep()
}

// Encoder makes the records to produce: dead letters, with the failed record byte for byte, and current rows.
// A nil record is not produced.
type Encoder interface {
	DeadLetter(l schemas.DeadLetter, failedAt time.Time) *kgo.Record
	// Truncated returns the dead letter with at most keep bytes of each of key, value and own headers.
	Truncated(l schemas.DeadLetter, failedAt time.Time, keep int) *kgo.Record
	Row(p schemas.Published) *kgo.Record
}

// Observer is notified of the work of a processor, from several goroutines. Every method must return at once.
// NopObserver does nothing.
type Observer interface {
	// BatchStarted reports the start of a batch. If no Batch came since the last start, that one was dropped,
	// and its records are read again.
	BatchStarted()
	// Polled reports the records of a poll before they are decoded. They must not be kept.
	Polled(records []*kgo.Record)
	// Step reports how long one step took: decode, postgres (the Store), redis (the View), produce or commit.
	// A batch can have several of each.
	Step(step string, took time.Duration)
	// Batch reports a batch that was committed or, during a refill, applied.
	Batch(s BatchSummary)
	// Lag reports how many records of a partition the view was not given yet; −1 after the partition was
	// revoked.
	Lag(topic string, partition int32, records int64)
	// Position reports the offset of an owned partition below which the view was given everything. Time waits
	// is that of the oldest record at or above the offset; zero when there is none.
	Position(topic string, partition int32, next int64, waits time.Time)
	// Readable reports the time of the newest record of a poll in a partition, when readers can see it.
	Readable(topic string, partition int32, newest time.Time)
	// Condition reports whether a thing that the stream needs is available, and why not.
	Condition(name string, ok bool, reason string)
}

// BatchSummary counts one batch.
type BatchSummary struct {
	Records, Deletes, Identifies int
	Rows                         int // pitches whose stored row this batch has written
	Superseded                   int // changes that lost against a newer version
	Bytes                        int64
	DeadLetters                  map[schemas.Code]int
	Issues                       map[string]int // how often each text of a row's issues column occurs
	// Newest are the last dead letters, schemas.MaxNotes at most, the newest last. The observer sets their
	// time.
	Newest []schemas.DeadLetterNote
	Took   time.Duration
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
