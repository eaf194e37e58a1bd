package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// benchRun is one call of bench.
type benchRun struct {
	c   *benchCmd
	log io.Writer // what is under way
}

// data says what is measured with, so that it can be made again.
func (c *benchCmd) data() string {
	return fmt.Sprintf("as simulate --seed %d --pitches %d --feed-ids makes them", c.Seed, c.Pitches)
}

func (c *benchCmd) simulator(pitches int) (*simulate.Simulator, error) {
	return simulate.New(simulate.Options{Seed: c.Seed, Pitches: pitches, FeedIDs: true})
}

// coreSample is how many different records decode and transform go round in: 25 MB, more than a cache holds.
const coreSample = 500

func (b *benchRun) sample() (records []schemas.Record, err error) {
	s, err := b.c.simulator(min(coreSample, b.c.Pitches))
	if err != nil {
		return nil, err
	}
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		records = append(records, recordOf(&m, len(records)))
	}
	return records, nil
}

// recordOf is a message as it would stand in a topic of one partition.
func recordOf(m *simulate.Message, offset int) schemas.Record {
	at := schemas.Coordinates{Topic: "pitches.raw", Offset: int64(offset), TimestampMS: int64(m.Timestamp)}
	return schemas.Record{Coordinates: at, Key: m.Key, Headers: m.Headers, Value: m.Value}
}

func (b *benchRun) decode(ctx context.Context, result *benchResult) error {
	return b.core(ctx, result, 1)
}

func (b *benchRun) transform(ctx context.Context, result *benchResult) error {
	return b.core(ctx, result, runtime.GOMAXPROCS(0))
}

// core runs the core over the sample, again and again, until it has seen as many records as a round has.
func (b *benchRun) core(ctx context.Context, result *benchResult, workers int) error {
	records, err := b.sample()
	if err != nil {
		return err
	}
	for round := range b.c.Rounds {
		b.says(result.Stage, round)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		clock := startClock()
		bytes, err := transformAll(ctx, records, b.c.Pitches, workers)
		took, processor := clock.stop()
		if err != nil {
			return err
		}
		runtime.ReadMemStats(&after)
		result.throughput(int64(b.c.Pitches), bytes, took, processor)
		result.add("allocations", "a record", float64(after.Mallocs-before.Mallocs)/float64(b.c.Pitches))
	}
	return nil
}

func transformAll(ctx context.Context, records []schemas.Record, total, workers int) (bytes int64, err error) {
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

func (b *benchRun) says(what string, round int) {
	fmt.Fprintf(b.log, "bench: %s, round %d of %d\n", what, round+1, b.c.Rounds)
}

// benchClock measures time on the wall and time of the processor.
type benchClock struct {
	began time.Time
	used  time.Duration
}

func startClock() benchClock { return benchClock{time.Now(), processorTime()} }

func (k benchClock) stop() (took, processor time.Duration) {
	return time.Since(k.began), processorTime() - k.used
}
