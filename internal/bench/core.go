package bench

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// coreSample is the number of different records that decode and transform repeat: 25 MB, more than a cache
// holds.
const coreSample = 500

func (b *run) sample() (records []schemas.Record, err error) {
	s, err := b.o.simulator(min(coreSample, b.o.Pitches))
	if err != nil {
		return nil, err
	}
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		records = append(records, recordOf(&m, len(records)))
	}
	return records, nil
}

// recordOf returns a message as a record of a topic with one partition.
func recordOf(m *simulate.Message, offset int) schemas.Record {
	at := schemas.Coordinates{Topic: "pitches.raw", Offset: int64(offset), TimestampMS: int64(m.Timestamp)}
	return schemas.Record{Coordinates: at, Key: m.Key, Headers: m.Headers, Value: m.Value}
}

func (b *run) decode(ctx context.Context, result *Result) error {
	return b.core(ctx, result, 1)
}

func (b *run) transform(ctx context.Context, result *Result) error {
	return b.core(ctx, result, runtime.GOMAXPROCS(0))
}

// core transforms the sample repeatedly, until it has seen as many records as a round has.
func (b *run) core(ctx context.Context, result *Result, workers int) error {
	records, err := b.sample()
	if err != nil {
		return err
	}
	for round := range b.o.Rounds {
		b.announce(result.Stage, round)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		watch := startClock()
		bytes, err := transformAll(ctx, records, b.o.Pitches, workers)
		took, cpu := watch.stop()
		if err != nil {
			return err
		}
		runtime.ReadMemStats(&after)
		result.throughput(int64(b.o.Pitches), bytes, took, cpu)
		result.add("allocations", "a record", float64(after.Mallocs-before.Mallocs)/float64(b.o.Pitches))
	}
	return nil
}

func transformAll(ctx context.Context, records []schemas.Record, total, workers int) (bytes int64,
	err error) {
	var next, sum atomic.Int64
	var failed atomic.Pointer[features.Rejection]
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for ctx.Err() == nil && failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= total {
					return
				}
				rec := records[i%len(records)]
				if _, rej := features.Transform(rec, features.Limits{}); rej != nil {
					failed.Store(rej)
				}
				sum.Add(int64(len(rec.Value)))
			}
		})
	}
	all.Wait()
	if rej := failed.Load(); rej != nil {
		return 0, fmt.Errorf("a simulated record was rejected: %w", rej)
	}
	return sum.Load(), ctx.Err()
}

// clock measures elapsed time and the CPU time of this process.
type clock struct {
	began time.Time
	used  time.Duration
}

func startClock() clock { return clock{time.Now(), cpuTime()} }

func (k clock) stop() (took, cpu time.Duration) {
	return time.Since(k.began), cpuTime() - k.used
}
