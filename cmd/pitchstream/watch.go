package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// watch is where the processor's rooms meet those who look after it: it tells metrics and health what the consumer says.
type watch struct {
	metrics *obs.Metrics
	health  *obs.Health
	log     *slog.Logger
	command any // whose settings an error is explained with; nil: none
	at      positions
	work    *work
	traces  *obs.Tracer // nil: none
}

func newWatch(log *slog.Logger) *watch {
	codes := make([]string, len(schemas.Codes))
	for i, c := range schemas.Codes {
		codes[i] = string(c)
	}
	columns := []string{"bat_samples"} // whose issues are of the samples, and of no column of a row
	for _, c := range schemas.StoredColumns {
		columns = append(columns, c.Name)
	}
	m := obs.NewProcessorMetrics(buildName(), codes, columns)
	return &watch{metrics: m, health: obs.NewHealth(log, m, "assigned", "postgres"), log: log, work: newWork(time.Now())}
}

func (w *watch) BatchStarted() { w.traces.Began() }

// Polled links the batch to what its records' producers were doing.
func (w *watch) Polled(records []*kgo.Record) {
	if !w.traces.Recording() {
		return
	}
	for _, r := range records {
		for _, h := range r.Headers {
			if h.Key == "traceparent" {
				w.traces.Link(string(h.Value))
			}
		}
	}
}

func (w *watch) Step(step string, took time.Duration) {
	w.metrics.Step(step, took, w.traces.Step(obs.StepName(step), took))
	w.work.step(time.Now(), obs.StepName(step), took)
}

func (w *watch) Readable(_ string, _ int32, newest time.Time) { w.metrics.Shown(newest, time.Now()) }

func (w *watch) Lag(topic string, partition int32, records int64) {
	w.metrics.Lag(topic, partition, records)
	w.work.lags(partition, records)
	if records < 0 {
		w.at.drop(partition)
	}
}

func (w *watch) Position(topic string, partition int32, next int64, waits time.Time) {
	w.metrics.Position(topic, partition, next, waits)
	w.at.set(partition, next, waits)
}

func (w *watch) Condition(name string, ok bool, reason string) {
	if name == "kafka" && !ok {
		reason = explained(w.command, errors.New(reason))
	}
	w.health.Set(name, ok, reason)
	switch name {
	case "breaker":
		w.metrics.Breaker(!ok)
		w.work.held(heldBy(ok, reason))
	case "postgres":
		w.metrics.Up(name, ok)
		if !ok {
			w.metrics.Failed(name)
		}
	}
}

func heldBy(ok bool, reason string) string {
	if ok {
		return ""
	}
	return reason
}

func (w *watch) Batch(s consumer.BatchSummary) {
	traceID := w.traces.Committed(map[string]int64{"records": int64(s.Records), "bytes": s.Bytes, "rows": int64(s.Rows), "lost": int64(s.Superseded)})
	w.metrics.Committed(s.Records, s.Bytes, s.Rows, s.Superseded)
	w.metrics.Issues(s.Issues)
	w.work.batch(time.Now(), s)
	for code, n := range s.DeadLetters {
		w.metrics.Letters(string(code), n)
	}
	words := []any{"records", s.Records, "bytes", s.Bytes, "rows", s.Rows, "deletes", s.Deletes,
		"identifies", s.Identifies, "lost", s.Superseded, "letters", s.DeadLetters, "took", s.Took}
	if traceID != "" {
		words = append(words, "trace_id", traceID)
	}
	w.log.Debug("batch", words...)
}

// pingEvery is how often the store is asked whether it is there, while no batch asks.
const pingEvery = 5 * time.Second

// postgres keeps the health's check of the store: a processor without partitions writes nothing, and must still know.
func (w *watch) postgres(store *pgsink.Sink) func(context.Context) error {
	return func(ctx context.Context) error {
		tick := time.NewTicker(pingEvery)
		defer tick.Stop()
		for {
			ping, cancel := context.WithTimeout(ctx, pingEvery)
			err := store.Ping(ping)
			cancel()
			if ctx.Err() != nil {
				return nil
			}
			w.metrics.Up("postgres", err == nil)
			if err != nil {
				w.health.Set("postgres", false, explained(w.command, err))
			} else {
				w.health.Set("postgres", true, "")
			}
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
	}
}

// redis are the hooks that tell of the view; changed is told too.
func (w *watch) redis(changed func(redissink.State)) redissink.Hooks {
	return redissink.Hooks{
		Pushed: func(_ int, _ time.Duration, err error) {
			if err != nil {
				w.metrics.Failed("redis")
			}
		},
		Skipped: func(int) { w.metrics.Skipped() },
		Swept: func(r redissink.SweepReport, _ time.Duration, err error) {
			outcome := "ok"
			if errors.Is(err, redissink.ErrSweeping) {
				outcome = "elsewhere"
			} else if err != nil {
				outcome = "failed"
			}
			w.metrics.Swept(outcome, r.Mended+r.Dropped)
		},
		Changed: func(s redissink.State) {
			w.metrics.Phase(string(s.Phase))
			changed(s)
		},
	}
}
