package consumer

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
)

// Store is the store of record: the versions of pitches, aggregates, positions. Every error is the server's
// and is retried, except schemas.ErrPositionBehind. Several processors may call it at once.
type Store interface {
	// Apply writes a batch completely or not at all. It may be called again with the same batch, or with one
	// that overlaps it, in any order: only the versions decide the result. A nil error means that the batch
	// is durable. Outcome.Refused has the changes that the store will never accept. After
	// schemas.ErrPositionBehind reading must go back to the stored position.
	Apply(ctx context.Context, b schemas.Batch) (schemas.Outcome, error)
	// EnsurePositions returns the stored position of each given partition, in their order. It first stores
	// the given position of each partition that has none.
	EnsurePositions(ctx context.Context, start []schemas.Position) ([]schemas.Position, error)
	// Changed returns those of the published pitches that another processor has changed since, in their
	// current state.
	Changed(ctx context.Context, published []schemas.Published) ([]schemas.Published, error)
	// Positions returns the stored offsets of a topic by partition, without those that are not stored.
	Positions(ctx context.Context, topic string) (map[int32]int64, error)
	// SetPosition overwrites a position, also with a lower one, and reports whether it did. It does not if the
	// stored offset, topic ID or gap are no longer those of was, unless they are those of p. It is only called
	// after a person accepted a gap.
	SetPosition(ctx context.Context, was, p schemas.Position) (isSet bool, err error)
	// LabelPosition stores the TopicID and the Gap of a position, and leaves its offset. A stored position with
	// another topic ID stays as it is.
	LabelPosition(ctx context.Context, p schemas.Position) error
	// RaiseDeadLetters stores DeadLettersFrom and DeadLettersBelow of positions. A stored position stays as
	// it is if its DeadLettersBelow is not smaller, if its topic ID is another one, or if its offset is below
	// the given DeadLettersBelow.
	RaiseDeadLetters(ctx context.Context, at []schemas.Position) error
	// EnsureTopicIDs returns the stored ID of each given topic. It first stores the given ID of each topic that
	// has none; with overwrite, which a person has asked for, of all.
	EnsureTopicIDs(ctx context.Context, ids map[string]string, overwrite bool) (map[string]string, error)
}

// View is a projection of the store that serves readers. It is written after the store and repaired from it,
// so it cannot fail the stream.
type View interface {
	// Push returns when the snapshots are readable, or when the view is unavailable and will be repaired
	// later. applied are the positions that the store has reached with these snapshots.
	Push(ctx context.Context, snapshots []schemas.Snapshot, applied []schemas.Position)
	// RequestSweep asks for a comparison with the store soon: the last owner of newly assigned partitions may
	// have died between the store and the view.
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

// Transform is features.Transform, or one that first reads what the core cannot, as the prefix of a schema
// registry. Its errors are a server's, never the record's: the record is transformed again, for as long as it
// takes. It is called by several goroutines.
type Transform func(
	ctx context.Context, rec schemas.Record, limits features.Limits,
) (schemas.Change, *features.Rejection, error)

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
	// Condition reports whether something that the stream needs is there, and why not. name is one of
	// assigned, breaker, fetch, gap, kafka, postgres, progress, schema-registry and topics.
	Condition(name string, ok bool, reason string)
}

// BatchSummary counts what one batch held and did.
type BatchSummary struct {
	Records, Deletes, Identifies int
	Rows                         int   // pitches whose stored row this batch has written
	Superseded                   int   // changes that an equal or newer version has superseded
	Bytes                        int64 // of the records' values
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
