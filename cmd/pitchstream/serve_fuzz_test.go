package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"pitchstream/internal/testkit"
	"pitchstream/simulate"
)

// umpire stands before the API, gives streams an end, and judges the answers that are the server's own fault.
type umpire struct {
	target string
	mu     sync.Mutex
	asked  map[string]int // by status
	faults []string
}

func (u *umpire) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	if strings.HasSuffix(r.URL.Path, "/stream") && r.URL.Path != "/v1/stream" || r.URL.Path == "/v1/stream/events" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, u.target+r.URL.RequestURI(), r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	req.Header, req.ContentLength = r.Header.Clone(), r.ContentLength
	req.Header.Del("Accept-Encoding") // so that what comes can be read here
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		if ctx.Err() == nil {
			u.note(r, 0, []byte(err.Error()))
		}
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body) // of a stream what came
	u.note(r, resp.StatusCode, body)
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(body)
}

// note counts an answer. A record that is not there yet is a 503, and the only one.
func (u *umpire) note(r *http.Request, status int, body []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked[fmt.Sprint(status)]++
	waited := status == http.StatusServiceUnavailable && r.URL.Query().Has("at_least") && bytes.Contains(body, []byte("problem:not-applied-yet"))
	if (status == 0 || status >= 500) && !waited {
		u.faults = append(u.faults, fmt.Sprintf("%s %s: %d %.300s", r.Method, r.URL, status, body))
	}
}

// fill has batters, games and swings processed, among them those that the document gives as examples.
func (s *station) fill(client *kgo.Client, api *reader) {
	s.t.Helper()
	sim, err := simulate.New(simulate.Options{Seed: 1, Games: 2, Pitches: 150})
	require.NoError(s.t, err)
	var last string
	for m, ok := sim.Next(); ok; m, ok = sim.Next() {
		last = s.send(client, m)
	}
	swing, _ := aSwing(s.t, 3)
	swing.Key = []byte("745804")
	last = s.send(client, swing, kgo.RecordHeader{Key: "game_pk", Value: []byte("745804")}, kgo.RecordHeader{Key: "batter_id", Value: []byte("660271")},
		kgo.RecordHeader{Key: "pitch_id", Value: []byte("0b1e7c1e-6f0a-4f6b-8d6e-1f2a3b4c5d6e")})
	require.Eventually(s.t, func() bool { status, _ := api.get("/v1/batters/660271" + last); return status == 200 }, 30*time.Second, 50*time.Millisecond)
}

// Whatever is made of the API's own document, by another program, is answered as the document says, and never by a fault
// of the server's. PITCHSTREAM_FUZZ_SECONDS and PITCHSTREAM_FUZZ_SEED: for longer, and otherwise.
func TestServeKeepsItsDocument(t *testing.T) {
	python := testkit.Python(t, "schemathesis")
	s := newStation(t)
	client := kafkaClient(t, s.cluster)
	s.start()
	s.waitReady(200, "")
	api, _ := s.serve(s.args[0], "--at-least-wait=200ms")
	s.fill(client, api)
	u := &umpire{target: api.url, asked: map[string]int{}}
	front := httptest.NewServer(u)
	defer front.Close()

	dir := t.TempDir()
	seconds := cmp.Or(os.Getenv("PITCHSTREAM_FUZZ_SECONDS"), "45")
	cmd := exec.CommandContext(t.Context(), python, "-m", "schemathesis.cli", "run", front.URL+"/openapi.json", "--checks=all", "--workers=2",
		"--max-time="+seconds, "--seed="+cmp.Or(os.Getenv("PITCHSTREAM_FUZZ_SEED"), "1"), "--request-timeout=10", "--continue-on-failure", "--warnings=off",
		"--suppress-health-check=all", "--no-color", "--exclude-checks=not_a_server_error") // that is the umpire's
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	u.mu.Lock()
	defer u.mu.Unlock()
	t.Logf("answers by status: %v", u.asked)
	require.Empty(t, u.faults)
	require.NoError(t, err, "%s", out)
	require.Greater(t, u.asked["200"], 100)
	require.Greater(t, u.asked["422"], 20)
}
