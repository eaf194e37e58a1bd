package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/pitchstream/pitchstream/simulate"
)

// demoGame sends games to Kafka, one day after the other, and notes in its ledger what was sent.
type demoGame struct {
	sim    *simulate.Simulator
	pace   pace // evenly: a game's own times are uneven, and would be more so for records out of order
	sink   *kafkaSink
	ledger *demoLedger
	stop   context.CancelFunc
	done   chan struct{} // closed when nothing is sent any more
	err    error         // why; nil when it was stopped. For after done
}

// demoSecondsPerPitch is how long a simulated game takes from one pitch to the next, breaks and all.
const demoSecondsPerPitch = 32

// options make a stream that is as untidy as real ones, only more so.
func (c *demoCmd) options() simulate.Options {
	return simulate.Options{
		Seed: c.Seed, Games: 1 << 30, Parallel: c.Games, FeedIDs: true,
		Duplicates: 0.05, Reorder: 0.05, Corrections: 0.05, Deletes: 0.01, LateIDs: 0.05, Poison: 0.02,
	}
}

// openGame makes a game that waits for start. The topics must be there.
func (c *demoCmd) openGame(ctx context.Context, broker string) (*demoGame, error) {
	sim, err := simulate.New(c.options())
	if err != nil {
		return nil, err
	}
	var producing simulateCmd
	if err := demoDefaults(&producing, "--produce", "--kafka-brokers="+broker); err != nil {
		return nil, err
	}
	producing.Rate = c.Speed * float64(c.Games) / demoSecondsPerPitch
	sink, err := producing.openKafka(ctx)
	if err != nil {
		return nil, fmt.Errorf("Kafka: %w", err)
	}
	return &demoGame{sim: sim, pace: producing.pace(), sink: sink, ledger: newDemoLedger()}, nil
}

// start plays until close, or until ctx ends.
func (g *demoGame) start(ctx context.Context) {
	ctx, g.stop = context.WithCancel(ctx)
	g.done = make(chan struct{})
	go func() {
		defer close(g.done)
		if err := g.play(ctx); ctx.Err() == nil {
			g.err = err
		}
	}()
}

func (g *demoGame) play(ctx context.Context) error {
	for m, ok := g.sim.Next(); ok; m, ok = g.sim.Next() {
		if err := g.pace(ctx, &m); err != nil {
			return err
		}
		if err := g.sink.put(ctx, &m); err != nil {
			return err
		}
		g.ledger.add(&m)
	}
	return errors.New("the games are over")
}

// close stops sending and waits until Kafka has all that was sent. A second close does nothing.
func (g *demoGame) close(ctx context.Context) error {
	if g == nil || g.sink == nil {
		return nil
	}
	if g.stop != nil {
		g.stop()
		<-g.done
	}
	err := g.sink.close(ctx)
	g.sink = nil
	return err
}
