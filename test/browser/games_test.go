package browser

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/web"
)

// A server has 120 games, the newest first, three of them of one date. games.mjs pages through them.
//
// guard: dashboard: a game without a pitch leaves the list
// guard: dashboard: a list from memory is not taken for the present one
// guard: dashboard: the age of a list from memory grows, although a browser may keep the answer
// guard: dashboard: games from memory are not called live
func TestDashboardPagesThroughGames(t *testing.T) {
	browser := chromium(t)
	type game struct {
		PK   string `json:"game_pk"`
		Date string `json:"game_date"`
		Last string `json:"last_pitch_at"`
		Live bool   `json:"live"`
	}
	var mu sync.Mutex
	var games []game
	isOld := false // Postgres is unavailable, and the list an earlier one
	for i := 119; i >= 0; i-- {
		day := fmt.Sprintf("2026-06-%02d", 1+i/5)
		if i < 3 {
			day = "2026-07-04"
		}
		games = append(games, game{fmt.Sprint("g", i), day, fmt.Sprintf("2026-07-05T%02d:%02d:00.000Z", i/60, i%60), i == 118})
	}
	mux := http.NewServeMux()
	mux.Handle("/", web.Handler())
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	mux.HandleFunc("/v1/games", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked := r.URL.Query()
		if slices.ContainsFunc(slices.Collect(maps.Values(asked)), func(v []string) bool { return v[0] == "" }) {
			w.WriteHeader(http.StatusUnprocessableEntity) // as the API does
			return
		}
		from, _ := strconv.Atoi(asked.Get("cursor"))
		chosen := slices.DeleteFunc(slices.Clone(games), func(g game) bool {
			return asked.Get("date") != "" && g.Date != asked.Get("date")
		})
		answer := map[string]any{"games": chosen[from:min(from+50, len(chosen))]}
		if from+50 < len(chosen) {
			answer["next_cursor"] = strconv.Itoa(from + 50)
		}
		if isOld {
			answer["source"] = "memory"
		}
		body, _ := json.Marshal(answer)
		tag := fmt.Sprintf(`W/"%x"`, sha256.Sum256(body)) // without the age, as that of the API
		w.Header().Set("ETag", tag)
		w.Header().Set("Cache-Control", "no-cache")
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		if isOld {
			answer["age_ms"] = 69_000
		}
		_ = json.NewEncoder(w).Encode(answer)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	env := []string{"DASHBOARD=" + server.URL, "CHROMIUM=" + browser, "PICTURES=" + pictures(t)}
	script(t, "games.mjs", env, func(action string, args []string) string {
		mu.Lock()
		defer mu.Unlock()
		if action == "remember" {
			isOld = true
			return "remembered"
		}
		games = slices.DeleteFunc(games, func(g game) bool { return g.PK == args[0] })
		require.Len(t, games, 119)
		return "deleted"
	})
}
