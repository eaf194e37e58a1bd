package main

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

// benchBatch is how many records one transaction of the stage postgres has.
const benchBatch = 1000

// benchTopic is whose positions move in the stages without Kafka.
const benchTopic = "pitches.raw"

// batches are the simulated pitches as a processor hands them to its store.
func (b *benchRun) batches(ctx context.Context, group string) (all []schemas.Batch, err error) {
	s, err := b.c.simulator(b.c.Pitches)
	if err != nil {
		return nil, err
	}
	var decoded []consumer.Decoded
	offset := 0
	flush := func() {
		move := schemas.PositionMove{Expected: int64(offset - len(decoded)), Position: schemas.Position{Topic: benchTopic, NextOffset: int64(offset)}}
		all = append(all, schemas.Batch{Group: group, Pitches: consumer.MakePlan(decoded).Pitches, Positions: []schemas.PositionMove{move}})
		decoded = nil
	}
	for m, ok := s.Next(); ok && ctx.Err() == nil; m, ok = s.Next() {
		d := consumer.Decoded{Record: recordOf(&m, offset)}
		if d.Change, d.Rejection = features.Transform(d.Record, features.Limits{}); d.Rejection != nil {
			return nil, fmt.Errorf("a simulated record was rejected: %w", d.Rejection)
		}
		d.Record = schemas.Record{Coordinates: d.Record.Coordinates} // its bytes are not needed any more
		decoded = append(decoded, d)
		if offset++; len(decoded) == benchBatch {
			flush()
		}
	}
	if len(decoded) > 0 {
		flush()
	}
	return all, ctx.Err()
}

// applier is a store of record.
type applier interface {
	EnsurePositions(ctx context.Context, start []schemas.Position) ([]schemas.Position, error)
	Apply(ctx context.Context, b schemas.Batch) (schemas.Outcome, error)
}

// applyAll gives a store all batches, and tell what came of each, and how long it took.
func applyAll(ctx context.Context, store applier, batches []schemas.Batch, tell func(schemas.Batch, schemas.Outcome, time.Duration) error) error {
	if _, err := store.EnsurePositions(ctx, []schemas.Position{{Topic: benchTopic}}); err != nil {
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
		if err := tell(batch, out, time.Since(began)); err != nil {
			return err
		}
	}
	return nil
}

func (b *benchRun) postgres(ctx context.Context, result *benchResult) error {
	for round := range b.c.Rounds {
		b.says(result.Stage, round)
		if err := b.postgresRound(ctx, result); err != nil {
			return err
		}
	}
	return nil
}

func (b *benchRun) postgresRound(ctx context.Context, result *benchResult) (err error) {
	scratch := newBenchScratch(b.c)
	defer scratch.clear(ctx, &err)
	batches, err := b.batches(ctx, scratch.name)
	if err != nil {
		return err
	}
	where, err := scratch.schema(ctx)
	if err != nil {
		return err
	}
	store, err := openStore(where, scratch.name, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	var times []time.Duration
	clock := startClock()
	err = applyAll(ctx, store, batches, func(_ schemas.Batch, _ schemas.Outcome, took time.Duration) error {
		times = append(times, took)
		return nil
	})
	took, processor := clock.stop()
	if err != nil {
		return err
	}
	result.throughput(int64(b.c.Pitches), 0, took, processor)
	result.percentiles(fmt.Sprintf("a transaction of %s", terminal.Count(min(benchBatch, int64(b.c.Pitches)))), times)
	return nil
}

// snapshots are the batters that each batch changes, as Postgres would give them, with the batch's positions.
func (b *benchRun) snapshots(ctx context.Context) (pushes []benchPush, batters int64, err error) {
	batches, err := b.batches(ctx, "bench")
	if err != nil {
		return nil, 0, err
	}
	err = applyAll(ctx, memsink.New(), batches, func(batch schemas.Batch, out schemas.Outcome, _ time.Duration) error {
		pushes = append(pushes, benchPush{out.Snapshots, []schemas.Position{batch.Positions[0].Position}})
		batters += int64(len(out.Snapshots))
		return nil
	})
	return pushes, batters, err
}

type benchPush struct {
	snapshots []schemas.Snapshot
	applied   []schemas.Position
}

func (b *benchRun) redis(ctx context.Context, result *benchResult) error {
	pushes, batters, err := b.snapshots(ctx)
	if err != nil {
		return err
	}
	for round := range b.c.Rounds {
		b.says(result.Stage, round)
		if err := b.redisRound(ctx, result, pushes, batters); err != nil {
			return err
		}
	}
	return nil
}

func (b *benchRun) redisRound(ctx context.Context, result *benchResult, pushes []benchPush, batters int64) (err error) {
	scratch := newBenchScratch(b.c)
	defer scratch.clear(ctx, &err)
	sink, err := openRedis(ctx, scratch.prefix(), nil)
	if err != nil {
		return err
	}
	defer sink.Close()
	var times []time.Duration
	clock := startClock()
	for _, p := range pushes {
		began := time.Now()
		if _, err := sink.Push(ctx, p.snapshots, p.applied); err != nil {
			return err
		}
		times = append(times, time.Since(began))
	}
	took, processor := clock.stop()
	result.throughput(int64(b.c.Pitches), 0, took, processor)
	result.add("batters", "/s", float64(batters)/took.Seconds())
	result.percentiles("a push", times)
	return nil
}
