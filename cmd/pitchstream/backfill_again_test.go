package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/backfill"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// guard: backfill: a batch that is read again is read from its first record
func TestARefusedBatchIsBroughtInAgainOnceItsFilesAreRepaired(t *testing.T) {
	w := newVerifyTown(t)
	folder := t.TempDir()
	seasons(t, folder)
	spec := filepath.Join(folder, "season.yaml")
	files, err := filepath.Glob(filepath.Join(folder, "2021", "*.jsonl"))
	require.NoError(t, err)
	content, err := os.ReadFile(files[0])
	require.NoError(t, err)
	bad := files[0]
	require.NoError(t, os.WriteFile(bad, append(content, "{\"play_id\":\"none\"}\n"...), 0o600))
	text := `{name: season, target: better, files: [{path: ` + filepath.Join(folder, "2021") + `}, {path: ` +
		filepath.Join(folder, "2022") + `}], gates: {dead_letters: 0, findings: 1000, shift: 100, missing_values: 1}}`
	require.NoError(t, os.WriteFile(spec, []byte(text), 0o600))
	run := func(want int, more ...string) (s backfill.Status, why string) {
		t.Helper()
		args := append([]string{"backfill", "run", spec, "--json"}, more...)
		status, out, why := runCLI(t, append(args, w.flags...)...)
		require.Equal(t, want, status, "%s\n%s", out, why)
		if want == exitOK {
			require.NoError(t, json.Unmarshal([]byte(out), &s))
		}
		return s, why
	}
	lineage := testkit.LineageServer(t)
	t.Setenv("OPENLINEAGE_URL", lineage.URL)
	_, why := run(exitFailed)
	require.Contains(t, why, "batch 1, "+filepath.Join(folder, "2021")+", did not pass: dead_letters is 0.0")
	_, why = run(exitFailed)
	require.Contains(t, why, "--again=1")
	require.EqualValues(t, ofASeason+1, w.count(t, rawTopic), "nothing has changed: nothing is loaded")
	_, why = run(exitFailed, "--again=1")
	require.Contains(t, why, "dead_letters is 0.0")
	require.EqualValues(t, 2*(ofASeason+1), w.count(t, rawTopic))
	_, why = run(exitFailed, "--again=2")
	require.Contains(t, why, "batch 2 was not refused")

	require.NoError(t, os.WriteFile(bad, content, 0o600))
	s, _ := run(exitOK)
	require.True(t, s.Finished)
	// The backfill is one run in every process; a batch is one until its files are repaired or it is read again.
	events := lineage.Take(t)
	require.Equal(t, []string{
		"a START backfill.better", "b START backfill.better.batch", "b FAIL backfill.better.batch", "a FAIL backfill.better",
		"a RUNNING backfill.better", "b RUNNING backfill.better.batch", "b FAIL backfill.better.batch", "a FAIL backfill.better",
		"a RUNNING backfill.better", "b RUNNING backfill.better.batch", "b FAIL backfill.better.batch", "a FAIL backfill.better",
		"a RUNNING backfill.better", "a FAIL backfill.better",
		"a RUNNING backfill.better", "c RUNNING backfill.better.batch", "c COMPLETE backfill.better.batch",
		"d START backfill.better.batch", "d COMPLETE backfill.better.batch", "a COMPLETE backfill.better",
	}, steps(events))
	require.Equal(t, map[string]any{"runId": events[0].Run.RunID}, events[1].Run.Facets["parent"]["run"])
	require.Contains(t, events[2].Run.Facets["errorMessage"]["message"], "did not pass: dead_letters")
	require.EqualValues(t, ofASeason, events[16].Outputs[0].Rows())
	require.Equal(t, map[string]int64{"file " + filepath.Join(folder, "2021"): -1}, datasets(events[16].Inputs))
	for _, b := range s.Batches {
		require.Equal(t, schemas.BatchPassed, b.State)
		require.EqualValues(t, ofASeason, b.Counts.Records)
	}
	require.EqualValues(t, 4*ofASeason+2, w.count(t, rawTopic))

	// Batches of what the topic has are read again by their offsets.
	schedule := filepath.Join(folder, "games.csv")
	require.NoError(t, os.WriteFile(schedule, []byte("game_pk,game_date\n1,2024-04-01\n"), 0o600))
	text = `{name: topic, target: other, batches: month, schedule: ` + schedule +
		`, gates: {dead_letters: 0, findings: 1000, shift: 100, missing_values: 1}}`
	require.NoError(t, os.WriteFile(spec, []byte(text), 0o600))
	_, why = run(exitFailed)
	require.Contains(t, why, "missing_games is 1")
	records := func() []string {
		return w.table(t, `SELECT sum(records) FROM pitchstream_other.replay_progress GROUP BY replay_id ORDER BY 1`)
	}
	require.Len(t, records(), 1)
	_, why = run(exitFailed)
	require.Contains(t, why, "missing_games is 1")
	require.Len(t, records(), 1)
	for readings := range 2 {
		_, why = run(exitFailed, "--again=1")
		require.Contains(t, why, "missing_games is 1")
		require.NotContains(t, why, "records_missing")
		require.Len(t, records(), 2+readings)
		require.Equal(t, records()[0], records()[1+readings])
	}
}
