package api

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

func page(pitches int) []schemas.StoredRow {
	rows := make([]schemas.StoredRow, pitches)
	for i := range rows {
		text := func() schemas.Text { return schemas.Text(fmt.Sprintf("text %016x", rand.Uint64())) }
		rows[i].GamePK, rows[i].Venue, rows[i].PitchType, rows[i].Build = text(), text(), text(), string(text())
		rows[i].Issues = []string{string(text()), string(text())}
	}
	return rows
}

// guard: api: the memory is bounded in bytes
func TestInventedCursorsDoNotFillTheMemory(t *testing.T) {
	const limit = 32 << 20
	m, err := newMemory(10_000, limit)
	require.NoError(t, err)
	heap := func() int64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	before := heap()
	for i := range 1_000 {
		m.add(fmt.Sprint("pitches/1/", i), page(200), time.Now())
		require.LessOrEqual(t, m.bytes, int64(limit))
	}
	require.Greater(t, m.bytes, int64(limit*9/10), "as much as may be is kept")
	require.Less(t, heap()-before, int64(limit*5/4), "the estimate is what they take")
	_, ok := m.get("pitches/1/999")
	require.True(t, ok)
	_, ok = m.get("pitches/1/0")
	require.False(t, ok, "the oldest goes")
	runtime.KeepAlive(m)
}

func TestAnAnswerIsCountedOnce(t *testing.T) {
	m, err := newMemory(3, 1<<20)
	require.NoError(t, err)
	for range 100 {
		m.add("a", page(10), time.Now())
	}
	once := m.bytes
	m.add("a", page(10), time.Now())
	require.Equal(t, once, m.bytes)
	for _, key := range []string{"b", "c", "d", "e"} {
		m.add(key, page(10), time.Now())
	}
	require.Equal(t, 3, m.kept.Len())
	require.Equal(t, 3*once, m.bytes)
	m.add("e", strings.Repeat("x", 1<<20/maxShare), time.Now())
	require.Equal(t, 2*once, m.bytes, "one that is too great is not kept, and the one before is none of now")
	for _, key := range []string{"c", "d"} {
		m.add(key, nil, time.Now())
	}
	require.Less(t, m.bytes, int64(1024))
}

// guard: api: a slow read puts no older answer back
func TestASlowReadPutsNoOlderAnswerBack(t *testing.T) {
	m, err := newMemory(3, 1<<20)
	require.NoError(t, err)
	first, second, third := time.Unix(1, 0), time.Unix(2, 0), time.Unix(3, 0)
	answer := func() any { r, _ := m.get("g"); return r.value }
	m.add("g", "new", second)
	m.add("g", "old", first)
	require.Equal(t, "new", answer())
	m.forget("g", first)
	require.Equal(t, "new", answer())
	m.forget("g", third)
	m.add("g", "new", second)
	require.Nil(t, answer(), "its rows are gone")
	m.forget("never asked for", third)
	require.Equal(t, 1, m.kept.Len())
}

// The codes are Postgres' own.
type sqlState string

func (s sqlState) Error() string    { return "SQLSTATE " + string(s) }
func (s sqlState) SQLState() string { return string(s) }

type redisReply string

func (r redisReply) Error() string { return string(r) }
func (redisReply) RedisError()     {}

// guard: gate: an error about a request's values closes no way
// guard: gate: a read that waited for others closes no way
// guard: api: a slow query is no outage of its store
func TestARequestThatTheStoreRefusesCostsOnlyItself(t *testing.T) {
	for err, closes := range map[error]bool{
		sqlState("22021"): false, sqlState("22008"): false, sqlState("22003"): false, sqlState("54000"): false,
		sqlState("57014"): false, sqlState("42501"): false, sqlState("40001"): false, schemas.ErrOccupied: false,
		redisReply("WRONGTYPE Operation against a key"):          false,
		fmt.Errorf("redis: batter 1: %w", schemas.ErrUnreadable): false,
		sqlState("57P01"): true, sqlState("08006"): true, sqlState("53300"): true, sqlState("42P01"): true,
		redisReply("LOADING Redis is loading"): true, errGone: true,
	} {
		g := gate{name: "Postgres", log: slog.New(slog.DiscardHandler)}
		g.ask(t.Context(), gateClosed, func(context.Context) error { return fmt.Errorf("postgres: %w", err) })
		asked := g.ask(t.Context(), gateClosed, func(context.Context) error { return nil })
		require.Equal(t, closes, asked != nil, err)
	}
	s := newStores()
	s.put(inGame(state(1, 1), "700000"))
	k := newAsker(t, s, nil)
	s.set(func() { s.storeErr = sqlState("22021") })
	problem := k.get(422, opGame, "/v1/games/1")
	require.Equal(t, problemInvalid, problem["type"])
	for _, slow := range []error{sqlState("57014"), schemas.ErrOccupied} {
		s.set(func() { s.storeErr = slow })
		problem = k.get(503, opGame, "/v1/games/1")
		require.Equal(t, problemBusy, problem["type"])
		require.NotContains(t, problem["detail"], "can be read")
	}
	s.set(func() { s.storeErr = nil })
	k.get(404, opGame, "/v1/games/1")
}

// guard: api: no store sees a text that it cannot hold
func TestZeroBytesAreRefusedBeforeAnyStore(t *testing.T) {
	s := newStores()
	k := newAsker(t, s, nil)
	for path, op := range map[string]string{
		"/v1/batters/1/games/%00": opBatterGame, "/v1/games/a%00b": opGame, "/v1/games/%FF/pitches": opGamePitch,
		"/v1/games/" + strings.Repeat("7", 65): opGame, "/v1/games/" + strings.Repeat("7", 9000): opGame,
		"/v1/leaders?stat=%00": opLeaders, "/v1/quality?day=%00": opQuality, "/v1/batters/1/pitches?cursor=%ff": opPitches,
	} {
		require.Equal(t, problemInvalid, k.get(422, op, path)["type"], path)
	}
	require.Equal(t, 422, k.ask("/v1/games/%00/stream").Code)
	delete(s.calls, "Players") // read in the background
	require.Empty(t, s.calls)
}
