// Package simulation plays the games of package simulate into files, standard output or Kafka, at a given
// pace. Run does all of it; the paces and the sinks serve callers that do more with each message.
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

// Options of Run. Simulator and Sink are required.
type Options struct {
	Simulator *simulate.Simulator
	Sink      Sink
	Pace      Pace // nil: as fast as the sink takes the messages

	ProgressTo io.Writer // nil shows no progress
	Title      string    // of the progress; "" means simulate
	Pitches    int64     // expected, for the share done; 0 means unknown
}

// Sink receives messages, in order, from one goroutine. A message is safe only after Close has returned no
// error. Close is called once, also after a failed Put or a cancelled ctx.
type Sink interface {
	Put(ctx context.Context, m *simulate.Message) error
	Close(ctx context.Context) error
}

// Run puts every message into the sink, at its time, and closes the sink. sent counts the messages that the
// sink took, even if Run returns an error.
func Run(ctx context.Context, o Options) (sent simulate.Tally, err error) {
	p := terminal.StartProgress(o.ProgressTo,
		terminal.ProgressOptions{Title: cmp.Or(o.Title, "simulate"), Noun: "pitches", TotalRecords: o.Pitches})
	defer p.Stop()
	defer func() { err = cmp.Or(err, o.Sink.Close(ctx)) }()
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

// Evenly lets so many pitches per second pass. Other messages, such as corrections, do not wait.
func Evenly(pitchesPerSecond float64) Pace {
	limiter := rate.NewLimiter(rate.Limit(pitchesPerSecond), max(1, int(pitchesPerSecond/10)))
	return func(ctx context.Context, m *simulate.Message) error {
		if m.Want.Kind != simulate.KindPitch {
			return ctx.Err()
		}
		return limiter.Wait(ctx)
	}
}

// GameTime keeps the times of the games, from the first message on, but speedup times as fast.
func GameTime(speedup float64) Pace {
	var begun time.Time
	var first schemas.TimeMS
	return func(ctx context.Context, m *simulate.Message) error {
		if begun.IsZero() {
			begun, first = time.Now(), m.Timestamp
		}
		due := begun.Add(time.Duration(float64(m.Timestamp-first) / speedup * float64(time.Millisecond)))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
		}
		return ctx.Err()
	}
}
