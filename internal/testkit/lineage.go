package testkit

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

//go:embed lineage.py
var lineageCheck string

// Lineage is a server that takes events of OpenLineage, as Marquez does.
type Lineage struct {
	URL string

	mu     sync.Mutex
	events [][]byte
	keys   []string
}

// LineageEvent is what tests look at in an event.
type LineageEvent struct {
	EventType string `json:"eventType"`
	Run       struct {
		RunID  string                    `json:"runId"`
		Facets map[string]map[string]any `json:"facets"`
	} `json:"run"`
	Job struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"job"`
	Inputs  []LineageDataset `json:"inputs"`
	Outputs []LineageDataset `json:"outputs"`
}

// LineageDataset is an input or an output of an event.
type LineageDataset struct {
	Namespace    string                    `json:"namespace"`
	Name         string                    `json:"name"`
	Facets       map[string]map[string]any `json:"facets"`
	InputFacets  map[string]map[string]any `json:"inputFacets"`
	OutputFacets map[string]map[string]any `json:"outputFacets"`
}

// Rows returns how many rows were read or written; −1: the event does not say.
func (d LineageDataset) Rows() int64 {
	for _, f := range []map[string]any{d.InputFacets["inputStatistics"], d.OutputFacets["outputStatistics"]} {
		if n, ok := f["rowCount"].(float64); ok {
			return int64(n)
		}
	}
	return -1
}

// LineageServer starts a server that takes every event.
func LineageServer(t testing.TB) *Lineage {
	t.Helper()
	l := &Lineage{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/api/v1/lineage" ||
			r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.events, l.keys = append(l.events, body), append(l.keys, r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusCreated)
	}))
	t.Cleanup(server.Close)
	l.URL = server.URL
	return l
}

// Keys returns the header Authorization of each event.
func (l *Lineage) Keys() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.keys
}

// Take returns the events so far, and forgets them. It fails the test if the standard's own client, in
// Python, finds anything wrong with one of them, or if one of them has one of these texts.
func (l *Lineage) Take(t testing.TB, secrets ...string) []LineageEvent {
	t.Helper()
	l.mu.Lock()
	lines := bytes.Join(l.events, []byte("\n"))
	n := len(l.events)
	l.events = nil
	l.mu.Unlock()
	for _, secret := range secrets {
		require.False(t, bytes.Contains(lines, []byte(secret)), "an event has %q", secret)
	}
	CheckLineage(t, lines)
	events := make([]LineageEvent, n)
	for i, line := range bytes.Split(lines, []byte("\n")) {
		if n > 0 {
			require.NoError(t, json.Unmarshal(line, &events[i]))
		}
	}
	return events
}

// CheckLineage fails the test if the standard's own client finds anything wrong with an event. Each is a
// line.
func CheckLineage(t testing.TB, lines []byte) {
	t.Helper()
	if len(lines) == 0 {
		return
	}
	cmd := exec.CommandContext(t.Context(), Python(t, "openlineage.client"), "-c", lineageCheck)
	cmd.Stdin = strings.NewReader(strings.TrimRight(string(lines), "\n") + "\n")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
