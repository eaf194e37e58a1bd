package api

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// listener is one client of a stream, in virtual time.
type listener struct {
	k    *asker
	op   string
	stop context.CancelFunc
	mu   sync.Mutex
	*httptest.ResponseRecorder
}

func (l *listener) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ResponseRecorder.Write(b)
}

// events are the events so far, each checked against the document, without comments.
func (l *listener) events() (ids []string, states []map[string]any) {
	l.k.t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for frame := range strings.SplitSeq(l.Body.String(), "\n\n") {
		fields := map[string]string{}
		for line := range strings.Lines(frame) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			fields[name] = value
		}
		if fields["event"] == "state" {
			l.k.valid(l.op, 200, "text/event-stream", []byte(fields["data"]))
		}
		if fields["event"] != "" {
			ids, states = append(ids, fields["id"]), append(states, decoded(l.k.t, fields["data"]))
		}
	}
	return ids, states
}

func (l *listener) pings() int {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for frame := range strings.SplitSeq(l.Body.String(), "\n\n") {
		if frame == ":" {
			n++
		}
	}
	return n
}

// listen opens a stream.
func (k *asker) listen(op, path string, headers ...string) *listener {
	k.t.Helper()
	ctx, stop := context.WithCancel(k.t.Context())
	l := &listener{k: k, op: op, stop: stop, ResponseRecorder: httptest.NewRecorder()}
	req := httptest.NewRequestWithContext(ctx, "GET", path, nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	go k.ServeHTTP(l, req)
	synctest.Wait()
	return l
}

// streaming runs a test in virtual time, with the API's loops.
func streaming(t *testing.T, change func(*Config), f func(t *testing.T, s *stores, k *asker)) {
	synctest.Test(t, func(t *testing.T) {
		s := newStores()
		k := newAsker(t, s, change)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- k.Run(ctx) }()
		tick := time.NewTicker(time.Second) // a processor that is alive
		defer tick.Stop()
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					s.mu.Lock()
					quiet := s.calls["quiet"] > 0
					s.mu.Unlock()
					if !quiet {
						s.beat(schemas.Heartbeat{})
					}
				}
			}
		}()
		f(t, s, k)
		cancel()
		require.NoError(t, <-done)
		synctest.Wait()
		require.Empty(t, k.hub.topics, "streams have ended")
		require.Zero(t, value(t, k.metrics.streams))
	})
}

// The hub must learn what the first read saw from no sequence number, because a missing state has one too: 0.
func TestAStateThatIsDeletedAfterTheFirstReadIsAbsent(t *testing.T) {
	streaming(t, nil, func(t *testing.T, s *stores, k *asker) {
		s.put(state(2, 1))
		k.listen(opStream, "/v1/batters/2/stream")
		pass(time.Second) // the hub has its source
		s.put(state(1, 1))
		l := k.listen(opStream, "/v1/batters/1/stream")
		s.set(func() { delete(s.live, state(1, 1).PlayerKey); delete(s.store, state(1, 1).PlayerKey) })
		pass(time.Second)
		_, states := l.events()
		require.Len(t, states, 2)
		require.NotContains(t, states[1], "pitches")
	})
}

func TestABattersStream(t *testing.T) {
	streaming(t, nil, func(t *testing.T, s *stores, k *asker) {
		s.put(state(1, 1))
		l := k.listen(opStream, "/v1/batters/1/stream")
		require.Equal(t, "text/event-stream", l.Header().Get("Content-Type"))
		_, states := l.events()
		require.Len(t, states, 1, "the present state, at once")
		require.EqualValues(t, 1, states[0]["pitches"])

		s.put(state(1, 2))
		pass(200 * time.Millisecond)
		ids, states := l.events()
		require.Len(t, states, 2)
		require.EqualValues(t, 2, states[1]["pitches"])

		pass(31 * time.Second)
		_, states = l.events()
		require.Len(t, states, 2, "nothing has changed")
		require.Equal(t, 2, l.pings())

		again := k.listen(opStream, "/v1/batters/1/stream", "Last-Event-ID: "+ids[1])
		_, states = again.events()
		require.Empty(t, states, "he has seen this one")
		behind := k.listen(opStream, "/v1/batters/1/stream", "Last-Event-ID: "+ids[0])
		_, states = behind.events()
		require.Len(t, states, 1)

		s.set(func() { clear(s.live); clear(s.store) })
		pass(200 * time.Millisecond)
		_, states = l.events()
		require.Equal(t, map[string]any{"batter_id": 1.0}, states[2], "his last pitch was deleted")
	})
}

// The batter is not known yet: the stream waits for his first pitch.
func TestAStreamOfWhoIsToCome(t *testing.T) {
	streaming(t, nil, func(t *testing.T, s *stores, k *asker) {
		l := k.listen(opStream, "/v1/batters/7/stream")
		_, states := l.events()
		require.Equal(t, []map[string]any{{"batter_id": 7.0}}, states)
		s.put(state(7, 1))
		pass(200 * time.Millisecond)
		_, states = l.events()
		require.EqualValues(t, 1, states[1]["pitches"])
	})
}

func TestAGamesStream(t *testing.T) {
	streaming(t, nil, func(t *testing.T, s *stores, k *asker) {
		game := schemas.PlayedGame{GamePK: "g", Pitches: 1, First: 5, Last: 5, UpdatedAt: 6}
		s.set(func() { s.games = []schemas.PlayedGame{game} })
		s.put(inGame(state(1, 1), "g"))
		l := k.listen(opGameStream, "/v1/games/g/stream")
		_, states := l.events()
		require.Len(t, states[0]["batters"], 1)
		s.put(inGame(state(2, 1), "g"))
		s.apply("0", 2)
		pass(300 * time.Millisecond)
		_, states = l.events()
		require.Len(t, states, 2)
		require.Len(t, states[1]["batters"], 2, "one who is new in this game")
		asked := s.called("Game")
		pass(10 * time.Second)
		require.Equal(t, asked, s.called("Game"), "nothing is applied, nothing is read")
	})
}

// guard: api: a game without a version is not read
// guard: api: only games that have changed are read
func TestGamesThatDoNotExistCostOneQuestion(t *testing.T) {
	streaming(t, nil, func(t *testing.T, s *stores, k *asker) {
		s.set(func() { s.games = []schemas.PlayedGame{{GamePK: "g", Pitches: 1}} })
		for i := range 3000 {
			topic, err := k.hub.join(topicKey{game: fmt.Sprint("none ", i)})
			require.NoError(t, err)
			require.NoError(t, k.hub.readFirst(t.Context(), topic))
			defer k.hub.leave(topic)
		}
		l := k.listen(opGameStream, "/v1/games/g/stream")
		l.events()
		require.Equal(t, 1, s.called("Game"), "the one that exists")
		asked := s.called("GameVersions")
		s.set(func() { s.games[0].Pitches = 2 })
		s.apply("0", 2)
		pass(100 * time.Millisecond)
		_, states := l.events()
		require.EqualValues(t, 2, states[1]["pitches"])
		require.Equal(t, 2, s.called("Game"))
		require.LessOrEqual(t, s.called("GameVersions")-asked, 3001/maxBatch+2)
	})
}

func TestAGameStopsBeingLiveWithoutAChange(t *testing.T) {
	streaming(t, nil, func(t *testing.T, s *stores, k *asker) {
		now := schemas.TimeMSOf(time.Now())
		s.set(func() { s.games = []schemas.PlayedGame{{GamePK: "g", Pitches: 1, Last: now, UpdatedAt: now}} })
		l := k.listen(opGameStream, "/v1/games/g/stream")
		pass(liveFor + 2*liveEvery)
		_, states := l.events()
		require.Len(t, states, 2)
		require.Equal(t, []any{true, false}, []any{states[0]["live"], states[1]["live"]})
	})
}

// slowPulse is a Postgres that does not answer about its pulse while it hangs.
type slowPulse struct {
	fakeStore
	hangs *atomic.Bool
}

func (s slowPulse) Pulse(ctx context.Context) (schemas.Pulse, error) {
	if s.hangs.Load() {
		<-ctx.Done()
	}
	return s.fakeStore.Pulse(ctx)
}

// guard: api: players do not wait for the status
func TestPlayersDoNotWaitForTheStatus(t *testing.T) {
	var hangs atomic.Bool
	hang := func(c *Config) { c.Store = slowPulse{fakeStore{c.Live.(*stores)}, &hangs} }
	streaming(t, hang, func(t *testing.T, s *stores, k *asker) {
		s.put(state(1, 1))
		l := k.listen(opStream, "/v1/batters/1/stream")
		status := k.listen(opGlances, "/v1/stream/events")
		pass(3 * time.Second)
		_, before := status.events()
		hangs.Store(true)
		for n := range int64(40) {
			s.put(state(1, 2+n))
			pass(500 * time.Millisecond)
			_, states := l.events()
			require.EqualValues(t, 2+n, states[len(states)-1]["pitches"])
		}
		_, after := status.events()
		require.Greater(t, len(after), len(before), "the status goes on from Redis")
		hangs.Store(false)
	})
}

// guard: api: streams end while the status is read
func TestStreamsEndWhileTheStatusIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hangs atomic.Bool
		s := newStores()
		k := newAsker(t, s, func(c *Config) { c.Store = slowPulse{fakeStore{s}, &hangs} })
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- k.Run(ctx) }()
		s.put(state(1, 1))
		k.listen(opStream, "/v1/batters/1/stream")
		k.listen(opGlances, "/v1/stream/events")
		hangs.Store(true)
		pass(1500 * time.Millisecond)
		stop()
		synctest.Wait()
		require.Zero(t, value(t, k.metrics.streams))
		require.NoError(t, <-ran)
	})
}

// Many clients cost what one does: one look each PollEvery, one reading and one encoding of each state.
func TestManyClientsOfOneBatter(t *testing.T) {
	streaming(t, nil, func(t *testing.T, s *stores, k *asker) {
		s.put(state(1, 1))
		var clients []*listener
		for range 500 {
			clients = append(clients, k.listen(opStream, "/v1/batters/1/stream"))
		}
		looks, seqs, began := s.called("Look"), s.called("Seqs"), time.Now()
		for n := range int64(10) {
			s.put(state(1, 2+n))
			pass(time.Second)
		}
		require.LessOrEqual(t, s.called("Look")-looks, 10)
		require.LessOrEqual(t, s.called("Seqs")-seqs, int(time.Since(began)/k.cfg.PollEvery)+1)
		for _, c := range clients[:5] {
			_, states := c.events()
			require.Len(t, states, 11)
			c.stop()
		}
		synctest.Wait()
		require.Equal(t, 495.0, value(t, k.metrics.streams))
	})
}

func TestTheStreamsOfAllTargetsAreCountedTogether(t *testing.T) {
	streaming(t, nil, func(t *testing.T, s *stores, k *asker) {
		s.put(state(1, 1))
		other := askerOf(t, k.cfg) // of another target: one process has one set of metrics
		require.Same(t, k.metrics, other.metrics)
		here := k.listen(opStream, "/v1/batters/1/stream")
		require.NoError(t, other.hub.joinFeed())
		require.Equal(t, 2.0, value(t, k.metrics.streams))
		here.stop()
		synctest.Wait()
		require.Equal(t, 1.0, value(t, k.metrics.streams))
		other.hub.leaveFeed()
	})
}

// Redis away: the stream goes on from Postgres; both away: it says so once; and it comes back.
func TestStreamsThroughFaults(t *testing.T) {
	streaming(t, nil, func(t *testing.T, s *stores, k *asker) {
		s.put(state(1, 1))
		l := k.listen(opStream, "/v1/batters/1/stream")
		last := func() map[string]any {
			_, states := l.events()
			return states[len(states)-1]
		}
		s.set(func() { s.liveErr = errGone })
		pass(3 * time.Second)
		require.Equal(t, "postgres", last()["source"])
		s.put(state(1, 2))
		s.apply("0", 9)
		pass(2 * time.Second)
		require.EqualValues(t, 2, last()["pitches"])
		s.set(func() { s.storeErr = errGone })
		pass(3 * time.Second)
		require.Equal(t, "memory", last()["source"])
		require.Equal(t, true, last()["stale"])
		s.set(func() { s.storeErr, s.liveErr = nil, nil })
		pass(3 * time.Second)
		require.Equal(t, "redis", last()["source"])
		s.set(func() { s.calls["quiet"] = 1 }) // the processor dies
		pass(5 * time.Second)
		require.Equal(t, true, last()["stale"])
		_, states := l.events()
		require.LessOrEqual(t, len(states), 7, "no more than what has changed; Postgres may come back before Redis")
	})
}

func TestTooManyStreams(t *testing.T) {
	streaming(t, func(c *Config) { c.MaxStreams = 2 }, func(t *testing.T, s *stores, k *asker) {
		s.put(state(1, 1))
		first := k.listen(opStream, "/v1/batters/1/stream")
		k.listen(opStream, "/v1/batters/2/stream")
		require.Equal(t, problemBusy, k.get(503, opStream, "/v1/batters/1/stream")["type"])
		first.stop()
		synctest.Wait()
		third := k.listen(opStream, "/v1/batters/1/stream")
		_, states := third.events()
		require.Len(t, states, 1)
	})
}

// A client that reads nothing any more is dropped; one that reads slowly misses states, and not the newest;
// the others notice nothing.
func TestSlowClients(t *testing.T) {
	streaming(t, nil, func(t *testing.T, s *stores, k *asker) {
		s.put(state(1, 1))
		quick := k.listen(opStream, "/v1/batters/1/stream")
		ours, theirs := net.Pipe() // takes nothing that is not read
		go serveOne(k, ours)
		go func() { _, _ = fmt.Fprintf(theirs, "GET /v1/batters/1/stream HTTP/1.1\r\nHost: x\r\n\r\n") }()
		buffer := make([]byte, 300)
		n, err := theirs.Read(buffer)
		require.NoError(t, err)
		require.Contains(t, string(buffer[:n]), "200 OK")
		for p := range int64(20) {
			s.put(state(1, 2+p))
			pass(time.Second)
		}
		_, states := quick.events()
		require.Len(t, states, 21)
		require.EqualValues(t, 1, value(t, k.metrics.dropped))
		require.EqualValues(t, 1, value(t, k.metrics.streams))
		_ = theirs.Close()
	})
	streaming(t, nil, func(t *testing.T, s *stores, k *asker) {
		s.put(state(1, 1))
		ours, theirs := net.Pipe()
		go serveOne(k, ours)
		go func() { _, _ = fmt.Fprintf(theirs, "GET /v1/batters/1/stream HTTP/1.1\r\nHost: x\r\n\r\n") }()
		var got bytes.Buffer
		buffer := make([]byte, 64)
		for p := range int64(120) { // some bytes at a time: far less than there are
			s.put(state(1, 2+p))
			pass(200 * time.Millisecond)
			n, err := theirs.Read(buffer)
			require.NoError(t, err)
			got.Write(buffer[:n])
		}
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
			_ = theirs.SetReadDeadline(end)
			n, _ := theirs.Read(buffer)
			got.Write(buffer[:n])
		}
		require.Contains(t, got.String(), `"pitches":121,"swing_count"`, "the newest")
		require.Less(t, strings.Count(got.String(), "event: state"), 60)
		_ = theirs.Close()
	})
}

// brokenGames is a Postgres that fails or panics at the first read of a game.
type brokenGames struct {
	Store
	panics bool
}

func (s brokenGames) Game(context.Context, string, int, int) (*schemas.WholeGame, error) {
	if s.panics {
		panic("a bug")
	}
	return nil, errGone
}

// guard: api: a stream that does not begin is not counted
func TestAStreamThatDoesNotBeginTakesNoPlace(t *testing.T) {
	s, broken := newStores(), &brokenGames{}
	s.games = []schemas.PlayedGame{{GamePK: "1"}}
	k := newAsker(t, s, func(c *Config) { broken.Store, c.Store, c.MaxStreams = c.Store, broken, 1 })
	for range 3 {
		broken.panics = true
		require.Equal(t, 500, k.ask("/v1/games/1/stream").Code)
		broken.panics = false
		require.NotEqual(t, problemBusy, decoded(t, k.ask("/v1/games/1/stream").Body.String())["type"])
		k.sources.store.note(nil) // it is not left alone
	}
	require.Zero(t, value(t, k.metrics.streams))
	require.Empty(t, k.hub.topics)
}

func value(t *testing.T, of prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	require.NoError(t, of.Write(&m))
	return m.GetGauge().GetValue() + m.GetCounter().GetValue()
}

// serveOne serves one connection.
func serveOne(h http.Handler, c net.Conn) {
	l := &oneListener{conns: make(chan net.Conn, 1), done: make(chan struct{})}
	l.conns <- c
	server := &http.Server{Handler: h, ReadTimeout: readTimeout, ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			_ = l.Close()
		}
	}}
	_ = server.Serve(l)
}

type oneListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *oneListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *oneListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *oneListener) Addr() net.Addr { return &net.TCPAddr{} }

// pass lets virtual time pass, and all that is due then happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// A replica that is promoted lacks the last writes, and its heartbeats are old ones that agree with them.
//
// guard: api: a Redis that has gone back is not believed
func TestNoClientSeesAnOlderStateAfterAFailoverOfRedis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStores()
		s.put(state(1, 1))
		k := newAsker(t, s, nil)
		go func() { _ = k.Run(t.Context()) }()
		l := k.listen(opStream, "/v1/batters/1/stream")
		s.put(state(1, 2))
		s.beat(schemas.Heartbeat{})
		time.Sleep(time.Second)
		_, states := l.events()
		require.EqualValues(t, 2, states[len(states)-1]["pitches"])

		s.set(func() { s.live[schemas.PlayerKey{PlayerID: 1}] = state(1, 1) }) // the store has both
		time.Sleep(5 * time.Second)                                            // the heartbeats are dead
		body := k.get(200, opBatter, "/v1/batters/1")
		require.EqualValues(t, 2, body["pitches"])
		require.Equal(t, "postgres", body["source"])
		s.set(func() { s.storeErr = errGone })
		time.Sleep(5 * time.Second)
		body = k.get(200, opBatter, "/v1/batters/1")
		require.EqualValues(t, 2, body["pitches"])
		require.Equal(t, "memory", body["source"])
		_, states = l.events()
		for i, seen := range states {
			require.True(t, i == 0 || seen["seq"].(float64) >= states[i-1]["seq"].(float64), "%v", states)
		}
		require.EqualValues(t, 2, states[len(states)-1]["pitches"])
		l.stop()
	})
}

// The first client's read is slow, and a poll finds and sends a newer state meanwhile.
//
// guard: api: a slow read replaces no newer state
func TestASlowFirstReadSendsNoOlderState(t *testing.T) {
	h := &hub{}
	topic := &topic{changed: make(chan struct{})}
	slow, quick := h.reads.Add(1), h.reads.Add(1)
	require.NoError(t, topic.publish(quick, "state", map[string]int{"pitches": 2}))
	require.NoError(t, topic.publish(slow, "state", map[string]int{"pitches": 1}))
	e, _ := topic.latest()
	require.Contains(t, string(e.data), `{"pitches":2}`)
}

// Names that are loaded while a stream is open come with it.
// guard: api: a new name is an event
func TestAStreamTellsNewNames(t *testing.T) {
	streaming(t, nil, func(t *testing.T, s *stores, k *asker) {
		s.put(state(1, 1))
		l := k.listen(opStream, "/v1/batters/1/stream")
		time.Sleep(time.Second) // tidy: in a bubble of synctest
		s.set(func() { s.players = []schemas.Player{{ID: 1, Name: "Aaron"}} })
		time.Sleep(namesEvery + time.Second) // tidy: in a bubble of synctest
		_, states := l.events()
		require.Len(t, states, 2)
		require.Equal(t, "Aaron", states[1]["name"])
		l.stop()
	})
}
