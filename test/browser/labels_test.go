package browser

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/web"
)

// A batter's page shows the groups of his swings, and what each live model says about the swing that is
// drawn. Where no model is live it shows neither, and does not ask for the groups.
//
// guard: dashboard: groups are asked for where a model of them is live
func TestDashboardShowsTheLabelsOfSwings(t *testing.T) {
	browser := chromium(t)
	const row = `{"pitch_id": "p", "batter_id": 7, "is_swing": true, "pitch_type": "Slider", "inning": 6, "bat_speed_mph": 71.2,
		"speed_confidence": "reliable", "swing_confidence": "confirmed", "event_time": "2025-04-01T18:00:00.000Z"}`
	answers := map[string]string{
		"/v1/batters/7/games":   `{"games": []}`,
		"/v1/batters/7/pitches": `{"pitches": [` + row + `]}`,
		"/v1/batters/7/swings":  `{"swings": [` + row + `]}`,
		"/v1/batters/7/drift":   `{"changes": []}`,
		"/v1/batters/7/archetypes": `{"model": "archetypes", "version": 3, "swings": 130, "labelled": 120, "of_other_versions": 10,
			"archetypes": [{"label": "long, fast bat", "swings": 90, "share_pct": 75}, {"label": "steep plane", "swings": 30, "share_pct": 25}]}`,
	}
	const scores = `{"scores": [
		{"model": "archetypes", "version": 3, "kind": "archetypes", "label": "long, fast bat", "value": 0.9, "p_value": null},
		{"model": "self-batter", "version": 2, "kind": "self", "label": "like himself", "value": 2.1, "p_value": 0.4312},
		{"model": "whiff", "version": 1, "kind": "trees", "label": null, "value": 0.318, "p_value": null}]}`
	var isLive atomic.Bool
	var asked atomic.Int64
	mux := http.NewServeMux()
	mux.Handle("/", web.Handler())
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		switch body, ok := answers[r.URL.Path]; {
		case ok:
			if r.URL.Path == "/v1/batters/7/archetypes" {
				asked.Add(1)
			}
			_, _ = io.WriteString(w, body)
		case r.URL.Path == "/v1/pitches/p/scores" && isLive.Load():
			_, _ = io.WriteString(w, scores)
		case r.URL.Path == "/v1/pitches/p/scores":
			_, _ = io.WriteString(w, `{"scores": []}`)
		case r.URL.Path == "/v1/batters/7/stream":
			_, _ = io.WriteString(w, "event: state\ndata: {\"batter_id\": 7, \"name\": \"Long Bat\", \"pitches\": 250, \"by_pitch_type\": {}}\n\n")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	open := func(args ...string) string {
		args = append(args, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
			"--window-size=1400,1100", "--virtual-time-budget=5000", server.URL+"/#/batters/7")
		page, err := exec.CommandContext(ctx, browser, args...).Output()
		require.NoError(t, err)
		return string(page)
	}
	page := open("--dump-dom")
	require.Contains(t, page, `<h1>Long Bat</h1>`)
	require.NotContains(t, page, "Swings: ")
	require.Zero(t, asked.Load(), "no model of groups is live")
	isLive.Store(true)
	page = open("--dump-dom")
	for _, want := range []string{
		"Swings: long, fast bat 75 % · steep plane 25 % · 120 labelled by archetypes 3, 10 by versions before",
		"long, fast bat (archetypes 3) · like himself, p 0.431 (self-batter 2) · 0.32 (whiff 1)",
	} {
		require.Contains(t, page, want)
	}
	if dir := pictures(t); dir != "" {
		open("--screenshot=" + filepath.Join(dir, "batter-labels.png"))
	}
}
