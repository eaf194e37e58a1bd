package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// consoleBlocks are the commands of a page with what it says that they print.
func consoleBlocks(t *testing.T, page string) (commands, outputs []string) {
	t.Helper()
	b, err := os.ReadFile(page)
	require.NoError(t, err)
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllSubmatch(b, -1) {
		for line := range strings.Lines(string(block[1])) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				commands, outputs = append(commands, strings.TrimSpace(command)), append(outputs, "")
				continue
			}
			outputs[len(outputs)-1] += line
		}
	}
	return commands, outputs
}

// shellWords splits a command as a shell does, as far as the page goes.
func shellWords(command string) (words []string) {
	for _, m := range regexp.MustCompile(`"([^"]*)"|(\S+)`).FindAllStringSubmatch(command, -1) {
		words = append(words, m[1]+m[2])
	}
	return words
}

// matches says whether a text is as a page has it, in which … stands for anything, and for any lines where
// it is alone.
func matches(page, text string) bool {
	pattern := regexp.QuoteMeta(page)
	pattern = strings.ReplaceAll(pattern, "\n…\n", "\n(?s:.*)\n")
	pattern = strings.ReplaceAll(pattern, "…", ".*")
	return regexp.MustCompile("^" + pattern + "$").MatchString(text)
}

// aNight fills the dead letters: processors that were started with too small a limit, and a sender that
// tears.
func (w *deadTown) aNight(t *testing.T) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 430))
	id := func() (id schemas.PitchID) {
		for i := range id {
			id[i] = byte(r.Uint32())
		}
		return id
	}
	produce := func(value string, headers ...kgo.RecordHeader) {
		w.client.Produce(t.Context(), &kgo.Record{Topic: rawTopic, Key: []byte("745804"), Value: []byte(value), Headers: headers}, nil)
	}
	swing := `,"samples_ball":[` + strings.Repeat(`{"x":"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"},`, 1500) + `{"x":1}]`
	for i := range 412 {
		pitch := id()
		produce(recordOfPitch(pitch, swing))
		if i < 12 { // and a correction, which is small
			produce(recordOfPitch(pitch, ""), kgo.RecordHeader{Key: "revision", Value: []byte("1")})
		}
	}
	for range 15 {
		torn := recordOfPitch(id(), "")
		produce(torn[:60+r.IntN(20)])
	}
	for range 3 {
		produce(`["calibration"]`)
	}
	for range 200 {
		produce(recordOfPitch(id(), ""))
	}
	require.NoError(t, w.client.Flush(t.Context()))
	night := *w.town
	night.flags = append(append([]string{}, w.flags...), "--breaker-share=0", "--breaker-in-a-row=0", "--max-record-bytes=64KiB")
	stop := night.start(t)
	w.through(t)
	stop()
}

func TestThePageOnDeadLettersIsTrue(t *testing.T) {
	page, err := filepath.Abs("../../docs/DEADLETTERS.md")
	require.NoError(t, err)
	w := newDeadTown(t)
	w.flags = w.flags[:len(w.flags)-1] // records may be large
	w.aNight(t)
	stop := w.start(t)
	defer stop()
	t.Chdir(t.TempDir())
	t.Setenv("PITCHSTREAM_KAFKA_BROKERS", strings.TrimPrefix(w.flags[0], "--kafka-brokers="))
	t.Setenv("PITCHSTREAM_POSTGRES_URL", strings.TrimPrefix(w.flags[1], "--postgres-url="))
	commands, outputs := consoleBlocks(t, page)
	require.Greater(t, len(commands), 8)
	for i, command := range commands {
		command, echo := strings.CutSuffix(command, "; echo $?")
		words := shellWords(command)
		require.Equal(t, "pitchstream", words[0])
		var out, errs bytes.Buffer
		status := run(t.Context(), words[1:], &stdio{In: strings.NewReader(""), Out: &out, Err: &errs})
		if echo {
			fmt.Fprintln(&out, status)
		} else {
			require.Equal(t, exitOK, status, "%s: %s", command, errs.String())
		}
		require.True(t, matches(outputs[i], out.String()), "%s printed\n%s\nand the page says\n%s", command, out.String(), outputs[i])
		w.through(t)
	}
	var stand int
	require.NoError(t, w.postgres.QueryRow(t.Context(), `SELECT count(*) FROM pitches`).Scan(&stand))
	require.Equal(t, 612, stand)
	var corrected int
	require.NoError(t, w.postgres.QueryRow(t.Context(), `SELECT count(*) FROM pitches WHERE revision = 1`).Scan(&corrected))
	require.Equal(t, 12, corrected, "what was superseded stays so")
}

// The recipe for a record that must be changed is run as the page prints it: the changed records become rows,
// and the dead letter with another fault stays open.
func TestARecordIsChangedAsThePageSays(t *testing.T) {
	testkit.Python(t, "base64")
	page, err := os.ReadFile(filepath.Join(testkit.Root(), "docs", "DEADLETTERS.md"))
	require.NoError(t, err)
	program := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(page)
	require.Len(t, program, 2)
	blocks := shellBlock.FindAllSubmatch(page, -1)
	require.Len(t, blocks, 1)
	w := newDeadTown(t)
	defer w.start(t)()
	produce := func(value string) {
		w.client.Produce(t.Context(), &kgo.Record{Topic: rawTopic, Key: []byte("745804"), Value: []byte(value)}, nil)
	}
	for i := range 3 {
		produce(strings.Replace(recordOfPitch(schemas.PitchID{15: byte(i)}, ""), `"pitch"`, `"throw"`, 1))
	}
	produce(`["calibration"]`)
	require.NoError(t, w.client.Flush(t.Context()))
	w.through(t)

	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "repair.py"), program[1], 0o600))
	cmd := exec.CommandContext(t.Context(), "bash", "-e", "-c", string(blocks[0][1]))
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "PATH="+binaryFolder(t)+":"+os.Getenv("PATH"),
		"PITCHSTREAM_KAFKA_BROKERS="+strings.TrimPrefix(w.flags[0], "--kafka-brokers="),
		"PITCHSTREAM_POSTGRES_URL="+strings.TrimPrefix(w.flags[1], "--postgres-url="),
		"PITCHSTREAM_REDIS_URL="+strings.TrimPrefix(w.flags[2], "--redis-url="), "PITCHSTREAM_REDIS_PREFIX="+w.prefix)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "3 dead letters discarded")
	require.EqualValues(t, 3, w.rows(t, "SELECT count(*) FROM pitches WHERE revision = 1"))
	_, listed := w.dlq(t, "ls", "--json")
	require.Contains(t, listed, `"letters":4,"open":1,"retried":0,"discarded":3,`)
}
