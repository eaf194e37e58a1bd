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

// batchesOf returns the simulated pitches as a processor gives them to its store.
func batchesOf(ctx context.Context, o *Options, group string) (all []schemas.Batch, err error) {
	s, err := o.simulator(o.Pitches)
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

// applyAll applies the batches to a store and returns the outcome and the time of each.
func applyAll(ctx context.Context, store consumer.Store, batches []schemas.Batch) (
	outcomes []schemas.Outcome, times []time.Duration, err error) {
	if _, err := store.EnsurePositions(ctx, []schemas.Position{{Topic: storeTopic}}); err != nil {
		return nil, nil, err
	}
	for _, batch := range batches {
		began := time.Now()
		out, err := store.Apply(ctx, batch)
		if err == nil && len(out.Refused) > 0 {
			err = errors.New(out.Refused[0].Reason)
		}
		if err != nil {
			return nil, nil, err
		}
		outcomes, times = append(outcomes, out), append(times, time.Since(began))
	}
	return outcomes, times, nil
}

func measurePostgres(ctx context.Context, o *Options, result *Result) error {
	return o.eachRound(result.Stage, func() error { return postgresRound(ctx, o, result) })
}

func postgresRound(ctx context.Context, o *Options, result *Result) (err error) {
	own := newScratch(o)
	defer own.clear(ctx, &err)
	batches, err := batchesOf(ctx, o, own.options.Group)
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
	watch := startClock()
	_, times, err := applyAll(ctx, store, batches)
	took, cpu := watch.stop()
	if err != nil {
		return err
	}
	result.throughput(int64(o.Pitches), 0, took, cpu)
	result.percentiles(fmt.Sprintf("a transaction of %s", terminal.Count(min(batchRecords, int64(o.Pitches)))),
		times)
	return nil
}

func measureRedis(ctx context.Context, o *Options, result *Result) error {
	batches, err := batchesOf(ctx, o, "bench")
	if err != nil {
		return err
	}
	// The snapshots are those that Postgres would return.
	outcomes, _, err := applyAll(ctx, memsink.New(), batches)
	if err != nil {
		return err
	}
	return o.eachRound(result.Stage, func() error { return redisRound(ctx, o, result, batches, outcomes) })
}

// redisRound pushes the batters that each batch changed, with the position of the batch.
func redisRound(ctx context.Context, o *Options, result *Result, batches []schemas.Batch,
	outcomes []schemas.Outcome) (err error) {
	own := newScratch(o)
	defer own.clear(ctx, &err)
	own.prefix()
	sink, err := own.options.OpenRedis(ctx)
	if err != nil {
		return err
	}
	defer sink.Close()
	var times []time.Duration
	watch := startClock()
	batters := 0
	for i, out := range outcomes {
		began := time.Now()
		applied := []schemas.Position{batches[i].Positions[0].Position}
		if _, err := sink.Push(ctx, out.Snapshots, applied); err != nil {
			return err
		}
		batters += len(out.Snapshots)
		times = append(times, time.Since(began))
	}
	took, cpu := watch.stop()
	result.throughput(int64(o.Pitches), 0, took, cpu)
	result.add("batters", "/s", float64(batters)/took.Seconds())
	result.percentiles("a push", times)
	return nil
}
