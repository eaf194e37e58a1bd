package obs

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSummaryShowsRatesAndIsSilentWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewProcessorMetrics("dev", nil, nil)
		lines := make(lineWriter, 1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); m.Summarize(ctx, plain(lines)) }()
		synctest.Wait()
		wait := func() string { // returns the line of the next ten seconds
			<-time.After(summaryEvery)
			synctest.Wait()
			select {
			case line := <-lines:
				return line
			default:
				return ""
			}
		}

		m.Lag("pitches.raw", 0, 7)
		m.Committed(1200, 120_000_000, 1100, 90)
		m.DeadLetters("too_large", 1)
		require.Equal(t, "msg=processed records_per_s=120 mb_per_s=12 lag_records=7 records=1200 rows=1100 superseded=90 dead_letters=1\n", wait())

		require.Equal(t, "msg=processed records_per_s=0 mb_per_s=0 lag_records=7 records=1200 rows=1100 superseded=90 dead_letters=1\n", wait(),
			"nothing moves though records wait: worth a line, each time")
		require.NotEmpty(t, wait())

		m.Lag("pitches.raw", 0, 0)
		require.Contains(t, wait(), "lag_records=0")
		require.Contains(t, wait(), "records_per_s=0")
		require.Empty(t, wait(), "idle, and said so")
		require.Empty(t, wait())

		m.Committed(5, 100, 5, 0)
		require.Contains(t, wait(), "records_per_s=0.5 mb_per_s=0 lag_records=0 records=1205")
		m.Committed(10, 100, 5, 0)
		<-time.After(2 * time.Second)
		cancel()
		<-done
		require.Equal(t, "msg=\"processed, ending\" records_per_s=5 mb_per_s=0 lag_records=0 records=1215 rows=1110 superseded=90 dead_letters=1\n", <-lines)
	})
}

// lineWriter sends each line to a channel.
type lineWriter chan string

func (w lineWriter) Write(b []byte) (int, error) { w <- string(b); return len(b), nil }

// plain writes log lines without time and level.
func plain(out io.Writer) *slog.Logger {
	drop := func(_ []string, a slog.Attr) slog.Attr {
		if strings.Contains("time level", a.Key) {
			return slog.Attr{}
		}
		return a
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: drop}))
}
