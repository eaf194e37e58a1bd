package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	attackFor    = 6 * time.Second
	attackers    = 32    // connections of a pattern of requests
	attackRate   = 1_500 // its requests a second, at most
	othersRate   = 100   // requests a second of the client that is served meanwhile
	othersMayP99 = 50 * time.Millisecond
)

// pattern is what a client does that means ill, or is broken. It ends with ctx. The world's API is at addr.
type pattern struct {
	name string
	run  func(ctx context.Context, h *hostileWorld)
}

// hostileWorld is an API with some games behind it, and what an attacker knows of them.
type hostileWorld struct {
	*served
	batters, pitchers []int64
	games, pitchIDs   []string
	sent, refused     atomic.Int64
}

// patterns are taken from public reports on HTTP servers, databases behind them, and server-sent events.
var patterns = []pattern{
	{"NUL in a path", requests(func(int) string { return "/v1/batters/1/games/%00" })},
	{"invented batters", requests(func(i int) string { return "/v1/batters/" + strconv.Itoa(9_000_000+i) })},
	{"invented pitches", requests(func(i int) string { return fmt.Sprintf("/v1/pitches/00000000-0000-4000-8000-%012x", i) })},
	{"invented cursors", requests(func(i int) string { return fmt.Sprintf("/v1/pitches?limit=500&cursor=%x", i*7919) })},
	{"text beyond all length", requests(func(int) string { return "/v1/players?q=" + strings.Repeat("%E2%9A%BE", 2000) })},
	{"all players, again and again", requests(func(i int) string {
		return "/v1/players?limit=500&q=" + string(rune('a'+i%26))
	})},
	{"leaders by each statistic and filter", requests(func(i int) string {
		stat := []string{"avg_exit_velocity_mph", "whiff_rate_pct", "pitches", "max_exit_velocity_mph"}[i%4]
		return fmt.Sprintf("/v1/leaders?stat=%s&limit=500&min_swings=%d&date=2025-04-%02d", stat, i%50, 1+i%28)
	})},
	{"the longest pages", requests(func(i int) string {
		return fmt.Sprintf("/v1/pitches?limit=500&is_swing=true&since=20%02d-01-01", i%25)
	})},
	{"each letter with its record", requests(func(i int) string { return "/v1/letters" })},
	{"swings, which are read from Kafka", perWorld(func(h *hostileWorld, i int) string {
		return "/v1/pitches/" + h.pitchIDs[i%len(h.pitchIDs)] + "/swing"
	})},
	{"recommendations for every pair", perWorld(func(h *hostileWorld, i int) string {
		return fmt.Sprintf("/v1/recommendations?batter=%d&pitcher=%d&balls=%d&strikes=%d",
			h.batters[i%len(h.batters)], h.pitchers[i/3%len(h.pitchers)], i%4, i%3)
	})},
	{"the whole feed of changes", requests(func(int) string { return "/v1/changes?since=0&limit=10000" })},
	{"waits for what never comes", requests(func(i int) string {
		return fmt.Sprintf("/v1/games?at_least=%d:%d", i%4, 1<<40+i)
	})},
	{"a hundred batters a request", perWorld(func(h *hostileWorld, i int) string {
		ids := make([]string, 100)
		for j := range ids {
			ids[j] = strconv.FormatInt(h.batters[(i+j)%len(h.batters)], 10)
		}
		return "/v1/batters?ids=" + strings.Join(ids, ",")
	})},
	{"a connection for each request", func(ctx context.Context, h *hostileWorld) {
		h.each(ctx, func(int) {
			if c, err := h.dial(ctx); err == nil {
				_, _ = io.WriteString(c, "GET /v1/games HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			}
		})
	}},
	{"bytes that are no HTTP", func(ctx context.Context, h *hostileWorld) {
		h.each(ctx, func(i int) {
			if c, err := h.dial(ctx); err == nil {
				_, _ = c.Write([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, byte(i), '\n', '\r', 0, 0xff})
				_ = c.Close()
			}
		})
	}},
	{"a body without end", func(ctx context.Context, h *hostileWorld) {
		h.held(ctx, attackers, func(c net.Conn) {
			_, _ = io.WriteString(c, "GET /v1/games HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
			chunk := "8000\r\n" + strings.Repeat("x", 0x8000) + "\r\n"
			for ctx.Err() == nil {
				if _, err := io.WriteString(c, chunk); err != nil {
					return
				}
			}
		})
	}},
	{"a thousand requests at once on each connection", func(ctx context.Context, h *hostileWorld) {
		h.held(ctx, attackers, func(c net.Conn) {
			go func() { _, _ = io.Copy(io.Discard, c) }()
			many := strings.Repeat("GET /v1/games HTTP/1.1\r\nHost: x\r\n\r\n", 1000)
			for ctx.Err() == nil {
				if _, err := io.WriteString(c, many); err != nil {
					return
				}
				h.sent.Add(1000)
				pause(ctx, time.Second) // tidy: the rate of the pattern
			}
		})
	}},
	{"500 requests that are half there", func(ctx context.Context, h *hostileWorld) {
		h.held(ctx, 500, func(c net.Conn) {
			_, _ = io.WriteString(c, "GET /v1/games HTTP/1.1\r\nHost: x\r\n")
			for i := 0; ctx.Err() == nil; i++ {
				if _, err := fmt.Fprintf(c, "X-%d: y\r\n", i); err != nil {
					return
				}
				pause(ctx, 200*time.Millisecond) // tidy: a header now and then
			}
		})
	}},
	{"answers that nobody reads", func(ctx context.Context, h *hostileWorld) {
		h.held(ctx, 500, func(c net.Conn) {
			_, _ = io.WriteString(c, strings.Repeat("GET /v1/pitches?limit=500 HTTP/1.1\r\nHost: x\r\n\r\n", 20))
			<-ctx.Done()
		})
	}},
	{"5,000 streams that wait", streams(5000, func(h *hostileWorld, i int) string {
		return "/v1/games/" + h.games[i%len(h.games)] + "/stream"
	})},
	{"3,000 streams of games that are not", streams(3000, func(_ *hostileWorld, i int) string {
		return "/v1/games/" + strconv.Itoa(1+i) + "/stream"
	})},
	{"streams that are opened and left", func(ctx context.Context, h *hostileWorld) {
		h.each(ctx, func(i int) {
			if c, err := h.dial(ctx); err == nil {
				_, _ = fmt.Fprintf(c, "GET /v1/batters/%d/stream HTTP/1.1\r\nHost: x\r\n\r\n", h.batters[i%len(h.batters)])
				_, _ = bufio.NewReader(c).ReadByte()
				_ = c.Close()
			}
		})
	}},
}

// requests is a pattern of GETs, on connections that are kept.
func requests(path func(i int) string) func(context.Context, *hostileWorld) {
	return perWorld(func(_ *hostileWorld, i int) string { return path(i) })
}

func perWorld(path func(h *hostileWorld, i int) string) func(context.Context, *hostileWorld) {
	return func(ctx context.Context, h *hostileWorld) {
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: attackers, DialContext: from("127.0.0.9")}}
		defer client.CloseIdleConnections()
		h.each(ctx, func(i int) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+h.addr+path(h, i), nil)
			if err != nil {
				return
			}
			resp, err := client.Do(req)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode >= 400 {
				h.refused.Add(1)
			}
		})
	}
}

// streams is a pattern of so many streams, which are read and held.
func streams(n int, path func(h *hostileWorld, i int) string) func(context.Context, *hostileWorld) {
	return func(ctx context.Context, h *hostileWorld) {
		var i atomic.Int64
		h.held(ctx, n, func(c net.Conn) {
			_, _ = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path(h, int(i.Add(1))))
			_, _ = io.Copy(io.Discard, c)
		})
	}
}

// each calls f on several goroutines, attackRate times a second at most, until ctx ends.
func (h *hostileWorld) each(ctx context.Context, f func(i int)) {
	var all sync.WaitGroup
	defer all.Wait()
	began := time.Now()
	var next atomic.Int64
	for range attackers {
		all.Go(func() {
			for ctx.Err() == nil {
				i := next.Add(1)
				pause(ctx, time.Until(began.Add(time.Duration(i)*time.Second/attackRate))) // tidy: the rate of the pattern
				f(int(i))
				h.sent.Add(1)
			}
		})
	}
}

// held keeps n connections, each used by f. They are closed when ctx ends.
func (h *hostileWorld) held(ctx context.Context, n int, f func(net.Conn)) {
	var all sync.WaitGroup
	defer all.Wait()
	for range n {
		c, err := h.dial(ctx)
		if err != nil {
			continue
		}
		context.AfterFunc(ctx, func() { _ = c.Close() })
		all.Go(func() { f(c) })
		h.sent.Add(1)
	}
}

func (h *hostileWorld) dial(ctx context.Context) (net.Conn, error) {
	return from("127.0.0.9")(ctx, "tcp", h.addr)
}

// from dials from an address of this machine: the server takes it for another client.
func from(addr string) func(ctx context.Context, network, to string) (net.Conn, error) {
	d := net.Dialer{Timeout: 2 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}}
	return d.DialContext
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// While one client sends each of the patterns, another one is served as ever: its 99th percentile is at most
// 50 ms, and none of its requests fails. Streams that were open before go on.
func TestHostileClientsSlowNobody(t *testing.T) {
	s := serve(t)
	h := &hostileWorld{served: s}
	h.fill(t)
	quiet := h.beside(t, func(ctx context.Context, _ *hostileWorld) { <-ctx.Done() })
	t.Logf("%-48s %v", "nobody else", quiet)
	for _, p := range patterns {
		t.Run(p.name, func(t *testing.T) {
			h.sent.Store(0)
			h.refused.Store(0)
			others := h.beside(t, p.run)
			t.Logf("%v; %d sent, %d refused", others, h.sent.Load(), h.refused.Load())
			assert.LessOrEqual(t, others.at(.99), othersMayP99)
		})
	}
}

// fill sends pitches of some games, one record in fifty of which is a dead letter.
func (h *hostileWorld) fill(t *testing.T) {
	sim := pitches(t, 15)
	for i := range 3000 {
		m, _ := sim.Next()
		r := record(m)
		if i%50 == 49 {
			r.Value = bytes.Repeat([]byte("x"), 20_000)
		}
		h.producer.Produce(t.Context(), r, nil)
		if i%50 == 0 && len(h.pitchIDs) < 60 {
			h.pitchIDs = append(h.pitchIDs, m.Want.PitchID.String())
		}
	}
	require.NoError(t, h.producer.Flush(t.Context()))
	h.WaitCaughtUp()
	var leaders struct {
		Leaders []struct {
			BatterID  int64 `json:"batter_id"`
			PitcherID int64 `json:"pitcher_id"`
		}
	}
	require.NoError(t, h.json("/v1/leaders?stat=pitches&limit=100&min_swings=0", &leaders))
	for _, l := range leaders.Leaders {
		h.batters = append(h.batters, l.BatterID)
	}
	require.NoError(t, h.json("/v1/leaders/pitchers?stat=pitches&limit=100&min_pitches=0", &leaders))
	for _, l := range leaders.Leaders {
		h.pitchers = append(h.pitchers, l.PitcherID)
	}
	var games struct {
		Games []struct {
			GamePK string `json:"game_pk"`
		}
	}
	require.NoError(t, h.json("/v1/games?limit=100", &games))
	for _, g := range games.Games {
		h.games = append(h.games, g.GamePK)
	}
	require.NotEmpty(t, h.batters)
	require.NotEmpty(t, h.pitchers)
	require.NotEmpty(t, h.games)
}

// beside runs a pattern, and returns how long the requests of another client took meanwhile. All must be
// answered with 200.
func (h *hostileWorld) beside(t *testing.T, run func(context.Context, *hostileWorld)) *times {
	client := &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 32, DialContext: from("127.0.0.2")}, Timeout: 15 * time.Second,
	}
	defer client.CloseIdleConnections()
	paths := []string{
		fmt.Sprint("/v1/batters/", h.batters[0]), "/v1/games/" + h.games[0], "/v1/leaders?stat=pitches",
		"/v1/pitches/" + h.pitchIDs[0], fmt.Sprint("/v1/pitchers/", h.pitchers[0]), "/v1/games/" + h.games[0] + "/pitches?limit=20",
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); run(ctx, h) }()
	var took times
	paced(othersRate, attackFor, func(i int, at time.Time) {
		path := paths[i%len(paths)]
		resp, err := client.Get((&url.URL{Scheme: "http", Host: h.addr}).String() + path)
		if !assert.NoError(t, err, path) {
			return
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		assert.NoError(t, err, path)
		assert.Equal(t, 200, resp.StatusCode, path)
		if i >= othersRate { // the first second opens connections
			took.add(time.Since(at))
		}
	})
	stop()
	<-done
	return &took
}
