package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// identify runs the command and returns its JSON.
func (w *town) identify(t *testing.T, args ...string) (r map[string]any) {
	t.Helper()
	args = append([]string{"identify", "--json", "--topic-raw=" + w.raw, "--kafka-group=" + w.group}, args...)
	status, stdout, stderr := runCLI(t, append(args, w.flags[:2]...)...)
	require.Equal(t, exitOK, status, stderr)
	require.NoError(t, json.Unmarshal([]byte(stdout), &r), stdout)
	return r
}

func TestTheFeedNamesEveryPitchOnce(t *testing.T) {
	onKafkas(t, func(t *testing.T, w *town) {
		w.play(t, 60)
		through := func() {
			stop := w.start(t)
			w.through(t)
			stop()
		}
		through()
		rows, err := w.postgres.Query(t.Context(), `SELECT pitch_id::text FROM pitches ORDER BY 1`)
		require.NoError(t, err)
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.NotEmpty(t, ids)
		feed := func(batter, timeCode string) string {
			events := make([]string, len(ids))
			for i, id := range ids {
				events[i] = fmt.Sprintf(`{"type": "pitch", "playId": %q}`, id)
			}
			text := fmt.Sprintf(`{"gamePk": 745804, "metaData": {"timeStamp": %q}, "liveData": {"plays": {"allPlays": [
				{"matchup": {"batter": {"id": %s}, "pitcher": {"id": 4243}}, "playEvents": [%s]}]}}}`,
				timeCode, batter, strings.Join(events, ","))
			path := filepath.Join(t.TempDir(), "feed.json")
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			return path
		}
		named := func(batter int) (n int) {
			require.NoError(t, w.postgres.QueryRow(t.Context(),
				`SELECT count(*) FROM pitches WHERE batter_id = $1 AND pitcher_id = 4243`, batter).Scan(&n))
			return n
		}
		first, second := feed("4242", "20990928_190500"), feed("4244", "20990928_190600")
		require.EqualValues(t, len(ids), len(w.identify(t, "--dry-run", "--feed", first)["would_send"].([]any)))
		require.EqualValues(t, len(ids), w.identify(t, "--feed", first)["sent"])
		require.EqualValues(t, 0, w.identify(t, "--feed", first)["sent"], "before it is processed")
		through()
		require.Equal(t, len(ids), named(4242))
		require.EqualValues(t, 0, w.identify(t, "--feed", first)["sent"], "after it was processed")
		require.EqualValues(t, len(ids), w.identify(t, "--feed", second)["sent"], "a correction")
		require.EqualValues(t, len(ids), w.identify(t, "--feed", first)["older"])
		through()
		require.Equal(t, len(ids), named(4244))
	})
}

func TestIdentifyWantsOneSource(t *testing.T) {
	for _, args := range [][]string{
		{}, {"--feed=a", "--file=b"}, {"--feed=a", "--follow"}, {"--feed=http://a", "--follow", "--dry-run"},
		{"--feed=a", "--game=1"}, {"--feed=a"}, {"--feed=a", "--dry-run", "--max-feed-bytes=1"},
	} {
		status, _, stderr := runCLI(t, append([]string{"identify"}, args...)...)
		require.Equal(t, exitUsage, status, "%v: %s", args, stderr)
	}
	status, stdout, stderr := runCLI(t, "identify", "--dry-run", "--feed=../../internal/identify/testdata/feed.json")
	require.Equal(t, exitOK, status, stderr)
	require.Contains(t, stdout, "game 745804, Live at 2024-09-28T19:05:00Z\n")
	require.Contains(t, stdout, "  would send   6\n")
	require.Contains(t, stdout, "00000000-0000-4000-8000-000000000012  at-bat 2 pitch 2  batter 102 R  pitcher 902 L\n")
	require.Contains(t, stdout, "at-bat 1 pitch -  batter 101 L")
}

// A summary of no game, at the year 1, looked like a result.
func TestIdentifyWithoutAFeedPrintsNoSummary(t *testing.T) {
	broken := filepath.Join(writeFiles(t, map[string]string{"feed.json": "{"}), "feed.json")
	for _, args := range [][]string{{"--feed=" + broken}, {"--feed=" + broken, "--json"}, {"--file=" + broken}} {
		status, stdout, stderr := runCLI(t, append([]string{"identify", "--dry-run"}, args...)...)
		require.Equal(t, exitFailed, status)
		require.Empty(t, stdout)
		require.NotEmpty(t, stderr)
	}
}
