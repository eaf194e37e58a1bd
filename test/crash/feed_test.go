package crash

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// feed is the load: a simulated stream with everything that goes wrong, produced as far ahead of the group as
// given.
type feed struct {
	tally simulate.Tally
	bytes int64
	ahead int64
	gate  atomic.Int64  // so many records at most are sent for now, wherever the group is
	room  chan struct{} // one for each record that may be sent
	done  chan error
}

func startFeed(t *testing.T, w *stack.Stack, seed uint64, pitches, ahead int) *feed {
	t.Helper()
	sim, client := w.Load(seed, pitches)
	f := &feed{ahead: int64(ahead), room: make(chan struct{}, ahead), done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		f.done <- f.run(ctx, sim, client)
		close(f.done)
	}()
	t.Cleanup(func() {
		cancel()
		<-f.done
		client.Close()
	})
	return f
}

func (f *feed) run(ctx context.Context, sim *simulate.Simulator, client *kgo.Client) error {
	var once sync.Once
	var refused error
	for m, ok := sim.Next(); ok; m, ok = sim.Next() {
		select {
		case <-f.room:
		case <-ctx.Done():
			return ctx.Err()
		}
		r := &kgo.Record{Key: m.Key, Value: stack.Thin(&m), Headers: kafkaread.Headers(m.Headers)}
		client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				once.Do(func() { refused = err })
			}
		})
		f.bytes += int64(len(r.Value))
		f.tally.Add(&m)
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	return refused
}

// follow makes room for what the group has committed, and for what may be ahead of it, as far as the gate is
// open.
func (f *feed) follow(ctx context.Context, committed func() int64) {
	var made int64
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		for n := min(committed()+f.ahead, f.gate.Load()); made < n && len(f.room) < cap(f.room); made++ {
			f.room <- struct{}{}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// open lets records be sent up to that many.
func (f *feed) open(to int64) { f.gate.Store(max(f.gate.Load(), to)) }
