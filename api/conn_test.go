package api

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// serve runs the API on a port of this machine until the test ends, and returns its address.
func serve(t *testing.T, s *stores, change func(*Config)) string {
	t.Helper()
	k := newAsker(t, s, change)
	server, err := Listen("127.0.0.1:0", k.API)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-done) })
	return server.Addr()
}

// send writes bytes to a fresh connection and returns the answer.
func send(t *testing.T, addr, request string) (*http.Response, []byte) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = io.WriteString(c, request)
	require.NoError(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer, body
}

func TestEveryErrorIsAProblem(t *testing.T) {
	pages := http.HandlerFunc(http.NotFound)
	addr := serve(t, newStores(), func(c *Config) { c.Pages = pages })
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"no host":             {"GET /v1/games HTTP/1.1\r\n\r\n", 400},
		"two hosts":           {"GET /v1/games HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		"no HTTP":             {"\x16\x03\x01\x02 hello\r\n\r\n", 400},
		"a bad URL":           {"GET /v1/games/%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"a zero in a header":  {"GET /v1/games HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400},
		"a bad header":        {"GET /v1/games HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n", 400},
		"two lengths":         {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400},
		"large headers":       {"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 40<<10) + "\r\n\r\n", 431},
		"a long path":         {"GET /v1/games/" + strings.Repeat("x", 40<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", 431},
		"an expectation":      {"GET / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n", 417},
		"an encoding":         {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
		"another HTTP":        {"GET / HTTP/7.0\r\nHost: a\r\n\r\n", 505},
		"a body":              {"POST /v1/games HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", 413},
		"another method":      {"DELETE /v1/games HTTP/1.1\r\nHost: a\r\n\r\n", 405},
		"an unknown method":   {"BREW /v1/games HTTP/1.1\r\nHost: a\r\n\r\n", 405},
		"no such path":        {"GET /v2/games HTTP/1.1\r\nHost: a\r\n\r\n", 404},
		"no such game":        {"GET /v1/games/none HTTP/1.1\r\nHost: a\r\n\r\n", 404},
		"no such asset":       {"GET /assets/none HTTP/1.1\r\nHost: a\r\n\r\n", 404},
		"an unknown question": {"GET /v1/games?nothing=1 HTTP/1.1\r\nHost: a\r\n\r\n", 422},
	} {
		t.Run(name, func(t *testing.T) {
			answer, body := send(t, addr, strings.Replace(c.request, "Host: a\r\n", "Host: a\r\nConnection: close\r\n", 1))
			require.Equal(t, c.status, answer.StatusCode, string(body))
			require.Equal(t, "application/problem+json", answer.Header.Get("Content-Type"))
			var p struct {
				Type, Title, Detail string
				Status              int
			}
			require.NoError(t, json.Unmarshal(body, &p), string(body))
			require.Equal(t, c.status, p.Status)
			require.Contains(t, p.Type, "urn:pitchstream:problem:")
			require.Equal(t, http.StatusText(c.status), p.Title)
			require.NotEmpty(t, p.Detail)
		})
	}
	_, body := send(t, addr, "GET /openapi.json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	require.True(t, json.Valid(body), "other answers are left alone")
}

// guard: api: a client's requests are limited
func TestAClientHasItsShareOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newAsker(t, newStores(), func(c *Config) { c.ClientRate = 10 })
		ask := func(from string, headers ...string) int { return k.from(from, "/v1/games", headers...).Code }
		for range 20 {
			require.Equal(t, 200, ask("10.0.0.1:5000"))
		}
		w := k.from("10.0.0.1:5001", "/v1/games")
		require.Equal(t, 429, w.Code, "another port is the same client")
		require.Equal(t, "1", w.Header().Get("Retry-After"))
		require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
		require.Contains(t, w.Body.String(), "urn:pitchstream:problem:too-many-requests")
		require.Equal(t, 429, ask("10.0.0.1:5000", "X-Forwarded-For: 10.0.0.9"), "no client may say who it is")
		require.Equal(t, 200, ask("10.0.0.2:5000"))
		time.Sleep(time.Second)
		for range 10 {
			require.Equal(t, 200, ask("10.0.0.1:5000"))
		}
		require.Equal(t, 429, ask("10.0.0.1:5000"))
		synctest.Wait()
	})
}

func TestWhoAClientIs(t *testing.T) {
	c, err := newClients(Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}})
	require.NoError(t, err)
	for _, q := range []struct{ from, forwarded, client string }{
		{"1.2.3.4:5", "", "1.2.3.4/32"},
		{"1.2.3.4:5", "9.9.9.9", "1.2.3.4/32"},
		{"10.0.0.1:5", "9.9.9.9", "9.9.9.9/32"},
		{"10.0.0.1:5", "invented, 9.9.9.9", "9.9.9.9/32"},
		{"10.0.0.1:5", "8.8.8.8, 9.9.9.9, 10.0.0.2", "9.9.9.9/32"},
		{"10.0.0.1:5", "invented", "10.0.0.1/32"},
		{"10.0.0.1:5", "", "10.0.0.1/32"},
		{"[::ffff:10.0.0.1]:5", "::ffff:9.9.9.9", "9.9.9.9/32"},
		{"[2001:db8:1:2:3::4]:5", "", "2001:db8:1:2::/64"},
		{"[fe80::1%eth0]:5", "", "fe80::/64"},
		{"[::1]:5", "2001:db8:1:2:ffff::4", "2001:db8:1:2::/64"},
	} {
		r := &http.Request{RemoteAddr: q.from, Header: http.Header{}}
		if q.forwarded != "" {
			r.Header.Set("X-Forwarded-For", q.forwarded)
		}
		require.Equal(t, q.client, c.of(r).String(), q)
	}
}

// guard: api: a client's streams are limited
func TestAClientHasItsShareOfStreams(t *testing.T) {
	streaming(t, func(c *Config) { c.ClientStreams = 2 }, func(t *testing.T, s *stores, k *asker) {
		s.put(state(1, 1))
		for range 2 {
			k.listen(opStream, "/v1/batters/1/stream").events()
		}
		w := k.ask("/v1/batters/1/stream")
		require.Equal(t, 429, w.Code)
		require.Equal(t, "5", w.Header().Get("Retry-After"))
		require.Equal(t, 200, k.ask("/v1/batters/1").Code)
	})
}

// guard: api: few large answers wait
func TestLargeAnswersToSlowClientsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newAsker(t, newStores(), nil)
		a, b := requester{app: "a"}, requester{app: "b"}
		require.True(t, k.takeTurn(t.Context(), a, largeBytes))
		first, second := make(chan bool), make(chan bool)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { first <- k.takeTurn(ctx, b, largeBytes-1) }()
		synctest.Wait()
		require.False(t, k.takeTurn(t.Context(), requester{app: "c"}, 2), "no more wait than are sent")
		k.giveBack(a, largeBytes)
		require.True(t, <-first)
		go func() { second <- k.takeTurn(ctx, a, largeBytes) }()
		cancel()
		require.False(t, <-second)
		k.giveBack(b, largeBytes-1)
		require.Empty(t, k.shares.used, "nobody is remembered")
	})

	s := newStores()
	s.set(func() {
		for i := range 100 {
			s.rows = append(s.rows, schemas.StoredRow{Row: schemas.Row{GamePK: "g", Venue: schemas.Text(strings.Repeat("x", 1000)), PitchID: schemas.PitchID{byte(i)}}})
		}
	})
	k := newAsker(t, s, nil)
	require.True(t, k.large.TryAcquire(largeBytes) && k.waiting.TryAcquire(largeBytes))
	w := k.ask("/v1/games/g/pitches?limit=100")
	require.Equal(t, 503, w.Code)
	require.Contains(t, w.Body.String(), problemBusy)
	k.get(200, opGamePitch, "/v1/games/g/pitches?limit=10")
	k.large.Release(largeBytes)
	k.get(200, opGamePitch, "/v1/games/g/pitches?limit=100")
	require.True(t, k.large.TryAcquire(largeBytes), "it is given back")
}

// A client that reads its large answers slowly holds as much as it may, and another one gets its own.
// guard: api: a client's large answers leave room for others
func TestLargeAnswersOfOneClientLeaveRoomForOthers(t *testing.T) {
	s := newStores()
	for i := range 200 {
		s.rows = append(s.rows, schemas.StoredRow{Row: schemas.Row{GamePK: "g", Venue: schemas.Text(strings.Repeat("x", 1000)), PitchID: schemas.PitchID{byte(i)}}})
	}
	k := newAsker(t, s, nil)
	const path, slow, other = "/v1/games/g/pitches?limit=200", "192.0.2.1:1", "192.0.2.2:1"
	size := int64(k.from(slow, path).Body.Len())
	require.Greater(t, size, int64(largeAnswer))
	client := requester{addr: netip.MustParsePrefix("192.0.2.1/32")}
	for held := int64(0); held+size <= largeShare; held += size {
		require.True(t, k.takeTurn(t.Context(), client, size))
	}
	w := k.from(slow, path)
	require.Equal(t, 503, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	require.Equal(t, 200, k.from(slow, "/v1/games/g/pitches?limit=1").Code, "small ones are not counted")
	require.Equal(t, 200, k.from(other, path).Code)
}

// ending is a Service that takes long to end.
type ending struct {
	http.Handler
	released chan struct{}
}

func (e ending) Run(ctx context.Context) error {
	<-ctx.Done()
	<-e.released
	return nil
}

func (ending) log() *slog.Logger { return slog.New(slog.DiscardHandler) }

// A server that ends takes no client while a read of its own ends: he would be sent away at once.
func TestAServerThatEndsTakesNoMoreClients(t *testing.T) {
	e := ending{http.NotFoundHandler(), make(chan struct{})}
	server, err := Listen("127.0.0.1:0", e)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	cancel()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", server.Addr())
		if err == nil {
			c.Close()
		}
		return err != nil
	}, time.Minute, 10*time.Millisecond)
	close(e.released)
	require.NoError(t, <-done)
}
