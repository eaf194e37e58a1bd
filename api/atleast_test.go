package api

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// A request waits until its record is applied, and the answer has it.
func TestAtLeastWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStores()
		s.put(state(1, 1))
		s.apply("0", 7)
		k := newAsker(t, s, nil)
		began := time.Now()
		require.EqualValues(t, 1, k.get(200, opBatter, "/v1/batters/1?at_least=0:6")["pitches"])
		require.Zero(t, time.Since(began))

		time.AfterFunc(2*time.Second, func() { s.put(state(1, 2)); s.apply("0", 8) })
		require.EqualValues(t, 2, k.get(200, opBatter, "/v1/batters/1?at_least=0:7")["pitches"])
		require.InDelta(t, 2, time.Since(began).Seconds(), 0.1)
		synctest.Wait()
	})
}

// guard: api: a reader that gives up stops no other
func TestAtLeastGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStores()
		s.put(state(1, 1))
		s.apply("0", 7)
		k := newAsker(t, s, nil)
		k.get(200, opBatter, "/v1/batters/1") // is remembered, which helps no caller that waits
		began := time.Now()
		stop := time.AfterFunc(time.Second, func() { s.beat(schemas.Heartbeat{}) })
		defer stop.Stop()
		for op, path := range map[string]string{
			opBatter: "/v1/batters/1?at_least=0:7", opBatters: "/v1/batters?ids=1&at_least=0:6,1:0", opLeaders: "/v1/leaders?stat=pitches&at_least=0:7",
		} {
			body := k.get(503, op, path)
			require.Equal(t, problemNotApplied, body["type"])
			require.Contains(t, body["detail"], "pitches.raw/")
		}
		require.Equal(t, 15*time.Second, time.Since(began))
		s.set(func() { s.liveErr, s.storeErr = errGone, errGone })
		k.get(503, opBatter, "/v1/batters/1?at_least=0:6")
		synctest.Wait()
	})
}

// While Redis is unavailable or behind, Postgres answers and Redis is not read.
func TestAtLeastFromPostgres(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStores()
		s.put(state(1, 1))
		s.apply("0", 7)
		s.set(func() {
			s.pulse.Applied, s.pulse.Epoch = map[string]int64{"pitches.raw/0": 3}, "another"
			s.store[schemas.PlayerKey{PlayerID: 1}] = state(1, 2)
			// Redis comes back, older, between the wait and the reading
		})
		k := newAsker(t, s, nil)
		body := k.get(200, opBatter, "/v1/batters/1?at_least=0:6")
		require.EqualValues(t, 2, body["pitches"])
		require.Equal(t, "postgres", body["source"])
		require.Zero(t, s.called("Look"))
		synctest.Wait()
	})
}

// guard: api: a Kafka that has failed is left alone
func TestOffsetsThatCannotBeRead(t *testing.T) {
	k := newAsker(t, newStores(), nil)
	for _, text := range []string{"1", "a:b", "0:1,", "1:-1", "0:1;1:2", "99999999999:1", "0:99999999999999999999"} {
		require.Equal(t, problemInvalid, k.get(422, opBatter, "/v1/batters/1?at_least="+text)["type"], text)
	}
}

// Requests that wait have no turn, so that a look at the positions must cost next to nothing, however many
// records they name.
func TestWaitingCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStores()
		s.apply("0", 7)
		k := newAsker(t, s, nil)
		s.beat(schemas.Heartbeat{At: schemas.TimeMSOf(time.Now().Add(time.Hour))})
		var text []string
		for i := range 120 {
			text = append(text, fmt.Sprintf("%d:7", i))
		}
		const waiting = 20
		looks := waiting * int(k.cfg.AtLeastWait/waitEvery)
		allocations := testing.AllocsPerRun(1, func() {
			var all sync.WaitGroup
			for range waiting {
				all.Go(func() { require.Equal(t, 503, k.ask("/v1/games?at_least="+strings.Join(text, ",")).Code) })
			}
			all.Wait()
		})
		require.Less(t, allocations/float64(looks), 3., "for each look")
		allocations = testing.AllocsPerRun(1, func() {
			var all sync.WaitGroup
			for range waiting {
				all.Go(func() { require.Equal(t, 503, k.ask("/v1/batters/1?at_least=0:7").Code) })
			}
			all.Wait()
		})
		require.Less(t, allocations/float64(looks), 3., "for each look")
	})
}
