package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/backfill"
	"github.com/pitchstream/pitchstream/simulate"
)

// A backfill of two months, killed in each, and refused after each, counts every record once and sends every
// dead letter once.
// guard: backfill: a batch that does not pass stops it
// guard: backfill: a batch that is in is not brought in again
func TestBackfillKilledInEachBatchBalances(t *testing.T) {
	w := newRealTown(t)
	schedule := "game_pk,game_date\n"
	april := w.month(t, time.April, &schedule)
	all := april + w.month(t, time.May, &schedule)
	file, games := filepath.Join(t.TempDir(), "season.yaml"), filepath.Join(t.TempDir(), "games.csv")
	text := `{name: season, target: better, batches: month, schedule: ` + games + `,
		gates: {dead_letters: 0, findings: 1000, shift: 100, missing_values: 1}}`
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	require.NoError(t, os.WriteFile(games, []byte(schedule), 0o600))
	args := append([]string{"backfill", "run", file, "--json", "--parallel=2"}, w.flags...)
	accept := func(n int) []string {
		return append(slices.Clone(args), fmt.Sprintf("--accept=%d", n), "--reason=they are known")
	}
	states := func() []string {
		return w.table(t, `SELECT state FROM pitchstream_serving.backfill_batches ORDER BY number`)
	}

	w.killBackfill(t, april/4, args)
	require.Equal(t, []string{"running", "planned"}, states())
	status, _, why := runCLI(t, args...)
	require.Equal(t, exitFailed, status)
	require.Contains(t, why, "batch 1, 2025-04, did not pass: dead_letters is 0.")
	require.Equal(t, []string{"refused", "planned"}, states())
	require.Equal(t, april, w.counted(t), "none of the next month")

	w.killBackfill(t, april+(all-april)/4, accept(1))
	require.Equal(t, []string{"accepted", "running"}, states())
	status, _, why = runCLI(t, accept(1)...) // the same command goes on
	require.Equal(t, exitFailed, status)
	require.Contains(t, why, "batch 2, 2025-05, did not pass: dead_letters is 0.")
	status, out, why := runCLI(t, accept(2)...)
	require.Equal(t, exitOK, status, why)

	var s backfill.Status
	require.NoError(t, json.Unmarshal([]byte(out), &s))
	require.True(t, s.Finished)
	require.Equal(t, []int64{all, all, all}, []int64{s.Records, s.Done, w.counted(t)})
	require.Equal(t, []string{"accepted", "accepted"}, states())
	var letters int64
	for i, want := range []int64{april, all - april} {
		c := s.Batches[i].Counts
		require.Equal(t, []int64{want, want}, []int64{s.Batches[i].Records, c.Records})
		require.True(t, c.Balances(), "%+v", c)
		letters += c.Letters
		t.Logf("%s: %+v", s.Batches[i].Name, c)
	}
	require.Equal(t, letters, w.count(t, w.dead+".better"))
	var did []string
	for _, e := range s.Audit {
		did = append(did, e.Action+" "+e.Batch)
	}
	require.Equal(t, []string{
		"accepted 2025-05", "refused 2025-05", "replayed 2025-05", "begun 2025-05",
		"accepted 2025-04", "refused 2025-04", "replayed 2025-04", "begun 2025-04", "planned ",
	}, did)

	// A replay of everything at once has the same rows.
	require.Equal(t, all, w.replay(t, "--into=other").Counts.Records)
	require.Equal(t, w.standing(t, "pitchstream_other"), w.standing(t, "pitchstream_better"))
}

// month sends games of a month to the raw topic, untidy ones, and returns how many records they are. It adds
// the games to a schedule, because some records have no date but that of their game.
func (w *town) month(t *testing.T, month time.Month, schedule *string) int64 {
	t.Helper()
	before := w.count(t, w.raw)
	day := time.Date(2025, month, 5, 17, 5, 0, 0, time.UTC)
	first := 778000 + 100*int64(month)
	for i := range int64(3) {
		*schedule += fmt.Sprintf("%d,%s\n", first+i, day.Format(time.DateOnly))
	}
	w.send(t, simulate.Options{
		Seed: uint64(month), Pitches: 400, Parallel: 3, FeedIDs: true, FirstGamePK: first, Start: day,
		Duplicates: 0.2, Reorder: 0.2, Corrections: 0.3, Deletes: 0.2, LateIDs: 0.2, Poison: 0.1,
	})
	return w.count(t, w.raw) - before
}

// killBackfill runs the command, and kills it when so many records are counted.
func (w *town) killBackfill(t *testing.T, at int64, args []string) {
	t.Helper()
	log := &lockedBuffer{}
	child := processChild(t, args...)
	child.Stderr, child.Stdout = log, io.Discard
	require.NoError(t, child.Start())
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	w.waitCounted(t, at, log)
	require.NoError(t, child.Process.Kill())
	require.Error(t, <-ended)
	t.Logf("killed with %d records counted", w.counted(t))
}

// counted is how many records the replays into better have counted.
func (w *town) counted(t *testing.T) (n int64) {
	t.Helper()
	const sql = `SELECT coalesce(sum(records), 0)::bigint FROM pitchstream_better.replay_progress`
	require.NoError(t, w.postgres.QueryRow(t.Context(), sql).Scan(&n))
	return n
}
