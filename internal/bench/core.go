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

// recordOf returns a message as a record of a topic with one partition.
func recordOf(m *simulate.Message, offset int) schemas.Record {
	at := schemas.Coordinates{Topic: "pitches.raw", Offset: int64(offset), TimestampMS: int64(m.Timestamp)}
	return schemas.Record{Coordinates: at, Key: m.Key, Headers: m.Headers, Value: m.Value}
}

func measureDecode(ctx context.Context, o *Options, result *Result) error {
	return measureCore(ctx, o, result, 1)
}

func measureTransform(ctx context.Context, o *Options, result *Result) error {
	return measureCore(ctx, o, result, runtime.GOMAXPROCS(0))
}

// measureCore transforms the sample repeatedly, until it has seen as many records as a round has.
func measureCore(ctx context.Context, o *Options, result *Result, workers int) error {
	s, err := o.simulator(min(coreSample, o.Pitches))
	if err != nil {
		return err
	}
	var records []schemas.Record
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		records = append(records, recordOf(&m, len(records)))
	}
	return o.eachRound(result.Stage, func() error {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		watch := startClock()
		bytes, err := transformAll(ctx, records, o.Pitches, workers)
		took, cpu := watch.stop()
		if err != nil {
			return err
		}
		runtime.ReadMemStats(&after)
		result.throughput(int64(o.Pitches), bytes, took, cpu)
		result.add("allocations", "a record", float64(after.Mallocs-before.Mallocs)/float64(o.Pitches))
		return nil
	})
}

func transformAll(ctx context.Context, records []schemas.Record, total, workers int) (int64, error) {
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
