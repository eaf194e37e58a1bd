package demo

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"

	"github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

// game sends simulated games to Kafka, one day after the other, and records in its ledger what was sent.
type game struct {
	sim      *simulate.Simulator
	pace     *rate.Limiter // even, because the times of a game are uneven and out of order
	producer *kafkasink.Producer
	refused  atomic.Pointer[error] // the first record that Kafka did not take
	ledger   *ledger
	task     *task // nil before start
	closed   bool
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
	producer, err := kafkasink.OpenProducer(ctx, kafkasink.ProducerOptions{
		Client: settings.Kafka, Topic: settings.RawTopic, MaxRecordBytes: 1 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("Kafka: %w", err)
	}
	perSecond := o.Speed * float64(o.Games) / secondsPerPitch
	pace := rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond/10)))
	return &game{sim: sim, pace: pace, producer: producer, ledger: newLedger()}, nil
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
		if m.Want.Kind == simulate.KindPitch {
			if err := g.pace.Wait(ctx); err != nil {
				return err
			}
		}
		if refused := g.refused.Load(); refused != nil {
			return *refused
		}
		record := &kgo.Record{Key: m.Key, Value: m.Value}
		for _, h := range m.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		if err := g.producer.Send(ctx, record, g.acked); err != nil {
			return err
		}
		g.ledger.add(&m)
	}
	return errors.New("the games are over")
}

func (g *game) acked(err error) {
	if err != nil {
		g.refused.CompareAndSwap(nil, &err)
	}
}

// close stops sending and waits until Kafka has acknowledged every record, or drainTimeout is over. It may be
// called twice.
func (g *game) close(ctx context.Context) error {
	if g == nil || g.closed {
		return nil
	}
	g.closed = true
	_ = g.task.close() // broken has reported its error
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := g.producer.Flush(ctx)
	g.producer.Close()
	if refused := g.refused.Load(); refused != nil {
		err = *refused
	}
	return err
}
