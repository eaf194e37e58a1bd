package terminal

import (
	"io"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// written receives the output, one write after the other.
type written chan string

func (w written) Write(b []byte) (int, error) {
	w <- string(b)
	return len(b), nil
}

// until returns the output up to and including the write that contains words. It fails after a minute.
func (w written) until(t *testing.T, words string) (text string) {
	t.Helper()
	for limit := time.After(time.Minute); !strings.Contains(text, words); {
		select {
		case piece := <-w:
			text += piece
		case <-limit:
			require.Contains(t, text, words)
		}
	}
	return text
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWithoutATerminalALineIsWrittenEveryFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, begun := make(written, 10), time.Now()
		p := StartProgress(out, ProgressOptions{Title: "load", TotalBytes: 10e9})
		defer p.Stop()
		require.Equal(t, "load: 0 records (0/s), 0 B of 10.0 GB (0 B/s), 0%\n", out.until(t, "\n"))
		p.AddRecords(12_000)
		p.SetBytes(1.1e9)
		p.Note("load: a word between")
		require.Equal(t, "load: a word between\n", out.until(t, "\n"))
		require.Equal(t, 5*time.Second, time.Since(begun), "at once")
		require.Equal(t, "load: 12,000 records (2,400/s), 1.1 GB of 10.0 GB (220.0 MB/s), 11%, 41s left\n", out.until(t, "\n"))
		p.AddRecords(12_000)
		p.AddBytes(1.1e9)
		require.Equal(t, "load: 24,000 records (2,400/s), 2.2 GB of 10.0 GB (220.0 MB/s), 22%, 36s left\n", out.until(t, "\n"))
		require.Equal(t, 15*time.Second, time.Since(begun))
		p.Stop()
		select {
		case line := <-out:
			t.Errorf("written after Stop: %s", line)
		case <-time.After(time.Minute):
		}
	})
}

func TestProgressIsDescribedInOneLine(t *testing.T) {
	for _, c := range []struct {
		name           string
		o              ProgressOptions
		records, bytes int64
		want           string
	}{
		{"nothing known", ProgressOptions{}, 1_234_567, 0, "1,234,567 records (123,457/s)"},
		{"bytes, no total", ProgressOptions{}, 10, 2500, "10 records (1/s), 2.5 kB (250 B/s)"},
		{"records", ProgressOptions{TotalRecords: 2000, Noun: "pitches"}, 500, 0, "500 of 2,000 pitches (50/s), 25%, 30s left"},
		{"both: bytes decide the share", ProgressOptions{TotalRecords: 10, TotalBytes: 1000}, 9, 100, "9 of 10 records (1/s), 100 B of 1.0 kB (10 B/s), 10%, 1m30s left"},
		{"done", ProgressOptions{TotalRecords: 10}, 10, 0, "10 of 10 records (1/s), 100%"},
		{"half was done before", ProgressOptions{TotalRecords: 2000, Done: 1000}, 100, 0, "1,100 of 2,000 records (10/s), 55%, 1m30s left"},
		{"more than all", ProgressOptions{TotalRecords: 10}, 20, 0, "20 of 10 records (2/s), 100%"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := StartProgress(io.Discard, c.o)
				defer p.Stop()
				p.AddRecords(c.records)
				p.SetBytes(c.bytes)
				require.Equal(t, c.want, p.text(time.Now().Add(10*time.Second)))
			})
		})
	}
}

func TestARateForgetsWhatWasLongAgo(t *testing.T) {
	var m meter
	at := time.Unix(0, 0)
	m.at = at
	count := int64(0)
	tick := func(perSecond int64) (rate float64) {
		at, count = at.Add(time.Second), count+perSecond
		return m.update(at, count)
	}
	require.Equal(t, 100.0, tick(100))
	require.Equal(t, 100.0, m.update(at, count), "no time has passed")
	for range 60 {
		tick(1000)
	}
	require.InDelta(t, 1000, tick(1000), 20)
}

func TestOnATerminalABarIsDrawnBelowTheNotesAndRemovedAtTheEnd(t *testing.T) {
	for name, o := range map[string]ProgressOptions{"known": {Title: "load", TotalRecords: 200}, "unknown": {Title: "load"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, count := make(written, 1000), map[string]string{"known": " of 200"}[name]+" records ("
				p := newProgress(out, o)
				p.startBar()
				p.AddRecords(100)
				out.until(t, "100"+count)
				p.Note("load: a word above")
				out.until(t, "load: a word above\n")
				p.AddRecords(100)
				out.until(t, "200"+count)
				p.Stop()
				p.Stop()
				p.Note("after")
				text := out.until(t, "after\n")
				synctest.Wait()
				require.Empty(t, out)
				require.True(t, strings.HasSuffix(text, "after\n"), "%q", text)
			})
		})
	}
}

func TestCountsSizesAndDurationsAsText(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1_000_001: "1,000,001", -1234: "-1,234"} {
		require.Equal(t, want, Count(n))
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB", 1.1e9: "1.1 GB", 5e15: "5000.0 TB"} {
		require.Equal(t, want, Bytes(n))
	}
	for s, want := range map[float64]string{0: "0s", 0.1: "1s", 59: "59s", 59.5: "1m00s", 250: "4m10s", 3600: "1h00m", 11_100: "3h05m", math.Inf(1): "277777h46m"} {
		require.Equal(t, want, Duration(s))
	}
	require.Equal(t, "1 input", Counted(1, "input"))
	require.Equal(t, "0 inputs", Counted(0, "input"))
	require.Equal(t, "2,000 records have", Counted(2000, "record has", "records have"))
}
