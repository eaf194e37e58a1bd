package archive

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// Topic is a topic with its archive. Records that the topic has no more are read from the archive of the
// topic with the same ID. Its methods are those of package kafkaread. One goroutine uses it.
type Topic struct {
	client []kgo.Opt
	admin  *kadm.Client
	name   string
	place  string                     // of the archive; "": none
	store  func() (blob.Store, error) // opens the place once

	archive *Archive        // nil: none
	read    time.Time       // when its manifests were read
	bounds  kafkaread.Spans // of the topic itself, when Bounds was called last
}

// NewTopic returns a topic with the archive at a place; "" is a topic without one.
func NewTopic(client []kgo.Opt, admin *kadm.Client, name, place string) *Topic {
	store := sync.OnceValues(func() (blob.Store, error) { return blob.Open(place) })
	return &Topic{client: client, admin: admin, name: name, place: place, store: store}
}

// Another returns the same topic for another goroutine.
func (t *Topic) Another() *Topic {
	return &Topic{client: t.client, admin: t.admin, name: t.name, place: t.place, store: t.store}
}

// Bounds returns the offsets that can be read of each partition without a gap, up to the last committed
// record. It reads the manifests again.
func (t *Topic) Bounds(ctx context.Context) (kafkaread.Spans, error) {
	bounds, err := kafkaread.Bounds(ctx, t.admin, t.name, kgo.ReadCommitted())
	if err != nil {
		return nil, err
	}
	if t.bounds = bounds; t.place == "" {
		return maps.Clone(bounds), nil
	}
	if err := t.openArchive(ctx); err != nil {
		return nil, err
	}
	return t.withArchive(bounds), nil
}

// BoundsAgain is Bounds for who only waits: it reads the manifests again after a minute. Before records are
// read, Bounds must be called, because segments may have been merged since.
func (t *Topic) BoundsAgain(ctx context.Context) (kafkaread.Spans, error) {
	// guard: archive: who waits does not read the manifests each time | || time.Since(t.read) >= manifestsFor -> || true
	if t.archive == nil || time.Since(t.read) >= manifestsFor {
		return t.Bounds(ctx)
	}
	bounds, err := kafkaread.Bounds(ctx, t.admin, t.name, kgo.ReadCommitted())
	if err != nil {
		return nil, err
	}
	return t.withArchive(bounds), nil
}

// Own returns the offsets that the topic itself had when Bounds or BoundsAgain was called last.
func (t *Topic) Own() kafkaread.Spans { return t.bounds }

// withArchive keeps the bounds of the topic, and returns them with what the archive has before them.
func (t *Topic) withArchive(bounds kafkaread.Spans) kafkaread.Spans {
	t.bounds = bounds
	whole := kafkaread.Spans{}
	for id, span := range bounds {
		covered := t.archive.Spans(id)
		for _, s := range slices.Backward(covered) {
			if s.From < span.From && s.To >= span.From {
				span.From = s.From
			}
		}
		whole[id] = span
	}
	return whole
}

func (t *Topic) openArchive(ctx context.Context) error {
	id, err := TopicID(ctx, t.admin, t.name)
	if err != nil {
		return err
	}
	store, err := t.store()
	if err != nil {
		return err
	}
	t.read = time.Now()
	t.archive, err = Open(ctx, store, t.name, id)
	return err
}

// Since returns the spans without what comes before the first record whose timestamp is since or later, as
// kafkaread.Since does. Bounds must have been called before.
func (t *Topic) Since(
	ctx context.Context, spans kafkaread.Spans, since time.Time,
) (kafkaread.Spans, error) {
	found, err := kafkaread.Since(ctx, t.admin, t.name, spans, since)
	if err != nil || t.archive == nil || since.UnixMilli() <= 0 {
		return found, err
	}
	for id, span := range spans {
		end := min(t.bounds[id].From, span.To)
		if span.From >= end {
			continue
		}
		if at := max(span.From, t.archive.Since(id, since, end)); at < end {
			span.From = at
			found[id] = span
		}
	}
	return found, nil
}

// Read calls each with the records of the spans, as kafkaread.Read does: of each partition those of the
// archive first. A record that retention deletes meanwhile is read from the archive. One that neither has is
// an error, because a reader would take its place for an offset without a record.
func (t *Topic) Read(
	ctx context.Context, spans kafkaread.Spans, each func([]*kgo.Record) error,
) error {
	if t.archive == nil {
		return kafkaread.Read(ctx, t.client, t.name, spans, each)
	}
	left := maps.Clone(spans)
	for {
		for id := range left {
			if err := t.readArchive(ctx, left, id, each); err != nil {
				return err
			}
		}
		err := kafkaread.ReadOn(ctx, t.client, t.name, left, each)
		// guard: archive: a start that moves while the archive is read is not jumped over | !errors -> true || !errors
		if !errors.Is(err, kerr.OffsetOutOfRange) {
			return err
		}
		if _, err := t.Bounds(ctx); err != nil {
			return err
		}
		isBehind := false
		for id, span := range left {
			isBehind = isBehind || span.From < min(span.To, t.bounds[id].From)
		}
		if !isBehind {
			return err // the topic has lost its end
		}
	}
}

// readArchive reads what the topic does not have of a partition, and moves the beginning of its span.
func (t *Topic) readArchive(
	ctx context.Context, left kafkaread.Spans, id int32, each func([]*kgo.Record) error,
) error {
	for {
		span := left[id]
		end := min(span.To, t.bounds[id].From)
		// guard: archive: what the topic has no more is read from the archive | span.From >= end -> true
		if span.From >= end {
			return nil
		}
		from, to := t.archive.covered(id, span.From, end)
		// guard: archive: records that nobody has any more are an error
		if from > span.From {
			return fmt.Errorf("archive: %s/%d: the records %d to %d were deleted from the topic before they were "+
				"archived: run the archive more often, or keep the topic longer", t.name, id, span.From, from-1)
		}
		of := kafkaread.Span{Partition: id, From: span.From, To: to}
		err := t.archive.Read(ctx, of, func(records []*kgo.Record) error {
			if err := each(records); err != nil || len(records) == 0 {
				return err
			}
			span.From = records[len(records)-1].Offset + 1
			left[id] = span
			return nil
		})
		// guard: archive: a reader beside compact reads the merged segments | errors.Is(err, blob.ErrNotFound) -> false
		if errors.Is(err, blob.ErrNotFound) { // compacted since its manifest was read
			was := t.archive.tag(id)
			if err := t.openArchive(ctx); err != nil {
				return err
			}
			if t.archive.tag(id) != was {
				continue
			}
		}
		if err != nil {
			return err
		}
		span.From = to
		left[id] = span
	}
}

// manifestsFor is how long Beyond and BoundsAgain use the manifests that were read.
const manifestsFor = time.Minute

// Beyond returns a function that finds single records in the archive at a place, for a kafkaread.Reader; nil
// for "". Several goroutines may use it.
func Beyond(place string) kafkaread.Beyond {
	if place == "" {
		return nil
	}
	var mu sync.Mutex
	var of *Archive
	var read time.Time
	open := func(ctx context.Context, topic string, id kadm.TopicID) (*Archive, error) {
		mu.Lock()
		defer mu.Unlock()
		isSame := of != nil && of.topic == topic && of.id == FolderOf(id)
		if isSame && time.Since(read) < manifestsFor {
			return of, nil
		}
		store, err := blob.Open(place)
		if err != nil {
			return nil, err
		}
		if of, err = Open(ctx, store, topic, FolderOf(id)); err != nil {
			return nil, err
		}
		read = time.Now()
		return of, nil
	}
	return func(
		ctx context.Context, id kadm.TopicID, at schemas.Coordinates, limit int,
	) (schemas.Record, error) {
		a, err := open(ctx, at.Topic, id)
		if err != nil {
			return schemas.Record{}, err
		}
		found, err := a.Record(ctx, at, limit)
		if errors.Is(err, blob.ErrNotFound) { // compacted since its manifest was read
			mu.Lock()
			of = nil
			mu.Unlock()
			if a, err = open(ctx, at.Topic, id); err == nil {
				found, err = a.Record(ctx, at, limit)
			}
		}
		if err != nil {
			return found, fmt.Errorf("%s/%d offset %d: %w", at.Topic, at.Partition, at.Offset, err)
		}
		return found, nil
	}
}
