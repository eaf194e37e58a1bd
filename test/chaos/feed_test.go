package chaos

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// feed sends a simulated stream with everything that goes wrong, at a rate. It remembers what Kafka has
// acknowledged, and requires all of it in the topic at the end.
type feed struct {
	tally  simulate.Tally
	bytes  int64
	gate   atomic.Int64 // so many pitches are sent for now
	hurry  atomic.Bool  // without a rate
	done   chan error
	mu     sync.Mutex
	acks   map[place][sha256.Size]byte
	failed error
}

// place is where a record is in the raw topic.
type place struct {
	partition int32
	offset    int64
}

func startFeed(t *testing.T, s *stack.Stack, seed uint64, pitches, rate int) *feed {
	t.Helper()
	sim, client := s.Load(seed, pitches)
	f := &feed{done: make(chan error, 1), acks: map[place][sha256.Size]byte{}}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		f.done <- f.run(ctx, sim, client, rate)
		close(f.done)
	}()
	t.Cleanup(func() {
		cancel()
		<-f.done
		client.Close()
	})
	return f
}

func (f *feed) run(ctx context.Context, sim *simulate.Simulator, client *kgo.Client, rate int) error {
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	var sent int64
	for m, ok := sim.Next(); ok; m, ok = sim.Next() {
		for sent >= f.gate.Load() || !f.hurry.Load() {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return ctx.Err()
			}
			if sent < f.gate.Load() {
				break
			}
		}
		if m.Want.Kind == simulate.KindPitch {
			sent++
		}
		r := &kgo.Record{Key: m.Key, Value: stack.Thin(&m), Headers: kafkaread.Headers(m.Headers)}
		client.Produce(ctx, r, f.note)
		f.bytes += int64(len(r.Value))
		f.tally.Add(&m)
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// note is called when Kafka has acknowledged a record, or has refused it permanently.
func (f *feed) note(r *kgo.Record, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.failed = err
		return
	}
	f.acks[place{r.Partition, r.Offset}] = sha256.Sum256(r.Value)
}

// lost returns how many acknowledged records the raw topic does not have at their places.
func (f *feed) lost(s *stack.Stack) (lost int, example string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := len(f.acks)
	s.Each(s.Raw(), func(r *kgo.Record) {
		at := place{r.Partition, r.Offset}
		if sum, ok := f.acks[at]; ok {
			if sum != sha256.Sum256(r.Value) {
				example = fmt.Sprintf("%v has another record", at)
				return
			}
			left--
		}
	})
	return left, example
}
