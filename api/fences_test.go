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

var playerOne = schemas.PlayerKey{PlayerID: 1}

// A standby that is behind, or a Postgres restored from a backup, has older states than were answered.
//
// guard: api: Postgres answers nothing older than was answered before
// guard: api: a Postgres that stays behind is believed in the end
func TestPostgresAnswersNothingOlderThanRedisDid(t *testing.T) {
	streaming(t, nil, func(t *testing.T, s *stores, k *asker) {
		s.put(state(1, 11))
		s.apply("0", 1)
		l := k.listen(opStream, "/v1/batters/1/stream")
		require.EqualValues(t, 11, k.get(200, opBatter, "/v1/batters/1")["pitches"])
		s.set(func() {
			s.liveErr = errGone
			s.store[playerOne] = state(1, 10)
		})
		pass(3 * time.Second)
		for range 2 {
			body := k.get(200, opBatter, "/v1/batters/1")
			require.EqualValues(t, 11, body["pitches"])
			require.Equal(t, "memory", body["source"])
			require.Equal(t, true, body["stale"])
		}
		require.Equal(t, problemUnavailable, k.get(503, opBatter, "/v1/batters/1?at_least=0:0")["type"])
		s.set(func() { s.store[playerOne] = state(1, 12) })
		body := k.get(200, opBatter, "/v1/batters/1")
		require.EqualValues(t, 12, body["pitches"])
		require.Equal(t, "postgres", body["source"])
		_, states := l.events()
		for i, seen := range states {
			require.True(t, i == 0 || seen["seq"].(float64) >= states[i-1]["seq"].(float64), "%v", states)
		}

		s.set(func() { s.store[playerOne] = state(1, 10) })
		pass(fenceFor)
		require.EqualValues(t, 10, k.get(200, opBatter, "/v1/batters/1")["pitches"])
	})
}

// Others wrote into Redis, and it was answered until a processor repaired it.
//
// guard: api: a state in which both stores agree is believed
func TestAStateThatBothStoresHaveIsBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStores()
		s.put(state(1, 3))
		s.live[playerOne] = state(1, 1000)
		k := newAsker(t, s, nil)
		require.EqualValues(t, 1000, k.get(200, opBatter, "/v1/batters/1")["pitches"])
		s.put(state(1, 3))
		for _, source := range []string{"postgres", "redis"} {
			body := k.get(200, opBatter, "/v1/batters/1")
			require.EqualValues(t, 3, body["pitches"])
			require.Equal(t, source, body["source"])
		}
		synctest.Wait()
	})
}

// Absence is said by Postgres alone.
//
// guard: api: a stream says of nobody that he is absent unless Postgres did
func TestNobodyIsAbsentBecauseHeIsNotRemembered(t *testing.T) {
	streaming(t, func(c *Config) { c.Remembered = 1 }, func(t *testing.T, s *stores, k *asker) {
		s.put(state(1, 1))
		s.put(state(2, 1))
		one := k.listen(opStream, "/v1/batters/1/stream")
		two := k.listen(opStream, "/v1/batters/2/stream")
		s.set(func() { s.liveErr, s.storeErr = errGone, errGone })
		pass(3 * time.Second)
		for _, l := range []*listener{one, two} {
			_, states := l.events()
			for _, seen := range states {
				require.EqualValues(t, 1, seen["pitches"], "%v", states)
			}
		}
		k.get(503, opStream, "/v1/batters/3/stream")
	})
}

// guard: api: without Postgres nobody is absent
// guard: api: memory does not answer a read that waits for a record
func TestWithoutPostgresNobodyIsAbsent(t *testing.T) {
	for name, lacks := range map[string]func(*stores){
		"Redis lacks him":                  func(s *stores) { delete(s.live, playerOne) },
		"what it has of him is unreadable": func(s *stores) { s.live[playerOne] = schemas.PlayerState{Suspect: true} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStores()
				s.put(state(1, 3))
				s.put(state(2, 3))
				k := newAsker(t, s, nil)
				s.set(func() { s.storeErr = errGone; lacks(s) })
				require.Equal(t, problemUnavailable, k.get(503, opBatter, "/v1/batters/1")["type"], "nothing is remembered")
				require.Equal(t, []any{1.0}, k.get(200, opBatters, "/v1/batters?ids=1,2")["missing"])
				s.set(func() { s.storeErr = nil })
				pass(time.Second)
				k.get(200, opBatter, "/v1/batters/1")
				s.set(func() { s.storeErr = errGone })
				pass(time.Second)
				body := k.get(200, opBatter, "/v1/batters/1")
				require.EqualValues(t, 3, body["pitches"])
				require.Equal(t, "memory", body["source"])
				s.apply("0", 1)
				require.Equal(t, problemUnavailable, k.get(503, opBatter, "/v1/batters/1?at_least=0:0")["type"])
			})
		})
	}
}

// guard: api: absence is remembered
// guard: api: who was absent is not back on the word of Redis alone
func TestWhoIsGoneDoesNotComeBack(t *testing.T) {
	gone := func(t *testing.T, others int64, then func(s *stores, k *asker)) {
		synctest.Test(t, func(t *testing.T) {
			s := newStores()
			s.put(state(1, 3))
			k := newAsker(t, s, func(c *Config) { c.Remembered = 2 })
			k.get(200, opBatter, "/v1/batters/1")
			s.set(func() { delete(s.live, playerOne); delete(s.store, playerOne) })
			k.get(404, opBatter, "/v1/batters/1")
			for id := range others { // their answers are remembered
				s.put(state(2+id, 1))
				k.get(200, opBatter, fmt.Sprint("/v1/batters/", 2+id))
			}
			then(s, k)
		})
	}
	t.Run("both stores fail", func(t *testing.T) {
		gone(t, 0, func(s *stores, k *asker) {
			s.set(func() { s.liveErr, s.storeErr = errGone, errGone })
			k.get(503, opBatter, "/v1/batters/1")
		})
	})
	t.Run("Redis fails over and has him still", func(t *testing.T) {
		gone(t, 5, func(s *stores, k *asker) {
			for _, pitches := range []int64{1, 3, 4} {
				s.set(func() { s.live[playerOne] = state(1, pitches) })
				pass(5 * time.Second)
				k.get(404, opBatter, "/v1/batters/1")
			}
			s.set(func() { s.live[playerOne], s.storeErr = state(1, 3), errGone })
			pass(time.Second)
			k.get(503, opBatter, "/v1/batters/1")
		})
	})
	t.Run("he has a new pitch", func(t *testing.T) {
		gone(t, 5, func(s *stores, k *asker) {
			s.set(func() { s.live[playerOne], s.storeErr = state(1, 5), errGone })
			body := k.get(200, opBatter, "/v1/batters/1")
			require.Equal(t, true, body["stale"], "Postgres has not said so")
			s.put(state(1, 5))
			s.set(func() { s.storeErr = nil })
			pass(time.Second)
			for _, source := range []string{"postgres", "redis"} {
				require.Equal(t, source, k.get(200, opBatter, "/v1/batters/1")["source"])
			}
		})
	})
}

// guard: api: a game that lost its rows is forgotten
func TestAGameThatIsGoneDoesNotComeBack(t *testing.T) {
	s := newStores()
	s.games = []schemas.PlayedGame{{GamePK: "g", Pitches: 1}}
	k := newAsker(t, s, nil)
	k.get(200, opGame, "/v1/games/g")
	s.set(func() { s.games = nil })
	k.get(404, opGame, "/v1/games/g")
	s.set(func() { s.storeErr = errGone })
	k.get(503, opGame, "/v1/games/g")
}

// Two reads of Postgres: the one that began first ends last.
//
// guard: api: a slow read puts no older state back
func TestASlowReadPutsNoOlderStateBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStores()
		s.put(state(1, 10))
		s.set(func() { s.liveErr = errGone })
		slow := &slowStates{fakeStore: fakeStore{s}, next: make(chan struct{})}
		k := newAsker(t, s, func(c *Config) { c.Store = slow })
		first := make(chan map[string]any)
		go func() { first <- k.get(200, opBatter, "/v1/batters/1") }()
		synctest.Wait()
		s.put(state(1, 11))
		time.Sleep(time.Millisecond)
		require.EqualValues(t, 11, k.get(200, opBatter, "/v1/batters/1")["pitches"])
		close(slow.next)
		body := <-first
		require.EqualValues(t, 11, body["pitches"], "it was read meanwhile")
		require.Equal(t, "postgres", body["source"])
		require.Equal(t, false, body["stale"])
		s.set(func() { s.storeErr = errGone })
		time.Sleep(time.Second)
		require.EqualValues(t, 11, k.get(200, opBatter, "/v1/batters/1")["pitches"])
		synctest.Wait()
	})
}

// slowStates holds the first read of states back once it is done.
type slowStates struct {
	fakeStore
	next  chan struct{}
	reads int
}

func (s *slowStates) States(ctx context.Context, keys []schemas.PlayerKey) ([]*schemas.PlayerState, error) {
	found, err := s.fakeStore.States(ctx, keys)
	if s.reads++; s.reads == 1 {
		<-s.next
	}
	return found, err
}

// guard: api: the fences are bounded
func TestFencesAreBounded(t *testing.T) {
	s := newStores()
	k := newAsker(t, s, func(c *Config) { c.Remembered = 10 })
	for id := range int64(200) {
		k.get(404, opBatterGame, fmt.Sprintf("/v1/batters/1/games/%d", id))
	}
	require.Equal(t, 10*fencesPerAnswer, k.sources.memory.fences.Len())
	require.Zero(t, k.sources.memory.kept.Len())
}

// Redis never has the list of games, and may well be read.
//
// guard: api: a problem names the server that is missing
func TestAProblemNamesTheServerThatIsMissing(t *testing.T) {
	s := newStores()
	s.storeErr = errGone
	problem := newAsker(t, s, nil).get(503, "/v1/games", "/v1/games")
	require.Equal(t, []any{problemUnavailable, errStoreUnavailable.Error()}, []any{problem["type"], problem["detail"]})
}
