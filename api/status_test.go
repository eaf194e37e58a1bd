package api

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// working returns stores with two processors that report their work.
func working() *stores {
	s := newStores()
	s.works = map[string]schemas.Work{}
	for i, name := range []string{"a", "b"} {
		s.works[name] = schemas.Work{
			Since: 1000, Build: "v1", Records: 100, Rows: 90, RecordsPerS: 10, BytesPerS: 1000,
			Partitions: map[string]schemas.PartitionWork{
				string(rune('0' + i)): {Next: 50, LagRecords: schemas.Some(int64(2 + i))},
			},
			Steps:   map[string]schemas.StepWork{"postgres": {Count: 10, SumMS: 40 * float64(1+i), MaxMS: 9 * float64(1+i)}},
			Letters: map[schemas.Code]int64{schemas.CodeMalformedJSON: 3, schemas.CodeNotAPitch: int64(4 * i)},
			Newest:  []schemas.DeadLetterNote{{Code: schemas.CodeMalformedJSON, Message: "byte 3", At: schemas.TimeMS(2000 + i), Offset: 7}},
		}
	}
	s.beats()
	s.games = []schemas.PlayedGame{{GamePK: "g", Last: 5000, UpdatedAt: 6000}}
	return s
}

// beats writes a current heartbeat of both processors.
func (s *stores) beats() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := schemas.TimeMSOf(time.Now())
	s.pulse.Heartbeats = map[string]schemas.Heartbeat{
		"a": {At: now, Phase: schemas.PhaseOK, Epoch: epoch, Topic: "pitches.raw", Positions: map[string]int64{"0": 50}},
		"b": {At: now, Phase: schemas.PhaseOK, Epoch: epoch, Topic: "pitches.raw", Positions: map[string]int64{"1": 50}},
	}
	s.pulse.Applied = map[string]int64{"pitches.raw/0": 50, "pitches.raw/1": 50, "another/7": 1}
	s.pgPulse.Heartbeats, s.pgPulse.Applied = s.pulse.Heartbeats, s.pulse.Applied
}

// guard: api: a glance is of one topic
func TestTheStreamInOneGlance(t *testing.T) {
	s := working()
	b := newAsker(t, s, nil).get(200, opOverview, "/v1/stream")
	require.Equal(t, []any{"ok", []any{}, "redis", false}, []any{b["state"], b["reasons"], b["source"], b["stale"]})
	require.Equal(t, []any{20., 2000., 200., 180., 10., 5.}, []any{b["records_per_s"], b["bytes_per_s"], b["records"], b["rows"], b["letters_total"], b["lag_records"]})
	require.Equal(t, schemas.TimeMS(5000).String(), b["as_of"])
	partitions := b["partitions"].([]any)
	require.Len(t, partitions, 2, "those of another topic are not of this stream")
	require.Equal(t, "b", partitions[1].(map[string]any)["processor"])
	require.Equal(t, 3., partitions[1].(map[string]any)["lag_records"])
	steps := b["steps"].([]any)
	require.Equal(t, map[string]any{"step": "decode", "batches": 0., "mean_ms": nil, "max_ms": nil}, steps[0])
	require.Equal(t, map[string]any{"step": "postgres", "batches": 20., "mean_ms": 6., "max_ms": 18.}, steps[1])
	letters := b["letters"].(map[string]any)
	require.Equal(t, []any{map[string]any{"code": "malformed_json", "count": 6.}, map[string]any{"code": "not_a_pitch", "count": 4.}}, letters["by_code"])
	require.Equal(t, "b", letters["newest"].([]any)[0].(map[string]any)["processor"], "the newest first")
	require.Len(t, b["stores"], 3)
	require.Len(t, b["processors"], 2)
}

// guard: api: a processor that is silent is not alive
// guard: api: a partition without a reader is reported
// guard: api: a Redis that is not up to date is reported
// guard: api: a gap holds the stream
func TestTheStreamSaysWhatIsWrong(t *testing.T) {
	change := func(name string, f func(*schemas.Work)) func(*stores) {
		return func(s *stores) { w := s.works[name]; f(&w); s.works[name] = w }
	}
	for name, c := range map[string]struct {
		state, reason string
		break_        func(*stores)
	}{
		"nobody alive":         {"down", "no processor is alive", func(s *stores) { s.pulse.Heartbeats, s.pgPulse.Heartbeats = nil, nil }},
		"a breaker":            {"held", "b holds: 1,000 in a row", change("b", func(w *schemas.Work) { w.Breaker = "1,000 in a row" })},
		"a lag":                {"behind", "a record has waited for 20s", func(s *stores) { h := s.pulse.Heartbeats["a"]; h.LagMS = 20_000; s.pulse.Heartbeats["a"] = h }},
		"no owner":             {"behind", "nobody reads pitches.raw/2", func(s *stores) { s.pulse.Applied["pitches.raw/2"] = 9 }},
		"Redis away":           {"degraded", "redis: cannot be read", func(s *stores) { s.liveErr = errGone }},
		"Redis incomplete":     {"degraded", "redis: incomplete", func(s *stores) { s.pulse.Epoch = "another" }},
		"Postgres away":        {"degraded", "postgres: cannot be read", func(s *stores) { s.storeErr = errGone }},
		"a processor's Kafka":  {"degraded", "a: kafka: no answer", change("a", func(w *schemas.Work) { w.Faults = []string{"kafka: no answer"} })},
		"a gap":                {"held", "a: gap: pitches.raw/0: gone", change("a", func(w *schemas.Work) { w.Faults = []string{"gap: pitches.raw/0: gone"} })},
		"a processor's faults": {"degraded", "postgres: can be read, but takes no writes of a", change("a", func(w *schemas.Work) { w.Faults = []string{"postgres: away"} })},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // in which answering takes no time
				s := working()
				s.set(func() { c.break_(s) })
				b := newAsker(t, s, nil).get(200, opOverview, "/v1/stream")
				require.Equal(t, c.state, b["state"], b["reasons"])
				require.Contains(t, b["reasons"].([]any)[0], c.reason)
				if name == "nobody alive" {
					require.NotContains(t, fmt.Sprint(b["reasons"]), "kafka", "nobody reports on Kafka: one reason is enough")
				}
				require.Equal(t, name == "a processor's Kafka" || name == "nobody alive", b["stores"].([]any)[0].(map[string]any)["ok"] == false)
				require.Equal(t, name == "a breaker", b["breaker"].(map[string]any)["open"])
				synctest.Wait()
			})
		})
	}
}

// A narrow line shows the first reason only: it must be the cause, and not what follows from it.
//
// guard: api: causes are named before what follows from them
// guard: api: a Postgres that takes no writes is not well
func TestTheCauseIsNamedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := working()
		for name, w := range s.works {
			w.Faults = []string{"postgres: postgres: disk full", "progress: pitches.raw/" + name + " stands"}
			s.works[name] = w
		}
		s.pulse.Applied["pitches.raw/2"], s.pulse.Applied["pitches.raw/3"] = 9, 9
		h := s.pulse.Heartbeats["a"]
		h.LagMS = 20_000
		s.pulse.Heartbeats["a"] = h
		b := newAsker(t, s, nil).get(200, opOverview, "/v1/stream")
		require.Equal(t, "behind", b["state"])
		require.Equal(t, []any{
			"postgres: can be read, but takes no writes of a, b", "a, b: postgres: disk full",
			"a record has waited for 20s", "nobody reads pitches.raw/2, 3",
			"a: progress: pitches.raw/a stands", "b: progress: pitches.raw/b stands",
		}, b["reasons"])
		synctest.Wait()
	})
}

// The word Held stands beside the first reason.
func TestAGapIsNamedBeforeTheStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := working()
		s.pulse.Epoch = "another" // Redis is incomplete
		a, b := s.works["a"], s.works["b"]
		a.Faults, b.Breaker = []string{"postgres: disk full", "gap: pitches.raw/0: gone"}, "1,000 in a row"
		s.works["a"], s.works["b"] = a, b
		reasons := newAsker(t, s, nil).get(200, opOverview, "/v1/stream")["reasons"].([]any)
		require.Equal(t, []any{"b holds: 1,000 in a row", "a: gap: pitches.raw/0: gone"}, reasons[:2])
		require.Contains(t, reasons[3], "redis: incomplete")
		require.Len(t, reasons, 5, "the gap once: %v", reasons)
		synctest.Wait()
	})
}

// guard: api: without Kafka it is unknown how many records wait
// guard: api: without Kafka the lag of a partition is unknown
func TestWithoutKafkaTheLagIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := working()
		k := newAsker(t, s, nil)
		w := s.works["a"]
		w.Partitions = map[string]schemas.PartitionWork{"0": {Next: 50, LagRecords: schemas.Some(int64(0))}}
		s.set(func() { s.works["a"] = w })
		known := k.get(200, opOverview, "/v1/stream")
		require.EqualValues(t, []any{0., 3.}, []any{known["lag_ms"], known["lag_records"]})
		w.Faults = []string{"kafka: no answer"}
		s.set(func() { s.works["a"] = w })
		time.Sleep(overviewEvery + time.Millisecond)
		s.beats()
		b := k.get(200, opOverview, "/v1/stream")
		require.Equal(t, []any{nil, nil}, []any{b["lag_ms"], b["lag_records"]})
		of := func(i int) map[string]any { return b["partitions"].([]any)[i].(map[string]any) }
		require.Equal(t, []any{nil, nil}, []any{of(0)["lag_ms"], of(0)["lag_records"]})
		require.Equal(t, []any{0., 3.}, []any{of(1)["lag_ms"], of(1)["lag_records"]}, "b reaches Kafka")
		synctest.Wait()
	})
}

// How many records wait in a partition without a reader is not known.
// guard: api: records of a partition without a known lag are not counted as none
func TestTheSumOfRecordsThatWaitIsUnknownWithoutAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := working()
		k := newAsker(t, s, nil)
		require.Equal(t, 5., k.get(200, opOverview, "/v1/stream")["lag_records"])
		time.Sleep(overviewEvery + time.Millisecond)
		s.beats()
		s.set(func() { s.pulse.Applied["pitches.raw/2"] = 9 })
		b := k.get(200, opOverview, "/v1/stream")
		require.Contains(t, b["reasons"], "nobody reads pitches.raw/2")
		require.Nil(t, b["partitions"].([]any)[2].(map[string]any)["lag_records"])
		require.Contains(t, b, "lag_records")
		require.Nil(t, b["lag_records"])
		synctest.Wait()
	})
}

// guard: api: why Redis is incomplete is said
func TestAFullRedisIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := working()
		s.pulse.Epoch = "another"
		for name, h := range s.pulse.Heartbeats {
			h.Phase = phaseRefused
			s.pulse.Heartbeats[name] = h
		}
		b := newAsker(t, s, nil).get(200, opOverview, "/v1/stream")
		require.Contains(t, b["reasons"].([]any)[0], "redis: incomplete: it takes no writes")
		synctest.Wait()
	})
}

// Without Redis the status comes from Postgres, without both from memory with its age, and else it is a
// problem.
// guard: api: a glance from memory is stale
func TestTheStreamWithoutItsStores(t *testing.T) {
	s := working()
	s.set(func() { s.liveErr = errGone })
	k := newAsker(t, s, nil)
	b := k.get(200, opOverview, "/v1/stream")
	require.Equal(t, []any{"postgres", 20., false}, []any{b["source"], b["records_per_s"], b["stale"]})
	s.set(func() { s.storeErr = errGone })
	require.Eventually(t, func() bool {
		b = k.get(200, opOverview, "/v1/stream")
		return b["source"] == "memory"
	}, time.Minute, 50*time.Millisecond)
	require.Equal(t, true, b["stale"])
	require.Equal(t, 200., b["records"])
	require.Equal(t, problemUnavailable, newAsker(t, s, nil).get(503, opOverview, "/v1/stream")["type"])
}

// guard: api: a processor that is silent is not alive
func TestGlancesAtTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := working()
		k := newAsker(t, s, nil)
		go func() { _ = k.Run(t.Context()) }()
		l := k.listen(opGlances, "/v1/stream/events")
		_, states := l.events()
		require.Len(t, states, 1)
		require.Equal(t, "ok", states[0]["state"])
		time.Sleep(2 * time.Second)
		s.beats()
		time.Sleep(2 * time.Second)
		_, states = l.events()
		require.GreaterOrEqual(t, len(states), 4)
		require.LessOrEqual(t, len(states), 6)
		require.Positive(t, l.pings(), "a client can tell a server that hangs from one that waits for a store")
		asked := s.called("Pulse")
		for range 20 {
			k.listen(opGlances, "/v1/stream/events")
		}
		synctest.Wait()
		require.LessOrEqual(t, s.called("Pulse"), asked+1, "all clients cost one look")
		time.Sleep(4 * time.Second)
		_, states = l.events()
		require.Equal(t, "down", states[len(states)-1]["state"], "nobody was heard for three seconds")
	})
}

// silent are stores that answer nothing until the caller gives up.
type silent struct{ fakeStore }

func (silent) Pulse(ctx context.Context) (schemas.Pulse, error) {
	<-ctx.Done()
	return schemas.Pulse{}, ctx.Err()
}

func (silent) Look(
	ctx context.Context, _ []schemas.PlayerKey,
) ([]*schemas.PlayerState, schemas.Pulse, error) {
	<-ctx.Done()
	return nil, schemas.Pulse{}, ctx.Err()
}

func (silent) Works(ctx context.Context) (map[string]schemas.Work, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// While both stores hang a read of the status takes six seconds. Those who ask meanwhile do not do so one
// after another.
// guard: api: those who waited for the status take it
func TestTheStatusOfStoresThatHangComesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := silent{fakeStore{newStores()}}
		k := newAsker(t, h.stores, func(c *Config) { c.Live, c.Store = h, h })
		began, codes := time.Now(), make(chan int, 20)
		for range cap(codes) {
			go func() { codes <- k.ask("/v1/stream").Code }()
			time.Sleep(10 * time.Millisecond)
		}
		for range cap(codes) {
			require.Equal(t, 503, <-codes)
		}
		require.LessOrEqual(t, time.Since(began), 10*time.Second)
		synctest.Wait()
	})
}

// guard: api: a stream's first answer comes in time
func TestTheFirstAnswerOfAStreamComesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := silent{fakeStore{newStores()}}
		k := newAsker(t, h.stores, func(c *Config) { c.Live, c.Store = h, h })
		began, codes := time.Now(), make(chan int, 20)
		for range cap(codes) {
			go func() { codes <- k.ask("/v1/batters/1/stream").Code }()
			time.Sleep(time.Millisecond)
		}
		for range cap(codes) {
			require.Equal(t, 503, <-codes)
		}
		require.LessOrEqual(t, time.Since(began), 15*time.Second)
		require.Zero(t, value(t, k.metrics.streams))
		synctest.Wait()
	})
}
