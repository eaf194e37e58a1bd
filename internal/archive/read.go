package archive

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// Bounds of what Read hands over at once.
const (
	readRecords = 1000
	readBytes   = 8 << 20
)

// Read calls each with the records of a range of one partition, some at a time and in order. The range may
// have offsets without a record. each owns what it gets. An error of each ends the reading and is returned as
// it is.
func (a *Archive) Read(ctx context.Context, span kafkaread.Span, each func([]*kgo.Record) error) error {
	m := a.parts[span.Partition]
	if m == nil {
		return nil
	}
	var wanted []Segment
	for _, s := range m.Segments {
		if s.Last >= span.From && s.First < span.To {
			wanted = append(wanted, s)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ahead := make(chan fetched)
	go func() { // fetches one segment while the one before it is used
		defer close(ahead)
		for _, s := range wanted {
			content, err := fetch(ctx, a.store, m.folder(), s)
			select {
			case ahead <- fetched{s, content, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	for f := range ahead {
		if f.err == nil {
			f.err = a.use(ctx, m, f, span, each)
		}
		if f.err != nil {
			return f.err
		}
	}
	return context.Cause(ctx)
}

// fetched is the file of a segment.
type fetched struct {
	segment Segment
	content []byte
	err     error
}

func (a *Archive) use(
	ctx context.Context, m *Manifest, f fetched, span kafkaread.Span, each func([]*kgo.Record) error,
) error {
	var some []*kgo.Record
	size := 0
	err := unpackChecked(a.store, m.folder(), f.content, f.segment, span, func(r schemas.Record) error {
		some = append(some, kafkaread.Fetched(r))
		size += len(r.Value)
		if len(some) < readRecords && size < readBytes {
			return nil
		}
		full := some
		some, size = nil, 0
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		return each(full)
	})
	if err != nil {
		return err
	}
	return each(some)
}

// keptSegment is the file of the segment that was read last, because the next record asked for is often in it
// too.
type keptSegment struct {
	mu        sync.Mutex
	partition int32
	segment   Segment
	content   []byte // nil: none
}

// keptBytes bounds the file that is kept.
const keptBytes = 32 << 20

// Record returns one record, or kafkaread.ErrGone if the archive does not have it. A value of more than limit
// bytes is cut.
func (a *Archive) Record(
	ctx context.Context, at schemas.Coordinates, limit int,
) (found schemas.Record, err error) {
	m := a.parts[at.Partition]
	if m == nil {
		return found, kafkaread.ErrGone
	}
	for _, s := range m.Segments {
		if s.First <= at.Offset && at.Offset <= s.Last {
			return a.recordOf(ctx, m, s, at, limit)
		}
	}
	return found, kafkaread.ErrGone
}

// errFound ends the reading of a segment.
var errFound = errors.New("the record is found")

func (a *Archive) recordOf(
	ctx context.Context, m *Manifest, s Segment, at schemas.Coordinates, limit int,
) (found schemas.Record, err error) {
	a.kept.mu.Lock()
	defer a.kept.mu.Unlock()
	if a.kept.content == nil || a.kept.partition != at.Partition || a.kept.segment != s {
		a.kept.content = nil
		content, err := fetch(ctx, a.store, m.folder(), s)
		if err != nil {
			return found, err
		}
		a.kept.content, a.kept.partition, a.kept.segment = content, at.Partition, s
	}
	content := a.kept.content
	if len(content) > keptBytes {
		a.kept.content = nil
	}
	isFound := false
	of := kafkaread.Span{From: at.Offset, To: at.Offset + 1}
	err = unpackChecked(a.store, m.folder(), content, s, of, func(r schemas.Record) error {
		found, isFound = r, true
		return errFound
	})
	switch {
	case err != nil && !errors.Is(err, errFound):
		return found, err
	case !isFound:
		return found, fmt.Errorf("archive: %s/%d has no record at offset %d: %w", m.Topic, m.Partition, at.Offset,
			kafkaread.ErrGone)
	}
	if limit > 0 && len(found.Value) > limit {
		found = kafkaread.Cut(found, limit)
	}
	return found, nil
}
