package main

import (
	"context"
	"io"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/pitchstream/pitchstream/internal/fileinput"
)

const (
	// chunkBytes is how much is measured at a time: some ten swings, which stay in a core's cache.
	chunkBytes = 512 << 10
	// maxInFlight bounds the chunks under way on machines with many cores; a single record may have more.
	maxInFlight = 64 << 20
)

// chunk is some records, one after the other, and what became of them.
type chunk struct {
	items    []fileinput.Item // their values are in buf
	buf      []byte
	first    int64 // number of the first one among all records
	measured []measurement
	done     chan struct{} // gets one value when measured is there
}

// add takes a copy of a record, unless the chunk is full. A record larger than a chunk makes one of its own.
func (k *chunk) add(item fileinput.Item) bool {
	if len(k.buf)+len(item.Value) > cap(k.buf) {
		if len(k.items) > 0 {
			return false
		}
		k.buf = make([]byte, 0, max(chunkBytes, len(item.Value)))
	}
	from := len(k.buf)
	k.buf = append(k.buf, item.Value...)
	item.Value = k.buf[from:len(k.buf):len(k.buf)]
	k.items = append(k.items, item)
	return true
}

// reset empties the chunk for the next records.
func (k *chunk) reset() {
	clear(k.items)
	clear(k.measured)
	k.items, k.measured, k.buf = k.items[:0], k.measured[:0], k.buf[:0]
	if cap(k.buf) > chunkBytes {
		k.buf = nil
	}
}

// pipeline is the way of the chunks: one goroutine reads, some measure, one keeps, in the order of the input.
//
//	          ┌▶ work ─▶ measure ─┐ done
//	readAll ──┤                   ▼
//	          └▶ inOrder ───────▶ keepAll
//
// room holds the bytes under way: who reads waits for who keeps.
type pipeline struct {
	p       *processor
	room    *semaphore.Weighted
	most    int64 // bytes that room has
	work    chan *chunk
	inOrder chan *chunk
	free    chan *chunk // emptied ones
}

func (p *processor) readSideBySide(ctx context.Context) error {
	chunks := 2*p.c.Workers + 2
	l := &pipeline{
		p: p, most: min(int64(chunks)*chunkBytes, maxInFlight),
		work: make(chan *chunk, chunks), inOrder: make(chan *chunk, chunks), free: make(chan *chunk, chunks),
	}
	l.room = semaphore.NewWeighted(l.most)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(l.work)
		defer close(l.inOrder)
		return l.readAll(ctx)
	})
	for range p.c.Workers {
		g.Go(func() error {
			for k := range l.work {
				l.measure(k)
			}
			return nil
		})
	}
	g.Go(func() error {
		err := l.keepAll(ctx)
		if err != nil {
			p.stopReading(err) // which may be waiting for a pipe
		}
		return err
	})
	return g.Wait()
}

func (l *pipeline) readAll(ctx context.Context) error {
	begun, number := time.Now(), int64(0)
	k := l.fresh(number)
	for {
		item, err := l.p.in.Next()
		if err == nil && k.add(item) {
			number++
			continue
		}
		if err != nil && err != io.EOF {
			return err
		}
		l.p.tally.reading.add(begun, time.Now())
		if sendErr := l.send(ctx, k); sendErr != nil || err == io.EOF {
			return sendErr
		}
		begun, k = time.Now(), l.fresh(number)
		k.add(item)
		number++
	}
}

func (l *pipeline) fresh(number int64) *chunk {
	select {
	case k := <-l.free:
		k.first = number
		return k
	default:
		return &chunk{first: number, done: make(chan struct{}, 1)}
	}
}

// cost is what a chunk takes of the room. One that is larger than all of it is under way alone.
func (l *pipeline) cost(k *chunk) int64 { return min(int64(cap(k.buf)), l.most) }

// send hands a chunk on when there is room for it.
func (l *pipeline) send(ctx context.Context, k *chunk) error {
	if err := l.room.Acquire(ctx, l.cost(k)); err != nil {
		return context.Cause(ctx)
	}
	for _, to := range []chan<- *chunk{l.inOrder, l.work} {
		select {
		case to <- k:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (l *pipeline) measure(k *chunk) {
	begun := time.Now()
	for i := range k.items {
		k.measured = append(k.measured, l.p.measure(&k.items[i], k.first+int64(i)))
	}
	l.p.tally.measuring.add(begun, time.Now())
	k.done <- struct{}{}
}

func (l *pipeline) keepAll(ctx context.Context) error {
	for k := range l.inOrder {
		select {
		case <-k.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		begun := time.Now()
		for i := range k.items {
			if err := l.p.keep(&k.items[i], &k.measured[i]); err != nil {
				return err
			}
		}
		l.p.tally.keeping.add(begun, time.Now())
		l.room.Release(l.cost(k))
		l.recycle(k)
	}
	return nil
}

func (l *pipeline) recycle(k *chunk) {
	k.reset()
	select {
	case l.free <- k:
	default:
	}
}
