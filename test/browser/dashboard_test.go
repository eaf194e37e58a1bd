package browser

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// The dashboard shows people the right things, and soon enough; dashboard.mjs has the steps.
// guard: dashboard: it says that the connection is lost
// guard: dashboard: a server that hangs is lost
// guard: dashboard: the age counts from the last message
// guard: dashboard: an unknown count is not shown as zero
// guard: dashboard: it shows that Redis is unavailable
// guard: dashboard: it shows that both stores are unavailable
// guard: dashboard: the age of what is remembered grows
// guard: dashboard: a figure of nothing is no zero
// guard: dashboard: a stream comes back
// guard: dashboard: the newest state of a pitch is shown
// guard: dashboard: a corrected swing is drawn again
// guard: dashboard: rows stay the same elements
// guard: dashboard: a table sorts both ways
// guard: dashboard: reduced motion is respected
// guard: dashboard: the focus is seen
// guard: dashboard: words are read against their ground
// guard: dashboard: a view that is slow to load does not replace a later one
func TestDashboard(t *testing.T) {
	browser := chromium(t)
	p := newPark(t)
	script(t, "dashboard.mjs", []string{"DASHBOARD=http://" + p.addr, "CHROMIUM=" + browser, "PICTURES=" + pictures(t)}, p.act)
}

// A page that watches a game for long neither grows nor slows down.
func TestLongWatch(t *testing.T) {
	if os.Getenv("PITCHSTREAM_BROWSER_SOAK") == "" {
		t.Skip("takes minutes: PITCHSTREAM_BROWSER_SOAK=5m")
	}
	span, err := time.ParseDuration(os.Getenv("PITCHSTREAM_BROWSER_SOAK"))
	require.NoError(t, err)
	browser := chromium(t)
	p := newPark(t)
	p.act("start", nil)
	script(t, "watch.mjs", []string{"DASHBOARD=http://" + p.addr, "CHROMIUM=" + browser, "SECONDS=" + strconv.Itoa(int(span.Seconds()))}, p.act)
}

// park is where games are played: a broker in memory, the stores, a processor, and the API with the
// dashboard.
type park struct {
	*stack.Stack
	redis   *testkit.Server
	store   *testkit.Server // Postgres
	addr    string          // of the API
	api     *stack.Process
	runs    *stack.Process // the processor
	records <-chan *kgo.Record
	known   sync.Map // pitch id → the record that was sent
	stop    context.CancelFunc
	playing sync.WaitGroup
}

func newPark(t *testing.T) *park {
	t.Helper()
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	require.NoError(t, err)
	t.Cleanup(kafka.Close)
	redis, store := testkit.OwnRedis(t), testkit.OwnPostgres(t)
	p := &park{
		Stack: stack.On(t, strings.Join(kafka.ListenAddrs(), ","), store.URL, redis.Addr, 4),
		redis: redis, store: store, addr: testkit.FreeAddr(), stop: func() {},
	}
	p.records = p.games()
	t.Cleanup(func() { p.act("pause", nil) })
	p.serve()
	return p
}

// games are two games that have just begun, told by the simulator, with the faults of a stream.
func (p *park) games() <-chan *kgo.Record {
	start := time.Now().UTC().Add(-2 * time.Hour) // so late that quality says so
	const played = 30 * time.Minute
	if start.Add(played).Day() != start.Day() { // the day's figures would be of a few pitches after midnight
		start = start.Add(-played)
	}
	sim, err := simulate.New(simulate.Options{
		Seed: 7, Games: 1 << 20, Parallel: 2, FeedIDs: true, Start: start,
		Poison: 0.05, Duplicates: 0.02,
	})
	require.NoError(p.T, err)
	p.names(sim)
	records := make(chan *kgo.Record)
	go func() {
		defer close(records)
		for m, ok := sim.Next(); ok; m, ok = sim.Next() {
			r := &kgo.Record{Key: m.Key, Value: m.Value}
			for _, h := range m.Headers {
				r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: []byte(h.Value)})
			}
			if m.Want.Kind == simulate.KindPitch {
				p.known.Store(m.Want.PitchID.String(), r)
			}
			select {
			case records <- r:
			case <-p.T.Context().Done():
				return
			}
		}
	}()
	return records
}

func (p *park) names(sim *simulate.Simulator) {
	var players []schemas.Player
	for _, s := range sim.Players() {
		players = append(players, schemas.Player{ID: s.ID, Name: "Player " + strconv.FormatInt(s.ID%1_000_000, 10), Team: "Team " + strconv.Itoa(s.Team+1)})
	}
	_, err := pgbooks.NewPlayers(p.Store().DB()).Set(p.T.Context(), players)
	require.NoError(p.T, err)
}

func (p *park) process() { p.runs = p.Start("--quality-every=1s") }

// signal returns a function that sends a signal to the server, as an operator does by kill.
func (p *park) signal(s syscall.Signal) func() {
	return func() { require.NoError(p.T, syscall.Kill(p.api.Pid, s)) }
}

func (p *park) serve() { p.api = p.serveAt(p.addr) }

func (p *park) serveAt(addr string, args ...string) *stack.Process {
	server := p.StartCommand(append([]string{"serve", "--api-addr=" + addr}, args...)...)
	p.WaitFor("the dashboard answers", func() bool {
		resp, err := http.Get("http://" + addr + "/")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return server
}

// act carries out one action of dashboard.mjs, and returns the answer that the page needs.
func (p *park) act(action string, args []string) string {
	switch action {
	case "start": // a processor, and what has been played so far
		p.process()
		for range 90 {
			p.Produce(<-p.records)
		}
	case "play": // so many records a second from now on, of both games, or all as of one
		perSecond, err := strconv.ParseFloat(args[0], 64)
		require.NoError(p.T, err)
		p.play(time.Duration(float64(time.Second)/perSecond), append(args, "")[1])
	case "pause":
		p.stop()
		p.playing.Wait()
	case "one":
		return p.one()
	case "game":
		known, ok := p.known.Load(args[0])
		require.True(p.T, ok, args[0])
		return string(known.(*kgo.Record).Key)
	case "correct":
		p.correct(args[0], args[1])
	case "redis":
		map[string]func(testing.TB){"stop": p.redis.Stop, "start": p.redis.Start}[args[0]](p.T)
	case "postgres":
		map[string]func(testing.TB){"stop": p.store.Stop, "start": p.store.Start}[args[0]](p.T)
	case "token":
		addr := testkit.FreeAddr()
		p.serveAt(addr, "--api-token="+args[0])
		return "http://" + addr
	case "serve":
		map[string]func(){
			"start": p.serve, "stop": p.api.Halt,
			"freeze": p.signal(syscall.SIGSTOP), "thaw": p.signal(syscall.SIGCONT),
		}[args[0]]()
	case "processor":
		map[string]func(){"start": p.process, "stop": p.runs.Halt}[args[0]]()
	default:
		p.T.Fatalf("who does %s?", action)
	}
	return "done"
}

func (p *park) play(every time.Duration, asOf string) {
	ctx, stop := context.WithCancel(p.T.Context())
	p.stop = stop
	p.playing.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				p.Produce(moved(<-p.records, asOf))
			}
		}
	})
}

// moved is a record as of another game; "": as it is.
func moved(r *kgo.Record, game string) *kgo.Record {
	if game != "" {
		r.Key = []byte(game)
		r.Headers = slices.DeleteFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == "game_pk" })
	}
	return r
}

// one sends the next pitch and gives its id.
func (p *park) one() (pitchID string) {
	for pitchID == "" {
		r := <-p.records
		p.known.Range(func(id, known any) bool {
			if known == r {
				pitchID = id.(string)
			}
			return pitchID == ""
		})
		p.Produce(r)
	}
	return pitchID
}

// correct sends a pitch again with a greater revision and another exit velocity.
func (p *park) correct(pitchID, mph string) {
	known, ok := p.known.Load(pitchID)
	require.True(p.T, ok, pitchID)
	first := known.(*kgo.Record)
	var record struct {
		Acts map[string]any `json:"summary_acts"`
		rest map[string]any
	}
	require.NoError(p.T, json.Unmarshal(first.Value, &record))
	require.NoError(p.T, json.Unmarshal(first.Value, &record.rest))
	record.Acts["hit"].(map[string]any)["speed"].(map[string]any)["mph"] = json.Number(mph)
	record.rest["summary_acts"] = record.Acts
	value, err := json.Marshal(record.rest)
	require.NoError(p.T, err)
	p.Produce(&kgo.Record{Key: first.Key, Value: value, Headers: append(first.Headers[:len(first.Headers):len(first.Headers)], kgo.RecordHeader{Key: "revision", Value: []byte("1")})})
}
