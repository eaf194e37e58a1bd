package replay

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// A slow poll is followed by a rest as long as it took. Each call of wait may take 250 ms, and the next one
// goes on with the rest.
// guard: replay: a rest that is cut short goes on
func TestTheRestAfterASlowPollIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pacer{live: &pgread.Reader{}, log: slog.New(slog.DiscardHandler)}
		p.gentle.Store(true)
		rest := func() time.Duration {
			began := time.Now()
			for {
				ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
				p.wait(ctx)
				isDone := ctx.Err() == nil
				cancel()
				if isDone {
					return time.Since(began)
				}
			}
		}
		require.Zero(t, rest(), "before the first poll")
		for _, ms := range []time.Duration{900, 100, 600} {
			poll := ms * time.Millisecond
			time.Sleep(poll)
			require.Equal(t, poll, rest())
		}
		time.Sleep(time.Minute)
		require.Equal(t, time.Second, rest(), "at most")
	})
}

// A replay gives way while a live processor is behind, or silent, and never where none is there.
// guard: replay: it pauses while live is behind
func TestReplayGivesWay(t *testing.T) {
	now := time.Now()
	beat := func(ago time.Duration, lagMS int64) schemas.Heartbeat {
		return schemas.Heartbeat{At: schemas.TimeMSOf(now.Add(-ago)), LagMS: lagMS}
	}
	for name, c := range map[string]struct {
		beats          []schemas.Heartbeat
		paused, gentle bool
	}{
		"no processor":         {},
		"caught up":            {[]schemas.Heartbeat{beat(0, 0)}, false, true},
		"a little behind":      {[]schemas.Heartbeat{beat(0, 1500)}, false, true},
		"behind":               {[]schemas.Heartbeat{beat(0, 2500)}, true, true},
		"one of two":           {[]schemas.Heartbeat{beat(0, 0), beat(0, 2500)}, true, true},
		"it was behind":        {[]schemas.Heartbeat{beat(time.Second, 1500)}, true, true},
		"silent":               {[]schemas.Heartbeat{beat(10*time.Second, 0)}, true, true},
		"gone for two minutes": {[]schemas.Heartbeat{beat(2*time.Minute, 9)}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := &pacer{live: &pgread.Reader{}, maxLag: 2 * time.Second, log: slog.New(slog.DiscardHandler)}
			pulse := schemas.Pulse{Heartbeats: map[string]schemas.Heartbeat{}}
			for i, h := range c.beats {
				pulse.Heartbeats[string(rune('a'+i))] = h
			}
			p.judge(pulse, now)
			require.Equal(t, c.paused, p.paused.Load())
			require.Equal(t, c.gentle, p.gentle.Load())
			long := time.Minute // the test does not wait for it, however slow the machine
			if c.paused {
				long = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), long)
			defer cancel()
			p.wait(ctx)
			require.Equal(t, c.paused, ctx.Err() != nil, "it waits while it is paused")
		})
	}
}
