package e2e

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// hostileLimit is the most memory that any command may take: the limit of the chart's containers.
const hostileLimit = 512 << 20

// measured is a command that has ended.
type measured struct {
	out, errs string // at most outputKept bytes of each
	status    int
	peak      int64 // its largest resident set
}

const outputKept = 64 << 10

// head keeps the beginning of what is written.
type head struct{ bytes.Buffer }

// Write implements io.Writer.
func (h *head) Write(p []byte) (int, error) {
	h.Buffer.Write(p[:min(len(p), outputKept-h.Len())])
	return len(p), nil
}

// measure runs a command to its end, and requires that it took no more than hostileLimit. Its peak is read
// while it runs, because the kernel's figure after the end includes the memory of this test.
func measure(w *stack.Stack, args ...string) (m measured) {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), w.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, stack.Binary(w.T), args...)
	cmd.Env = w.Env
	var out, errs head
	cmd.Stdout, cmd.Stderr = &out, &errs
	began := time.Now()
	require.NoError(w.T, cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.Tick(3 * time.Millisecond)
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-tick:
			m.peak = max(m.peak, residentPeak(cmd.Process.Pid))
		}
	}
	m.out, m.errs, m.status = out.String(), errs.String(), cmd.ProcessState.ExitCode()
	w.T.Logf("%-40.40s status %d, %3d MiB, %v", strings.Join(args, " "), m.status, m.peak>>20,
		time.Since(began).Round(100*time.Millisecond))
	require.NoError(w.T, ctx.Err(), "%v\n%s", args, m.errs)
	require.LessOrEqual(w.T, m.peak, int64(hostileLimit), "%v\n%s", args, m.errs)
	return m
}

// residentPeak returns the largest resident set of a process so far; 0 if it has ended.
func residentPeak(pid int) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(status), "\nVmHWM:")
	kib, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	n, _ := strconv.ParseInt(kib, 10, 64)
	return n << 10
}

// blank writes n spaces.
func blank(t *testing.T, w io.Writer, n int) {
	t.Helper()
	spaces := bytes.Repeat([]byte(" "), 1<<20)
	for ; n > 0; n -= len(spaces) {
		_, err := w.Write(spaces[:min(n, len(spaces))])
		require.NoError(t, err)
	}
}

// hostileFile is a file that holds records 1 and 2 of monster and what is meant to take the memory.
type hostileFile struct {
	name  string
	write func(t *testing.T, w io.Writer)
}

// around writes a record, what is hostile, and another record, each on a line.
func around(t *testing.T, w io.Writer, hostile func(io.Writer)) {
	t.Helper()
	_, err := w.Write(append(monster(1, 1000), '\n'))
	require.NoError(t, err)
	hostile(w)
	_, err = w.Write(append(append([]byte("\n"), monster(2, 1000)...), '\n'))
	require.NoError(t, err)
}

// hostileFiles are files whose content has size bytes or more.
func hostileFiles(size int) []hostileFile {
	text := func(w io.Writer) { // a record that never ends
		_, _ = io.WriteString(w, `{"summary_acts":{"pad":"`)
		_, _ = io.CopyN(w, forever("a"), int64(size))
		_, _ = io.WriteString(w, `"}}`)
	}
	return []hostileFile{
		{"line.jsonl", func(t *testing.T, w io.Writer) { around(t, w, text) }},
		{"brackets.jsonl", func(t *testing.T, w io.Writer) {
			around(t, w, func(w io.Writer) { _, _ = io.CopyN(w, forever("["), int64(size)) })
		}},
		{"envelope.jsonl", func(t *testing.T, w io.Writer) {
			around(t, w, func(w io.Writer) {
				_, _ = io.WriteString(w, `{"key":"1","value_base64":"`)
				_, _ = io.CopyN(w, forever("YWFh"), int64(size))
				_, _ = io.WriteString(w, `"}`)
			})
		}},
		{"blank.jsonl.gz", func(t *testing.T, w io.Writer) {
			z := gzip.NewWriter(w)
			around(t, z, func(w io.Writer) { blank(t, w, 3*size) })
			require.NoError(t, z.Close())
		}},
		{"line.jsonl.zst", func(t *testing.T, w io.Writer) {
			z, err := zstd.NewWriter(w, zstd.WithWindowSize(128<<20))
			require.NoError(t, err)
			around(t, z, text)
			require.NoError(t, z.Close())
		}},
		{"member.zip", func(t *testing.T, w io.Writer) {
			z := zip.NewWriter(w)
			m, err := z.Create("716404_1.jsonl")
			require.NoError(t, err)
			around(t, m, text)
			require.NoError(t, z.Close())
		}},
		{"names.zip", func(t *testing.T, w io.Writer) { // of 300 MB, a directory of 60 MB
			z := zip.NewWriter(w)
			for i := range size / 5000 {
				m, err := z.Create(fmt.Sprintf("%d%s.json", i, strings.Repeat("n", 900)))
				require.NoError(t, err)
				if i < 2 {
					_, err = m.Write(monster(i+1, 1000))
					require.NoError(t, err)
				}
			}
			require.NoError(t, z.Close())
		}},
		{"member.tar.gz", func(t *testing.T, w io.Writer) {
			z := gzip.NewWriter(w)
			out := tar.NewWriter(z)
			for i := range 2 {
				value := monster(i+1, 1000)
				require.NoError(t, out.WriteHeader(&tar.Header{Name: fmt.Sprintf("%d.json", i), Size: 1000, Mode: 0o600}))
				_, err := out.Write(value)
				require.NoError(t, err)
			}
			require.NoError(t, out.WriteHeader(&tar.Header{Name: "large.json", Size: int64(3 * size), Mode: 0o600}))
			blank(t, out, 3*size)
			require.NoError(t, out.Close())
			require.NoError(t, z.Close())
		}},
	}
}

// forever repeats a text without end.
type forever string

// Read implements io.Reader.
func (f forever) Read(p []byte) (int, error) {
	n := copy(p, strings.Repeat(string(f), len(p)/len(f)+1))
	return n - n%len(f), nil
}

// Files that are large lines, or unpack to a hundred times their size, take no more memory than others. The
// records beside are read.
func TestHostileFilesTakeNoMemory(t *testing.T) {
	w := hostileStack(t)
	size := 300_000_000
	if os.Getenv("PITCHSTREAM_HOSTILE_BATCHES") == "" {
		size = 30_000_000
	}
	dir := t.TempDir()
	for _, f := range hostileFiles(size) {
		path := filepath.Join(dir, f.name)
		file, err := os.Create(path)
		require.NoError(t, err)
		f.write(t, file)
		require.NoError(t, file.Close())
		m := measure(w, "process", path, "-o", filepath.Join(dir, "out"), "--format=csv")
		require.Contains(t, []int{0, 1}, m.status, m.errs)
		rows, err := os.ReadFile(filepath.Join(dir, "out", "rows.csv"))
		require.NoError(t, err, "%s", m.errs)
		require.Equal(t, 3, bytes.Count(rows, []byte("\n")), "%s: %s", f.name, m.out)
		m = measure(w, "load", path)
		require.Contains(t, []int{0, 1}, m.status, m.errs)
		require.NoError(t, os.Remove(path))
	}
}

// hostileTopic is a raw topic in which hostile batches and large records have become dead letters among
// pitches, one of 15 MB.
func hostileTopic(t *testing.T, batchRecords, others int) (w *stack.Stack, pitch string) {
	t.Helper()
	w = hostileStack(t)
	w.Patience = 10 * time.Minute
	p := w.Start("--breaker-in-a-row=0", "--breaker-share=0")
	var real []*kgo.Record
	for i := range 400 {
		real = append(real, &kgo.Record{Key: []byte("1"), Value: monster(i, 2000), Headers: []kgo.RecordHeader{
			{Key: "batter_id", Value: []byte("660271")}, {Key: "game_pk", Value: []byte("716404")},
		}})
	}
	w.Produce(real...)
	for i, codec := range []kgo.CompressionCodecType{longZstd, kgo.CodecGzip, kgo.CodecLz4, kgo.CodecSnappy} {
		produceRaw(w, int32(i%2), hostileBatch(t, codec, batchRecords, 16_000_000))
	}
	produceRaw(w, 0, hostileBatch(t, kgo.CodecZstd, others, 10_000))
	for i := range 4 { // no pitches, and too large to be held twice
		w.Produce(&kgo.Record{Key: []byte(strconv.Itoa(i)), Value: monster(0, 15<<20)[1:]})
	}
	for i := range 4 { // swings of 14 MB
		swing := samples(996+i, `{"time":0.1,"head":{"pos":[1.0,2.0,3.0]},"handle":{"pos":[1.0,2.0,3.0]}}`, 180_000)
		w.Produce(&kgo.Record{Key: []byte("1"), Value: swing})
	}
	w.WaitCaughtUp()
	t.Logf("%-40s %13d MiB", "run", peakBytes(t, p)>>20)
	p.Halt()
	return w, fmt.Sprintf("00000000-0000-4000-8000-%012d", 999)
}

// Every command that reads topics reads hostile batches and large dead letters in bounded memory.
func TestHostileBatchesTakeNoMemoryOfOtherCommands(t *testing.T) {
	records, others := 3, 500
	if os.Getenv("PITCHSTREAM_HOSTILE_BATCHES") != "" {
		records, others = 20, 5000
	}
	w, pitch := hostileTopic(t, records, others)
	dead := 4*records + others + 4
	dir := t.TempDir()
	letters := filepath.Join(dir, "letters", "rejected.jsonl")
	for _, c := range []struct {
		status int
		says   string
		args   []string
	}{
		{0, "", []string{"topics"}},
		{0, "no difference", []string{"verify"}},
		{0, "", []string{"dlq", "ls", "--json"}},
		{0, "", []string{"dlq", "show", "--limit=20"}},
		{0, "", []string{"dlq", "show", "--limit=20", "--json"}},
		{0, "", []string{"dlq", "export", "-o", filepath.Dir(letters)}},
		{1, "", []string{"dlq", "retry", "--dry-run"}},
		{0, pitch, []string{"explain", pitch, "--all"}},
		{0, pitch, []string{"explain", pitch, "--all", "--json"}},
		{0, "", []string{"replay", "--into", "live"}},
		{0, "", []string{"replay", "--into", "beside"}},
		{1, "", []string{"process", letters, "-o", filepath.Join(dir, "out")}},
		{1, "", []string{"load", "--check", letters}},
		{0, "", []string{"dlq", "retry", "--rate=0"}},
		{0, "", []string{"dlq", "discard", "--reason=hostile", "--yes"}},
	} {
		m := measure(w, c.args...)
		require.Equal(t, c.status, m.status, "%v\n%s%s", c.args, m.out, m.errs)
		require.Contains(t, m.out, c.says)
	}
	exported, err := os.ReadFile(letters)
	require.NoError(t, err)
	require.Equal(t, dead, bytes.Count(exported, []byte("\n")))
}

// Many requests at a time hold no more than a few. Some read large dead letters and large records from Kafka;
// others are pages of a long list that nobody reads.
func TestHostileRequestsTakeNoMemory(t *testing.T) {
	records, others, pages := 3, 500, 400
	if os.Getenv("PITCHSTREAM_HOSTILE_BATCHES") != "" {
		records, others, pages = 20, 5000, 4000
	}
	w, pitch := hostileTopic(t, records, others)
	addr := testkit.FreeAddr()
	p := w.StartCommand("serve", "--api-addr="+addr)
	w.WaitFor("the API answers", func() bool {
		r, err := http.Get("http://" + addr + "/v1/status")
		if err == nil {
			_ = r.Body.Close()
		}
		return err == nil
	})
	var paths []string
	for i := range 30 {
		paths = append(paths, "/v1/letters", fmt.Sprintf("/v1/letters/0/%d", i), fmt.Sprintf("/v1/letters/1/%d", i),
			fmt.Sprintf("/v1/pitches/%s%d/swing", pitch[:35], 6+i%4), "/v1/pitches/"+pitch, "/v1/games/716404")
	}
	for i := range pages { // each cursor is behind all pitches, and none is like another
		after := binary.BigEndian.AppendUint64([]byte{1}, uint64(4_000_000_000_000+i))
		cursor := base64.RawURLEncoding.EncodeToString(append(after, make([]byte, 16)...))
		paths = append(paths, "/v1/batters/660271/pitches?limit=200&cursor="+cursor)
	}
	statuses := askAll(t, addr, paths)
	peak := peakBytes(t, p)
	t.Logf("%-40s %13d MiB, by status %v", fmt.Sprintf("serve, %d requests at a time", len(paths)), peak>>20, statuses)
	require.LessOrEqual(t, peak, int64(hostileLimit))
	require.Positive(t, statuses["200"])
	for status := range statuses {
		require.Contains(t, []string{"200", "404", "429", "503"}, status)
	}
	p.Halt()
}

// askAll sends all requests, each on a connection of its own, before it reads any answer behind its status.
func askAll(t *testing.T, addr string, paths []string) map[string]int {
	t.Helper()
	statuses := map[string]int{}
	var open []net.Conn
	for _, path := range paths {
		c, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		defer c.Close() //nolint:gocritic // all stay open until the end
		_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path)
		require.NoError(t, err)
		open = append(open, c)
	}
	for _, c := range open {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(2*time.Minute)))
		var status [12]byte // HTTP/1.1 200
		_, err := io.ReadFull(c, status[:])
		require.NoError(t, err)
		statuses[string(status[9:])]++
	}
	for _, c := range open {
		_, err := io.Copy(io.Discard, c)
		require.NoError(t, err)
	}
	return statuses
}
