package api

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// frozen is what Postgres gets from a processor that cannot write to Redis.
func (s *stores) frozen(instance string, positions map[string]int64) {
	s.set(func() {
		beats := maps.Clone(s.pgPulse.Heartbeats)
		beats[instance] = schemas.Heartbeat{At: schemas.TimeMSOf(time.Now()), Phase: "away", Topic: "pitches.raw", Positions: positions}
		s.pgPulse.Heartbeats = beats
	})
}

// inPostgresOnly stores a state, and the position that it is at, where only Postgres has them.
func (s *stores) inPostgresOnly(st schemas.PlayerState, partition string, next int64) {
	s.set(func() {
		s.store[st.PlayerKey] = st
		s.pgPulse.Applied = map[string]int64{"pitches.raw/0": 1, "pitches.raw/" + partition: next}
	})
}

// Redis answers reads and refuses writes: it is full, a replica, or out of the processors' reach.
//
// guard: api: a Redis that a living processor cannot write is not read
// guard: api: a glance does not show what stands still in Redis
func TestARedisThatCannotBeWrittenIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		s := newStores()
		s.put(state(1, 1))
		s.apply("0", 1)
		s.beat(schemas.Heartbeat{Positions: map[string]int64{"0": 1}})
		k := newAsker(t, s, nil)
		done := make(chan error, 1)
		go func() { done <- k.Run(ctx) }()
		l := k.listen(opStream, "/v1/batters/1/stream")
		go every(ctx, time.Second, func() { s.frozen("a", map[string]int64{"0": 1}) })
		s.inPostgresOnly(state(1, 2), "0", 2)

		body := k.get(200, opBatter, "/v1/batters/1?at_least=0:1")
		require.EqualValues(t, 2, body["pitches"])
		require.Equal(t, "postgres", body["source"])
		pass(2 * time.Second)
		body = k.get(200, opBatter, "/v1/batters/1")
		require.EqualValues(t, 2, body["pitches"])
		require.Equal(t, "postgres", body["source"])
		require.Equal(t, false, body["stale"], "its processor is alive")
		_, states := l.events()
		require.EqualValues(t, 2, states[len(states)-1]["pitches"])
		glance := k.get(200, opOverview, "/v1/stream")
		require.Equal(t, "postgres", glance["source"])
		require.NotContains(t, fmt.Sprint(glance["reasons"]), "no processor is alive")
		require.Contains(t, fmt.Sprint(glance["reasons"]), "redis: incomplete")
		stop()
		require.NoError(t, <-done)
	})
}

// One of two processors cannot write to Redis. The other one can, and says that all is well.
//
// guard: api: a Redis that a living processor cannot write is not read
func TestARedisThatOneOfTwoCannotWriteIsNotBelieved(t *testing.T) {
	for name, owned := range map[string]map[string]int64{
		"a partition whose processor was heard before": {"1": 1},
		"a partition that it has taken over":           {"0": 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				s := newStores()
				s.put(state(1, 1))
				cutOff := schemas.Heartbeat{At: schemas.TimeMSOf(time.Now()), Phase: "ok", Epoch: epoch, Topic: "pitches.raw", Positions: owned}
				s.set(func() { s.pulse.Applied = map[string]int64{"pitches.raw/0": 1, "pitches.raw/1": 1} })
				go every(ctx, time.Second, func() { // the other one
					s.beat(schemas.Heartbeat{Positions: map[string]int64{"0": 1}})
					s.set(func() { s.pulse.Heartbeats = map[string]schemas.Heartbeat{"a": s.pulse.Heartbeats["a"], "b": cutOff} })
					s.frozen("b", map[string]int64{"1": 1})
				})
				s.inPostgresOnly(state(1, 2), "1", 1)
				k := newAsker(t, s, nil)
				pass(5 * time.Second)
				body := k.get(200, opBatter, "/v1/batters/1")
				require.EqualValues(t, 2, body["pitches"])
				require.Equal(t, "postgres", body["source"])
				stop()
				synctest.Wait()
			})
		})
	}
}

// The processor died after it could not write any more, so nobody says that Redis lacks something.
//
// guard: api: a Redis behind Postgres is not read once nobody writes it
func TestARedisBehindAPostgresWhoseProcessorsDiedIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStores()
		s.put(state(1, 1))
		s.apply("0", 1)
		s.beat(schemas.Heartbeat{Positions: map[string]int64{"0": 1}})
		s.inPostgresOnly(state(1, 2), "0", 2)
		k := newAsker(t, s, nil)
		pass(time.Hour)
		body := k.get(200, opBatter, "/v1/batters/1")
		require.EqualValues(t, 2, body["pitches"])
		require.Equal(t, true, body["stale"])
	})
}

// The last heartbeats of a dead processor are not dated alike: Redis' by its movement, Postgres' by its
// clock.
//
// guard: api: a processor that has just died does not make Redis frozen
func TestARedisWhoseProcessorJustDiedIsNotFrozen(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	pulse := func(age time.Duration) schemas.Pulse {
		return schemas.Pulse{Heartbeats: map[string]schemas.Heartbeat{"a": {At: schemas.TimeMSOf(now.Add(-age))}}}
	}
	for _, c := range []struct {
		redis, postgres time.Duration
		want            bool
	}{
		{3100 * time.Millisecond, 2900 * time.Millisecond, false},
		{3100 * time.Millisecond, 1900 * time.Millisecond, false},
		{3100 * time.Millisecond, 1100 * time.Millisecond, true},
		{time.Hour, 2900 * time.Millisecond, true},
		{time.Hour, 3100 * time.Millisecond, false},
		{2900 * time.Millisecond, 0, false},
	} {
		require.Equal(t, c.want, isFrozen(pulse(c.redis), pulse(c.postgres), now), "%v", c)
	}
}

// A Postgres that cannot be asked, or hangs, costs a second of a few, and Redis answers as before.
//
// guard: api: a Postgres that says nothing is not asked at once again
func TestARedisWhoseProcessorsAreSilentAnswersWhilePostgresHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStores()
		s.put(state(1, 1))
		k := newAsker(t, s, func(c *Config) { c.Store = hanging{fakeStore{s}} })
		pass(time.Hour)
		began := time.Now()
		for range 100 {
			body := k.get(200, opBatter, "/v1/batters/1")
			require.Equal(t, "redis", body["source"])
			require.Equal(t, true, body["stale"])
		}
		require.LessOrEqual(t, time.Since(began), witnessTimeout)
		require.Equal(t, 1, s.called("Pulse"))
		synctest.Wait()
	})
}

// hanging is a Postgres that does not answer.
type hanging struct{ fakeStore }

func (h hanging) Pulse(ctx context.Context) (schemas.Pulse, error) {
	h.set(func() { h.calls["Pulse"]++ })
	<-ctx.Done()
	return schemas.Pulse{}, ctx.Err()
}
