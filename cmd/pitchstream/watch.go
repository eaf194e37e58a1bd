package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"pitchstream/consumer"
	"pitchstream/internal/obs"
	"pitchstream/schemas"
	"pitchstream/sink/pgsink"
)

// watch is where the processor's rooms meet those who look after it: it tells metrics and health what the consumer says.
type watch struct {
	metrics *obs.Metrics
	health  *obs.Health
	log     *slog.Logger
	command any // whose settings an error is explained with; nil: none
	at      positions
	work    *work
}

func newWatch(log *slog.Logger) *watch {
	codes := make([]string, len(schemas.Codes))
	for i, c := range schemas.Codes {
		codes[i] = string(c)
	}
	m := obs.NewMetrics(buildName(), codes...)
	return &watch{metrics: m, health: obs.NewHealth(log, m, "assigned", "postgres"), log: log, work: newWork(time.Now())}
}

func (w *watch) Step(step string, took time.Duration) {
	w.metrics.Step(step, took)
	w.work.step(time.Now(), obs.StepName(step), took)
}

func (w *watch) Lag(topic string, partition int32, records int64) {
	w.metrics.Lag(topic, partition, records)
	w.work.lags(partition, records)
	if records < 0 {
		w.at.drop(partition)
	}
}

func (w *watch) Position(_ string, partition int32, next int64, waits time.Time) {
	w.at.set(partition, next, waits)
}

func (w *watch) Condition(name string, ok bool, reason string) {
	if name == "kafka" && !ok {
		reason = explained(w.command, errors.New(reason))
	}
	w.health.Set(name, ok, reason)
	if name == "breaker" {
		w.metrics.Breaker(!ok)
		w.work.held(heldBy(ok, reason))
	}
}

func heldBy(ok bool, reason string) string {
	if ok {
		return ""
	}
	return reason
}

func (w *watch) Batch(s consumer.BatchSummary) {
	w.metrics.Committed(s.Records, s.Bytes, s.Rows, s.Lost)
	w.work.batch(time.Now(), s)
	for code, n := range s.Letters {
		w.metrics.Letters(string(code), n)
	}
	w.log.Debug("batch", "records", s.Records, "bytes", s.Bytes, "rows", s.Rows, "deletes", s.Deletes,
		"identifies", s.Identifies, "lost", s.Lost, "letters", s.Letters, "took", s.Took)
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

// quiet is the log of a Kafka client: it tells of every transaction at the level where we tell of what matters.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(quietHandler{log.Handler()}) }

type quietHandler struct{ slog.Handler }

func (h quietHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.Handler.Enabled(ctx, level-4)
}

func (h quietHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Level -= 4 // what the client calls information is debugging here, a warning is information
	return h.Handler.Handle(ctx, r)
}

func (h quietHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quietHandler{h.Handler.WithAttrs(attrs)}
}

func (h quietHandler) WithGroup(name string) slog.Handler {
	return quietHandler{h.Handler.WithGroup(name)}
}
