// Package simulation plays the games of package simulate into files, standard output or Kafka, at a given pace. Run does
// all of it; Play, the paces and the sinks are its parts, for callers that make more of each message.
//
//	s, err := simulate.New(simulate.Options{Seed: 1, Games: 2})
//	…
//	sink, err := simulation.OpenKafka(ctx, client, "pitches.raw")
//	…
//	sent, err := simulation.Run(ctx, simulation.Options{Simulator: s, Sink: sink, Pace: simulation.Evenly(50)})
package simulation

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/time/rate"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// Options say what is played and where to. Simulator and Sink are required.
type Options struct {
	Simulator *simulate.Simulator
	Sink      Sink
	Pace      Pace // nil: as fast as the sink takes the messages

	ProgressTo io.Writer // nil: no progress is shown
	Title      string    // of the progress; "" means simulate
	Pitches    int64     // expected, for the share done; 0: not known
}

// Sink takes messages, in order, from one goroutine. A message is safe only after Close has returned without an error.
// Close is called once, also after a failed Put or a cancelled ctx.
type Sink interface {
	Put(ctx context.Context, m *simulate.Message) error
	Close(ctx context.Context) error
}

// Run gives every message to the sink, at its time, and closes the sink. The tally counts the messages that the sink
// took, also if Run ends with an error.
func Run(ctx context.Context, o Options) (sent simulate.Tally, err error) {
	p := terminal.StartProgress(o.ProgressTo,
		terminal.ProgressOptions{Title: cmp.Or(o.Title, "simulate"), Noun: "pitches", TotalRecords: o.Pitches})
	defer p.Stop()
	sent, err = play(ctx, o, p)
	return sent, cmp.Or(err, o.Sink.Close(ctx))
}

func play(ctx context.Context, o Options, p *terminal.Progress) (sent simulate.Tally, err error) {
	for m, ok := o.Simulator.Next(); ok; m, ok = o.Simulator.Next() {
		err := ctx.Err()
		if err == nil && o.Pace != nil {
			err = o.Pace(ctx, &m)
		}
		if err != nil {
			return sent, fmt.Errorf("stopped before the end: %w", err)
		}
		if err := o.Sink.Put(ctx, &m); err != nil {
			return sent, err
		}
		sent.Games = o.Simulator.Tally().Games
		sent.Add(&m)
		p.AddBytes(int64(len(m.Value)))
		if m.Want.Kind == simulate.KindPitch {
			p.AddRecords(1)
		}
	}
	return sent, nil
}

// Pace waits until a message is due. It returns an error if ctx ends first.
type Pace func(ctx context.Context, m *simulate.Message) error

// Evenly sends so many pitches a second. Messages that are no pitches, such as corrections, do not wait.
func Evenly(pitchesPerSecond float64) Pace {
	limiter := rate.NewLimiter(rate.Limit(pitchesPerSecond), max(1, int(pitchesPerSecond/10)))
	return func(ctx context.Context, m *simulate.Message) error {
		if m.Want.Kind != simulate.KindPitch {
			return ctx.Err()
		}
		return limiter.Wait(ctx)
	}
}

// GameTime sends each message at the time that its game has reached, beginning with the first message, speedup times as
// fast as a real game.
func GameTime(speedup float64) Pace {
	var begun time.Time
	var first schemas.TimeMS
	return func(ctx context.Context, m *simulate.Message) error {
		if begun.IsZero() {
			begun, first = time.Now(), m.Timestamp
		}
		due := begun.Add(time.Duration(float64(m.Timestamp-first) / speedup * float64(time.Millisecond)))
		timer := time.NewTimer(time.Until(due))
		defer timer.Stop()
		select {
		case <-timer.C:
			return ctx.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
