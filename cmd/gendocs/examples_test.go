package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// The tests of this file run the examples of docs/DATA.md over half of a simulated game. The results must
// equal those of plain loops.

// example returns the code block of docs/DATA.md below the marker with this name.
func example(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "DATA.md"))
	require.NoError(t, err)
	fenced := regexp.MustCompile("<!-- example: " + name + " -->\n```[a-z]+\n((?s:.*?))```\n").FindSubmatch(page)
	require.NotNil(t, fenced, "no example %s on the page", name)
	return string(fenced[1])
}

// game returns the changes of half a simulated game. Every pitch has a batter.
func game(t *testing.T) (changes []schemas.Change) {
	t.Helper()
	s, err := simulate.New(simulate.Options{Seed: 4, Pitches: 150, FeedIDs: true})
	require.NoError(t, err)
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		rec := schemas.Record{Key: m.Key, Headers: m.Headers, Value: m.Value}
		rec.Offset, rec.TimestampMS = int64(len(changes)), int64(m.Timestamp)
		change, rej := features.Transform(rec, features.Limits{})
		require.Nil(t, rej)
		changes = append(changes, change)
	}
	return changes
}

func TestExampleDuckDB(t *testing.T) {
	changes, dir := game(t), t.TempDir()
	writeRows(t, dir, fileoutput.Parquet, changes)
	const program = "import duckdb, json, sys\n" +
		"found = duckdb.sql(sys.stdin.read())\n" +
		"print(json.dumps([dict(zip(found.columns, row)) for row in found.fetchall()]))\n"
	var found []struct {
		Type   string  `json:"pitch_type"`
		Swings int64   `json:"swings"`
		Whiffs int64   `json:"whiffs"`
		Rate   float64 `json:"whiff_rate_pct"`
	}
	require.NoError(t, json.Unmarshal(python(t, dir, "duckdb", program, example(t, "duckdb")), &found))

	want := map[string]schemas.TypeCounts{}
	for _, c := range changes {
		r := c.Row
		struck := r.IsSwing && r.PitchResult == schemas.ResultStrike && r.PitchAction != "Called"
		if struck || r.SwingConfidence == schemas.SwingConfirmed {
			name := string(cmp.Or(r.PitchType, "unknown"))
			n := want[name]
			n.Swings++
			if r.IsWhiff {
				n.Whiffs++
			}
			want[name] = n
		}
	}
	require.NotEmpty(t, want)
	require.Len(t, found, len(want))
	for _, f := range found {
		require.Equal(t, want[f.Type], schemas.TypeCounts{Swings: f.Swings, Whiffs: f.Whiffs}, f.Type)
		require.InDelta(t, schemas.RatePct(f.Whiffs, f.Swings).Value, f.Rate, 0.011, f.Type)
	}
}

func TestExamplePandas(t *testing.T) {
	changes, dir := game(t), t.TempDir()
	writeRows(t, dir, fileoutput.CSV, changes)
	program := example(t, "pandas") + "\nprint('found', speeds.to_json(orient='index', double_precision=15))\n"
	_, after, ok := bytes.Cut(python(t, dir, "pandas", program, ""), []byte("found "))
	require.True(t, ok)
	type speeds struct {
		Count  int     `json:"count"`
		Median float64 `json:"median"`
		Max    float64 `json:"max"`
	}
	var found map[string]speeds
	require.NoError(t, json.Unmarshal(after, &found))

	byBatter := map[string][]float64{}
	for _, c := range changes {
		if c.Row.SpeedConfidence == schemas.SpeedReliable {
			batter := fmt.Sprint(c.Row.BatterID.Value)
			byBatter[batter] = append(byBatter[batter], c.Row.BatSpeedMPH.Value)
		}
	}
	require.NotEmpty(t, byBatter)
	require.Len(t, found, len(byBatter))
	for batter, all := range byBatter {
		require.Equal(t, len(all), found[batter].Count, batter)
		require.InDelta(t, median(all), found[batter].Median, 1e-9, batter)
		require.InDelta(t, slices.Max(all), found[batter].Max, 1e-9, batter)
	}
}

// median returns the middle value, or the mean of the two in the middle.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// python runs a program that needs a module, in dir, and returns its standard output.
func python(t *testing.T, dir, module, program, stdin string) []byte {
	t.Helper()
	cmd := exec.Command(testkit.Python(t, module), "-c", program)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, strings.NewReader(stdin), &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return out
}

// writeRows writes out/rows.FORMAT in dir, as pitchstream process does.
func writeRows(t *testing.T, dir string, format fileoutput.Format, changes []schemas.Change) {
	t.Helper()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "out"), 0o755))
	f, err := os.Create(filepath.Join(dir, "out", format.FileName()))
	require.NoError(t, err)
	w, err := fileoutput.NewWriter(format, f, features.CoreVersion)
	require.NoError(t, err)
	for i, c := range changes {
		require.NoError(t, w.Write(&fileoutput.Row{Row: *c.Row, Source: "game.jsonl", Record: int64(i + 1)}))
	}
	require.NoError(t, w.Close())
	require.NoError(t, f.Close())
}
