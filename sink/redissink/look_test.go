package redissink

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

func TestLookReadsPushedStatesAndTheHeartbeats(t *testing.T) {
	eachServerOfBatters(t, func(t *testing.T, w *redisTest) {
		w.sweep(t)
		w.push(t, w.truth.change(600_001, "700000", 3))
		w.advanced(t, false, w.truth.move(0, 10))
		now := schemas.TimeMSOf(time.Now())
		beat := schemas.Heartbeat{At: now, LagMS: 7, Phase: "ok", Topic: "pitches.raw", Positions: map[string]int64{"0": 10}}
		require.NoError(t, w.Beat(t.Context(), "a", beat))
		require.NoError(t, w.client.HSet(t.Context(), w.keys.heartbeat(), "newer build", "[]").Err())

		keys := []schemas.PlayerKey{{PlayerID: 600_001}, {PlayerID: 9}, {PlayerID: 600_001, GamePK: "700000"}}
		states, pulse, err := w.Look(t.Context(), keys)
		require.NoError(t, err)
		require.Nil(t, states[1])
		require.EqualValues(t, 3, states[0].Stats.Pitches)
		require.Equal(t, keys[2], states[2].PlayerKey)
		require.Equal(t, map[string]int64{"pitches.raw/0": 10}, pulse.Applied)
		require.NotEmpty(t, pulse.Epoch)
		beat.Epoch = pulse.Epoch
		require.Equal(t, map[string]schemas.Heartbeat{"a": beat}, pulse.Heartbeats)

		seqs, again, err := w.Seqs(t.Context(), keys)
		require.NoError(t, err)
		require.Equal(t, []int64{states[0].Seq, 0, states[2].Seq}, seqs)
		require.Equal(t, pulse, again)
	})
}

// guard: redis: one unreadable player hides no other
func TestABatterThatCannotBeReadIsSuspectAndHidesNoOther(t *testing.T) {
	eachServerOfBatters(t, func(t *testing.T, w *redisTest) {
		w.sweep(t)
		w.push(t, w.truth.change(1, "700000", 3), w.truth.change(2, "700000", 3), w.truth.change(3, "700000", 3))
		keys := []schemas.PlayerKey{{PlayerID: 1}, {PlayerID: 2}, {PlayerID: 3}}
		require.NoError(t, w.client.HSet(t.Context(), w.keys.of(keys[0]), "pitches", "many", "seq", "x").Err())
		require.NoError(t, w.client.Set(t.Context(), w.keys.of(keys[1]), "a text", 0).Err())
		states, pulse, err := w.Look(t.Context(), keys)
		require.NoError(t, err)
		require.NotEmpty(t, pulse.Epoch)
		require.Equal(t, &schemas.PlayerState{PlayerKey: keys[0], Suspect: true}, states[0])
		require.Equal(t, &schemas.PlayerState{PlayerKey: keys[1], Suspect: true}, states[1])
		require.False(t, states[2].Suspect)
		require.EqualValues(t, 3, states[2].Stats.Pitches)
		seqs, _, err := w.Seqs(t.Context(), keys)
		require.NoError(t, err)
		require.Equal(t, []int64{-1, -1, states[2].Seq}, seqs)
	})
}

// Redis was emptied, and the processor has not noticed yet.
func TestHeartbeatsKeepTheEpochOfALostDataSet(t *testing.T) {
	eachServerOfBatters(t, func(t *testing.T, w *redisTest) {
		w.sweep(t)
		require.NoError(t, w.client.FlushAll(t.Context()).Err())
		require.NoError(t, w.Beat(t.Context(), "a", schemas.Heartbeat{At: schemas.TimeMSOf(time.Now()), Phase: "ok"}))
		_, pulse, err := w.Look(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, pulse.Epoch)
		other := w.again(t)
		other.sweep(t)
		_, pulse, err = w.Look(t.Context(), nil)
		require.NoError(t, err)
		require.NotEqual(t, pulse.Epoch, pulse.Heartbeats["a"].Epoch)
	})
}

func TestOldHeartbeatsAreForgotten(t *testing.T) {
	eachServerOfBatters(t, func(t *testing.T, w *redisTest) {
		now := schemas.TimeMSOf(time.Now())
		for name, age := range map[string]schemas.TimeMS{"long ago": 3_600_001, "just now": 5000} {
			require.NoError(t, w.Beat(t.Context(), name, schemas.Heartbeat{At: now - age}))
		}
		require.NoError(t, w.Beat(t.Context(), "a", schemas.Heartbeat{At: now}))
		_, pulse, err := w.Look(t.Context(), nil)
		require.NoError(t, err)
		require.Len(t, pulse.Heartbeats, 2)
		require.Contains(t, pulse.Heartbeats, "just now")
		require.NoError(t, w.Rest(t.Context(), "a"))
		_, pulse, err = w.Look(t.Context(), nil)
		require.NoError(t, err)
		require.NotContains(t, pulse.Heartbeats, "a")
	})
}

// between calls a function before the command of this number, counted from 0.
type between struct {
	at, seen int
	call     func()
}

func (b *between) DialHook(next redis.DialHook) redis.DialHook { return next }

func (b *between) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if b.seen++; b.seen == b.at+1 {
			b.call()
		}
		return next(ctx, cmd)
	}
}

func (b *between) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// Two processors beat, one of them for the first time: whatever the order of their commands, both stay.
// guard: redis: a heartbeat is written before its work
// guard: redis: the heartbeats are read after the works
func TestAFirstHeartbeatIsNotTakenForForeign(t *testing.T) {
	beat := func(w *redisTest, instance string) {
		t.Helper()
		h := schemas.Heartbeat{At: schemas.TimeMSOf(time.Now()), Work: &schemas.Work{Records: 7}}
		require.NoError(t, w.Beat(t.Context(), instance, h))
	}
	for _, outer := range []string{"old", "new"} {
		for at, seen := 0, 1; at < seen; at++ {
			w := newRedisTest(t, Config{URL: "redis://" + miniredis.RunT(t).Addr()})
			beat(w, "old")
			second := w.again(t)
			hook := &between{at: at, call: func() { beat(w, map[string]string{"old": "new", "new": "old"}[outer]) }}
			second.client.AddHook(hook)
			beat(second, outer)
			require.GreaterOrEqual(t, hook.seen, 4)
			seen = hook.seen
			beats, err := w.client.HKeys(t.Context(), w.keys.heartbeat()).Result()
			require.NoError(t, err)
			works, err := w.client.HKeys(t.Context(), w.keys.work()).Result()
			require.NoError(t, err)
			require.ElementsMatch(t, []string{"old", "new"}, beats, "%s, before its command %d", outer, at)
			require.ElementsMatch(t, beats, works)
		}
	}
}

// guard: api: work is no part of the heartbeats
// guard: api: work goes with its processor
func TestWorkIsStoredAndRemovedBesideTheHeartbeats(t *testing.T) {
	eachServerOfBatters(t, func(t *testing.T, w *redisTest) {
		now := schemas.TimeMSOf(time.Now())
		work := schemas.Work{Records: 7, Partitions: map[string]schemas.PartitionWork{"3": {Next: 5, LagRecords: schemas.Some(int64(2))}},
			Steps: map[string]schemas.StepWork{"redis": {Count: 1, SumMS: 2.5, MaxMS: 2.5}}, Letters: map[schemas.Code]int64{schemas.CodeNotAPitch: 1},
			Newest: []schemas.DeadLetterNote{{Code: schemas.CodeNotAPitch, Message: "no pitch ⚾", Offset: 9}}, Faults: []string{"kafka: no answer"}}
		require.NoError(t, w.Beat(t.Context(), "a", schemas.Heartbeat{At: now, Work: &work}))
		require.NoError(t, w.Beat(t.Context(), "b", schemas.Heartbeat{At: now}))
		require.NoError(t, w.client.HSet(t.Context(), w.keys.work(), "newer build", "[]").Err())
		works, err := w.Works(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[string]schemas.Work{"a": work}, works)
		text, err := w.client.HGet(t.Context(), w.keys.heartbeat(), "a").Result()
		require.NoError(t, err)
		require.NotContains(t, text, "work")
		require.NoError(t, w.Rest(t.Context(), "a"))
		works, err = w.Works(t.Context())
		require.NoError(t, err)
		require.Empty(t, works)
	})
}

func TestAStateThatIsToBeReplacedIsSuspect(t *testing.T) {
	eachServerOfBatters(t, func(t *testing.T, w *redisTest) {
		w.push(t, w.truth.change(600_001, "700000", 3))
		w.hset(t, w.overall(600_001), "whole", "-1")
		states, _, err := w.Look(t.Context(), []schemas.PlayerKey{{PlayerID: 600_001}})
		require.NoError(t, err)
		require.True(t, states[0].Suspect)
		w.hset(t, w.overall(600_001), "seq", "x")
		states, _, err = w.Look(t.Context(), []schemas.PlayerKey{{PlayerID: 600_001}})
		require.NoError(t, err)
		require.True(t, states[0].Suspect)
		seqs, _, err := w.Seqs(t.Context(), []schemas.PlayerKey{{PlayerID: 600_001}})
		require.NoError(t, err)
		require.EqualValues(t, -1, seqs[0])
	})
}
