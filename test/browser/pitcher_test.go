package browser

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/web"
)

// A pitcher's page shows by how much the last pitches of a type are slower than the first ones of that game.
// Where there are too few of them, it says so and shows no number.
//
// guard: dashboard: a pitcher who tires is seen
func TestDashboardShowsAPitcherWhoTires(t *testing.T) {
	browser := chromium(t)
	const types = `"by_pitch_type": {
		"FourSeamFastball": {"pitches": 40, "avg_first_release_speed_mph": 96.04, "avg_last_release_speed_mph": 93.6, "release_speed_change_mph": -2.44},
		"Slider": {"pitches": 26, "avg_first_release_speed_mph": 85, "avg_last_release_speed_mph": 85.31, "release_speed_change_mph": 0.31},
		"unknown": {"pitches": 3, "release_speed_change_mph": null}}`
	answers := map[string]string{
		"/v1/pitchers/7/games":   `{"games": [{"game_pk": "g 1", "pitches": 69, ` + types + `}]}`,
		"/v1/pitchers/7/pitches": `{"pitches": []}`,
		"/v1/pitches":            `{"pitches": [{"pitch_id": "p", "release_speed_mph": 93.6, "pitch_type": "FourSeamFastball", "inning": 6}]}`,
	}
	mux := http.NewServeMux()
	mux.Handle("/", web.Handler())
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		switch body, ok := answers[r.URL.Path]; {
		case ok:
			_, _ = io.WriteString(w, body)
		case r.URL.Path == "/v1/pitchers/7/stream":
			_, _ = io.WriteString(w, "event: state\ndata: {\"pitcher_id\": 7, \"name\": \"Tired\", \"pitches\": 69, \"by_pitch_type\": {}}\n\n")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	page, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
		"--virtual-time-budget=5000", "--dump-dom", server.URL+"/#/pitchers/7").Output()
	require.NoError(t, err)
	for _, want := range []string{
		`<h1>Tired</h1>`, `96.0</td>`, `93.6</td>`, "\u22122.4</td>", "+0.3</td>",
		"–: fewer than 25 pitches of the type have a release speed.", "Game g 1: 1 pitch,",
	} {
		require.Contains(t, string(page), want)
	}
}
