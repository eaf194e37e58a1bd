package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/simulate"
)

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// The commands of docs/BACKFILL.md are run as printed, block by block in one shell.
func TestBackfillAsWritten(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(testkit.Root(), "docs", "BACKFILL.md"))
	require.NoError(t, err)
	var script strings.Builder
	for _, block := range shellBlock.FindAllStringSubmatch(string(page), -1) {
		fmt.Fprintf(&script, "echo \"--- next\"\n%s\n", block[1])
	}
	require.Equal(t, 5, strings.Count(script.String(), "--- next"))

	w := newVerifyTown(t)
	defer w.feed(t, "live")()
	folder := t.TempDir()
	records := seasons(t, filepath.Join(folder, "seasons"))
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script.String())
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "PATH="+binaryFolder(t)+":"+os.Getenv("PATH"),
		"PITCHSTREAM_KAFKA_BROKERS="+strings.TrimPrefix(w.flags[0], "--kafka-brokers="), "PITCHSTREAM_POSTGRES_URL="+strings.TrimPrefix(w.flags[1], "--postgres-url="),
		"PITCHSTREAM_REDIS_URL="+strings.TrimPrefix(w.flags[2], "--redis-url="), "PITCHSTREAM_REDIS_PREFIX="+w.prefix)
	out, err := cmd.CombinedOutput()
	log, _ := os.ReadFile(filepath.Join(folder, "better.log"))
	require.NoError(t, err, "%s\n%s", out, log)

	require.EqualValues(t, records, w.count(t, rawTopic))
	for _, year := range years {
		report, err := os.ReadFile(filepath.Join(folder, year+".json"))
		require.NoError(t, err)
		require.Contains(t, string(report), fmt.Sprintf(`"records": %d,`, ofASeason), "each batch is a season")
	}
	w.fed(t, "live")
	require.Equal(t, w.standing(t, "pitchstream"), w.standing(t, "pitchstream_history"))
	require.Equal(t, []string{"live 2"}, w.table(t, `SELECT target, generation FROM pitchstream_serving.pointer`))
	require.Empty(t, w.table(t, `SELECT nspname FROM pg_namespace WHERE nspname = 'pitchstream_better'`), "the page ends with it dropped")
}

// ofASeason is how many records each season has.
const ofASeason = 30

var years = []string{"2021", "2022", "2023", "2024", "2025"}

// seasons writes a folder of files for each year, and answers how many records there are.
func seasons(t *testing.T, folder string) (records int) {
	t.Helper()
	for i, year := range years {
		s, err := simulate.New(simulate.Options{Seed: uint64(i + 1), Pitches: 40})
		require.NoError(t, err)
		games, n := map[string][]byte{}, 0
		for m, ok := s.Next(); ok && n < ofASeason; m, ok = s.Next() {
			if len(m.Value) > 0 {
				games[string(m.Key)] = append(append(games[string(m.Key)], m.Value...), '\n')
				n++
			}
		}
		require.Equal(t, ofASeason, n)
		records += n
		require.NoError(t, os.MkdirAll(filepath.Join(folder, year), 0o755))
		for game, lines := range games {
			require.NoError(t, os.WriteFile(filepath.Join(folder, year, game+"_"+year+".jsonl"), lines, 0o600))
		}
	}
	return records
}

// binaryFolder is a folder with the command pitchstream, built from here.
func binaryFolder(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(folder, "pitchstream"), "./cmd/pitchstream")
	build.Dir = testkit.Root()
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return folder
}
