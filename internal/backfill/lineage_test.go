package backfill

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/lineage"
	"github.com/pitchstream/pitchstream/schemas"
)

// eventType matches the states in a file of events.
var eventType = regexp.MustCompile(`"eventType":"(\w+)"`)

// states has a backfill report into a file, and returns the states of its events.
func states(t *testing.T, o Options, f func(o Options)) (all []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events")
	o.Lineage = lineage.Open(lineage.Options{
		File: path, Timeout: 10 * time.Second, Hide: func(text string) string { return text },
	})
	f(o)
	require.NoError(t, o.Lineage.Close())
	lines, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, m := range eventType.FindAllStringSubmatch(string(lines), -1) {
		all = append(all, m[1])
	}
	return all
}

// withoutPostgres are options whose Postgres refuses connections.
func withoutPostgres(t *testing.T) Options {
	t.Helper()
	o := Options{Spec: &Spec{Name: "season", Target: "season"}, Log: slog.New(slog.DiscardHandler), Reason: "x"}
	live := config.Postgres{Schema: "pitchstream"}
	require.NoError(t, live.URL.UnmarshalText([]byte("postgres://127.0.0.1:1/x?sslmode=disable")))
	o.Replay.Live.Postgres = live
	return o
}

// guard: backfill: a batch is complete when it is saved
func TestABatchThatCannotBeSavedIsNotComplete(t *testing.T) {
	require.Equal(t, []string{"RUNNING", "RUNNING", "FAIL"}, states(t, withoutPostgres(t), func(o Options) {
		o.Accept = 1
		b, err := open(t.Context(), o)
		require.NoError(t, err)
		defer b.close()
		b.batches = []schemas.BackfillBatch{{Number: 1, State: schemas.BatchRefused}}
		b.beginLineage(true)
		require.Error(t, b.accept(t.Context()))
	}))
}

func TestABackfillThatCannotBeOpenedFails(t *testing.T) {
	o := withoutPostgres(t)
	o.Replay.Live.Postgres.Schema = "no schema"
	require.Equal(t, []string{"START", "FAIL"}, states(t, o, func(o Options) {
		_, err := Run(t.Context(), o)
		require.Error(t, err)
	}))
}
