package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// mayBeEmpty are the panels that show nothing while nothing is beyond its limits, or before weeks of games.
var mayBeEmpty = map[string]bool{"Beyond their limits": true, "Bat speed drift by venue": true, "Drift statistic by venue": true, "Shift by venue": true, "Issues": true}

// composeWatched starts the compose file's Prometheus beside the running services, while games are played. It
// must reach both processes, accept every rule, and answer every question of every dashboard. The answers
// have numbers wherever some are due.
func composeWatched(
	t *testing.T, w *stack.Stack, compose func(context.Context, ...string) (string, error), p *prometheus,
) {
	t.Helper()
	p.play(t, 1, 5)
	out, err := compose(t.Context(), "--profile", "observability", "up", "-d", "prometheus")
	if err != nil && os.Getenv("PROMETHEUS_IMAGE") == "" && strings.Contains(strings.ToLower(out), "prometheus") {
		testkit.Unavailable(t, "the image of Prometheus cannot be had; PROMETHEUS_IMAGE names another: "+out)
	}
	require.NoError(t, err, out)
	w.WaitFor("Prometheus reaches the processor and the API", func() bool { return p.finds("sum(up)") == "2" })
	p.play(t, 2, 1)
	w.WaitFor("every rule was evaluated", func() bool { return p.rulesAreWell(t) == rulesInFiles(t) })

	for _, q := range dashboardQueries(t) {
		expr := strings.ReplaceAll(q.expr, "$__rate_interval", "1m")
		require.NotEqual(t, "error", p.finds(expr), "%s: %s", q.panel, expr)
		if !mayBeEmpty[q.panel] {
			w.WaitFor(q.panel+" shows something: "+expr, func() bool { p.read(); return p.finds(expr) != "" })
		}
	}
}

// prometheus is that of the compose file, and what is played before its eyes.
type prometheus struct{ port, kafka, api string }

// play sends a game a day, the last one of today: the newest day is the one that is judged.
func (p *prometheus) play(t *testing.T, seed, days int) {
	t.Helper()
	first := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-days).Add(17 * time.Hour)
	cmd := exec.CommandContext(t.Context(), filepath.Join(testkit.Root(), "out", "pitchstream"), "simulate", "--produce", "--kafka-brokers=127.0.0.1:"+p.kafka,
		fmt.Sprint("--seed=", seed), fmt.Sprint("--games=", days), "--parallel=1", "--start="+first.Format(time.RFC3339), fmt.Sprint("--first-game-pk=", 1000*seed), "--feed-ids", "--poison=.02", "--duplicates=.02")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// read asks the API, so that its counters move.
func (p *prometheus) read() {
	for _, path := range []string{"/v1/games", "/v1/batters/660271", "/v1/quality"} {
		if resp, err := http.Get("http://127.0.0.1:" + p.api + path); err == nil {
			_ = resp.Body.Close()
		}
	}
}

// ask gives the data of an answer.
func (p *prometheus) ask(path string, data any) error {
	resp, err := http.Get("http://127.0.0.1:" + p.port + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s", answer.Error)
	}
	return nil
}

// finds is the value of the first series that answers a question; "": none does; "error": it is no question.
func (p *prometheus) finds(expr string) string {
	var data struct{ Result []struct{ Value [2]any } }
	if err := p.ask("/api/v1/query?query="+url.QueryEscape(expr), &data); err != nil {
		return "error"
	}
	if len(data.Result) == 0 {
		return ""
	}
	return fmt.Sprint(data.Result[0].Value[1])
}

// rulesAreWell counts the rules that were evaluated without an error.
func (p *prometheus) rulesAreWell(t *testing.T) (n int) {
	t.Helper()
	var data struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	require.NoError(t, p.ask("/api/v1/rules", &data))
	for _, g := range data.Groups {
		for _, r := range g.Rules {
			require.Empty(t, r.LastError, r.Name)
			if r.Health == "ok" {
				n++
			}
		}
	}
	return n
}

func rulesInFiles(t *testing.T) (n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testkit.Root(), "deploy", "prometheus", "rules", "*.yml"))
	require.NoError(t, err)
	for _, f := range files {
		content, err := os.ReadFile(f)
		require.NoError(t, err)
		n += strings.Count(string(content), "- alert: ") + strings.Count(string(content), "- record: ")
	}
	require.Positive(t, n)
	return n
}

type dashboardQuery struct{ panel, expr string }

func dashboardQueries(t *testing.T) (all []dashboardQuery) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testkit.Root(), "deploy", "grafana", "dashboards", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		content, err := os.ReadFile(f)
		require.NoError(t, err)
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		require.NoError(t, json.Unmarshal(content, &board), f)
		for _, p := range board.Panels {
			for _, target := range p.Targets {
				all = append(all, dashboardQuery{p.Title, target.Expr})
			}
		}
	}
	require.NotEmpty(t, all)
	return all
}
