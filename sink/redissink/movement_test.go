package redissink

import (
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// guard: api: a heartbeat that moves is of a live processor, whatever its clock
func TestAHeartbeatIsAsOldAsItsLastMovement(t *testing.T) {
	start := time.UnixMilli(1_758_000_000_000)
	for name, wrongBy := range map[string]time.Duration{
		"right": 0, "2 s behind": -2 * time.Second, "an hour behind": -time.Hour, "a day behind": -24 * time.Hour, "an hour ahead": time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			var m movements
			age := func(written, now time.Duration) time.Duration {
				says := schemas.TimeMSOf(start.Add(written + wrongBy))
				beats := map[string]schemas.Heartbeat{"a": {At: says}}
				m.date(beats, start.Add(now))
				return start.Add(now).Sub(beats["a"].At.Time())
			}
			first := age(0, 500*time.Millisecond)
			if wrongBy.Abs() > beatLimit {
				require.Greater(t, first, beatLimit, "unknown at the first look")
			} else {
				require.LessOrEqual(t, first, beatLimit)
			}
			for s := time.Second; s < 5*time.Second; s += time.Second {
				require.LessOrEqual(t, age(s, s+500*time.Millisecond), beatLimit, "it moves")
			}
			require.Greater(t, age(4*time.Second, 7600*time.Millisecond), beatLimit, "it has stopped")
			require.Greater(t, age(4*time.Second, time.Hour+4*time.Second), beatLimit)
			if wrongBy.Abs() > beatLimit {
				require.Greater(t, age(2*time.Hour-time.Minute, 2*time.Hour), beatLimit, "it moved unseen")
			}
		})
	}
}

// guard: api: a heartbeat that moves is kept, whatever its clock
func TestAHeartbeatOfAWrongClockIsKeptWhileItMoves(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		other := w.again(t)
		now := schemas.TimeMSOf(time.Now())
		for i := range schemas.TimeMS(4) {
			require.NoError(t, other.Beat(t.Context(), "b", schemas.Heartbeat{At: now - 7_200_000 + i}))
			require.NoError(t, w.Beat(t.Context(), "a", schemas.Heartbeat{At: now + i}))
			_, pulse, err := w.Look(t.Context(), nil)
			require.NoError(t, err)
			require.Contains(t, pulse.Heartbeats, "b")
		}
		require.NoError(t, w.Beat(t.Context(), "a", schemas.Heartbeat{At: now + 5}))
		_, pulse, err := w.Look(t.Context(), nil)
		require.NoError(t, err)
		require.NotContains(t, pulse.Heartbeats, "b", "it does not move any more")
	})
}

// guard: redis: equal times are no difference, whatever the clock
func TestTimesOfAWrongClockAreNoDifference(t *testing.T) {
	for _, wrongBy := range []schemas.TimeMS{-3_600_000, 0, 3_600_000} {
		snap := newTruth().change(1, "g", 4)
		snap.UpdatedAt += wrongBy
		parts, err := partsOf("p:", snap)
		require.NoError(t, err)
		require.Len(t, parts, 2)
		for _, p := range parts {
			require.Nil(t, p.compare(observed{kind: "hash", hash: p.want}), p.key)
		}
	}
}

// The time of a game is from the clock of the processor that changed it last. A later change of the same
// player in another game may come from a processor whose clock is right.
// guard: redis: a game changed by a wrong clock is no difference
func TestAGameChangedByAWrongClockIsNoDifference(t *testing.T) {
	for _, wrongBy := range []time.Duration{-14 * time.Hour, -time.Hour, time.Hour, 14 * time.Hour} {
		truth := newTruth()
		game := truth.change(1, "g", 4).UpdatedAt.Time().Add(wrongBy)
		truth.change(1, "h", 2)
		parts, err := partsOf("p:", truth.snapshot(1, truth.batters[1]))
		require.NoError(t, err)
		for _, p := range parts {
			got := maps.Clone(p.want)
			if p.id.GamePK == "g" {
				got["updated_at"] = schemas.TimeMSOf(game).String()
			}
			require.Nil(t, p.compare(observed{kind: "hash", hash: got}), "%s, a clock %v off", p.key, wrongBy)
		}
	}
}
