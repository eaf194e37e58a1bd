package obs

import (
	"context"
	"log/slog"
	"math"
	"time"
)

// summaryEvery is the time between two summaries.
const summaryEvery = 10 * time.Second

// Summarize logs one line each summaryEvery: rates over that time, the lag, and the counts since the start.
// An idle process logs one line and is silent until work comes. It returns when ctx is done, after a last
// line.
func (m *Metrics) Summarize(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(summaryEvery)
	defer tick.Stop()
	last, at, idle := m.Totals(), time.Now(), false
	for {
		select {
		case <-ctx.Done():
			now := m.Totals()
			log.Info("processed, ending", now.attrs(last, time.Since(at))...)
			return
		case <-tick.C:
		}
		now, wasIdle := m.Totals(), idle
		idle = now == last && now.LagRecords == 0
		if !idle || !wasIdle {
			log.Info("processed", now.attrs(last, time.Since(at))...)
		}
		last, at = now, time.Now()
	}
}

// attrs returns the attributes of the line: rates since last, and totals.
func (t Totals) attrs(last Totals, elapsed time.Duration) []any {
	perSecond := func(n int64) float64 {
		if elapsed <= 0 {
			return 0
		}
		return math.Round(float64(n)/elapsed.Seconds()*10) / 10
	}
	return []any{
		"records_per_s", perSecond(t.Records - last.Records),
		"mb_per_s", math.Round(perSecond(t.Bytes-last.Bytes)/1e5) / 10,
		"lag_records", t.LagRecords,
		"records", t.Records, "rows", t.Rows, "superseded", t.Superseded, "dead_letters", t.DeadLetters,
	}
}
