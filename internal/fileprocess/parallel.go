package fileprocess

import (
	"context"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/pitchstream/pitchstream/internal/fileinput"
)

const (
	// chunkBytes is how much is measured at a time: about ten swings, which fit into the cache of a core.
	chunkBytes = 512 << 10
	// maxInFlightBytes bounds the chunks in flight on machines with many cores. A larger record is in flight
	// alone.
	maxInFlightBytes = 64 << 20
)

// chunk is a sequence of records and their measurements. The reading goroutine owns it, then the one that
// measures it, and after done the one that keeps it.
type chunk struct {
	items    []fileinput.Item // their values are in buf
	buf      []byte
	first    int64 // number of the first item among all records
	measured []measurement
	done     chan struct{} // receives one value when measured is complete
}

// add copies a record into the chunk. It returns false if the chunk is full. A record larger than a chunk
// gets one of its own.
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

// pipeline moves chunks from a goroutine that reads to one that keeps them in the order of the input. Each
// chunk is measured by a goroutine of its own, at most Workers of them at a time. The reader waits for room,
// which counts the bytes in flight, so that memory is bounded if writing is slower than reading.
type pipeline struct {
	p         *processor
	room      *semaphore.Weighted
	roomBytes int64
	inOrder   chan *chunk
	free      sync.Pool // of empty chunks
}

// readAll measures and keeps all records, in their order.
func (p *processor) readAll(ctx context.Context) error {
	chunks := 2*p.o.Workers + 2
	roomBytes := min(int64(chunks)*chunkBytes, maxInFlightBytes)
	l := &pipeline{
		p: p, room: semaphore.NewWeighted(roomBytes), roomBytes: roomBytes, inOrder: make(chan *chunk, chunks),
		free: sync.Pool{New: func() any { return &chunk{done: make(chan struct{}, 1)} }},
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.o.Workers + 2) // two more, because read and keepAll run in the group as well
	g.Go(func() error {
		defer close(l.inOrder)
		return l.read(ctx, g)
	})
	g.Go(func() error {
		err := l.keepAll(ctx)
		if err != nil {
			p.stopReading(err) // read may be waiting for a pipe
		}
		return err
	})
	return g.Wait()
}

func (l *pipeline) read(ctx context.Context, g *errgroup.Group) error {
	var number int64 // of the next record
	k := l.free.Get().(*chunk)
	for begun := time.Now(); ; number++ {
		item, err := l.p.in.Next()
		if err == nil && k.add(item) {
			continue
		}
		if err != nil && err != io.EOF {
			return err
		}
		l.p.reading.since(begun)
		if sendErr := l.send(ctx, g, k); sendErr != nil || err == io.EOF {
			return sendErr
		}
		begun, k = time.Now(), l.free.Get().(*chunk)
		k.first = number
		k.add(item)
	}
}

// cost is how many bytes of room a chunk takes. One that is larger than the room takes all of it.
func (l *pipeline) cost(k *chunk) int64 { return min(int64(cap(k.buf)), l.roomBytes) }

// send waits for room, and has the chunk measured and kept.
func (l *pipeline) send(ctx context.Context, g *errgroup.Group, k *chunk) error {
	if err := l.room.Acquire(ctx, l.cost(k)); err != nil {
		return context.Cause(ctx)
	}
	select {
	case l.inOrder <- k:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	g.Go(func() error {
		begun := time.Now()
		for i := range k.items {
			m, err := l.p.measure(ctx, &k.items[i], k.first+int64(i))
			if err != nil {
				return err
			}
			k.measured = append(k.measured, m)
		}
		l.p.measuring.since(begun)
		k.done <- struct{}{}
		return nil
	})
	return nil
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
		l.p.keeping.since(begun)
		l.room.Release(l.cost(k))
		if cap(k.buf) <= chunkBytes { // the memory of an oversized record is freed
			clear(k.items)
			clear(k.measured)
			k.items, k.measured, k.buf = k.items[:0], k.measured[:0], k.buf[:0]
			l.free.Put(k)
		}
	}
	return nil
}
