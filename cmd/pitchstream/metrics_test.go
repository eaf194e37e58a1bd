package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// scraped are the metric families of an admin address, by name.
func scraped(t *testing.T, admin string) map[string]*dto.MetricFamily {
	t.Helper()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}).Get("http://" + admin + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(resp.Body)
	require.NoError(t, err)
	return families
}

// number is the sum of a family's counters or gauges with this label; "": of all.
func number(families map[string]*dto.MetricFamily, name, label string) (sum float64) {
	for _, m := range families[name].GetMetric() {
		for _, l := range append(m.GetLabel(), &dto.LabelPair{}) {
			if l.GetValue() == label {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
				break
			}
		}
	}
	return sum
}

// play sends pitches to the raw topic.
func (s *station) play(seed, pitches int) {
	s.t.Helper()
	s.command("simulate", s.args[0], "--produce", fmt.Sprint("--seed=", seed), fmt.Sprint("--pitches=", pitches), "--poison=.05", "--duplicates=.05", "--feed-ids")
}

// units are the endings that a name may have. Names without a unit are in unitless.
var units = []string{"_seconds", "_bytes", "_records", "_offset", "_total", "_info", "_ratio"}

var unitless = []string{"pitchstream_ready", "pitchstream_check_ok", "pitchstream_breaker_open", "pitchstream_store_up", "pitchstream_redis_phase", "pitchstream_api_streams"}

// bounds are the labels, and how many values each may have at most.
var bounds = map[string]int{
	"topic": 4, "partition": 100, "code": 40, "column": 100, "step": 6, "store": 2, "phase": 4, "outcome": 3, "check": 10, "version": 1,
	"route": 40, "status": 20, "source": 3, "client": 6, "node_id": 20,
}

// One real processor and one real server: each number has its prefix, unit, help and few series;
// docs/METRICS.md lists them; and Prometheus finds something for every panel.
func TestTheNumbersOfARealRun(t *testing.T) {
	s := newStation(t)
	s.start("--breaker-in-a-row=0", "--breaker-share=0")
	reader, _ := s.serve()
	s.play(1, 60)
	s.waitReady(200, "")
	require.Eventually(t, func() bool { // the first batch may be without a dead letter
		families := scraped(t, s.admin)
		return number(families, "pitchstream_rows_total", "") > 0 && number(families, "pitchstream_letters_total", "") > 0
	}, time.Minute, 100*time.Millisecond)
	for _, path := range []string{"/v1/games", "/v1/batters/660271", "/v1/none"} {
		reader.get(path)
	}
	families := scraped(t, s.admin)
	maps.Copy(families, scraped(t, strings.TrimPrefix(reader.admin, "http://")))
	for name, f := range families {
		if !ours(name) {
			continue
		}
		require.NotEmpty(t, f.GetHelp(), name)
		require.True(t, slices.ContainsFunc(units, func(u string) bool { return strings.HasSuffix(name, u) }) || slices.Contains(unitless, name), "%s says no unit", name)
		problems, err := promlint.NewWithMetricFamilies([]*dto.MetricFamily{f}).Lint()
		require.NoError(t, err)
		require.Empty(t, problems)
		values := map[string]map[string]bool{}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if values[l.GetName()] == nil {
					values[l.GetName()] = map[string]bool{}
				}
				values[l.GetName()][l.GetValue()] = true
			}
		}
		for label, found := range values {
			require.NotZero(t, bounds[label], "%s: the label %s has no bound", name, label)
			require.LessOrEqual(t, len(found), bounds[label], "%s: %s", name, label)
		}
	}
	require.InDelta(t, 0, number(families, "pitchstream_lag_records", ""), 100)
	require.Positive(t, number(families, "pitchstream_letters_total", ""))
	samePage(t, families)
	panelsShowSomething(t, func() {
		s.play(2, 60)
		for _, path := range []string{"/v1/games", "/v1/batters/660271", "/v1/none"} {
			reader.get(path)
		}
	}, s.admin, strings.TrimPrefix(reader.admin, "http://"))
}

// This reports whether a metric is the program's own, not one of Kafka's client, Go or the system. Those of
// the data quality and of mechanics do not count either, because the page has tables of them.
func ours(name string) bool {
	others := []string{"pitchstream_kafka_", "pitchstream_quality_", "pitchstream_mechanics_"}
	return strings.HasPrefix(name, "pitchstream_") &&
		!slices.ContainsFunc(others, func(o string) bool { return strings.HasPrefix(name, o) })
}

const (
	pageBegin = "<!-- generated: metrics (PITCHSTREAM_UPDATE=1 go test -run TestTheNumbersOfARealRun ./cmd/pitchstream) -->\n"
	pageEnd   = "<!-- end of generated -->\n"
)

// samePage holds docs/METRICS.md against what was scraped, or writes it.
func samePage(t *testing.T, families map[string]*dto.MetricFamily) {
	t.Helper()
	path := filepath.Join(testkit.Root(), "docs", "METRICS.md")
	is, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(is), pageBegin)
	require.True(t, found)
	_, after, found := strings.Cut(rest, pageEnd)
	require.True(t, found)
	var table strings.Builder
	table.WriteString("| name | kind | labels | |\n| --- | --- | --- | --- |\n")
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if f := families[name]; ours(name) {
			labels := map[string]bool{}
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					labels["`"+l.GetName()+"`"] = true
				}
			}
			fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(f.GetType().String()), strings.Join(slices.Sorted(maps.Keys(labels)), ", "), f.GetHelp())
		}
	}
	should := before + pageBegin + table.String() + pageEnd + after
	if os.Getenv("PITCHSTREAM_UPDATE") != "" {
		require.NoError(t, os.WriteFile(path, []byte(should), 0o644))
	}
	if os.Getenv("PITCHSTREAM_UPDATE") == "" {
		require.Equal(t, string(is), should, "docs/METRICS.md is not what a process shows: PITCHSTREAM_UPDATE=1 writes it")
	}
}

// panelsShowSomething runs Prometheus over these addresses until each panel's question has an answer. It
// calls happens after the first scrape, because Prometheus would otherwise see no increase.
func panelsShowSomething(t *testing.T, happens func(), targets ...string) {
	t.Helper()
	if _, err := exec.LookPath("prometheus"); err != nil {
		testkit.Unavailable(t, "prometheus is not here: apt-get install prometheus")
	}
	dir, addr := t.TempDir(), testkit.FreeAddr()
	conf := fmt.Sprintf("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nrule_files: [%s]\n"+
		"scrape_configs: [{job_name: pitchstream, static_configs: [{targets: [%s]}]}]\n", filepath.Join(rulesFolder(), "rules", "*.yml"), strings.Join(targets, ", "))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "p.yml"), []byte(conf), 0o600))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	cmd := exec.CommandContext(ctx, "prometheus", "--config.file=p.yml", "--storage.tsdb.path=data", "--web.listen-address="+addr, "--log.level=error")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	require.NoError(t, cmd.Start())
	defer func() { cancel(); _ = cmd.Wait() }()
	seen := fmt.Sprintf("count(pitchstream_ready) == %d", len(targets))
	require.Eventually(t, func() bool {
		return prometheusFinds(addr, seen) > 0
	}, time.Minute, 100*time.Millisecond)
	happens()
	for _, b := range boards(t) {
		for _, p := range b.Panels {
			for _, target := range p.Targets {
				if b.UID == "pitchstream-quality" { // its numbers want days of games: their names are held elsewhere
					require.NotEqual(t, -1, prometheusFinds(addr, target.Expr), "%s: %s", p.Title, target.Expr)
					continue
				}
				require.Eventually(t, func() bool {
					return prometheusFinds(addr, target.Expr) > 0
				}, 2*time.Minute, 250*time.Millisecond,
					"%s: %s finds nothing: %s", b.UID, p.Title, target.Expr)
			}
		}
	}
}

// prometheusFinds says how many series answer a question; −1: it is no question; 0 also while no server
// answers.
func prometheusFinds(addr, expr string) int {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + addr + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusBadRequest {
		return -1
	}
	body, err := io.ReadAll(resp.Body)
	var answer struct {
		Data struct{ Result []json.RawMessage }
	}
	if err != nil || json.Unmarshal(body, &answer) != nil {
		return 0
	}
	return len(answer.Data.Result)
}

// overTime makes series of what was scraped before and during a fault: well for ten minutes, then like this
// for half an hour.
func overTime(before, during map[string]*dto.MetricFamily) (series []timeline) {
	values := map[string][2]string{}
	for i, families := range []map[string]*dto.MetricFamily{before, during} {
		for name, f := range families {
			if !strings.HasPrefix(name, "pitchstream_") || f.GetType() == dto.MetricType_HISTOGRAM {
				continue
			}
			for _, m := range f.GetMetric() {
				labels := []string{`instance="p0"`, `job="pitchstream"`}
				for _, l := range m.GetLabel() {
					labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
				}
				key := name + "{" + strings.Join(labels, ",") + "}"
				v := values[key]
				v[i] = fmt.Sprintf("%g", m.GetCounter().GetValue()+m.GetGauge().GetValue())
				values[key] = v
			}
		}
	}
	for key, v := range values {
		was, is := "_x20", "_x60"
		if v[0] != "" {
			was = v[0] + "x20"
		}
		if v[1] != "" {
			is = v[1] + "x60"
		}
		series = append(series, timeline{key, was + " " + is})
	}
	return series
}

// The faults that can be made here, made: what a real processor then shows fires the alerts that are about
// it, and what it showed before fires none.
func TestARealFaultFires(t *testing.T) {
	postgres := testkit.OwnPostgres(t, "fsync=off")
	s := newStationAt(t, postgres.URL)
	s.start("--breaker-in-a-row=100", "--poll-max-records=20", "--quality-every=0") // findings over forty pitches are chance
	s.play(2, 40)
	s.waitReady(200, "")
	var well map[string]*dto.MetricFamily
	require.Eventually(t, func() bool {
		well = scraped(t, s.admin)
		return number(well, "pitchstream_rows_total", "") > 0 && number(well, "pitchstream_lag_records", "") == 0
	}, time.Minute, 100*time.Millisecond)
	require.Empty(t, firing(t, overTime(well, well), 30*time.Second, 9*time.Minute, 35*time.Minute))

	postgres.Stop(t)
	s.play(3, 40)
	var down map[string]*dto.MetricFamily
	require.Eventually(t, func() bool {
		down = scraped(t, s.admin)
		return number(down, "pitchstream_store_up", "postgres") == 0 && number(down, "pitchstream_lag_records", "") > 0 && number(down, "pitchstream_lag_seconds", "") > 0
	}, time.Minute, 100*time.Millisecond)
	require.Equal(t, []string{"PitchstreamLagWithoutProgress", "PitchstreamNotReady", "PitchstreamStoreDown"},
		firing(t, overTime(well, down), 30*time.Second, 25*time.Minute))

	postgres.Start(t)
	require.Eventually(t, func() bool {
		again := scraped(t, s.admin)
		return number(again, "pitchstream_store_up", "postgres") == 1 && number(again, "pitchstream_lag_records", "") == 0
	}, 2*time.Minute, 100*time.Millisecond)
	s.loadBroken()
	s.waitReady(503, "breaker: ")
	held := scraped(t, s.admin)
	fired := firing(t, overTime(well, held), 30*time.Second, 25*time.Minute)
	require.Contains(t, fired, "PitchstreamBreakerOpen")
	require.NotContains(t, fired, "PitchstreamStoreDown")
}
