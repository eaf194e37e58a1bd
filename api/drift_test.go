package api

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// drifting is a store that finds a change of player 1, on both sides.
type drifting struct {
	Store
	mu    sync.Mutex
	asked []schemas.PlayerKey
	after float64 // 0: 84.8
	err   error
}

func (d *drifting) Drift(_ context.Context, key schemas.PlayerKey) (schemas.Drift, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, key)
	if d.err != nil {
		return schemas.Drift{}, d.err
	}
	if key.PlayerID != 1 {
		return schemas.Drift{Changes: []schemas.DriftChange{}, Measures: []string{}, Why: "not enough data"}, nil
	}
	return schemas.Drift{
		IsEnough: true, Measures: []string{"release_speed_mph"}, GamePK: "745804", GamePitches: 61, Pitches: 512,
		AsOf: schemas.Some[schemas.TimeMS](1_700_000_000_000),
		Changes: []schemas.DriftChange{{
			Scope: "game", Measure: "release_speed_mph", PitchType: "Slider", Before: 86.2, After: cmp.Or(d.after, 84.8), Change: -1.4, Score: -4.9,
			Since: 1_700_000_000_000, N: 12, NBefore: 49,
		}},
	}, nil
}

func TestDriftOfPlayers(t *testing.T) {
	d := &drifting{}
	s := newStores()
	s.players = []schemas.Player{{ID: 1, Name: "Aaron"}}
	k := newAsker(t, s, func(c *Config) { d.Store, c.Store = c.Store, d })
	for path, operation := range map[string]string{
		"/v1/batters/1/drift": "/v1/batters/{id}/drift", "/v1/pitchers/1/drift": "/v1/pitchers/{id}/drift",
	} {
		body := k.get(200, operation, path)
		require.Equal(t, "Aaron", body["name"])
		require.Equal(t, "postgres", body["source"])
		require.InDelta(t, 84.8, body["changes"].([]any)[0].(map[string]any)["after"], 0)
	}
	require.ElementsMatch(t, []schemas.PlayerKey{{PlayerID: 1}, {Side: schemas.Pitcher, PlayerID: 1}}, d.asked)
	require.Equal(t, 404, k.ask("/v1/batters/2/drift").Code, "nothing of him can be compared")
	require.Equal(t, 404, newAsker(t, newStores(), nil).ask("/v1/batters/1/drift").Code, "nobody looks there")
}

// A change of mechanics is an event within two seconds of the row that shows it.
// guard: api: the drift of a player is read when his rows have changed
func TestDriftIsStreamed(t *testing.T) {
	d := &drifting{}
	set := func(change func()) {
		d.mu.Lock()
		defer d.mu.Unlock()
		change()
	}
	streaming(t, func(c *Config) { d.Store, c.Store = c.Store, d }, func(t *testing.T, s *stores, k *asker) {
		s.put(state(1, 1))
		s.put(state(2, 1))
		l := k.listen("/v1/batters/{id}/drift/stream", "/v1/batters/1/drift/stream")
		unknown := k.listen("/v1/batters/{id}/drift/stream", "/v1/batters/2/drift/stream")
		ids, states := l.events()
		require.Len(t, states, 1, "the present one, at once")
		require.EqualValues(t, 1, states[0]["batter_id"])
		after := func(events int) any {
			_, states = l.events()
			require.Len(t, states, events)
			return states[events-1]["changes"].([]any)[0].(map[string]any)["after"]
		}
		require.InDelta(t, 84.8, after(1), 0)
		pass(5 * time.Second)
		asked := len(d.asked)
		set(func() { d.after = 84.2 })
		pass(5 * time.Second)
		require.Len(t, d.asked, asked, "no row of his has changed")
		s.put(state(1, 2))
		pass(2 * time.Second)
		require.InDelta(t, 84.2, after(2), 0)

		set(func() { d.after, d.err = 83.9, errGone })
		s.put(state(1, 3))
		pass(2 * time.Second)
		set(func() { d.err = nil })
		pass(2 * time.Second)
		require.InDelta(t, 83.9, after(4), 0, "it was read from memory, and again once the store answered")

		_, states = unknown.events()
		require.Equal(t, []map[string]any{{"batter_id": 2.0}}, states, "nothing of him can be compared")
		again := k.listen("/v1/batters/{id}/drift/stream", "/v1/batters/1/drift/stream", "Last-Event-ID: "+ids[0])
		_, states = again.events()
		require.Len(t, states, 1, "another one than he has seen")
		pitcher := k.listen("/v1/pitchers/{id}/drift/stream", "/v1/pitchers/1/drift/stream")
		_, states = pitcher.events()
		require.EqualValues(t, 1, states[0]["pitcher_id"])
	})
	require.Equal(t, 404, newAsker(t, newStores(), nil).ask("/v1/batters/1/drift/stream").Code, "nobody looks there")
}

// crowded counts the reads of drift and of changes that are under way at a time.
type crowded struct {
	*feedStore
	now, most atomic.Int32
}

func (c *crowded) count() {
	n := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	time.Sleep(10 * time.Millisecond) // tidy: in a bubble of synctest
}

func (c *crowded) Drift(context.Context, schemas.PlayerKey) (schemas.Drift, error) {
	c.count()
	return schemas.Drift{}, nil
}

func (c *crowded) Changes(
	ctx context.Context, after *schemas.FeedID, limit int,
) (schemas.FeedPage, error) {
	c.count()
	return c.feedStore.Changes(ctx, after, limit)
}

// Streams have no turn. However many begin at once, other requests have connections to Postgres.
// guard: api: few streams begin at a time
// guard: changes: few clients read the feed at a time
func TestFewStreamsBeginAtATime(t *testing.T) {
	for path, most := range map[string]int{"/v1/batters/%d/drift/stream": firstPlaces, "/v1/changes?since=0&limit=%d": pageLoads} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := feeding(t, nil)
			s.add(3, 10)
			c := &crowded{feedStore: s}
			k := newAsker(t, s.stores, func(cfg *Config) { cfg.Store = c })
			for i := range 30 {
				k.listen("", fmt.Sprintf(path, i+1))
			}
			time.Sleep(time.Minute)
			require.EqualValues(t, most, c.most.Load(), path)
		})
	}
}
