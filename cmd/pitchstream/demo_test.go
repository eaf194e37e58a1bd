package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/localpg"
	"github.com/pitchstream/pitchstream/internal/testkit"
)

func TestDemoEndsAfterItsTimeAndItsBooksBalance(t *testing.T) {
	folder := demoFolder(t)
	var out, log bytes.Buffer
	status := run(t.Context(), []string{"demo", "--for", "3s", "--speed", "400"}, &stdio{Out: &out, Err: &log})
	require.Equal(t, exitOK, status, "%s%s", &out, &log)

	require.Regexp(t, `(?m)^ready after \d+\.\d s, playing at 400 × life$`, out.String())
	require.Regexp(t, `(?m)^▸ \d{9} [A-Z]\. [A-Z][a-z]+ +\d+ +\d+ `, out.String(), "a batter's line while it runs")
	require.Regexp(t, `(?m)^   \ds  \d+ records? \(\d+\.\d/s\), lag \d+: \d+ rows? in Postgres, \d+ dead letters?$`, out.String())
	require.Equal(t, "starting Kafka, Redis and Postgres\n", log.String(), "without the processor's log")
	checkSums(t, out.String())
	checkNothingLeft(t, folder)
}

func TestDemoBalancesItsBooksWhenInterrupted(t *testing.T) {
	folder := demoFolder(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, log demoOutput
	answered := 0
	out.after(`(?m)^   [24]s  `, func() {
		defer cancel()
		if url := regexp.MustCompile(`http://\S+/v1/batters/\d+`).FindString(out.text.String()); url != "" && answered == 0 {
			if resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(url); err == nil {
				answered = resp.StatusCode
				_ = resp.Body.Close()
			}
		}
	})
	status := run(ctx, []string{"demo", "--speed", "400", "--verbose"}, &stdio{Out: &out, Err: &log})
	require.Equal(t, exitOK, status, "%s%s", &out, &log)
	require.Equal(t, 200, answered, "the address of the API in the output")
	checkSums(t, out.String())
	require.Contains(t, log.String(), `msg="partitions assigned"`, "the processor's log")
	checkNothingLeft(t, folder)
}

func TestDemoInterruptedAtItsStartLeavesNothing(t *testing.T) {
	folder := demoFolder(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, log demoOutput
	log.after("starting", cancel)
	require.Equal(t, exitFailed, run(ctx, []string{"demo"}, &stdio{Out: &out, Err: &log}))
	require.Equal(t, "starting Kafka, Redis and Postgres\npitchstream: stopped before the first row\n", log.String())
	require.Empty(t, out.String())
	checkNothingLeft(t, folder)
}

func TestKilledDemoLeavesNothing(t *testing.T) {
	folder := demoFolder(t)
	victim := exec.Command(os.Args[0], "-test.run=^TestDemoVictim$")
	victim.Env = append(os.Environ(), "PITCHSTREAM_TEST_VICTIM=1")
	var out demoOutput
	ready := make(chan struct{})
	out.after("ready after", sync.OnceFunc(func() { close(ready) }))
	victim.Stdout, victim.Stderr = &out, &out
	require.NoError(t, victim.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = victim.Wait() // killed
	}()
	select {
	case <-ready:
	case <-ended:
		t.Fatal(out.String())
	}
	require.NotEmpty(t, demoProcesses(t, folder))
	require.NoError(t, victim.Process.Kill())
	<-ended
	require.Eventually(t, func() bool {
		return len(names(t, folder)) == 0 && len(demoProcesses(t, folder)) == 0
	}, 30*time.Second, 50*time.Millisecond, "%v %v", names(t, folder), demoProcesses(t, folder))
}

// TestDemoVictim is the process that is killed.
func TestDemoVictim(t *testing.T) {
	if os.Getenv("PITCHSTREAM_TEST_VICTIM") == "" {
		t.Skip("only a process of another test")
	}
	run(t.Context(), []string{"demo"}, &stdio{Out: os.Stdout, Err: os.Stderr})
}

func TestDemoSaysWhyItCannotStart(t *testing.T) {
	folder := demoFolder(t)
	var out, log bytes.Buffer
	t.Setenv("PG_BIN", "/nowhere")
	require.Equal(t, exitFailed, run(t.Context(), []string{"demo"}, &stdio{Out: &out, Err: &log}))
	require.Contains(t, log.String(), "pitchstream: PG_BIN=/nowhere: ")
	require.Empty(t, out.String())
	checkNothingLeft(t, folder)
}

func TestDemoIgnoresTheUsersSettings(t *testing.T) {
	t.Setenv("PITCHSTREAM_KAFKA_TLS", "true")
	t.Setenv("PITCHSTREAM_TOPIC_RAW", "elsewhere")
	c := &runCmd{}
	require.NoError(t, withDefaults(c, "--kafka-brokers=b:1", "--postgres-url=postgres://h/d", "--redis-url=redis://h"))
	require.False(t, c.Kafka.TLS)
	require.Equal(t, "pitches.raw", c.Topics.TopicRaw)
	require.Equal(t, []string{"b:1"}, c.Kafka.Brokers)
	require.NotZero(t, c.PollMaxRecords, "the default of run")
}

func TestDemoRejectsWrongFlags(t *testing.T) {
	for flags, want := range map[string]string{
		"--games=0":     "--games=0: want 1 to 15",
		"--games=16":    "--games=16: want 1 to 15",
		"--speed=0":     "--speed=0: want more than 0",
		"--speed=NaN":   "--speed=NaN: want more than 0",
		"--for=20":      "want a time span with its unit",
		"--redis-port=": "--redis-port",
	} {
		var log bytes.Buffer
		require.Equal(t, exitUsage, run(t.Context(), []string{"demo", flags}, &stdio{Out: io.Discard, Err: &log}))
		require.Contains(t, log.String(), want)
	}
}

// demoFolder returns the folder in which a demo of this test makes its own. The user that Postgres runs as
// can enter it.
func demoFolder(t *testing.T) string {
	t.Helper()
	_, err := localpg.Find(t.Context())
	if errors.Is(err, localpg.ErrNotInstalled) {
		_, err = localpg.Download(t.Context(), os.Stderr)
	}
	if err != nil {
		testkit.Unavailable(t, "Postgres: "+err.Error())
	}
	folder := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(folder), 0o755))
	t.Setenv("TMPDIR", folder)
	return folder
}

func checkNothingLeft(t *testing.T, folder string) {
	t.Helper()
	require.Empty(t, names(t, folder))
	require.Empty(t, demoProcesses(t, folder))
}

// demoProcesses returns the command lines that contain the folder, which are those of Postgres and of the
// lifelines.
func demoProcesses(t *testing.T, folder string) (found []string) {
	t.Helper()
	all, err := exec.CommandContext(t.Context(), "ps", "-A", "-ww", "-o", "args=").Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(all)) {
		if strings.Contains(line, folder) {
			found = append(found, line)
		}
	}
	return found
}

// checkSums checks the equations of the printed books.
func checkSums(t *testing.T, out string) {
	t.Helper()
	_, summary, ok := strings.Cut(out, "\nsent ")
	require.True(t, ok, out)
	n := func(pattern string) (n int) {
		found := regexp.MustCompile(pattern).FindStringSubmatch(summary)
		require.NotNil(t, found, "%s in:\n%s", pattern, summary)
		n, err := strconv.Atoi(strings.ReplaceAll(found[1], ",", ""))
		require.NoError(t, err)
		return n
	}
	pitches, broken := n(`= ([\d,]+) pitch`), n(`\+ ([\d,]+) broken`)
	require.Positive(t, pitches)
	require.Equal(t, n(`([\d,]+) record`), pitches+n(`\+ ([\d,]+) sent twice`)+n(`\+ ([\d,]+) correction`)+
		n(`\+ ([\d,]+) delete`)+n(`\+ ([\d,]+) late name`)+broken)
	rows := n(`Postgres +([\d,]+) row`)
	require.Equal(t, pitches-n(`- ([\d,]+) deleted`), rows)
	require.Equal(t, rows-n(`- ([\d,]+) without`), n(`Redis +([\d,]+) pitch`))
	require.Equal(t, broken, n(`letters +([\d,]+) =`))
	require.Equal(t, 3, strings.Count(summary, "✓"))
	require.True(t, strings.HasSuffix(summary, "\nthe books balance\n"), summary)
}

// demoOutput is a writer for several goroutines that calls a function when all that was written so far
// matches.
type demoOutput struct {
	mu      sync.Mutex
	text    bytes.Buffer
	pattern *regexp.Regexp
	call    func()
}

func (o *demoOutput) after(pattern string, call func()) {
	o.pattern, o.call = regexp.MustCompile(pattern), call
}

func (o *demoOutput) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b)
	if o.pattern != nil && o.pattern.Match(o.text.Bytes()) {
		o.call()
	}
	return len(b), nil
}

func (o *demoOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func TestDemoRunsServersForOtherCommands(t *testing.T) {
	folder := demoFolder(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, log demoOutput
	var topics, migrate int
	out.after(`PITCHSTREAM_REDIS_URL=\S+\n`, func() {
		defer cancel()
		for name, at := range map[string]*int{"topics": &topics, "migrate": &migrate} {
			for _, m := range regexp.MustCompile(`export (PITCHSTREAM_\w+)='?([^'\s]+)`).FindAllStringSubmatch(out.text.String(), -1) {
				t.Setenv(m[1], m[2])
			}
			*at = run(t.Context(), []string{name}, &stdio{Out: io.Discard, Err: io.Discard}) + 1
		}
	})
	status := run(ctx, []string{"demo", "--servers", "--kafka-port", testkit.FreePort(), "--postgres-port",
		testkit.FreePort(), "--redis-port", testkit.FreePort()}, &stdio{Out: &out, Err: &log})
	require.Equal(t, exitOK, status, "%s%s", &out, &log)
	require.Equal(t, []int{exitOK + 1, exitOK + 1}, []int{topics, migrate})
	checkNothingLeft(t, folder)
}
