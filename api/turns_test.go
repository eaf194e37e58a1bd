package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// worker asks for places of a queue and holds each for as long as its requests take.
func worker(ctx context.Context, q *fairQueue, of requester, takes time.Duration, served *int) {
	for q.acquire(ctx, of, 1) == nil {
		time.Sleep(takes) // tidy: in a bubble of synctest
		q.release(of, takes)
		*served++
		if ctx.Err() != nil {
			return
		}
	}
}

// guard: turns: while others ask, a heavy client has a part of the places
func TestAClientAloneHasAllPlacesAndElseLeavesSome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fairQueue{alone: 4, shared: 1, total: 4}
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		counts := make([]int, 50)
		for i := range counts {
			all.Go(func() { worker(ctx, q, requester{app: "greedy"}, 10*time.Millisecond, &counts[i]) })
		}
		served := func() (sum int) {
			for _, n := range counts {
				sum += n
			}
			return sum
		}
		time.Sleep(time.Second + time.Millisecond)
		require.InDelta(t, 400, served(), 8, "alone it has all four places")
		modest := requester{app: "modest"}
		for i := range 40 {
			began := time.Now()
			require.NoError(t, q.acquire(t.Context(), modest, 1))
			waited := time.Since(began)
			require.LessOrEqual(t, waited, 10*time.Millisecond)
			if i > 0 {
				require.Zero(t, waited, "the others leave places")
			}
			time.Sleep(time.Millisecond)
			q.release(modest, time.Millisecond)
			time.Sleep(49 * time.Millisecond)
		}
		time.Sleep(2 * useInterval)
		before := served()
		time.Sleep(time.Second)
		require.InDelta(t, 400, served()-before, 8, "alone again, it has all of them")
		stop()
		all.Wait()
		require.Empty(t, q.lines)
	})
}

// guard: turns: who takes longer comes later
func TestClientsShareTimeAndNotRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fairQueue{alone: 1, shared: 1, total: 1}
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		var slow, quick [5]int
		for i := range 5 {
			all.Go(func() { worker(ctx, q, requester{app: "slow"}, 20*time.Millisecond, &slow[i]) })
			all.Go(func() { worker(ctx, q, requester{app: "quick"}, 2*time.Millisecond, &quick[i]) })
		}
		time.Sleep(4 * time.Second)
		stop()
		all.Wait()
		var slowTime, quickTime time.Duration
		for i := range 5 {
			slowTime += time.Duration(slow[i]) * 20 * time.Millisecond
			quickTime += time.Duration(quick[i]) * 2 * time.Millisecond
		}
		require.InDelta(t, 1, float64(slowTime)/float64(quickTime), .05)
	})
}

// guard: turns: few requests of a client wait
func TestFewRequestsOfAClientWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newAsker(t, newStores(), nil)
		q := &k.cfg.turns.processors
		q.alone, q.shared, q.total = 1, 1, 2
		greedy := requester{addr: netip.MustParsePrefix("10.0.0.1/32")}
		require.NoError(t, q.acquire(t.Context(), greedy, 1))
		ctx, stop := context.WithCancel(t.Context())
		for range maxFresh {
			go func() { _ = q.acquire(ctx, greedy, 1) }()
		}
		synctest.Wait()
		w := k.from("10.0.0.1:1", "/v1/games")
		require.Equal(t, 429, w.Code)
		require.Equal(t, "1", w.Header().Get("Retry-After"))
		require.Equal(t, 200, k.from("10.0.0.2:1", "/v1/games").Code, "others are served")
		stop()
		synctest.Wait()
		go func() { _ = q.acquire(t.Context(), greedy, maxFreshBytes-10) }()
		synctest.Wait()
		require.ErrorIs(t, q.acquire(t.Context(), greedy, 11), errTooMany)
		q.release(greedy, 0)
		synctest.Wait()
		q.release(greedy, 0)
		require.Empty(t, q.lines)
		require.Equal(t, 200, k.from("10.0.0.1:1", "/v1/games").Code)
	})
}

// guard: turns: a request that gives up leaves the line
// guard: turns: a client is forgotten
func TestARequestThatGivesUpHoldsNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fairQueue{alone: 1, shared: 1, total: 1}
		one := requester{app: "one"}
		require.NoError(t, q.acquire(t.Context(), one, 1))
		ctx, stop := context.WithCancel(t.Context())
		for _, bytes := range []int{1, ahead} {
			go func() { _ = q.acquire(ctx, one, bytes) }()
		}
		synctest.Wait()
		stop()
		synctest.Wait()
		q.release(one, time.Millisecond)
		require.Zero(t, q.busy)
		require.Empty(t, q.lines)
		require.NoError(t, q.acquire(t.Context(), requester{app: "two"}, 1))
		q.release(requester{app: "two"}, time.Millisecond)
		require.Empty(t, q.lines)
	})
}

// guard: turns: the clients that are remembered are bounded
func TestTheClientsOfAnIntervalAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fairQueue{alone: 1, shared: 1, total: 1}
		for i := range maxUsers + 100 {
			of := requester{app: fmt.Sprint(i)}
			require.NoError(t, q.acquire(t.Context(), of, 1))
			q.release(of, time.Millisecond)
		}
		require.Len(t, q.used[0].by, maxUsers)
		time.Sleep(3 * useInterval)
		require.NoError(t, q.acquire(t.Context(), requester{}, 1))
		q.release(requester{}, 0)
		require.Empty(t, q.used[1].by)
	})
}

// slowGames is a store whose list of games takes as long as a test wants.
type slowGames struct {
	Store
	reading chan struct{}
	answer  chan struct{}
}

func (s slowGames) Games(ctx context.Context, q schemas.GameQuery) ([]schemas.PlayedGame, error) {
	s.reading <- struct{}{}
	<-s.answer
	return s.Store.Games(ctx, q)
}

// guard: turns: a request that reads a store leaves its turn to others
func TestARequestThatReadsAStoreHoldsNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := slowGames{reading: make(chan struct{}), answer: make(chan struct{})}
		k := newAsker(t, newStores(), func(c *Config) { slow.Store, c.Store = c.Store, &slow })
		q := &k.cfg.turns.processors
		q.alone, q.shared, q.total = 1, 1, 1
		codes := make(chan int, storePlaces)
		for range storePlaces {
			go func() { codes <- k.ask("/v1/games").Code }()
			<-slow.reading
		}
		require.Zero(t, q.busy)
		require.Equal(t, 200, k.ask("/v1/teams").Code)
		close(slow.answer)
		for range storePlaces {
			require.Equal(t, 200, <-codes)
		}
	})
}

// guard: turns: few answers wait to be encoded
func TestARequestThatHasReadAStoreKeepsItsPlaceUntilItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := slowGames{reading: make(chan struct{}, 3*storePlaces), answer: make(chan struct{})}
		k := newAsker(t, newStores(), func(c *Config) { slow.Store, c.Store = c.Store, &slow })
		q := &k.cfg.turns.processors
		q.alone, q.shared, q.total = 1, 1, 1
		codes := make(chan int, 3*storePlaces)
		for i := range 3 * storePlaces {
			go func() { codes <- k.ask(fmt.Sprintf("/v1/games?limit=%d", i+1)).Code }()
		}
		synctest.Wait()
		other := requester{app: "other"}
		require.NoError(t, q.acquire(t.Context(), other, 1)) // a long computation
		close(slow.answer)
		synctest.Wait()
		require.Len(t, slow.reading, storePlaces, "the rest is not read before the first answers are encoded")
		q.release(other, time.Millisecond)
		for range 3 * storePlaces {
			require.Equal(t, 200, <-codes)
		}
		require.Zero(t, k.cfg.turns.store.busy)
	})
}

// stuckWriter is a client that reads nothing until a test lets it.
type stuckWriter struct {
	*httptest.ResponseRecorder
	writes chan struct{}
}

func (w stuckWriter) Write(b []byte) (int, error) {
	<-w.writes
	return w.ResponseRecorder.Write(b)
}

// guard: turns: a slow reader holds no turn
func TestAClientThatReadsSlowlyHoldsNoTurn(t *testing.T) {
	for name, answer := range map[string]string{"small": "x", "large": strings.Repeat("x", 3*largeAnswer)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				turns := newTurns()
				h := inTurn(turns, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(http.StatusTeapot)
					for part := range strings.SplitAfterSeq(answer, strings.Repeat("x", 1000)) {
						_, _ = w.Write([]byte(part))
					}
				}))
				w := stuckWriter{httptest.NewRecorder(), make(chan struct{})}
				done := make(chan struct{})
				go func() {
					defer close(done)
					h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
				}()
				synctest.Wait()
				require.Zero(t, turns.processors.busy)
				close(w.writes)
				<-done
				require.Equal(t, http.StatusTeapot, w.Code)
				require.Equal(t, answer, w.Body.String())
			})
		})
	}
}

// stuckLive is a Redis that answers when a test wants.
type stuckLive struct {
	Live
	looks  chan int
	answer chan struct{}
}

func (s stuckLive) Look(
	ctx context.Context, keys []schemas.PlayerKey,
) ([]*schemas.PlayerState, schemas.Pulse, error) {
	s.looks <- len(keys)
	<-s.answer
	return s.Live.Look(ctx, keys)
}

// guard: turns: many players of one client do not slow the reads of another
// guard: turns: large answers are parsed in turn
func TestManyPlayersOfOneClientDoNotSlowAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live := stuckLive{looks: make(chan int), answer: make(chan struct{})}
		s := newStores()
		for i := range 20 {
			s.put(state(int64(i+1), 1))
		}
		k := newAsker(t, s, func(c *Config) { live.Live, c.Live = c.Live, &live })
		q := &k.cfg.turns.processors
		q.alone, q.shared, q.total = 4, 1, 8
		const many = "/v1/batters?ids=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20"
		codes := make(chan int, 5)
		for range 3 { // more than the round trips that are shared
			go func() { codes <- k.from("10.0.0.1:1", many).Code }()
			require.Equal(t, 20, <-live.looks)
		}
		require.Zero(t, q.busy, "alone it computes while it waits")
		go func() { codes <- k.from("10.0.0.2:1", "/v1/batters/1").Code }()
		require.Equal(t, 1, <-live.looks, "no other waits behind it")
		q.note(requester{addr: netip.MustParsePrefix("10.0.0.1/32")}, time.Second)
		go func() { codes <- k.from("10.0.0.1:1", many).Code }()
		require.Equal(t, 20, <-live.looks)
		require.Equal(t, 1, q.busy, "while others ask, it parses in turn")
		close(live.answer)
		for range 5 {
			require.Equal(t, 200, <-codes)
		}
	})
}

// heldReads is a Postgres whose reads by key wait until a test lets them.
type heldReads struct {
	Store
	mu     sync.Mutex
	sizes  []int // of the reads, in keys
	answer chan struct{}
}

func (s *heldReads) hold(n int) {
	s.mu.Lock()
	s.sizes = append(s.sizes, n)
	s.mu.Unlock()
	<-s.answer
}

func (s *heldReads) States(ctx context.Context, keys []schemas.PlayerKey) ([]*schemas.PlayerState, error) {
	found, err := s.Store.States(ctx, keys)
	s.hold(len(keys))
	return found, err
}

func (s *heldReads) Pitches(ctx context.Context, ids []schemas.PitchID) ([]*schemas.StoredPitch, error) {
	found, err := s.Store.Pitches(ctx, ids)
	s.hold(len(ids))
	return found, err
}

// A client that asks for players or pitches that are not there costs Postgres a few round trips, whatever
// their number. Another client's read goes with the next one, and has what was written before it was asked.
//
// guard: api: players that are not there share a round trip
// guard: turns: few reads by key wait for Postgres
func TestWhatIsNotThereCostsFewRoundTrips(t *testing.T) {
	for _, of := range []string{"/v1/batters/", "/v1/pitches/00000000-0000-4000-8000-000000000"} {
		t.Run(of, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStores()
				held := &heldReads{answer: make(chan struct{})}
				k := newAsker(t, s, func(c *Config) { held.Store, c.Store = c.Store, held })
				path := func(i int) string { return fmt.Sprint(of, 100+i) }
				codes := make(chan int, 2*keyPlaces)
				for i := range 2 * keyPlaces {
					go func() { codes <- k.from("10.0.0.1:1", path(i)).Code }()
				}
				synctest.Wait()
				require.Equal(t, []int{1, 1}, held.sizes)
				s.put(state(700, 3))
				id, _ := schemas.ParsePitchID("00000000-0000-4000-8000-000000000700")
				row := schemas.StoredRow{Row: schemas.Row{Issues: []string{}}}
				row.PitchID = id
				s.set(func() { delete(s.live, schemas.PlayerKey{PlayerID: 700}); s.rows = append(s.rows, row) })
				other := make(chan int, 1)
				go func() { other <- k.from("10.0.0.2:1", path(600)).Code }()
				synctest.Wait()
				held.answer <- struct{}{}
				synctest.Wait()
				require.Len(t, held.sizes, 3)
				require.LessOrEqual(t, held.sizes[2], keyPlaces, "few wait for it")
				require.Greater(t, held.sizes[2], keyPlaces/2, "they go together")
				for len(codes) < cap(codes) {
					held.answer <- struct{}{}
					synctest.Wait()
				}
				require.Equal(t, 200, <-other)
				for range 2 * keyPlaces {
					require.Equal(t, 404, <-codes)
				}
				require.LessOrEqual(t, len(held.sizes), 8)
			})
		})
	}
}
