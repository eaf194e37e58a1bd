package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/models"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// bullpen is a database with simulated games.
type bullpen struct {
	t     *testing.T
	url   string
	store *pgsink.Sink
}

func newBullpen(t *testing.T, pitches int) *bullpen {
	t.Helper()
	b := &bullpen{t: t, url: testkit.Postgres(t)}
	var err error
	b.store, err = pgsink.Open(pgsink.Config{URL: b.url, Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: features.CoreVersion})
	require.NoError(t, err)
	t.Cleanup(b.store.Close)
	_, err = pgadmin.New(b.store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	s, err := simulate.New(simulate.Options{Seed: 8, Pitches: pitches, Games: 10, FeedIDs: true})
	require.NoError(t, err)
	var changes []schemas.Change
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		rec := schemas.Record{Coordinates: schemas.Coordinates{Topic: "pitches.raw", Offset: int64(len(changes)), TimestampMS: int64(m.Timestamp)}, Key: m.Key, Headers: m.Headers, Value: m.Value}
		c, rejection := features.Transform(rec, features.Limits{})
		require.Nil(t, rejection)
		changes = append(changes, c)
	}
	_, err = b.store.Apply(t.Context(), sinktest.BatchOf(changes...))
	require.NoError(t, err)
	return b
}

// command runs a command and returns its status and what it said.
func (b *bullpen) command(args ...string) (status int, out string) {
	b.t.Helper()
	var said bytes.Buffer
	status = run(b.t.Context(), append(args, "--postgres-url="+b.url), &stdio{Out: &said, Err: &said})
	return status, said.String()
}

func (b *bullpen) must(args ...string) (out string) {
	b.t.Helper()
	status, out := b.command(args...)
	require.Zero(b.t, status, out)
	return out
}

// The exit status of a refit says whether a person must look; its JSON has each limit.
// guard: refit: a candidate that is held ends with 1
func TestModelRefitEndsWithOneWhereItHolds(t *testing.T) {
	b := newBullpen(t, 600)
	from := []string{"model", "refit", "self-pitcher", "--days=36500"}
	status, out := b.command(append(from, "--max-calibration-error=0", "--json")...)
	require.Equal(t, exitFailed, status, out)
	var r models.Refit
	require.NoError(t, json.Unmarshal([]byte(out), &r), out)
	require.Equal(t, schemas.RefitHeld, r.Result)
	require.Equal(t, "calibration_error", r.Checks[0].Check)
	require.Positive(t, r.Checks[0].Value.Value)
	status, out = b.command(append(from, "--max-calibration-error=0")...)
	require.Equal(t, exitFailed, status, out)
	require.Regexp(t, `calibration_error +– +0\.\d+ +at most 0 +beyond`, out)
	out = b.must(append(from, "--max-calibration-error=1")...)
	require.Contains(t, out, "no version of self-pitcher is live")
	out = b.must(append(from, "--max-calibration-error=1", "--promote-first")...)
	require.Contains(t, out, "self-pitcher 1 is live now")
	status, out = b.command("model", "refit", "archetypes", "--days=1")
	require.Equal(t, exitFailed, status)
	require.Contains(t, out, "0 swings have all columns of archetypes, and reliable: at least 200 are needed: see --days")
	for _, wrong := range []string{"--days=0", "--min-agreement=1.1", "--min-agreement=NaN", "--max-psi=-1", "--max-calibration-error=2"} {
		status, out = b.command("model", "refit", "archetypes", wrong)
		require.Equal(t, exitUsage, status, out)
	}
}

// The whiff model of docs/MODELS.md, as printed: trained on an export, added, promoted. Each swing has the
// probability that LightGBM predicts.
func TestTheWhiffModelOfTheDocs(t *testing.T) {
	python := testkit.Python(t, "lightgbm, pandas, pyarrow")
	page, err := os.ReadFile(filepath.Join(testkit.Root(), "docs", "MODELS.md"))
	require.NoError(t, err)
	m := regexp.MustCompile("(?s)```python\n(.*?)```\n\n```sh\n(.*?)```").FindSubmatch(page)
	require.NotNil(t, m)
	script := string(m[1])
	require.LessOrEqual(t, strings.Count(script, "\n"), 30)

	b := newBullpen(t, 2000)
	dir := t.TempDir()
	t.Chdir(dir)
	b.must("export", "-o", "lake")
	script += `
swings.assign(p=booster.predict(x))[["pitch_id", "p"]].to_json("predicted.json", orient="values", default_handler=str)
`
	cmd := exec.CommandContext(t.Context(), python, "-c", script)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	t.Logf("%s", out)
	for _, line := range strings.Split(strings.TrimSpace(string(m[2])), "\n") {
		out := b.must(strings.Fields(line)[1:]...)
		t.Logf("%s\n%s", line, out)
	}
	b.must("model", "score", "whiff", "--since=2000-01-01T00:00:00Z", "--no-live-first")

	content, err := os.ReadFile("predicted.json")
	require.NoError(t, err)
	var predicted [][2]any
	require.NoError(t, json.Unmarshal(content, &predicted))
	scores, err := pgbooks.NewModels(b.store.DB()).AllScores(t.Context())
	require.NoError(t, err)
	require.Greater(t, len(predicted), 500)
	require.Len(t, scores, len(predicted), "each swing has one score")
	distinct := map[float64]bool{}
	for _, p := range predicted {
		id, ok := schemas.ParsePitchID(p[0].(string))
		require.True(t, ok, p[0])
		require.Len(t, scores[id], 1)
		s := scores[id][0]
		require.InDelta(t, p[1], s.Value.Value, 1e-9)
		require.Equal(t, map[bool]schemas.Text{true: "whiff", false: "contact"}[p[1].(float64) >= 0.5], s.Label)
		distinct[s.Value.Value] = true
	}
	require.Greater(t, len(distinct), 10, "the model tells swings apart")
}
