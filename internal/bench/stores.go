package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/memsink"
)

// batchRecords is the number of records in one transaction of the stage postgres.
const batchRecords = 1000

// storeTopic is the topic of the positions in the stages without Kafka.
const storeTopic = "pitches.raw"

// batches returns the simulated pitches as a processor gives them to its store.
func (b *run) batches(ctx context.Context, group string) (all []schemas.Batch, err error) {
	s, err := b.o.simulator(b.o.Pitches)
	if err != nil {
		return nil, err
	}
	var decoded []consumer.Decoded
	offset := 0
	flush := func() {
		move := schemas.PositionMove{Expected: int64(offset - len(decoded)),
			Position: schemas.Position{Topic: storeTopic, NextOffset: int64(offset)}}
		all = append(all, schemas.Batch{Group: group, Pitches: consumer.MakePlan(decoded).Pitches,
			Positions: []schemas.PositionMove{move}})
		decoded = nil
	}
	for m, ok := s.Next(); ok && ctx.Err() == nil; m, ok = s.Next() {
		d := consumer.Decoded{Record: recordOf(&m, offset)}
		if d.Change, d.Rejection = features.Transform(d.Record, features.Limits{}); d.Rejection != nil {
			return nil, fmt.Errorf("a simulated record was rejected: %w", d.Rejection)
		}
		d.Record = schemas.Record{Coordinates: d.Record.Coordinates} // its bytes are not needed any longer
		decoded = append(decoded, d)
		if offset++; len(decoded) == batchRecords {
			flush()
		}
	}
	if len(decoded) > 0 {
		flush()
	}
	return all, ctx.Err()
}

// applier is Postgres, or the store in memory.
type applier interface {
	EnsurePositions(ctx context.Context, start []schemas.Position) ([]schemas.Position, error)
	Apply(ctx context.Context, b schemas.Batch) (schemas.Outcome, error)
}

// applyAll applies the batches to a store and calls done with the outcome and the time of each.
func applyAll(ctx context.Context, store applier, batches []schemas.Batch,
	done func(schemas.Batch, schemas.Outcome, time.Duration) error) error {
	if _, err := store.EnsurePositions(ctx, []schemas.Position{{Topic: storeTopic}}); err != nil {
		return err
	}
	for _, batch := range batches {
		began := time.Now()
		out, err := store.Apply(ctx, batch)
		if err == nil && len(out.Refused) > 0 {
			err = errors.New(out.Refused[0].Reason)
		}
		if err != nil {
			return err
		}
		if err := done(batch, out, time.Since(began)); err != nil {
			return err
		}
	}
	return nil
}

func (b *run) postgres(ctx context.Context, result *Result) error {
	for round := range b.o.Rounds {
		b.announce(result.Stage, round)
		if err := b.postgresRound(ctx, result); err != nil {
			return err
		}
	}
	return nil
}

func (b *run) postgresRound(ctx context.Context, result *Result) (err error) {
	own := newScratch(b.o)
	defer own.clear(ctx, &err)
	batches, err := b.batches(ctx, own.options.Group)
	if err != nil {
		return err
	}
	if err := own.schema(ctx); err != nil {
		return err
	}
	store, err := own.options.OpenStore()
	if err != nil {
		return err
	}
	defer store.Close()
	var times []time.Duration
	watch := startClock()
	err = applyAll(ctx, store, batches, func(_ schemas.Batch, _ schemas.Outcome, took time.Duration) error {
		times = append(times, took)
		return nil
	})
	took, cpu := watch.stop()
	if err != nil {
		return err
	}
	result.throughput(int64(b.o.Pitches), 0, took, cpu)
	result.percentiles(fmt.Sprintf("a transaction of %s", terminal.Count(min(batchRecords, int64(b.o.Pitches)))),
		times)
	return nil
}

// snapshots returns the batters that each batch changes, as Postgres would return them, with the positions of
// the batch.
func (b *run) snapshots(ctx context.Context) (pushes []push, batters int64, err error) {
	batches, err := b.batches(ctx, "bench")
	if err != nil {
		return nil, 0, err
	}
	err = applyAll(ctx, memsink.New(), batches,
		func(batch schemas.Batch, out schemas.Outcome, _ time.Duration) error {
			pushes = append(pushes, push{out.Snapshots, []schemas.Position{batch.Positions[0].Position}})
			batters += int64(len(out.Snapshots))
			return nil
		})
	return pushes, batters, err
}

type push struct {
	snapshots []schemas.Snapshot
	applied   []schemas.Position
}

func (b *run) redis(ctx context.Context, result *Result) error {
	pushes, batters, err := b.snapshots(ctx)
	if err != nil {
		return err
	}
	for round := range b.o.Rounds {
		b.announce(result.Stage, round)
		if err := b.redisRound(ctx, result, pushes, batters); err != nil {
			return err
		}
	}
	return nil
}

func (b *run) redisRound(ctx context.Context, result *Result, pushes []push, batters int64) (err error) {
	own := newScratch(b.o)
	defer own.clear(ctx, &err)
	own.prefix()
	sink, err := own.options.OpenRedis(ctx)
	if err != nil {
		return err
	}
	defer sink.Close()
	var times []time.Duration
	watch := startClock()
	for _, p := range pushes {
		began := time.Now()
		if _, err := sink.Push(ctx, p.snapshots, p.applied); err != nil {
			return err
		}
		times = append(times, time.Since(began))
	}
	took, cpu := watch.stop()
	result.throughput(int64(b.o.Pitches), 0, took, cpu)
	result.add("batters", "/s", float64(batters)/took.Seconds())
	result.percentiles("a push", times)
	return nil
}
