package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// served is a world with a processor and an API, all of it on this machine.
type served struct {
	*stack.Stack
	addr     string
	producer *kgo.Client
}

func serve(t *testing.T) *served {
	if os.Getenv("PITCHSTREAM_LOAD") == "" {
		t.Skip("wants the machine for itself for a minute: PITCHSTREAM_LOAD=1")
	}
	s := &served{Stack: stack.New(t), addr: testkit.FreeAddr()}
	s.Start()
	s.StartCommand("serve", "--api-addr="+s.addr)
	var err error
	s.producer, err = kgo.NewClient(
		kgo.SeedBrokers(s.Brokers), kgo.DefaultProduceTopic(s.Raw()), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.Lz4Compression()),
	)
	require.NoError(t, err)
	t.Cleanup(s.producer.Close)
	s.WaitFor("the API answers", func() bool { return s.status("/v1/games") == 200 })
	load, _ := os.ReadFile("/proc/loadavg")
	t.Logf("%d processors, %s, load average at the start %s; Kafka, Postgres, Redis, processor, API and clients on this machine", runtime.NumCPU(), runtime.Version(), strings.Fields(string(load) + " ?")[0])
	return s
}

func (s *served) status(path string) int {
	resp, err := http.Get("http://" + s.addr + path)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// pitches are simulated records with batters, the feed's, of so many games at a time.
func pitches(t *testing.T, games int) *simulate.Simulator {
	s, err := simulate.New(simulate.Options{Seed: 1, Games: games, Pitches: 1 << 20, FeedIDs: true})
	require.NoError(t, err)
	return s
}

func record(m simulate.Message) *kgo.Record {
	return &kgo.Record{Key: m.Key, Value: m.Value, Headers: kafkaread.Headers(m.Headers)}
}

// times are the latencies of one measurement.
type times struct {
	mu  sync.Mutex
	all []time.Duration
}

func (l *times) add(d ...time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d...)
}

// at is that share of them, 0.99 for the 99th percentile.
func (l *times) at(share float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.all)
	if len(l.all) == 0 {
		return 0
	}
	return l.all[min(int(share*float64(len(l.all))), len(l.all)-1)]
}

func (l *times) String() string {
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p90 %v, p99 %v, p99.9 %v, most %v of %d", round(l.at(.5)), round(l.at(.9)), round(l.at(.99)), round(l.at(.999)), round(l.at(1)), len(l.all))
}

// paced calls f so many times a second, for so long, each in a goroutine of its own, and waits for all. f is
// given the time at which it was to begin, whatever keeps it.
func paced(perSecond float64, d time.Duration, f func(i int, at time.Time)) {
	var all sync.WaitGroup
	defer all.Wait()
	began := time.Now()
	for i := range int(perSecond * d.Seconds()) {
		at := began.Add(time.Duration(float64(i) / perSecond * float64(time.Second)))
		time.Sleep(time.Until(at)) // tidy: the rate of arrivals
		all.Go(func() { f(i, at) })
	}
}

// A pitch is in the API's answers soon after it was sent: the time from the send to an answer to at_least,
// with 100 pitches a second.
func TestProducedToVisible(t *testing.T) {
	s := serve(t)
	const rate, warm, long = 100, 5 * time.Second, 20 * time.Second
	sim := pitches(t, 15)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200}, Timeout: 15 * time.Second}
	defer client.CloseIdleConnections()
	var visible, acked times
	var failed atomic.Int64
	one := func(m simulate.Message, at time.Time, count bool) {
		r := record(m)
		if err := s.producer.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			failed.Add(1)
			return
		}
		ack := time.Since(at)
		path := "/v1/batters/" + header(m, "batter_id") // from Redis
		if m.Want.PitchID[15]%2 == 0 {
			path = "/v1/pitches/" + m.Want.PitchID.String() // from Postgres
		}
		resp, err := client.Get(fmt.Sprintf("http://%s%s?at_least=%d:%d", s.addr, path, r.Partition, r.Offset))
		if err != nil {
			failed.Add(1)
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 200 {
			failed.Add(1)
		}
		if count {
			visible.add(time.Since(at))
			acked.add(ack)
		}
	}
	ready := make(chan simulate.Message, 100)
	go func() {
		for range int(rate * (warm + long).Seconds()) {
			m, _ := sim.Next()
			ready <- m
		}
	}()
	paced(rate, warm+long, func(i int, at time.Time) { one(<-ready, at, i >= int(rate*warm.Seconds())) })
	t.Logf("sent to visible in the API at %d pitches/s: %v", rate, &visible)
	t.Logf("  of it until Kafka had it: %v", &acked)
	require.Zero(t, failed.Load())
	assert.LessOrEqual(t, visible.at(.99), 50*time.Millisecond)
}

func header(m simulate.Message, key string) string {
	for _, h := range m.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return "0"
}

// Two thousand clients of one game, at two pitches a second: each has each state, or a newer one, soon after
// the pitch was sent.
func TestAGameForTwoThousand(t *testing.T) {
	s := serve(t)
	const clients, rate, long = 2000, 2, 30 * time.Second
	sim := pitches(t, 1)
	m, _ := sim.Next()
	game := string(m.Key)
	for i := range 60 { // the game is under way
		require.NoError(t, s.producer.ProduceSync(t.Context(), record(m)).FirstErr())
		if m, _ = sim.Next(); string(m.Key) != game {
			t.Fatalf("another game after %d pitches", i)
		}
	}
	s.WaitCaughtUp()
	var body struct{ Pitches int64 }
	s.WaitFor("the game is there", func() bool { return s.json("/v1/games/"+game, &body) == nil && body.Pitches == 60 })
	before := int(body.Pitches)

	var sent [int(rate*long/time.Second) + 1]atomic.Int64 // when pitch before+i was sent
	var reached times
	var connected, ended sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	var bytes, last atomic.Int64
	for range clients {
		c, err := net.Dial("tcp", s.addr)
		require.NoError(t, err)
		_, err = fmt.Fprintf(c, "GET /v1/games/%s/stream HTTP/1.1\r\nHost: x\r\n\r\n", game)
		require.NoError(t, err)
		connected.Add(1)
		context.AfterFunc(ctx, func() { _ = c.Close() })
		ended.Go(func() {
			done := sync.OnceFunc(connected.Done)
			defer done()
			have := before
			var mine []time.Duration
			err := follow(c, &bytes, func(n int) {
				done()
				now := time.Now().UnixNano()
				for ; have < n && have < before+len(sent)-1; have++ {
					mine = append(mine, time.Duration(now-sent[have+1-before].Load()))
				}
				if have == before+len(sent)-1 {
					last.Add(1)
					have++
				}
			})
			if ctx.Err() == nil {
				t.Error("a stream ended: ", err)
			}
			reached.add(mine...)
		})
	}
	connected.Wait()
	bytes.Store(0)
	paced(rate, long, func(i int, at time.Time) {
		sent[i+1].Store(at.UnixNano())
		assert.NoError(t, s.producer.ProduceSync(t.Context(), record(m)).FirstErr())
		m, _ = sim.Next()
	})
	s.WaitFor("all have the last state", func() bool { return last.Load() == clients })
	cancel()
	ended.Wait()
	t.Logf("sent to each of %d clients at %d pitches/s: %v; %.0f MB/s", clients, rate, &reached, float64(bytes.Load())/1e6/long.Seconds())
	require.Len(t, reached.all, clients*(len(sent)-1))
	assert.LessOrEqual(t, reached.at(.99), 250*time.Millisecond)
}

// follow calls saw for each state of the game, with its number of pitches.
func follow(c net.Conn, bytes *atomic.Int64, saw func(pitches int)) error {
	lines := bufio.NewReaderSize(c, 16<<10)
	for begins := true; ; {
		line, err := lines.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		bytes.Add(int64(len(line)))
		if begins && len(line) > 6 && string(line[:6]) == "data: " {
			_, rest, _ := strings.Cut(string(line[:min(len(line), 400)]), `"pitches":`)
			var n int
			_, _ = fmt.Sscanf(rest, "%d", &n)
			for errors.Is(err, bufio.ErrBufferFull) { // seen when all of it is there
				line, err = lines.ReadSlice('\n')
				bytes.Add(int64(len(line)))
			}
			saw(n)
		}
		begins = err == nil
	}
}

func (s *served) json(path string, into any) error {
	resp, err := http.Get("http://" + s.addr + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// Batters read at 5,000 a second, and beside it a bare GET of Redis at the same rate, in turn.
func TestReadsBesideRedis(t *testing.T) {
	s := serve(t)
	const rate, connections, long, rounds = 5000, 32, 5 * time.Second, 4
	sim := pitches(t, 15)
	for range 1500 {
		m, _ := sim.Next()
		s.producer.Produce(t.Context(), record(m), nil)
	}
	require.NoError(t, s.producer.Flush(t.Context()))
	s.WaitCaughtUp()
	var leaders struct {
		Leaders []struct {
			BatterID int64 `json:"batter_id"`
		}
	}
	require.NoError(t, s.json("/v1/leaders?stat=pitches&limit=100", &leaders))
	require.NotEmpty(t, leaders.Leaders)
	r := redis.NewClient(&redis.Options{Addr: s.Redis, PoolSize: connections})
	defer r.Close()
	key := s.Name + ".bare"
	require.NoError(t, r.Set(t.Context(), key, strings.Repeat("x", 700), time.Minute).Err())
	open := make([]*plain, connections)
	for i := range open {
		open[i] = dial(t, s.addr)
	}
	var api, bare times
	var notRedis, failed atomic.Int64
	for round := range rounds {
		apiRound, bareRound := &api, &bare
		if round == 0 { // warms up
			apiRound, bareRound = &times{}, &times{}
		}
		steady(rate, connections, long, apiRound, func(worker, i int) {
			source, err := open[worker].get(fmt.Sprintf("/v1/batters/%d", leaders.Leaders[i%len(leaders.Leaders)].BatterID))
			if err != nil {
				failed.Add(1)
			} else if !source {
				notRedis.Add(1)
			}
		})
		steady(rate, connections, long, bareRound, func(int, int) {
			if r.Get(t.Context(), key).Err() != nil {
				failed.Add(1)
			}
		})
	}
	t.Logf("%d batters/s over HTTP: %v (%d answers not from Redis)", rate, &api, notRedis.Load())
	t.Logf("%d bare GET/s of Redis: %v", rate, &bare)
	require.Zero(t, failed.Load())
}

// steady calls f at a rate, by workers that each have a share of the times at which it is to be called; what
// is late counts from then.
func steady(perSecond, workers int, d time.Duration, to *times, f func(worker, i int)) {
	var all sync.WaitGroup
	defer all.Wait()
	began := time.Now().Add(10 * time.Millisecond)
	for w := range workers {
		all.Go(func() {
			mine := make([]time.Duration, 0, int(float64(perSecond)*d.Seconds())/workers+1)
			for i := w; i < int(float64(perSecond)*d.Seconds()); i += workers {
				at := began.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
				if wait := time.Until(at); wait > 0 {
					time.Sleep(wait) // tidy: the rate of a worker
				}
				f(w, i)
				mine = append(mine, time.Since(at))
			}
			to.add(mine...)
		})
	}
}

// plain is one connection with as little of a client as can be: what is measured is the server.
type plain struct {
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, addr string) *plain {
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &plain{c, bufio.NewReaderSize(c, 8<<10)}
}

// get requests path, and reports whether the answer is from Redis.
func (p *plain) get(path string) (fromRedis bool, err error) {
	if _, err := io.WriteString(p.conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return false, err
	}
	resp, err := http.ReadResponse(p.in, nil)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		return false, fmt.Errorf("status %d: %w", resp.StatusCode, err)
	}
	return strings.Contains(string(body), `"source":"redis"`), nil
}
