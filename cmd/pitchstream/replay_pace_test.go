package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// A replay gives way while a live processor is behind, or silent, and to nobody where none is there.
// guard: replay: it pauses while live is behind
func TestReplayGivesWay(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		beats          []schemas.Heartbeat
		paused, gentle bool
	}{
		"nobody is there":      {},
		"caught up":            {[]schemas.Heartbeat{{At: schemas.TimeMSOf(now)}}, false, true},
		"a little behind":      {[]schemas.Heartbeat{{At: schemas.TimeMSOf(now), LagMS: 1500}}, false, true},
		"behind":               {[]schemas.Heartbeat{{At: schemas.TimeMSOf(now), LagMS: 2500}}, true, true},
		"one of two":           {[]schemas.Heartbeat{{At: schemas.TimeMSOf(now)}, {At: schemas.TimeMSOf(now), LagMS: 2500}}, true, true},
		"it was behind":        {[]schemas.Heartbeat{{At: schemas.TimeMSOf(now.Add(-time.Second)), LagMS: 1500}}, true, true},
		"silent":               {[]schemas.Heartbeat{{At: schemas.TimeMSOf(now.Add(-10 * time.Second))}}, true, true},
		"gone for two minutes": {[]schemas.Heartbeat{{At: schemas.TimeMSOf(now.Add(-2 * time.Minute)), LagMS: 9}}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := &pacer{live: &pgread.Reader{}, maxLag: 2 * time.Second, tell: func(bool, time.Duration) {}}
			pulse := schemas.Pulse{Heartbeats: map[string]schemas.Heartbeat{}}
			for i, h := range c.beats {
				pulse.Heartbeats[string(rune('a'+i))] = h
			}
			p.judge(pulse, now)
			require.Equal(t, c.paused, p.paused.Load())
			require.Equal(t, c.gentle, p.gentle.Load())
			long := time.Minute // which nobody waits for, however slow the machine
			if c.paused {
				long = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), long)
			defer cancel()
			p.wait(ctx)
			require.Equal(t, c.paused, ctx.Err() != nil, "it waits while it is to pause")
		})
	}
}
