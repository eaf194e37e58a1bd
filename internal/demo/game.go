package demo

import (
	"context"
	"errors"
	"fmt"

	"github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/internal/simulation"
	"github.com/pitchstream/pitchstream/simulate"
)

// game sends simulated games to Kafka, one day after the other, and records in its ledger what was sent.
type game struct {
	sim    *simulate.Simulator
	pace   simulation.Pace // even, because the times of a game are uneven and out of order
	kafka  *simulation.Kafka
	ledger *ledger
	task   *task // nil before start
	closed bool
}

// secondsPerPitch is the average time between two pitches of a simulated game.
const secondsPerPitch = 32

// openGame makes a game that sends nothing before start. The stream has more disorder than a real one.
func openGame(ctx context.Context, o Options, settings processor.Options) (*game, error) {
	sim, err := simulate.New(simulate.Options{
		Seed: o.Seed, Games: 1 << 30, Parallel: o.Games, FeedIDs: true,
		Duplicates: 0.05, Reorder: 0.05, Corrections: 0.05, Deletes: 0.01, LateIDs: 0.05, Poison: 0.02,
	})
	if err != nil {
		return nil, err
	}
	kafka, err := simulation.OpenKafka(ctx, settings.Kafka, settings.RawTopic)
	if err != nil {
		return nil, fmt.Errorf("Kafka: %w", err)
	}
	pace := simulation.Evenly(o.Speed * float64(o.Games) / secondsPerPitch)
	return &game{sim: sim, pace: pace, kafka: kafka, ledger: newLedger()}, nil
}

// start sends until close, or until ctx ends.
func (g *game) start(ctx context.Context) {
	ended := ctx
	g.task = start(ctx, func(stopped context.Context) error {
		ctx, cancel := context.WithCancel(stopped)
		defer cancel()
		defer context.AfterFunc(ended, cancel)()
		if err := g.play(ctx); ctx.Err() == nil {
			return err
		}
		return nil
	})
}

func (g *game) play(ctx context.Context) error {
	for m, ok := g.sim.Next(); ok; m, ok = g.sim.Next() {
		if err := g.pace(ctx, &m); err != nil {
			return err
		}
		if err := g.kafka.Put(ctx, &m); err != nil {
			return err
		}
		g.ledger.add(&m)
	}
	return errors.New("the games are over")
}

// close stops sending and waits until Kafka has acknowledged every record, or drainTimeout is over. It may be
// called twice.
func (g *game) close(ctx context.Context) error {
	if g == nil || g.closed {
		return nil
	}
	g.closed = true
	_ = g.task.close() // partError has reported its error
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	return g.kafka.Close(ctx)
}
