package main

import (
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// steps are the states and jobs of events, in order; the runs are a, b and so on.
func steps(events []testkit.LineageEvent) (told []string) {
	names := map[string]string{}
	for _, e := range events {
		if names[e.Run.RunID] == "" {
			names[e.Run.RunID] = string(rune('a' + len(names)))
		}
		told = append(told, names[e.Run.RunID]+" "+e.EventType+" "+strings.TrimPrefix(e.Job.Name, "pitchstream."))
	}
	return told
}

// datasets are the names and rows of inputs or outputs.
func datasets(all []testkit.LineageDataset) map[string]int64 {
	names := map[string]int64{}
	for _, d := range all {
		names[d.Namespace+" "+d.Name] = d.Rows()
	}
	return names
}

func TestProcessReportsItsLineage(t *testing.T) {
	server := testkit.LineageServer(t)
	in := writeFiles(t, map[string]string{"777_1.jsonl": pitch(uuid(1)) + "\nnope\n"})
	out := filepath.Join(t.TempDir(), "tables")
	status, _, errs := outputOf(t, "process", in, "-o", out, "--lineage-url="+server.URL, "--lineage-api-key=key",
		"--lineage-namespace=league", "--lineage-job=season")
	require.Equal(t, exitOK, status, errs)
	events := server.Take(t)
	require.Equal(t, []string{"a START season", "a COMPLETE season"}, steps(events))
	require.Equal(t, "league", events[1].Job.Namespace)
	require.Equal(t, map[string]int64{"file " + in: 2}, datasets(events[1].Inputs))
	require.Equal(t, map[string]int64{
		"file " + out + "/rows.parquet": 1, "file " + out + "/batters.csv": 0, "file " + out + "/pitchers.csv": 0,
		"file " + out + "/rejected.jsonl": 1,
	}, datasets(events[1].Outputs))
	require.Equal(t, []string{"Bearer key", "Bearer key"}, server.Keys())

	// By the variables of other tools.
	t.Setenv("OPENLINEAGE_URL", server.URL)
	t.Setenv("OPENLINEAGE_NAMESPACE", "ours")
	t.Setenv("OPENLINEAGE_PARENT_ID", "airflow/season.process/01941f29-7c00-7000-8000-000000000002")
	status, _, _ = outputOf(t, "process", filepath.Join(in, "none"), "-o", out)
	require.Equal(t, exitFailed, status)
	events = server.Take(t)
	require.Equal(t, []string{"a START process", "a FAIL process"}, steps(events))
	require.Equal(t, "ours", events[0].Job.Namespace)
	require.Contains(t, events[1].Run.Facets["errorMessage"]["message"], "none: no such file")
	require.Equal(t, map[string]any{"namespace": "airflow", "name": "season.process"},
		events[0].Run.Facets["parent"]["job"])

	// The exit status is that of the event.
	bad := writeFiles(t, map[string]string{"777_1.jsonl": "nope\n"})
	status, _, _ = outputOf(t, "process", bad, "-o", out)
	require.Equal(t, exitFailed, status)
	require.Equal(t, []string{"a START process", "a FAIL process"}, steps(server.Take(t)))

	t.Setenv("OPENLINEAGE_DISABLED", "true")
	status, _, errs = outputOf(t, "process", in, "-o", out)
	require.Equal(t, exitOK, status, errs)
	require.Empty(t, server.Take(t))
}

// A server that is down changes neither the result nor the exit status, and is said once.
func TestALineageServerThatIsDownFailsNothing(t *testing.T) {
	down := httptest.NewServer(nil)
	down.Close()
	in := writeFiles(t, map[string]string{"777_1.jsonl": pitch(uuid(1)) + "\n"})
	began := time.Now()
	status, out, errs := outputOf(t, "process", in, "-o", t.TempDir(), "--json",
		"--lineage-url=http://me:hunter2@"+strings.TrimPrefix(down.URL, "http://"))
	require.Equal(t, exitOK, status)
	require.Contains(t, out, `"rows":1,`)
	require.Equal(t, 1, strings.Count(errs, "\n"), errs)
	require.Contains(t, errs, "pitchstream: warning: lineage: 2 of 2 events were not delivered to "+down.URL)
	require.NotContains(t, errs, "hunter2")
	require.Less(t, time.Since(began), 30*time.Second)
}

func TestExportReportsItsLineage(t *testing.T) {
	l := newLake(t)
	server := testkit.LineageServer(t)
	status, said := l.export("--lineage-url=" + server.URL)
	require.Equal(t, exitOK, status, said)
	events := server.Take(t, "@127", "sslmode")
	require.Equal(t, []string{"a START export", "a COMPLETE export"}, steps(events))
	require.Equal(t, map[string]int64{"file " + l.dir: 200}, datasets(events[1].Outputs))
	require.EqualValues(t, 4, events[1].Outputs[0].OutputFacets["outputStatistics"]["fileCount"])
	require.Len(t, events[1].Inputs, 1)
	require.EqualValues(t, 200, events[1].Inputs[0].Rows())
	require.Regexp(t, `^postgres://[^/@]+:\d+$`, events[1].Inputs[0].Namespace)
	require.Regexp(t, `^\w[^.]*\.pitchstream\.pitches$`, events[1].Inputs[0].Name)
}

func TestLoadGamesAndReplayReportTheirLineage(t *testing.T) {
	w := newVerifyTown(t)
	server := testkit.LineageServer(t)
	t.Setenv("PITCHSTREAM_LINEAGE_URL", server.URL)
	in := writeFiles(t, map[string]string{"777_1.jsonl": pitch(uuid(1)) + "\nnope\n", "games.csv": "game_pk\n777\n"})
	broker := "kafka://" + w.brokers
	file := filepath.Join(in, "777_1.jsonl")
	status, _, errs := runCLI(t, "load", file, w.flags[0])
	require.Equal(t, exitOK, status, errs)
	events := server.Take(t)
	require.Equal(t, []string{"a START load", "a COMPLETE load"}, steps(events))
	require.Equal(t, map[string]int64{"file " + file: 2}, datasets(events[1].Inputs))
	require.Equal(t, map[string]int64{broker + " " + rawTopic: 2}, datasets(events[1].Outputs))

	status, _, errs = runCLI(t, "games", "load", filepath.Join(in, "games.csv"), w.flags[1])
	require.Equal(t, exitOK, status, errs)
	events = server.Take(t)
	require.Equal(t, []string{"a START games.load", "a COMPLETE games.load"}, steps(events))
	require.Regexp(t, `\.pitchstream\.games$`, events[1].Outputs[0].Name)

	w.replay(t, "--into=better")
	events = server.Take(t)
	require.Equal(t, []string{"a START replay.better", "a COMPLETE replay.better"}, steps(events))
	require.Equal(t, map[string]int64{broker + " " + rawTopic: 2}, datasets(events[1].Inputs))
	require.Regexp(t, `\.pitchstream_better\.pitches$`, events[1].Outputs[0].Name)
	require.EqualValues(t, 1, events[1].Outputs[0].Rows())
	require.EqualValues(t, 1, datasets(events[1].Outputs)[broker+" pitches.dead.better"])

	status, _, _ = runCLI(t, append([]string{"replay", "--into=live", "--resume=none"}, w.flags...)...)
	require.Equal(t, exitFailed, status)
	require.Equal(t, []string{"a START replay.live", "a FAIL replay.live"}, steps(server.Take(t)))
}
