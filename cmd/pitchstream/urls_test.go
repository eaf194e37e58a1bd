package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/simulate"
)

// putFiles writes files into storage.
func putFiles(t *testing.T, place string, files map[string][]byte) blob.Store {
	t.Helper()
	store, err := blob.Open(place)
	require.NoError(t, err)
	for name, content := range files {
		_, err := store.Put(t.Context(), name, content, blob.Always)
		require.NoError(t, err)
	}
	return store
}

func packed(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// seasonText returns files of simulated games, each a pitch a line.
func seasonText(t *testing.T, pitches, games int) map[string]string {
	t.Helper()
	s, err := simulate.New(simulate.Options{Seed: 7, Pitches: pitches, Games: games, FeedIDs: true})
	require.NoError(t, err)
	files := map[string]string{}
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		files[string(m.Key)+"_1.jsonl"] += string(m.Value) + "\n"
	}
	return files
}

// tablesOf returns the tables of a process without the names of their inputs, which differ.
func tablesOf(t *testing.T, place, inputs string) map[string]string {
	t.Helper()
	store, err := blob.Open(place)
	require.NoError(t, err)
	found, err := store.List(t.Context(), "")
	require.NoError(t, err)
	tables := map[string]string{}
	for _, o := range found {
		text, _, err := store.Read(t.Context(), o.Name, 1<<28)
		require.NoError(t, err)
		if tables[o.Name] = strings.ReplaceAll(string(text), inputs, ""); o.Name == "report.json" {
			tables[o.Name] = ""
		}
	}
	return tables
}

// guard: files: a table in storage that would be replaced is no input
func TestProcessReadsAndWritesStorageAsItDoesFolders(t *testing.T) {
	server := testkit.S3(t)
	dir, out := t.TempDir(), t.TempDir()
	files := map[string][]byte{}
	records := 0
	for name, text := range seasonText(t, 1000, 4) {
		records += strings.Count(text, "\n")
		files["in/"+name+".gz"] = packed(t, text)
	}
	files["in/900_1.jsonl.gz"] = packed(t, "no pitch\n")
	files["in/.hidden"], files["in/more/901_1.jsonl.gz"] = []byte("x"), packed(t, pitch(uuid(1))+"\n")
	putFiles(t, dir, files)
	putFiles(t, server, files)
	status, stdout, stderr := runCLI(t, "process", dir+"/in", "-o", out, "--format=csv")
	require.Equal(t, exitOK, status, "%s\n%s", stdout, stderr)
	want := tablesOf(t, out, dir)
	require.Len(t, want, 5)
	require.Contains(t, want["rejected.jsonl"], "malformed_json")

	var cuts atomic.Int64
	for name, fault := range map[string]testkit.Fault{
		"none": func(int64, http.ResponseWriter, *http.Request, http.Handler) bool { return false },
		"cut": func(n int64, w http.ResponseWriter, r *http.Request, pass http.Handler) bool {
			if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, ".gz") || n%7 == 0 {
				return false
			}
			cuts.Add(1)
			pass.ServeHTTP(testkit.CutAfter(w, 30_000), r)
			return true
		},
		"503": func(n int64, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
			if n%2 == 1 {
				testkit.RefuseS3(w, http.StatusServiceUnavailable, "SlowDown", "Slow down.", "")
			}
			return n%2 == 1
		},
	} {
		place := testkit.FaultyS3(t, server, fault)
		tables := testkit.Below(place, "out-"+name)
		status, stdout, stderr = runCLI(t, "process", testkit.Below(place, "in/"), "-o", tables, "--format=csv")
		require.Equal(t, exitOK, status, "%s: %s\n%s", name, stdout, stderr)
		require.Equal(t, want, tablesOf(t, testkit.Below(server, "out-"+name), "s3://archive"), name)
		require.Zero(t, testkit.S3Uploads(t, server))
	}
	require.Positive(t, cuts.Load())

	for pattern, records := range map[string]string{
		"in/*.gz": terminal.Count(int64(records+1)) + " in", "in/9*_1.jsonl.gz": "1 in", "in/m*": "1 in", "in/more": "1 in",
		"in/more/901_1.jsonl.gz": "1 in", "*/more": "1 in",
	} {
		_, stdout, _ = runCLI(t, "process", testkit.Below(server, pattern), "-o", t.TempDir(), "--format=csv")
		require.Contains(t, stdout, records, pattern)
	}
	for args, want := range map[string]string{
		testkit.Below(server, "in/none"):                     "s3://archive/in/none: no file matches",
		"s3://nobody/x?" + strings.SplitN(server, "?", 2)[1]: "there is no bucket nobody: create it",
	} {
		status, _, stderr = runCLI(t, "process", args, "-o", t.TempDir())
		require.Equal(t, exitFailed, status, stderr)
		require.Contains(t, stderr, want)
	}
	status, _, stderr = runCLI(t, "process", testkit.Below(server, "out-none/rejected.jsonl"), "-o",
		testkit.Below(server, "out-none"))
	require.Equal(t, exitFailed, status, stderr)
	require.Contains(t, stderr, "is an input, and a table that would be replaced")
	_, stdout, _ = runCLI(t, "process", server, "-o", testkit.Below(server, "out-cut"), "--format=csv")
	require.NotContains(t, stdout, "out-cut/rejected.jsonl:", "its own output is no input")
}

// A run that fails leaves nothing in storage that looks like a result.
func TestAProcessThatFailsPublishesNothingInStorage(t *testing.T) {
	server := testkit.S3(t)
	dir := writeFiles(t, seasonText(t, 300, 2))
	refused := testkit.FaultyS3(t, server, func(
		_ int64, w http.ResponseWriter, r *http.Request, _ http.Handler,
	) bool {
		isLate := r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "pitchers.csv")
		if isLate {
			testkit.RefuseS3(w, http.StatusForbidden, "ExpiredToken", "The provided token has expired.", "")
		}
		return isLate
	})
	store := putFiles(t, testkit.Below(server, "out"), map[string][]byte{"report.json": []byte("old")})
	status, _, stderr := runCLI(t, "process", dir, "-o", testkit.Below(refused, "out"))
	require.Equal(t, exitFailed, status, stderr)
	require.Contains(t, stderr, "refuses these credentials (ExpiredToken: The provided token has expired)")
	found, err := store.List(t.Context(), "report")
	require.NoError(t, err)
	require.Empty(t, found, "a report says that the tables beside it are complete and of one run")
}

// guard: files: a file in storage with another content begins again
func TestLoadFromStorageContinuesAndSendsAChangedFileAnew(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	server := testkit.S3(t)
	store := putFiles(t, server, map[string][]byte{
		"777_9.jsonl": []byte(pitch("a")), "777_10.jsonl.gz": packed(t, pitch("b")+"\n"+pitch("c")),
	})
	state := "--state=" + filepath.Join(t.TempDir(), "state")
	l := loadInto(t, cluster, state, server)
	require.NoError(t, l.err)
	want := map[string][]string{"777": {pitch("a"), pitch("b"), pitch("c")}}
	require.Equal(t, want, keyed(testkit.RawRecords(t, cluster)))
	l = loadInto(t, cluster, state, server)
	require.NoError(t, l.err)
	require.Equal(t, []string{"0 read = 0 sent + 0 failed"}, lines(l.out, "records"))

	changed := []byte(pitch("x")) // of the same size, and within the second that a list shows
	_, err := store.Put(t.Context(), "777_9.jsonl", changed, blob.Always)
	require.NoError(t, err)
	l = loadInto(t, cluster, state, server)
	require.NoError(t, l.err)
	require.Equal(t, []string{"1 read = 1 sent + 0 failed"}, lines(l.out, "records"))
	require.Equal(t, append(want["777"], pitch("x")), keyed(testkit.RawRecords(t, cluster))["777"])
}

func TestAFileInStorageThatChangesWhileItIsReadIsAnError(t *testing.T) {
	server := testkit.S3(t)
	text := strings.Repeat(pitch(uuid(1))+"\n", 20_000)
	store := putFiles(t, server, map[string][]byte{"1_1.jsonl": []byte(text)})
	var isChanged atomic.Bool
	place := testkit.FaultyS3(t, server, func(
		_ int64, w http.ResponseWriter, r *http.Request, pass http.Handler,
	) bool {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, ".jsonl") && !isChanged.Swap(true) {
			pass.ServeHTTP(afterwards{testkit.CutAfter(w, 300_000), func() {
				_, err := store.Put(t.Context(), "1_1.jsonl", []byte(strings.ToUpper(text)), blob.Always)
				require.NoError(t, err)
			}}, r)
			return true
		}
		return false
	})
	out := t.TempDir()
	status, _, stderr := runCLI(t, "process", place, "-o", out)
	require.Equal(t, exitFailed, status, stderr)
	require.Contains(t, stderr, "1 input could not be read")
	report, err := os.ReadFile(filepath.Join(out, "report.json"))
	require.NoError(t, err)
	require.Contains(t, string(report), "another process has changed the file")
}

// afterwards calls then before the first byte of an answer.
type afterwards struct {
	http.ResponseWriter
	then func()
}

func (a afterwards) Write(p []byte) (int, error) {
	a.then()
	return a.ResponseWriter.Write(p)
}

// guard: files: a segment that its manifest does not list is not read
// guard: files: a segment that is gone is a failure
// guard: files: a segment that differs from its manifest is not read
func TestProcessReadsTheSegmentsOfAnArchive(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	for _, place := range []string{testkit.Below(testkit.S3(t), "raw"), t.TempDir()} {
		t.Run(fmt.Sprintf("remote %t", blob.IsURL(place)), func(t *testing.T) {
			dir := writeFiles(t, seasonText(t, 900, 3))
			require.NoError(t, loadInto(t, cluster, dir).err)
			sent := len(all(testkit.RawRecords(t, cluster)))
			status, stdout, stderr := runCLI(t, "archive", "--once", "--archive="+place,
				"--archive-segment-bytes=64KiB", "--kafka-brokers="+cluster.ListenAddrs()[0])
			require.Equal(t, exitOK, status, "%s\n%s", stdout, stderr)
			process := func() (int, string) {
				status, stdout, stderr := runCLI(t, "process", place, "-o", t.TempDir(), "--format=csv")
				return status, stdout + stderr
			}
			status, said := process()
			require.Equal(t, exitOK, status, said)
			require.Contains(t, said, fmt.Sprintf("%s in = ", terminal.Count(int64(sent))))
			require.Contains(t, said, "+ 0 rejected")
			require.NotContains(t, said, "  input")

			store, err := blob.Open(place)
			require.NoError(t, err)
			found, err := store.List(t.Context(), "")
			require.NoError(t, err)
			var segments []string
			for _, o := range found {
				if strings.HasSuffix(o.Name, ".zst") {
					segments = append(segments, o.Name)
				}
			}
			require.Greater(t, len(segments), 3)
			content, _, err := store.Read(t.Context(), segments[0], 1<<20)
			require.NoError(t, err)
			last := segments[len(segments)-1] // as a merge that was killed leaves one
			stray := last[:strings.LastIndex(last, "/")] + fmt.Sprintf("/%020d-%020d.jsonl.zst", 1<<40, 1<<40+9)
			putFiles(t, place, map[string][]byte{stray: content})
			status, said = process()
			require.Equal(t, exitOK, status, said)
			require.Contains(t, said, fmt.Sprintf("%s in = ", terminal.Count(int64(sent))))
			require.Contains(t, said, "the manifest beside it does not list it")

			putFiles(t, place, map[string][]byte{segments[0]: append(content[:len(content)-1:len(content)-1], 0)})
			status, said = process()
			require.Equal(t, exitFailed, status, said)
			require.Contains(t, said, "it is not the segment that the manifest beside it lists")
			require.NoError(t, store.Delete(t.Context(), segments[0]))
			status, said = process()
			require.Equal(t, exitFailed, status, said)
			require.Contains(t, said, "the manifest beside it lists it, and it is not there")
		})
	}
}

func TestExportWritesStorageAsItDoesFolders(t *testing.T) {
	l := newLake(t)
	status, said := l.export()
	require.Equal(t, exitOK, status, said)
	want := map[string]string{}
	for _, name := range l.files() {
		want[name] = string(readFile(t, l.dir, name))
	}
	server := testkit.S3(t)
	contents := func() map[string]string {
		store, err := blob.Open(testkit.Below(server, "lake"))
		require.NoError(t, err)
		found, err := store.List(t.Context(), "")
		require.NoError(t, err)
		got := map[string]string{}
		for _, o := range found {
			text, _, err := store.Read(t.Context(), o.Name, 1<<28)
			require.NoError(t, err)
			got[o.Name] = string(text)
		}
		return got
	}
	dates := 0
	l.dir = testkit.Below(testkit.FaultyS3(t, server,
		func(_ int64, w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			isPart := r.Method == http.MethodPut
			if isPart {
				dates++
			}
			if isPart && dates > 2 {
				testkit.RefuseS3(w, http.StatusForbidden, "ExpiredToken", "The provided token has expired.", "")
			}
			return isPart && dates > 2
		}), "lake")
	status, said = l.export()
	require.Equal(t, exitFailed, status, said)
	require.Contains(t, said, "refuses these credentials (ExpiredToken")
	require.Len(t, contents(), 2)

	l.dir = testkit.Below(server, "lake")
	status, said = l.export()
	require.Equal(t, exitOK, status, said)
	require.Contains(t, said, "2 dates were there already, and skipped")
	require.Equal(t, want, contents())
	status, said = l.export("--overwrite")
	require.Equal(t, exitOK, status, said)
	require.Contains(t, said, "exported 200 pitches of 4 dates, ")
	require.Equal(t, want, contents())
}
