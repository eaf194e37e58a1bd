package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/simulate"
)

// umpire stands before the API, gives streams an end, and judges the answers that are the server's own fault.
type umpire struct {
	target    string
	mu        sync.Mutex
	asked     map[string]int // by status
	questions hash.Hash      // of the questions in their order
	faults    []string
}

func (u *umpire) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	fmt.Fprintln(u.questions, r.Method, r.URL.RequestURI(), r.Header.Get("Last-Event-ID"))
	u.mu.Unlock()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, u.target+r.URL.RequestURI(), r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	req.Header, req.ContentLength = r.Header.Clone(), r.ContentLength
	req.Header.Del("Accept-Encoding") // so that what comes can be read here
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		u.note(r, 0, []byte(err.Error()))
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	var body []byte
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		body, err = firstEvent(resp.Body)
	} else if resp.Header.Get("Content-Type") == "application/x-ndjson" { // it may not end
		body, err = bufio.NewReader(resp.Body).ReadBytes('\n')
	} else {
		body, err = io.ReadAll(resp.Body)
	}
	u.note(r, resp.StatusCode, body)
	if err != nil && r.Context().Err() == nil {
		u.note(r, 0, []byte(err.Error()))
	}
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(body)
}

// firstEvent is a stream up to the end of its first event with data, however long that takes.
func firstEvent(stream io.Reader) (body []byte, err error) {
	lines := bufio.NewReader(stream)
	for data := false; !data || !bytes.HasSuffix(body, []byte("\n\n")); {
		line, err := lines.ReadBytes('\n')
		body = append(body, line...)
		data = data || bytes.HasPrefix(line, []byte("data:"))
		if err != nil {
			return body, err
		}
	}
	return body, nil
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
	require.Eventually(s.t, func() bool { status, _ := api.get("/v1/batters/660271" + last); return status == 200 }, time.Minute, 50*time.Millisecond)
	// what is computed now and then, too, or answers would depend on when they are asked for
	require.Eventually(s.t, func() bool {
		_, body := api.get("/v1/quality")
		return body["games"] == 3.0 && body["pitches"] == 151.0
	}, time.Minute, 50*time.Millisecond)
}

// gone allows an answer to questions that are right: the feed of changes, or a list, does not go on from the
// place.
func gone() (config string) {
	for _, path := range []string{
		"/v1/changes", "/v1/games", "/v1/players", "/v1/pitchers/{id}/games", "/v1/pitchers/{id}/splits", "/v1/batters/{id}/splits",
	} {
		config += `
[[operations]]
include-path = "` + path + `"
[operations.checks]
positive_data_acceptance.expected-statuses = ["2xx", "404", "410", "429", "5xx"]
`
	}
	return config
}

// theSame makes that what is asked follows from the document and the seed alone: not from what was answered
// before, nor from how long that took.
const theSame = `
[phases.fuzzing]
extra-data-sources = { responses = false }
error-feedback = { enabled = false }

[phases.coverage]
extra-data-sources = { responses = false }

[phases.stateful]
enabled = false
`

// question returns the command that fuzzes the API from its document. Its requests are the same every time,
// unless PITCHSTREAM_FUZZ_SECONDS is set. Then two workers ask until that time is over, and learn from the
// answers, and each seed gives other requests.
func question(t *testing.T, python, document string) *exec.Cmd {
	args := []string{"-m", "schemathesis.cli", "run", document, "--checks=all", "--seed=" + cmp.Or(os.Getenv("PITCHSTREAM_FUZZ_SEED"), "1"),
		"--request-timeout=60", "--continue-on-failure", "--warnings=off", "--suppress-health-check=all", "--no-color",
		"--generation-database=none", "--exclude-checks=not_a_server_error"} // that is the umpire's
	dir, config := t.TempDir(), gone()
	if seconds := os.Getenv("PITCHSTREAM_FUZZ_SECONDS"); seconds != "" {
		args = append(args, "--workers=2", "--max-time="+seconds)
	} else {
		args = append(args, "--workers=1", "--max-examples=25")
		config = theSame + gone()
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "schemathesis.toml"), []byte(config), 0o600))
	asking := exec.CommandContext(t.Context(), python, args...)
	asking.Dir = dir
	asking.Env = append(os.Environ(), "PYTHONHASHSEED=0")
	return asking
}

// Whatever is made of the API's own document, by another program, is answered as the document says, and never
// by a fault of the server's. PITCHSTREAM_FUZZ_SECONDS and PITCHSTREAM_FUZZ_SEED: for so long, and otherwise.
func TestServeKeepsItsDocument(t *testing.T) {
	python := testkit.Python(t, "schemathesis")
	s := newStation(t)
	client := kafkaClient(t, s.cluster)
	s.start("--quality-every=500ms")
	s.waitReady(200, "")
	api, _ := s.serve(s.args[0], "--at-least-wait=20ms") // many of them ask for what never comes
	s.fill(client, api)
	u := &umpire{target: api.url, asked: map[string]int{}, questions: fnv.New64a()}
	front := httptest.NewServer(u)
	defer front.Close()

	out, err := question(t, python, front.URL+"/openapi.json").CombinedOutput()
	u.mu.Lock()
	defer u.mu.Unlock()
	t.Logf("answers by status: %v; the questions: %x", u.asked, u.questions.Sum(nil))
	require.Empty(t, u.faults)
	require.NoError(t, err, "%s", out)
	require.Greater(t, u.asked["200"], 100)
	require.Greater(t, u.asked["422"], 20)
}
