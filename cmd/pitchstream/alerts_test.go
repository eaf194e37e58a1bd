package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// rule is an alert, or a recording.
type rule struct {
	Alert, Record, Expr string
	Labels, Annotations map[string]string
}

func rulesFolder() string { return filepath.Join(testkit.Root(), "deploy", "prometheus") }

// allRules are those of every file.
func allRules(t *testing.T) (rules []rule) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(rulesFolder(), "rules", "*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		content, err := os.ReadFile(f)
		require.NoError(t, err)
		var parsed struct{ Groups []struct{ Rules []rule } }
		require.NoError(t, yaml.Unmarshal(content, &parsed))
		for _, g := range parsed.Groups {
			rules = append(rules, g.Rules...)
		}
	}
	return rules
}

// tool runs a program of Prometheus in the folder of the rules.
func tool(t *testing.T, name string, args ...string) (out string, err error) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		testkit.Unavailable(t, name+" is not here: apt-get install prometheus prometheus-alertmanager")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = rulesFolder()
	b, err := cmd.CombinedOutput()
	return string(b), err
}

// Every alert says what to do first and links its runbook, because a paged engineer reads nothing else.
func TestEveryAlertSaysWhatToDo(t *testing.T) {
	told := map[string]bool{}
	for _, r := range allRules(t) {
		if r.Alert == "" {
			continue
		}
		require.Contains(t, []string{"page", "ticket"}, r.Labels["severity"], r.Alert)
		for _, a := range []string{"summary", "description", "runbook_url", "current", "baseline", "games_affected"} {
			require.NotEmpty(t, r.Annotations[a], "%s: %s", r.Alert, a)
		}
		require.Contains(t, r.Annotations["description"], "First ", r.Alert)
		path, isURL := strings.CutPrefix(r.Annotations["runbook_url"], "https://github.com/pitchstream/pitchstream/blob/main/")
		require.True(t, isURL, "%s: somebody who is woken up can open it", r.Alert)
		page, err := os.ReadFile(filepath.Join(testkit.Root(), filepath.FromSlash(path)))
		require.NoError(t, err, r.Alert)
		require.Contains(t, string(page), "Alert `"+r.Alert+"`")
		for _, part := range []string{"First look", "Likely causes", "What to do", "It is over when"} {
			require.Contains(t, string(page), "\n## "+part+"\n", r.Alert)
		}
		told[filepath.Base(r.Annotations["runbook_url"])] = true
	}
	pages, err := filepath.Glob(filepath.Join(testkit.Root(), "docs", "runbooks", "*.md"))
	require.NoError(t, err)
	for _, p := range pages {
		require.True(t, told[filepath.Base(p)] || filepath.Base(p) == "README.md", "no alert leads to %s", p)
	}
}

// The printed rules are those that Prometheus tries in its tests, and each link leads to the given place.
func TestAlertsPrintsTheRulesWithItsLinks(t *testing.T) {
	execute := func(args ...string) (string, string, int) {
		var out, log bytes.Buffer
		status := run(t.Context(), args, &stdio{Out: &out, Err: &log})
		return out.String(), log.String(), status
	}
	links := regexp.MustCompile(`runbook_url: (\S+)`)
	for _, line := range [][]string{
		{"alerts", "--runbook-base-url=https://wiki.example.org/night"},
		{"alerts", "--runbook-base-url=https://wiki.example.org/night/", "--kubernetes"},
	} {
		out, errOut, status := execute(line...)
		require.Zero(t, status, errOut)
		var parsed struct {
			Kind   string
			Groups []struct{ Rules []rule }
			Spec   struct{ Groups []struct{ Rules []rule } }
		}
		require.NoError(t, yaml.Unmarshal([]byte(out), &parsed))
		require.Equal(t, len(line) == 3, parsed.Kind == "PrometheusRule")
		var rules []rule
		for _, g := range append(parsed.Groups, parsed.Spec.Groups...) {
			rules = append(rules, g.Rules...)
		}
		require.Len(t, rules, len(allRules(t)))
		found := links.FindAllStringSubmatch(out, -1)
		require.Greater(t, len(found), 15)
		for _, link := range found {
			require.Regexp(t, `^https://wiki\.example\.org/night/[a-z-]+\.md$`, link[1])
		}
	}
	plain := filepath.Join(t.TempDir(), "rules.yml")
	out, _, _ := execute("alerts")
	require.NoError(t, os.WriteFile(plain, []byte(out), 0o600))
	checked, err := tool(t, "promtool", "check", "rules", plain)
	require.NoError(t, err, checked)
	require.NotContains(t, out, "# guard")
	for _, url := range []string{"wiki", "https://h/a #b/", "https://h/?p=", "https://h/x: y", "https:///x", "https://h/{{x}}/"} {
		_, errOut, status := execute("alerts", "--runbook-base-url="+url)
		require.Equal(t, 2, status, url)
		require.Contains(t, errOut, "want an http or https URL", url)
	}
}

var (
	ourCommand = regexp.MustCompile("`pitchstream ([a-z][^`]*)`")
	pageLink   = regexp.MustCompile(`\]\(([^)#]+)`)
)

// Every command and link in a runbook exists, because a tired person copies them without a thought.
func TestTheRunbooksNameWhatIsThere(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(testkit.Root(), "docs", "runbooks", "*.md"))
	require.NoError(t, err)
	for _, p := range pages {
		content, err := os.ReadFile(p)
		require.NoError(t, err)
		for _, m := range pageLink.FindAllStringSubmatch(string(content), -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(p), m[1]))
			require.NoError(t, err, p)
		}
		for _, m := range ourCommand.FindAllStringSubmatch(string(content), -1) {
			var out, problem bytes.Buffer
			var words []string
			for _, w := range strings.Fields(m[1]) { // what is an example's is no word of the command line
				if w == strings.ToLower(w) && !strings.HasPrefix(w, "-") {
					words = append(words, w)
				}
			}
			status := run(t.Context(), append(words, "--help"), &stdio{In: strings.NewReader(""), Out: &out, Err: &problem})
			require.Zero(t, status, "%s: pitchstream %s: %s", p, m[1], problem.String())
		}
	}
}

// guard: alerts: an archiver that gathers a segment is not behind
// guard: alerts: chance is no missing tracking
// guard: alerts: a league without an API misses none
// guard: alerts: five points are no fewer
// guard: alerts: a lag that moves is no standstill
// guard: alerts: a refit that was promoted is none that is held
// guard: alerts: two days without a refit are no three
// guard: alerts: a partition without waiting records may be idle
func TestTheRulesPassTheirCases(t *testing.T) {
	for _, args := range [][]string{{"check", "rules"}, {"test", "rules"}} {
		files, err := filepath.Glob(filepath.Join(rulesFolder(), map[string]string{"check": "rules", "test": "tests"}[args[0]], "*.yml"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		out, err := tool(t, "promtool", append(args, files...)...)
		require.NoError(t, err, out)
	}
	out, err := tool(t, "promtool", "check", "config", "--syntax-only", "prometheus.yml")
	require.NoError(t, err, out)
	out, err = tool(t, "amtool", "check-config", "alertmanager.yml")
	require.NoError(t, err, out)
}

// Each alert has a case in which it fires, and one in which it does not.
func TestEveryAlertHasItsCase(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(rulesFolder(), "tests", "*.yml"))
	require.NoError(t, err)
	var cases string
	for _, f := range files {
		content, err := os.ReadFile(f)
		require.NoError(t, err)
		var parsed struct {
			Tests []struct {
				Name  string
				Exprs []struct {
					Samples []struct{ Labels string } `yaml:"exp_samples"`
				} `yaml:"promql_expr_test"`
			}
		}
		require.NoError(t, yaml.Unmarshal(content, &parsed))
		for _, c := range parsed.Tests {
			silent := false
			for _, e := range c.Exprs {
				silent = silent || len(e.Samples) == 0
			}
			require.True(t, silent, "%s is never silent", c.Name)
		}
		cases += string(content)
	}
	for _, r := range allRules(t) {
		if r.Alert != "" {
			require.Contains(t, cases, `exp_samples: [{labels: '{alertname="`+r.Alert+`"}'`, "no case in which it fires")
		}
	}
}

// timeline is a series over time, as promtool takes them.
type timeline struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

// firing asks promtool which alerts fire at a time over these series.
func firing(t *testing.T, series []timeline, interval time.Duration, at ...time.Duration) (alerts []string) {
	t.Helper()
	rules, err := filepath.Glob(filepath.Join(rulesFolder(), "rules", "*.yml"))
	require.NoError(t, err)
	type expectation struct {
		Expr string   `yaml:"expr"`
		At   string   `yaml:"eval_time"`
		Want []string `yaml:"exp_samples"`
	}
	var asked []expectation
	for _, d := range at {
		asked = append(asked, expectation{Expr: `count by (alertname) (ALERTS{alertstate="firing"})`, At: d.String(), Want: []string{}})
	}
	content, err := yaml.Marshal(map[string]any{"rule_files": rules, "evaluation_interval": interval.String(), "tests": []any{map[string]any{
		"interval": interval.String(), "input_series": series, "promql_expr_test": asked}}})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "case.yml")
	require.NoError(t, os.WriteFile(file, content, 0o600))
	out, err := tool(t, "promtool", "test", "rules", file)
	if err == nil {
		return nil
	}
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`alertname="(\w+)"`).FindAllStringSubmatch(out, -1) {
		found[m[1]] = true
	}
	require.NotEmpty(t, found, out)
	return slices.Sorted(maps.Keys(found))
}

// A week in which nothing is wrong: evenings of games, nights of nothing, a rollout, a lag that comes and
// goes, and shares that vary as chance has them. No person is woken, and no mail is sent.
func TestACleanWeekIsSilent(t *testing.T) {
	week := cleanWeek(1)
	var at []time.Duration
	for d := 10 * time.Minute; d < 7*24*time.Hour; d += 15 * time.Minute {
		at = append(at, d)
	}
	require.Empty(t, firing(t, week, 5*time.Minute, at...))
}

const fiveMinutes = 7 * 24 * 12 // of a week

// cleanWeek simulates what Prometheus sees each five minutes.
func cleanWeek(seed uint64) []timeline {
	chance := rand.New(rand.NewPCG(seed, 2))
	all := map[string]*strings.Builder{}
	put := func(series string, v float64) {
		if all[series] == nil {
			all[series] = &strings.Builder{}
		}
		fmt.Fprintf(all[series], "%g ", v)
	}
	var records, letters, offset, requests, failed float64
	swings, untracked := map[string]float64{}, map[string]float64{}
	for i := range fiveMinutes {
		hour, day := i/12%24, i/288
		games := 0.0
		if hour >= 17 {
			games = 1
		}
		if i == 3*288+14*12 { // a rollout counts from zero
			records, letters = 0, 0
		}
		came := games * float64(300+chance.IntN(600))
		records, offset, letters = records+came, offset+came/8, letters+binomial(chance, came, 0.002)
		requests, failed = requests+games*3000+20, failed+binomial(chance, games*3000, 0.001)
		const p0 = `{instance="p0"}`
		put("pitchstream_records_total"+p0, records)
		put(`pitchstream_letters_total{instance="p0",code="malformed_json"}`, letters)
		put("pitchstream_ready"+p0, 1)
		put("pitchstream_breaker_open"+p0, 0)
		for _, check := range []string{"assigned", "kafka", "postgres", "gap", "progress"} {
			put(`pitchstream_check_ok{instance="p0",check="`+check+`"}`, 1)
		}
		put(`pitchstream_store_up{instance="p0",store="postgres"}`, 1)
		put(`pitchstream_redis_phase{instance="p0",phase="ok"}`, 1)
		for _, phase := range []string{"mending", "away", "refused"} {
			put(`pitchstream_redis_phase{instance="p0",phase="`+phase+`"}`, 0)
		}
		put("pitchstream_redis_mended_batters_total"+p0, 0)
		put(`pitchstream_lag_records{instance="p0",topic="pitches.raw",partition="0"}`, games*float64(chance.IntN(5)))
		put(`pitchstream_lag_seconds{instance="p0",topic="pitches.raw",partition="0"}`, games*chance.Float64())
		put(`pitchstream_position_offset{instance="p0",topic="pitches.raw",partition="0"}`, offset)
		put(`pitchstream_api_requests_total{instance="s0",route="/v1/games",status="200"}`, requests)
		put(`pitchstream_api_requests_total{instance="s0",route="/v1/games",status="503"}`, failed)
		put(`pitchstream_api_answers_total{instance="s0",source="redis"}`, requests)
		put(`pitchstream_api_answers_total{instance="s0",source="postgres"}`, failed+float64(i))
		put("pitchstream_quality_computed_timestamp_seconds"+p0, float64(i*300-20))
		put(`process_resident_memory_bytes{instance="p0",job="p"}`, 1.2e8+2e7*chance.Float64())
		put(`go_gc_gomemlimit_bytes{instance="p0",job="p"}`, 2e8)
		put(`pitchstream_build_info{instance="p0",job="p",version="v"}`, 1)
		for v := range 15 {
			venue, share := fmt.Sprint("v", v), 0.005+0.005*float64(v%5)
			if hour == 16 {
				swings[venue], untracked[venue] = 0, 0
			}
			came := games * float64(chance.IntN(9))
			swings[venue], untracked[venue] = swings[venue]+came, untracked[venue]+binomial(chance, came, share)
			if day > 0 || swings[venue] > 0 {
				labels := `{check="untracked_swings",instance="p0",venue="` + venue + `"}`
				put("pitchstream_quality_ratio"+labels, untracked[venue]/max(swings[venue], 1))
				put("pitchstream_quality_baseline_ratio"+labels, share)
				put("pitchstream_quality_ratio_observations"+labels, swings[venue])
				put(`pitchstream_quality_beyond_limit{check="drift",instance="p0",venue="`+venue+`"}`, 0)
				put(`pitchstream_quality_beyond_limit{check="no_batter",instance="p0",venue="`+venue+`"}`, 0)
			} else {
				for _, of := range []string{"ratio", "baseline_ratio", "ratio_observations"} {
					put("pitchstream_quality_"+of+`{check="untracked_swings",instance="p0",venue="`+venue+`"}`, 0)
				}
			}
		}
	}
	var series []timeline
	for name, values := range all {
		series = append(series, timeline{name, values.String()})
	}
	return series
}

// binomial draws how many of n happen, each with this chance.
func binomial(chance *rand.Rand, n, share float64) (happened float64) {
	for range int(n) {
		if chance.Float64() < share {
			happened++
		}
	}
	return happened
}

// A week with one fault in it is not silent: what the test above would not see, no person would.
func TestAWeekWithAFaultIsNotSilent(t *testing.T) {
	week := cleanWeek(2)
	for i := range week {
		if strings.HasPrefix(week[i].Series, "pitchstream_quality_ratio{") && strings.Contains(week[i].Series, `"v3"`) {
			values := strings.Fields(week[i].Values)
			for j := 5*288 + 18*12; j < 6*288; j++ {
				values[j] = "0.15"
			}
			week[i].Values = strings.Join(values, " ")
		}
	}
	require.Equal(t, []string{"PitchstreamBatTrackingMissing"}, firing(t, week, 5*time.Minute, (5*24+22)*time.Hour))
}

var metricName = regexp.MustCompile(`\b(?:pitchstream|process|go)_[a-z0-9_]+\b`)

// Every number that an alert or a panel asks for is one that a process shows.
func TestWhatIsAskedForIsThere(t *testing.T) {
	known := map[string]bool{}
	listed, err := os.ReadFile(filepath.Join(testkit.Root(), "docs", "METRICS.md"))
	require.NoError(t, err)
	for _, n := range metricName.FindAllString(string(listed), -1) {
		known[n] = true
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			known[n+suffix] = true
		}
	}
	recorded := regexp.MustCompile(`\b[a-z_]+:[a-z0-9_:]+`)
	for who, expr := range everyQuestion(t) {
		for _, n := range metricName.FindAllString(recorded.ReplaceAllString(expr, ""), -1) {
			require.True(t, known[n], "%s asks for %s, which docs/METRICS.md does not know", who, n)
		}
	}
}

// everyQuestion is what Prometheus is asked, by who asks: rules, their annotations, the panels of the
// dashboards.
func everyQuestion(t *testing.T) map[string]string {
	t.Helper()
	asked := map[string]string{}
	for _, r := range allRules(t) {
		asked[r.Alert+r.Record] = r.Expr
		for name, a := range r.Annotations {
			asked[r.Alert+" "+name] = a
		}
	}
	for _, b := range boards(t) {
		for _, p := range b.Panels {
			for _, target := range p.Targets {
				asked[b.UID+" "+p.Title] += " " + target.Expr
			}
		}
	}
	return asked
}

type board struct {
	UID, Title, Description string
	Panels                  []struct {
		ID                       int
		Type, Title, Description string
		Datasource               struct{ UID string }
		FieldConfig              struct {
			Defaults struct {
				Unit       string
				Thresholds struct{ Steps []struct{ Color string } }
			}
		}
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ RefID, Expr string }
	}
}

func boards(t *testing.T) (all []board) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testkit.Root(), "deploy", "grafana", "dashboards", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		content, err := os.ReadFile(f)
		require.NoError(t, err)
		content = bytes.ReplaceAll(content, []byte("$__rate_interval"), []byte("1m")) // as Grafana does, by the range it shows
		var b board
		require.NoError(t, json.Unmarshal(content, &b), f)
		all = append(all, b)
	}
	return all
}

// Every panel says what it shows and in which unit, and no two panels overlap.
func TestEveryPanelIsExplained(t *testing.T) {
	uids := map[string]bool{}
	for _, b := range boards(t) {
		require.Regexp(t, `^pitchstream-[a-z]+$`, b.UID)
		require.False(t, uids[b.UID])
		uids[b.UID] = true
		require.NotEmpty(t, b.Description, b.UID)
		ids, cells := map[int]bool{}, map[[2]int]string{}
		for _, p := range b.Panels {
			require.NotEmpty(t, p.Title, b.UID)
			if p.Type != "row" {
				require.NotEmpty(t, p.FieldConfig.Defaults.Unit, "%s: %s has no unit", b.UID, p.Title)
				require.Greater(t, len(p.Description), 20, "%s: %s has no description", b.UID, p.Title)
				require.Equal(t, "prometheus", p.Datasource.UID, p.Title)
				require.NotEmpty(t, p.Targets, p.Title)
			}
			if p.Type == "stat" { // without its own, it is red from 80 on, whatever it counts
				require.NotEmpty(t, p.FieldConfig.Defaults.Thresholds.Steps, p.Title)
			}
			require.False(t, ids[p.ID], p.Title)
			ids[p.ID] = true
			require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					require.Empty(t, cells[[2]int{x, y}], "%s lies over another panel", p.Title)
					cells[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}
