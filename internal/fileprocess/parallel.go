package fileprocess

import (
	"context"
	"io"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/pitchstream/pitchstream/internal/fileinput"
)

const (
	// chunkBytes is how much is measured at a time: about ten swings, which fit into the cache of a core.
	chunkBytes = 512 << 10
	// maxInFlightBytes bounds the chunks in flight on machines with many cores. A single larger record is in flight alone.
	maxInFlightBytes = 64 << 20
)

// chunk is a sequence of records and their measurements. It belongs to the reading goroutine, then to the worker that
// received it from work, and, after done, to the keeping goroutine.
type chunk struct {
	items    []fileinput.Item // their values are in buf
	buf      []byte
	first    int64 // number of the first item among all records
	measured []measurement
	done     chan struct{} // receives one value when measured is complete
}

// add copies a record into the chunk. It reports false if the chunk is full. A record larger than a chunk gets one of its
// own.
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

// reset empties the chunk, and frees the memory of an oversized one.
func (k *chunk) reset() {
	clear(k.items)
	clear(k.measured)
	k.items, k.measured, k.buf = k.items[:0], k.measured[:0], k.buf[:0]
	if cap(k.buf) > chunkBytes {
		k.buf = nil
	}
}

// pipeline moves chunks from one goroutine that reads, through workers, to one that keeps them in the order of the input:
//
//	          ┌▶ work ─▶ measure ─┐ done
//	readAll ──┤                   ▼
//	          └▶ inOrder ───────▶ keepAll
//
// room holds the bytes in flight, so that the reader waits for the keeper.
type pipeline struct {
	p         *processor
	room      *semaphore.Weighted
	roomBytes int64
	work      chan *chunk
	inOrder   chan *chunk
	free      chan *chunk // empty chunks to be used again
}

func (p *processor) readInParallel(ctx context.Context) error {
	chunks := 2*p.o.Workers + 2
	l := &pipeline{
		p: p, roomBytes: min(int64(chunks)*chunkBytes, maxInFlightBytes),
		work: make(chan *chunk, chunks), inOrder: make(chan *chunk, chunks), free: make(chan *chunk, chunks),
	}
	l.room = semaphore.NewWeighted(l.roomBytes)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(l.work)
		defer close(l.inOrder)
		return l.readAll(ctx)
	})
	for range p.o.Workers {
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
			p.stopReading(err) // the reader may be waiting for a pipe
		}
		return err
	})
	return g.Wait()
}

func (l *pipeline) readAll(ctx context.Context) error {
	begun, number := time.Now(), int64(0)
	k := l.newChunk(number)
	for {
		item, err := l.p.in.Next()
		if err == nil && k.add(item) {
			number++
			continue
		}
		if err != nil && err != io.EOF {
			return err
		}
		l.p.reading.add(begun, time.Now())
		if sendErr := l.send(ctx, k); sendErr != nil || err == io.EOF {
			return sendErr
		}
		begun, k = time.Now(), l.newChunk(number)
		k.add(item)
		number++
	}
}

func (l *pipeline) newChunk(number int64) *chunk {
	select {
	case k := <-l.free:
		k.first = number
		return k
	default:
		return &chunk{first: number, done: make(chan struct{}, 1)}
	}
}

// cost is how many bytes of room a chunk takes. One that is larger than the room takes all of it.
func (l *pipeline) cost(k *chunk) int64 { return min(int64(cap(k.buf)), l.roomBytes) }

// send waits for room and gives the chunk to a worker and to the keeper.
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
	l.p.measuring.add(begun, time.Now())
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
		l.p.keeping.add(begun, time.Now())
		l.room.Release(l.cost(k))
		k.reset()
		select {
		case l.free <- k:
		default:
		}
	}
	return nil
}
