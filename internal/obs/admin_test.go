package obs

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/config"
)

func TestAdminPagesShowHealthMetricsAndSettings(t *testing.T) {
	m := NewMetrics("dev")
	h := NewHealth(quiet, m, "postgres")
	held := true
	pages := AdminHandler(h, m, config.Admin{}, func() bool { was := held; held = false; return was },
		config.Setting{Name: "postgres-url", Value: "postgres://u:xxxxx@h/d", Source: "flag"})
	get := func(method, path string) (int, string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, path, nil)
		r.RemoteAddr = "127.0.0.1:1234"
		pages.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	for _, c := range []struct {
		path string
		code int
		body string
	}{
		{"/healthz", 200, "ok\n"},
		{"/readyz", 503, `{"ready":false,"reasons":["postgres: starting"]}` + "\n"},
	} {
		code, body := get("GET", c.path)
		require.Equal(t, c.code, code, c.path)
		require.Equal(t, c.body, body, c.path)
	}
	h.Set("postgres", true, "")
	code, body := get("GET", "/readyz")
	require.Equal(t, 200, code)
	require.JSONEq(t, `{"ready": true, "reasons": []}`, body)
	code, body = get("GET", "/metrics")
	require.Equal(t, 200, code)
	require.Contains(t, body, "\npitchstream_ready 1\n")
	code, body = get("GET", "/debug/config")
	require.Equal(t, 200, code)
	require.Equal(t, "postgres-url  postgres://u:xxxxx@h/d  flag\n", body)
	code, body = get("POST", "/breaker/reset")
	require.Equal(t, 200, code, body)
	code, body = get("POST", "/breaker/reset")
	require.Equal(t, 409, code, body)
	code, _ = get("GET", "/breaker/reset")
	require.Equal(t, 405, code, "nothing that follows a link resets it")
	code, _ = get("POST", "/readyz")
	require.Equal(t, 405, code)
	code, _ = get("GET", "/")
	require.Equal(t, 404, code)
}

// guard: obs: no web page changes anything
// guard: obs: without a token only this machine changes anything
// guard: obs: the token is asked for
func TestOnlyThoseWhoMayResetTheBreaker(t *testing.T) {
	for _, c := range []struct {
		token, from, header, value string
		status                     int
	}{
		{"", "127.0.0.1:1", "", "", 200},
		{"", "[::1]:1", "", "", 200},
		{"", "[::ffff:127.0.0.1]:1", "", "", 200},
		{"", "10.0.0.1:1", "", "", 403},
		{"", "10.0.0.1:1", "X-Forwarded-For", "127.0.0.1", 403},
		{"", "127.0.0.1:1", "Origin", "https://elsewhere.example", 403},
		{"", "127.0.0.1:1", "Origin", "null", 403},
		{"", "127.0.0.1:1", "Origin", "http://127.0.0.1:9090", 403}, // a name that was made to lead here
		{"", "127.0.0.1:1", "Sec-Fetch-Site", "cross-site", 403},
		{"secret", "10.0.0.1:1", "Authorization", "Bearer secret", 200},
		{"secret", "127.0.0.1:1", "", "", 401},
		{"secret", "10.0.0.1:1", "Authorization", "Bearer secre", 401},
		{"secret", "10.0.0.1:1", "Authorization", "Basic secret", 401},
		{"secret", "10.0.0.1:1", "Authorization", "Bearer ", 401},
	} {
		reset := 0
		var access config.Admin
		require.NoError(t, access.Token.UnmarshalText([]byte(c.token)))
		pages := AdminHandler(NewHealth(quiet, nil), NewMetrics("dev"), access, func() bool { reset++; return true })
		r := httptest.NewRequest("POST", "/breaker/reset", nil)
		r.RemoteAddr = c.from
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, r)
		require.Equal(t, c.status, w.Code, "%+v: %s", c, w.Body)
		require.Equal(t, c.status == 200, reset == 1, c)
	}
}

// guard: obs: profiles are taken by those who asked for them only
func TestProfilesAreOffUnlessAskedFor(t *testing.T) {
	for asked, status := range map[bool]int{false: 404, true: 200} {
		pages := AdminHandler(NewHealth(quiet, nil), NewMetrics("dev"), config.Admin{Profiles: asked}, nil)
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/trace?seconds=0.01"} {
			w := httptest.NewRecorder()
			pages.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			require.Equal(t, status, w.Code, path)
		}
	}
}

func TestServeAnswersRequestsInFlightBeforeItReturns(t *testing.T) {
	asked, goOn := make(chan struct{}), make(chan struct{})
	s, err := Listen("127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-goOn
		io.WriteString(w, "done")
	}), quiet)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	answer := make(chan string, 1)
	go func() { answer <- fetch(s.Addr()) }()

	<-asked
	cancel()
	select {
	case err := <-ended:
		t.Fatalf("ended with a request in flight: %v", err)
	default:
	}
	close(goOn)
	require.Equal(t, "done", <-answer)
	require.NoError(t, <-ended)
	require.Contains(t, fetch(s.Addr()), "connection refused")
}

func TestListenRefusesAnAddressInUse(t *testing.T) {
	s, err := Listen("127.0.0.1:0", http.NotFoundHandler(), quiet)
	require.NoError(t, err)
	defer s.listener.Close()
	_, err = Listen(s.Addr(), http.NotFoundHandler(), quiet)
	require.ErrorContains(t, err, "address already in use")
}

func TestServeReturnsTheErrorOfItsListener(t *testing.T) {
	s, err := Listen("127.0.0.1:0", http.NotFoundHandler(), quiet)
	require.NoError(t, err)
	require.NoError(t, s.listener.Close())
	require.ErrorContains(t, s.Serve(t.Context()), "use of closed network connection")
}

// fetch returns the body of the answer, or the error.
func fetch(addr string) string {
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get("http://" + addr)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}
