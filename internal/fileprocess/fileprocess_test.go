package fileprocess

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pitch returns a small record of the nth pitch, as a line.
func pitch(n int) string {
	return fmt.Sprintf(`{"summary_acts":{"pitch":{"eventId":"00000000-0000-4000-8000-%012d","result":"Ball"}}}`+"\n", n)
}

// pitches reads as an endless file of pitches.
type pitches struct {
	next int
	left []byte
}

func (r *pitches) Read(b []byte) (int, error) {
	if len(r.left) == 0 {
		r.left = []byte(pitch(r.next))
		r.next++
	}
	n := copy(b, r.left)
	r.left = r.left[n:]
	return n, nil
}

func options(t *testing.T, workers int, paths ...string) Options {
	t.Helper()
	return Options{
		Paths: paths, Output: t.TempDir(), Format: fileoutput.CSV, Workers: workers, MaxRecordBytes: 1 << 20,
	}
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestTheRealRecordsBecomeTheSameTablesWithAnyNumberOfWorkers(t *testing.T) {
	var tables []string
	for _, workers := range []int{1, 3} {
		o := options(t, workers, testkit.Hawkeye(t))
		r, err := Run(t.Context(), o)
		require.NoError(t, err)
		n := r.Records
		require.Equal(t, []int64{12, 12, 0, 0}, []int64{n.In, n.Rows, n.Superseded, n.Rejected})
		files := []string{BattersName, PitchersName, RejectedName, ReportName, fileoutput.CSV.FileName()}
		require.Equal(t, files, names(t, o.Output))
		rows, err := os.ReadFile(filepath.Join(o.Output, fileoutput.CSV.FileName()))
		require.NoError(t, err)
		tables = append(tables, string(rows))
	}
	require.Equal(t, tables[0], tables[1])
}

func TestACancelledRunLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := options(t, 1, testkit.Hawkeye(t))
	_, err := Run(ctx, o)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, names(t, o.Output))
}

// The run must end although the input is a pipe that never moves again.
func TestARunThatCannotWriteEnds(t *testing.T) {
	for _, workers := range []int{1, 3} {
		in, out := io.Pipe()
		o := options(t, workers, fileinput.Stdin)
		o.Stdin = in
		p, err := open(t.Context(), o)
		require.NoError(t, err)
		file, err := p.folder.Scratch(spoolName)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		p.spool = fileoutput.NewSpool(file)
		ended := make(chan error)
		go func() { ended <- p.readAll(t.Context()) }()
		copied := make(chan struct{})
		go func() {
			defer close(copied)
			_, _ = io.CopyN(out, &pitches{}, 2*chunkBytes) // more than the spool buffers
		}()
		require.ErrorIs(t, <-ended, os.ErrClosed)
		require.NoError(t, in.Close())
		<-copied
		require.NoError(t, p.close())
		require.Empty(t, names(t, o.Output))
	}
}

func TestTablesThatDoNotBalanceAreNotPublished(t *testing.T) {
	path := filepath.Join(t.TempDir(), "1_1.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(pitch(1)), 0o644))
	o := options(t, 1, path)
	p, err := open(t.Context(), o)
	require.NoError(t, err)
	p.report.Records.In = 7 // as if records had been lost
	_, err = p.run(t.Context())
	require.ErrorContains(t, err,
		"the counts do not balance, so nothing is published: 8 records in, 1 rows + 0 superseded + 0 rejected")
	require.NoError(t, p.close())
	require.Empty(t, names(t, o.Output))
}

// An empty input is more often a download that failed than a day without games.
//
// guard: process: an empty input replaces no tables
func TestAnEmptyInputLeavesTheTablesOfAnEarlierRun(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"1_1.jsonl": pitch(1), "empty/2_1.jsonl": " \n", "readme/README": "# hello\n", "broken/x.gz": "PAR1"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "none"), 0o755))
	o := options(t, 1, filepath.Join(dir, "1_1.jsonl"))
	_, err := Run(t.Context(), o)
	require.NoError(t, err)
	before, err := os.ReadFile(filepath.Join(o.Output, fileoutput.CSV.FileName()))
	require.NoError(t, err)
	for input, want := range map[string]string{
		"empty": "2_1.jsonl: holds no record", "readme": "README: not read: its content is no JSON", "none": "(0 files)",
		"broken": "a Parquet file", fileinput.Stdin: "found in - (-: holds no record)",
	} {
		o.Paths, o.Stdin = []string{input}, strings.NewReader("")
		if input != fileinput.Stdin {
			o.Paths = []string{filepath.Join(dir, input)}
		}
		_, err = Run(t.Context(), o)
		require.ErrorContains(t, err, "nothing was written, and earlier tables are as they were: no record was found in ")
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "give --allow-empty")
		after, err := os.ReadFile(filepath.Join(o.Output, fileoutput.CSV.FileName()))
		require.NoError(t, err)
		require.Equal(t, string(before), string(after))
	}
	o.Paths, o.AllowEmpty = []string{filepath.Join(dir, "none")}, true
	_, err = Run(t.Context(), o)
	require.NoError(t, err)
	after, err := os.ReadFile(filepath.Join(o.Output, fileoutput.CSV.FileName()))
	require.NoError(t, err)
	require.NotContains(t, string(after), "00000000-0000-4000-8000-000000000001")
}

// guard: process: a time before 1970 is a time
func TestAnEventTimeBefore1970IsInTheRows(t *testing.T) {
	o := options(t, 1, fileinput.Stdin)
	o.Format = "jsonl"
	o.Stdin = strings.NewReader(fmt.Sprintf(`{"key":"1","headers":{"event_time":"1969-12-31T23:59:59.999Z"},"value":%q}`,
		pitch(1)))
	_, err := Run(t.Context(), o)
	require.NoError(t, err)
	rows, err := os.ReadFile(filepath.Join(o.Output, "rows.jsonl"))
	require.NoError(t, err)
	require.Contains(t, string(rows), `"event_time":"1969-12-31T23:59:59.999Z"`)
}

// The later line of a file need not be the newer record, because kcat reads one partition after the other.
//
// guard: process: a row keeps the version of its record
func TestTheLastPitchIsTheNewestVersionOfItsTime(t *testing.T) {
	line := func(n, timestampMS int, headers string) string {
		return fmt.Sprintf(`{"key":"1","headers":{"batter_id":"5","pitcher_id":"6","event_time":"2024-09-28T19:00:00Z"%s},`+
			`"timestamp_ms":%d,"value":%q}`+"\n", headers, timestampMS, pitch(n))
	}
	plain := `{"key":"1","headers":{"batter_id":"5","pitcher_id":"6","event_time":"2024-09-28T19:00:00Z"},"value":%q}` + "\n"
	for name, c := range map[string]struct {
		text string
		last int
	}{
		"the later timestamp comes first":  {line(1, 2000, "") + line(2, 1000, ""), 1},
		"the later timestamp comes last":   {line(1, 1000, "") + line(2, 2000, ""), 2},
		"a revision goes before":           {line(1, 1000, `,"revision":"1"`) + line(2, 2000, ""), 1},
		"the same version":                 {line(1, 1000, "") + line(2, 1000, ""), 2},
		"none has a version":               {fmt.Sprintf(plain, pitch(1)) + fmt.Sprintf(plain, pitch(2)), 2},
		"a line without one is sent later": {fmt.Sprintf(plain, pitch(1)) + line(2, 2000, ""), 1},
	} {
		o := options(t, 1, fileinput.Stdin)
		o.Stdin = strings.NewReader(c.text)
		_, err := Run(t.Context(), o)
		require.NoError(t, err)
		for _, table := range []string{BattersName, PitchersName} {
			text, err := os.ReadFile(filepath.Join(o.Output, table))
			require.NoError(t, err)
			require.Contains(t, string(text), fmt.Sprintf(`""pitch_id"":""00000000-0000-4000-8000-%012d""`, c.last), name)
		}
	}
}
