package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/load"
	"github.com/pitchstream/pitchstream/internal/testkit"
)

// loaded is how a load ended.
type loaded struct {
	out, log string
	err      error
}

// loadArgs runs pitchstream load, as main does.
func loadArgs(ctx context.Context, t *testing.T, in io.Reader, args ...string) loaded {
	t.Helper()
	var cli struct {
		Load loadCmd `cmd:""`
	}
	parser, err := kong.New(&cli, config.NewLoader().Option())
	require.NoError(t, err)
	parsed, err := parser.Parse(append([]string{"load"}, args...))
	if err != nil {
		return loaded{err: err}
	}
	var out, log bytes.Buffer
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(&stdio{In: in, Out: &out, Err: &log})
	return loaded{out.String(), log.String(), err}
}

// loadInto runs pitchstream load with a Kafka in memory.
func loadInto(t *testing.T, cluster *kfake.Cluster, args ...string) loaded {
	t.Helper()
	return loadArgs(t.Context(), t, nil, append(args, "--kafka-brokers="+strings.Join(cluster.ListenAddrs(), ","))...)
}

// pitch is a record of that event.
func pitch(eventID string) string {
	return `{"summary_acts":{"pitch":{"eventId":"` + eventID + `","result":"Ball"}}}`
}

func uuid(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	return dir
}

// lines of a summary's name, without the name.
func lines(out, name string) (found []string) {
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(line, fmt.Sprintf("  %-12s ", name)); ok {
			found = append(found, strings.TrimSpace(rest))
		}
	}
	return found
}

// keyed are the records of a topic, key → values in their order.
func keyed(records map[int32][]*kgo.Record) map[string][]string {
	byKey := map[string][]string{}
	for _, partition := range slices.Sorted(maps.Keys(records)) {
		for _, r := range records[partition] {
			byKey[string(r.Key)] = append(byKey[string(r.Key)], string(r.Value))
		}
	}
	return byKey
}

func all(records map[int32][]*kgo.Record) (rs []*kgo.Record) {
	for _, partition := range records {
		rs = append(rs, partition...)
	}
	return rs
}

// Records go out byte for byte, keyed by game, in order, broken ones and a torn end too; the summary
// balances.
func TestLoad(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	dir := writeFiles(t, map[string]string{
		"777_9.jsonl": pitch("a"), "777_10.jsonl": pitch("b") + "\n", "777_100.jsonl": "{\n  \"pretty\": true\n}\n",
		"888_1.jsonl": pitch("c") + "\nnope\n" + pitch("d") + "\n{\"torn", "README.md": "# no record\n",
	})
	l := loadInto(t, cluster, dir)
	require.NoError(t, l.err)
	require.Equal(t, map[string][]string{
		"777": {pitch("a"), pitch("b"), "{\n  \"pretty\": true\n}"},
		"888": {pitch("c"), "nope", pitch("d"), `{"torn`},
	}, keyed(testkit.RawRecords(t, cluster)))
	require.Contains(t, l.out, "loaded into pitches.raw in ")
	require.Equal(t, []string{"7 read = 7 sent + 0 failed"}, lines(l.out, "records"))
	require.Equal(t, []string{"2"}, lines(l.out, "games"))
	require.Equal(t, []string{"7 records name no batter, who is known then only where the ball was hit: " +
		"whiff rates lack the others; --ids FILE.csv names them"}, lines(l.out, "batters"))
	require.Equal(t, []string{"7 records have no time, and got that of this load: their games look like today's; " +
		"--ids FILE.csv or --timestamp TIME dates them"}, lines(l.out, "time"))
	torn := len(pitch("c")+"\nnope\n"+pitch("d")+"\n") + len(`{"torn`)
	require.Equal(t, []string{
		filepath.Join(dir, "888_1.jsonl") + fmt.Sprintf(": record 4 is cut short at byte %d, 6 bytes of it are here", torn),
		filepath.Join(dir, "README.md") + ": not read: its content is no JSON (pipe it in to send its lines as they are)",
	}, lines(l.out, "input"))
}

func TestLoadStdinWithoutGame(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	l := loadArgs(t.Context(), t, strings.NewReader("["+pitch("a")+","+pitch("b")+"]"), "-", "--kafka-brokers="+cluster.ListenAddrs()[0])
	require.NoError(t, l.err)
	records := all(testkit.RawRecords(t, cluster))
	require.Len(t, records, 2)
	require.Nil(t, records[0].Key)
	require.Empty(t, records[0].Headers)
	require.Contains(t, l.out, "2 records have no game: name it by --game")
}

func TestLoadIDsBecomeHeaders(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	dir := writeFiles(t, map[string]string{
		"777_1.jsonl": pitch(uuid(1)) + "\n" + pitch(uuid(2)) + "\n" + pitch(uuid(3)) + "\n",
		"ids.csv": "event_id,batter_id,pitcher_id,team_id,game_date,venue,game_pk,event_time,umpire\n" +
			uuid(1) + ",1,2,3,2024-09-28,Park,,,x\n" + strings.ToUpper(uuid(3)) + ",,,,,,999,2024-09-28T19:05:00.25Z,\n",
	})
	l := loadInto(t, cluster, dir, "--ids="+filepath.Join(dir, "ids.csv"), "--revision=12")
	require.NoError(t, l.err)
	require.Contains(t, l.log, `ids.csv: the column "umpire" is ignored`)
	require.Equal(t, []string{"2 records found in " + filepath.Join(dir, "ids.csv")}, lines(l.out, "batters"))
	require.Empty(t, lines(l.out, "input"), "the ids file is no record")
	got := map[string]string{}
	for _, r := range all(testkit.RawRecords(t, cluster)) {
		text := string(r.Key)
		for _, h := range r.Headers {
			text += " " + h.Key + "=" + string(h.Value)
		}
		got[string(r.Value)] = text
	}
	require.Equal(t, map[string]string{
		pitch(uuid(1)): "777 batter_id=1 pitcher_id=2 team_id=3 game_date=2024-09-28 venue=Park revision=12",
		pitch(uuid(2)): "777 revision=12",
		pitch(uuid(3)): "999 event_time=2024-09-28T19:05:00.250Z revision=12",
	}, got)

	named := testkit.FakeKafka(t)
	require.NoError(t, loadInto(t, named, dir, "--ids="+filepath.Join(dir, "ids.csv"), "--game=5").err)
	require.Len(t, keyed(testkit.RawRecords(t, named))["5"], 3, "--game goes before all")
}

func TestLoadTimestamps(t *testing.T) {
	dir := writeFiles(t, map[string]string{"1_1.jsonl": pitch("a")})
	mtime := time.UnixMilli(1_600_000_000_123)
	require.NoError(t, os.Chtimes(filepath.Join(dir, "1_1.jsonl"), mtime, mtime))
	stamped := func(args ...string) time.Time {
		cluster := testkit.FakeKafka(t)
		require.NoError(t, loadInto(t, cluster, append(args, dir)...).err)
		return all(testkit.RawRecords(t, cluster))[0].Timestamp
	}
	require.Equal(t, mtime, stamped("--timestamp=mtime"))
	require.Equal(t, int64(1_000_000_000_250), stamped("--timestamp=2001-09-09T01:46:40.25Z").UnixMilli())
	begun := time.Now().Truncate(time.Millisecond)
	require.False(t, stamped().Before(begun))
}

// --check says what would become of the records, sends nothing, and needs no Kafka.
func TestLoadCheck(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"777_1.jsonl": pitch("a") + "\nnope\n[]\n" + pitch(strings.Repeat("x", 2<<20)) + "\n" + pitch(strings.Repeat("x", 4<<20)) + "\n", "state": "",
	})
	l := loadArgs(t.Context(), t, nil, "--check", "--max-record-bytes=1MiB", "--state="+filepath.Join(dir, "new.state"), filepath.Join(dir, "777_1.jsonl"))
	require.EqualError(t, l.err, "2 of 5 records failed")
	require.Contains(t, l.out, "checked in ")
	require.Equal(t, []string{"5 read = 3 to send + 2 that would fail"}, lines(l.out, "records"))
	require.Equal(t, []string{"1"}, lines(l.out, "rows"))
	require.Equal(t, []string{"1 malformed_json", "1 not_a_pitch"}, lines(l.out, "dead letters"))
	require.Len(t, lines(l.out, "failed"), 2)
	require.NoFileExists(t, filepath.Join(dir, "new.state"))
}

func TestLoadNeedsItsTopic(t *testing.T) {
	dir := writeFiles(t, map[string]string{"1_1.jsonl": pitch("a")})
	l := loadInto(t, testkit.FakeKafka(t), dir, "--topic-raw=elsewhere")
	require.EqualError(t, l.err, "the topic elsewhere does not exist: run: pitchstream topics")
	require.Empty(t, l.out)
}

func TestLoadUsage(t *testing.T) {
	for _, c := range []struct {
		want string
		args []string
	}{
		{"--kafka-brokers is missing", nil},
		{"--revision=-1: want 0 or more", []string{"--revision=-1"}},
		{"--rate=-1: want records a second", []string{"--rate=-1"}},
		{"--realtime and --rate: give one", []string{"--realtime", "--rate=1"}},
		{"--realtime needs to know when the pitches were thrown", []string{"--realtime"}},
		{"--game=\"a\\n\": want 1 to 64 bytes", []string{"--game=a\n"}},
		{"--state cannot remember standard input", []string{"--state=s", "-"}},
		{"--timestamp mtime: standard input has none", []string{"--timestamp=mtime", "-"}},
		{"--timestamp=yesterday: want now, mtime, or an RFC 3339 time", []string{"--timestamp=yesterday"}},
		{"--timestamp=9999-01-01T00:00:00Z: is in the future", []string{"--timestamp=9999-01-01T00:00:00Z"}},
		{"--timestamp=1969-01-01T00:00:00Z: want a time after 1970-01-01T00:00:00Z", []string{"--timestamp=1969-01-01T00:00:00Z"}},
	} {
		l := loadArgs(t.Context(), t, nil, append(c.args, "x")...)
		var wrong *kong.ParseError
		require.ErrorAs(t, l.err, &wrong, c.want)
		require.ErrorContains(t, l.err, c.want)
	}
	l := loadArgs(t.Context(), t, nil, "--check", filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, l.err, "no such file or directory")
	require.Empty(t, l.out)
}

func TestLoadRealtimeWithoutTimes(t *testing.T) {
	dir := writeFiles(t, map[string]string{"1_1.jsonl": pitch("a"), "ids.csv": "event_id,batter_id\na,1\n"})
	l := loadInto(t, testkit.FakeKafka(t), dir, "--realtime", "--ids="+filepath.Join(dir, "ids.csv"))
	require.ErrorContains(t, l.err, "has no event_time, which the real time between pitches needs")
}

// A record that the topic does not take fails, is named, and is tried again by the next run; no other one is.
func TestLoadRefusedRecords(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	testkit.SetMaxMessageBytes(t, cluster, 1<<20)
	big := pitch(strings.Repeat("x", 2<<20))
	dir := writeFiles(t, map[string]string{"777_1.jsonl": pitch("a") + "\n" + big + "\n" + pitch("b") + "\n"})
	state := "--state=" + filepath.Join(dir, "load.state")
	l := loadInto(t, cluster, state, dir)
	require.EqualError(t, l.err, "1 of 3 records failed")
	require.Equal(t, []string{"3 read = 2 sent + 1 failed"}, lines(l.out, "records"))
	require.Len(t, lines(l.out, "failed"), 1)
	require.Contains(t, lines(l.out, "failed")[0], fmt.Sprintf("777_1.jsonl: record 2 at byte %d, 2.1 MB: MESSAGE_TOO_LARGE", len(pitch("a"))+1))

	testkit.SetMaxMessageBytes(t, cluster, 8<<20)
	l = loadInto(t, cluster, state, dir)
	require.NoError(t, l.err)
	require.Equal(t, []string{"1 read = 1 sent + 0 failed"}, lines(l.out, "records"))
	require.Equal(t, []string{"2 by earlier runs, as " + filepath.Join(dir, "load.state") + " says"}, lines(l.out, "sent before"))
	require.Equal(t, map[string][]string{"777": {pitch("a"), pitch("b"), big}}, keyed(testkit.RawRecords(t, cluster)))

	l = loadInto(t, cluster, state, dir)
	require.NoError(t, l.err)
	require.Equal(t, []string{"0 read = 0 sent + 0 failed"}, lines(l.out, "records"))
	require.Equal(t, []string{"3 by earlier runs, as " + filepath.Join(dir, "load.state") + " says"}, lines(l.out, "sent before"))

	path := filepath.Join(dir, "777_1.jsonl")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("x\n"), int(info.Size()))[:info.Size()], 0o644))
	require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	l = loadInto(t, cluster, state, dir)
	require.NoError(t, l.err)
	require.Equal(t, []string{"0 read = 0 sent + 0 failed"}, lines(l.out, "records"), "a complete file is not opened again")
}

// A state file is for one kind of load.
func TestLoadStateOfAnotherLoad(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	dir := writeFiles(t, map[string]string{"1_1.jsonl": pitch("a")})
	state := "--state=" + filepath.Join(dir, "load.state")
	require.NoError(t, loadInto(t, cluster, state, dir).err)
	l := loadInto(t, cluster, state, "--revision=1", dir)
	require.ErrorContains(t, l.err, `is of a run with revision "0", this one has "1": name another state file`)
	l = loadInto(t, cluster, "--state="+filepath.Join(dir, "no", "such", "folder"), dir)
	require.ErrorContains(t, l.err, "state file: open ")
	require.Len(t, all(testkit.RawRecords(t, cluster)), 1, "found out before anything is sent")
}

// A named pipe has no time and cannot be come back to.
func TestLoadNamedPipe(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o644))
	l := loadInto(t, cluster, pipe, "--state="+filepath.Join(dir, "state"))
	require.ErrorContains(t, l.err, "a state file cannot remember "+pipe)
	l = loadInto(t, cluster, pipe, "--timestamp=mtime")
	require.ErrorContains(t, l.err, pipe+" is a pipe and has no modification time")
	fed := make(chan error, 1)
	go func() { fed <- os.WriteFile(pipe, []byte(pitch("a")+"\nnope\n"), 0) }()
	l = loadInto(t, cluster, pipe, "--game=1")
	require.NoError(t, <-fed)
	require.NoError(t, l.err)
	require.Equal(t, map[string][]string{"1": {pitch("a"), "nope"}}, keyed(testkit.RawRecords(t, cluster)))
}

// Ctrl-C while a pipe is waited for: what was read is acknowledged, and the summary is there.
func TestLoadInterrupted(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	sent := testkit.WatchBatches(cluster)
	pipe, feed := io.Pipe()
	defer feed.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = io.WriteString(feed, pitch("a")+"\n"+pitch("b")+"\n")
		_, _ = io.WriteString(feed, "{\"half") // read only when the records before are on their way
		cancel()
	}()
	l := loadArgs(ctx, t, pipe, "-", "--game=1", "--kafka-brokers="+cluster.ListenAddrs()[0])
	require.ErrorIs(t, l.err, load.ErrInterrupted)
	require.Equal(t, []string{"2 read = 2 sent + 0 failed"}, lines(l.out, "records"))
	require.NotEmpty(t, sent.Seen)
	require.Len(t, all(testkit.RawRecords(t, cluster)), 2)
}

// Files that cannot be read fail the load; the others are loaded.
func TestLoadUnreadable(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	dir := writeFiles(t, map[string]string{"1_1.jsonl": pitch("a"), "1_2.jsonl": "\x1f\x8bnot gzip at all"})
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "1_3.jsonl")))
	l := loadInto(t, cluster, dir)
	require.EqualError(t, l.err, "2 inputs could not be read")
	require.Len(t, lines(l.out, "input"), 2)
	require.Len(t, all(testkit.RawRecords(t, cluster)), 1)
}

// The twelve real records, out of a folder that also holds a README and two tables.
func TestLoadRealRecords(t *testing.T) {
	dir := testkit.Hawkeye(t)
	cluster := testkit.FakeKafka(t)
	l := loadInto(t, cluster, dir)
	require.NoError(t, l.err)
	require.Equal(t, []string{"12 read = 12 sent + 0 failed"}, lines(l.out, "records"))
	require.Equal(t, []string{"4"}, lines(l.out, "games"))
}

// Kafka's own word ends the load, not a time-out.
func TestLoadWithoutPermission(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	testkit.FailProduce(cluster, kerr.TopicAuthorizationFailed)
	l := loadInto(t, cluster, writeFiles(t, map[string]string{"1_1.jsonl": pitch("a")}))
	require.ErrorContains(t, l.err, "kafka does not take records: TOPIC_AUTHORIZATION_FAILED")
	require.Equal(t, []string{"1 read = 0 sent + 1 failed"}, lines(l.out, "records"))
}
