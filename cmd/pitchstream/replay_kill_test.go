package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/verify"
)

// A replay that is killed five times, wherever it is, counts every record once, and sends every dead letter
// once.
// guard: replay: what was counted is not counted again
func TestReplayKilledFiveTimesBalances(t *testing.T) { onKafkas(t, replayKilledFiveTimes) }

func replayKilledFiveTimes(t *testing.T, w *town) {
	w.play(t, 1500)
	records := w.count(t, w.raw)
	args := append([]string{"replay", "--into=better", "--json", "--parallel=2"}, w.flags...)
	for kill := range int64(5) {
		log := &lockedBuffer{}
		child := processChild(t, args...)
		child.Stderr, child.Stdout = log, io.Discard
		require.NoError(t, child.Start())
		ended := make(chan error, 1)
		go func() { ended <- child.Wait() }()
		w.waitCounted(t, (kill+1)*records/12, log) // far from the end, however slow the test is
		require.NoError(t, child.Process.Kill())
		require.Error(t, <-ended)
	}
	require.Len(t, w.table(t, `SELECT id FROM pitchstream_better.replays WHERE finished_at IS NULL`), 1, "the same command goes on with the same replay")
	began := time.Now()
	r := w.replay(t, "--into=better", "--parallel=2")
	t.Logf("the last part took %v", time.Since(began).Round(time.Millisecond))
	require.Equal(t, records, r.Counts.Records)
	require.Equal(t, r.Counts.Letters, w.count(t, w.dead+".better"))
	letters := map[string]int{}
	w.records(t, w.dead+".better", func(l *kgo.Record) {
		var at []string
		for _, h := range l.Headers {
			if h.Key == "dlq.partition" || h.Key == "dlq.offset" {
				at = append(at, string(h.Value))
			}
		}
		letters[strings.Join(at, "/")]++
	})
	require.EqualValues(t, r.Counts.Letters, len(letters))

	// The same command begins another one now; and a processor of the target has nothing left to do.
	status, stdout, stderr := runCLI(t, append([]string{"verify", "--json", "--target=better"}, w.flags...)...)
	require.Equal(t, exitOK, status, stderr)
	var v verify.Report
	require.NoError(t, json.Unmarshal([]byte(stdout), &v))
	require.Zero(t, v.Differences)
	require.Equal(t, v.Topic.Topic, v.Topic.Postgres)
	require.Equal(t, r.Counts.Letters, v.Topic.Letters.Found)
	again := w.replay(t, "--into=better")
	require.NotEqual(t, r.Replay, again.Replay)
	require.Equal(t, records, again.Counts.Records)
}

// waitCounted waits until so many records of the unfinished replay are counted.
func (w *town) waitCounted(t *testing.T, want int64, log fmt.Stringer) {
	t.Helper()
	const sql = `SELECT coalesce(sum(p.records), 0)::bigint FROM pitchstream_better.replay_progress p JOIN pitchstream_better.replays r ON r.id = p.replay_id`
	var at int64
	ok := func() bool {
		err := w.postgres.QueryRow(t.Context(), sql).Scan(&at)
		return err == nil && at >= want
	}
	require.Eventually(t, ok, 3*time.Minute, 5*time.Millisecond, "%d: %s", want, log)
}
