package api

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// guard: api: what cannot be parsed is no answer
// guard: api: a partition without an owner is noticed
// guard: api: a browser keeps no answer from memory
func TestWhereAnswersComeFrom(t *testing.T) {
	for name, c := range map[string]struct {
		fault  func(*stores)
		source string
		stale  bool
	}{
		"all is well":                      {func(*stores) {}, "redis", false},
		"another data set stands there":    {func(s *stores) { s.pulse.Epoch = "another" }, "postgres", false},
		"Redis was emptied":                {func(s *stores) { clear(s.live); s.pulse = schemas.Pulse{} }, "postgres", false},
		"Redis is away":                    {func(s *stores) { s.liveErr = errGone }, "postgres", false},
		"Redis lacks him":                  {func(s *stores) { clear(s.live) }, "postgres", false},
		"what Redis has is to be replaced": {func(s *stores) { s.live[schemas.PlayerKey{PlayerID: 1}] = schemas.PlayerState{Suspect: true} }, "postgres", false},
		"Postgres is away, his key is broken": {func(s *stores) {
			s.storeErr, s.live[schemas.PlayerKey{PlayerID: 1}] = errGone, schemas.PlayerState{Suspect: true}
		}, "memory", true},
		"Postgres is away":                    {func(s *stores) { s.storeErr = errGone }, "redis", false},
		"Postgres is away, Redis not whole":   {func(s *stores) { s.storeErr, s.pulse.Epoch = errGone, "another" }, "memory", true},
		"both are away":                       {func(s *stores) { s.storeErr, s.liveErr = errGone, errGone }, "memory", true},
		"a partition that nobody has":         {func(s *stores) { s.pulse.Applied = map[string]int64{"pitches.raw/0": 1, "pitches.raw/1": 1} }, "redis", true},
		"a topic that nobody reads any more":  {func(s *stores) { s.pulse.Applied = map[string]int64{"old/0": 1} }, "redis", false},
		"Redis away, Postgres knows of a lag": {func(s *stores) { s.liveErr = errGone; s.pgPulse.Heartbeats = nil }, "postgres", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStores()
				s.put(state(1, 3))
				k := newAsker(t, s, nil)
				k.get(200, opBatter, "/v1/batters/1")
				s.set(func() { c.fault(s) })
				time.Sleep(time.Second)
				body := k.get(200, opBatter, "/v1/batters/1")
				require.Equal(t, c.source, body["source"])
				require.Equal(t, c.stale, body["stale"])
				require.EqualValues(t, 3, body["pitches"])
				require.Equal(t, "2024-09-28T22:04:37.926Z", body["as_of"])
				if c.source == "memory" {
					require.EqualValues(t, 1000, body["age_ms"])
					require.Nil(t, body["lag_ms"])
					// the ETag is that of the kept answer, and its age is another
					require.Equal(t, "no-store", k.ask("/v1/batters/1").Header().Get("Cache-Control"))
				} else {
					require.Zero(t, body["age_ms"])
				}
				synctest.Wait()
			})
		})
	}
}

// guard: api: a silent processor is dead
// guard: api: a dead one's partitions are missed
// guard: api: a dead one that another has passed says nothing
// guard: api: a partition's wait counts from the newest heartbeat
// guard: api: nothing waits only where that is known
// guard: api: without a live processor answers are stale
func TestJudge(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	beat := func(age time.Duration, lag int64, phase, of string, partitions ...string) schemas.Heartbeat {
		h := schemas.Heartbeat{At: schemas.TimeMSOf(now.Add(-age)), LagMS: lag, Phase: phase, Epoch: of, Topic: "t", Positions: map[string]int64{}}
		for _, p := range partitions {
			h.Positions[p] = 1
		}
		return h
	}
	some, none := schemas.Some[int64], schemas.Opt[int64]{}
	for name, c := range map[string]struct {
		beats []schemas.Heartbeat
		want  verdict
	}{
		"nobody":                   {nil, verdict{false, true, none, true}},
		"one is well":              {[]schemas.Heartbeat{beat(time.Second, 0, "ok", "E", "0")}, verdict{true, false, some(0), false}},
		"one is behind":            {[]schemas.Heartbeat{beat(time.Second, 500, "ok", "E", "0")}, verdict{true, false, some(1500), false}},
		"too far behind":           {[]schemas.Heartbeat{beat(0, 10_001, "ok", "E", "0")}, verdict{true, true, some(10_001), false}},
		"mending":                  {[]schemas.Heartbeat{beat(0, 0, "mending", "E", "0")}, verdict{false, false, some(0), false}},
		"one of two mends":         {[]schemas.Heartbeat{beat(0, 0, "mending", "E", "0"), beat(0, 7, "ok", "E", "1")}, verdict{false, false, some(7), false}},
		"has not noticed the loss": {[]schemas.Heartbeat{beat(0, 0, "ok", "old", "0")}, verdict{false, false, some(0), false}},
		"dead":                     {[]schemas.Heartbeat{beat(4*time.Second, 0, "ok", "E", "0")}, verdict{true, true, some(4000), true}},
		"dead, and replaced":       {[]schemas.Heartbeat{beat(4*time.Second, 0, "mending", "E", "0"), beat(0, 0, "ok", "E", "0", "1")}, verdict{true, false, some(0), false}},
		"dead, and not replaced":   {[]schemas.Heartbeat{beat(4*time.Second, 100, "ok", "E", "1"), beat(0, 0, "ok", "E", "0")}, verdict{true, true, some(4100), true}},
		"all dead, one after another": {[]schemas.Heartbeat{
			beat(2*time.Minute, 9000, "ok", "E", "0", "1"), beat(5*time.Second, 0, "ok", "E", "0", "1"), beat(time.Minute, 0, "ok", "E", "1"),
		}, verdict{true, true, some(5000), true}},
		"one died long ago, its heir just now": {[]schemas.Heartbeat{
			beat(2*time.Minute, 0, "ok", "E", "1"), beat(5*time.Second, 70, "ok", "E", "1"), beat(0, 0, "ok", "E", "0"),
		}, verdict{true, true, some(5070), true}},
		"alive without partitions, others dead": {[]schemas.Heartbeat{beat(time.Hour, 0, "ok", "E", "0"), beat(0, 0, "ok", "E")}, verdict{true, true, some(3_600_000), true}},
		"dead, passed by one that gave it up":   {[]schemas.Heartbeat{beat(time.Hour, 0, "ok", "E", "1"), beat(0, 0, "ok", "E", "0")}, verdict{true, true, none, true}},
		"the same, and another is behind":       {[]schemas.Heartbeat{beat(time.Hour, 0, "ok", "E", "1"), beat(0, 7, "ok", "E", "0")}, verdict{true, true, some(7), true}},
		"has given it more than it has":         {[]schemas.Heartbeat{{At: schemas.TimeMSOf(now), Phase: "ok", Epoch: "E", Topic: "t", Positions: map[string]int64{"0": 2}}}, verdict{false, false, some(0), false}},
		"a clock that is ahead":                 {[]schemas.Heartbeat{beat(-time.Minute, 5, "ok", "E", "0")}, verdict{true, false, some(5), false}},
	} {
		t.Run(name, func(t *testing.T) {
			p := schemas.Pulse{Epoch: "E", Heartbeats: map[string]schemas.Heartbeat{}, Applied: map[string]int64{"t/0": 1}}
			switch {
			case name == "one of two mends" || strings.HasPrefix(name, "dead, and") || strings.HasPrefix(name, "all dead") || strings.HasPrefix(name, "one died"):
				p.Applied["t/1"] = 1
			case strings.HasPrefix(name, "dead, passed") || strings.HasPrefix(name, "the same, "):
				p.Applied["t/1"] = 2
			}
			for i, h := range c.beats {
				p.Heartbeats[fmt.Sprint(i)] = h
			}
			require.Equal(t, c.want, judge(p, now, 10*time.Second))
		})
	}
	require.False(t, judge(schemas.Pulse{Applied: map[string]int64{"t/0": 1}, Heartbeats: map[string]schemas.Heartbeat{"a": beat(0, 0, "ok", "", "0")}}, now, time.Second).upToDate, "no data set has no name")
}

func TestNothingIsAnywhere(t *testing.T) {
	s := newStores()
	s.put(state(1, 3))
	s.liveErr, s.storeErr = errGone, errGone
	k := newAsker(t, s, nil)
	for op, path := range map[string]string{
		opBatter: "/v1/batters/1", opBatters: "/v1/batters?ids=1,2", opBatterGame: "/v1/batters/1/games/g", opGames: "/v1/games", opGame: "/v1/games/g",
		opLeaders: "/v1/leaders?stat=pitches", opPitches: "/v1/batters/1/pitches", opFind: "/v1/pitches", opPitch: "/v1/pitches/00000000-0000-0000-0000-000000000001",
		opStream: "/v1/batters/1/stream", opGameStream: "/v1/games/g/stream",
	} {
		body := k.get(503, op, path)
		require.Equal(t, problemUnavailable, body["type"], path)
		require.NotContains(t, fmt.Sprint(body), "refused", "servers are nobody's business")
	}
}

// No batter is missing on the word of Redis alone, and none waits for Postgres that is there.
func TestManyBatters(t *testing.T) {
	s := newStores()
	s.put(state(1, 3))
	s.put(state(2, 4))
	s.store[schemas.PlayerKey{PlayerID: 3}] = state(3, 5)
	s.players = []schemas.Player{{ID: 2, Name: "Aaron Judge", Team: "NYY"}}
	k := newAsker(t, s, nil)
	body := k.get(200, opBatters, "/v1/batters?ids=2,1,2")
	require.Len(t, body["batters"], 2)
	require.Equal(t, "redis", body["source"])
	require.Equal(t, 1, s.called("Look"), "one round trip")
	require.Zero(t, s.called("States"))
	first := body["batters"].([]any)[0].(map[string]any)
	require.EqualValues(t, 2, first["batter_id"])
	require.Equal(t, "Aaron Judge", first["name"])
	require.Equal(t, "NYY", first["team"])
	require.Equal(t, []any{}, body["missing"])

	body = k.get(200, opBatters, "/v1/batters?ids=9,3,1")
	require.Equal(t, []any{9.0}, body["missing"])
	require.Equal(t, "postgres", body["source"], "the worst of them")
	require.Equal(t, 1, s.called("States"))
	k.get(404, opBatter, "/v1/batters/9")
}

func TestAServerThatFailedIsLeftAloneForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStores()
		s.put(state(1, 3))
		s.liveErr = errGone
		k := newAsker(t, s, nil)
		for range 50 {
			require.Equal(t, "postgres", k.get(200, opBatter, "/v1/batters/1")["source"])
		}
		require.Equal(t, 1, s.called("Look"))
		s.set(func() { s.liveErr = nil })
		time.Sleep(gateClosed)
		require.Equal(t, "redis", k.get(200, opBatter, "/v1/batters/1")["source"])
		synctest.Wait()
	})
}

func TestMemoryIsBounded(t *testing.T) {
	s := newStores()
	for id := range int64(20) {
		s.put(state(id, 1))
	}
	k := newAsker(t, s, func(c *Config) { c.Remembered = 10 })
	for id := range int64(20) {
		k.get(200, opBatter, fmt.Sprintf("/v1/batters/%d", id))
	}
	require.Equal(t, 10, k.sources.memory.kept.Len())
	s.set(func() { s.liveErr, s.storeErr = errGone, errGone })
	k.get(503, opBatter, "/v1/batters/9")
	k.get(200, opBatter, "/v1/batters/10")
	body := k.get(200, opBatters, "/v1/batters?ids=9,10")
	require.Equal(t, []any{9.0}, body["missing"])
	require.Equal(t, true, body["stale"])
}

// A failure and, after it, the answer to who was asked before: the server is asked again, and no caller takes
// the silence of the gate for an answer.
// guard: gate: an answer opens it
func TestGateOpensWithAnAnswer(t *testing.T) {
	g := gate{name: "Redis", log: slog.New(slog.DiscardHandler)}
	g.note(errGone)
	require.ErrorIs(t, g.ask(t.Context(), time.Minute, func(context.Context) error { return nil }), errGone, "closed after a failure")
	g.note(nil)
	asked := false
	require.NoError(t, g.ask(t.Context(), time.Minute, func(context.Context) error { asked = true; return nil }))
	require.True(t, asked)
}
