package processor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// Observer passes what the consumer reports on to metrics, health, traces, the log and the heartbeats. Its
// methods may be called by many goroutines.
type Observer struct {
	Metrics *obs.Metrics
	health  *obs.Health
	log     *slog.Logger
	hint    func(error) string
	work    *activity
	traces  *obs.Tracer
	refused atomic.Value // the hint for the reason why Redis is not written to that was logged last
	arrival sync.Once    // logs the first record whose time the topic has replaced
	failed  atomic.Value // when a write to Postgres failed last, a time.Time; zero: a later one succeeded
	unknown atomic.Value // the note about migrations that was logged last
	absence absence      // why Postgres cannot be used
}

// NewObserver returns an observer with metrics of its own. hint is Options.Hint.
func NewObserver(log *slog.Logger, hint func(error) string) *Observer {
	codes := schemas.Map(schemas.Codes, func(c schemas.Code) string { return string(c) })
	columns := schemas.Map(schemas.StoredColumns, schemas.ColumnName)
	columns = append(columns, "bat_samples") // issues of the samples, which are no column of a row
	m := obs.NewProcessorMetrics(obs.Build(), codes, columns)
	if hint == nil {
		hint = func(error) string { return "" }
	}
	return &Observer{
		Metrics: m, health: obs.NewHealth(log, m, "assigned", "postgres"), log: log, hint: hint,
		work: newActivity(time.Now()), traces: &obs.Tracer{},
	}
}

// withHint returns the text of an error, with its remedy where one is known.
func (w *Observer) withHint(err error) string {
	if hint := w.hint(err); hint != "" {
		return err.Error() + "; " + hint
	}
	return err.Error()
}

// BatchStarted starts the trace of a batch.
func (w *Observer) BatchStarted() { w.traces.Began() }

// Polled links the batch's trace to those of its records' producers. It counts the records whose time the
// topic has replaced by that of their arrival, and logs the first.
func (w *Observer) Polled(records []*kgo.Record) {
	replaced := 0
	for _, r := range records {
		if r.Attrs.TimestampType() == 1 {
			replaced++
		}
	}
	// guard: records with the time of their arrival are counted
	if replaced > 0 {
		w.Metrics.ArrivalTimes(replaced)
		w.arrival.Do(func() {
			w.log.Warn("the topic replaces the times of records by those of their arrival "+
				"(message.timestamp.type=LogAppendTime): an old version that is sent late wins over a newer one",
				"topic", records[0].Topic, "repair", "pitchstream topics --check prints the command")
		})
	}
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

// Step observes the time that a batch spent in a step.
func (w *Observer) Step(step string, took time.Duration) {
	w.Metrics.Step(step, took, w.traces.Step(step, took))
	w.work.step(time.Now(), step, took)
}

// Readable observes the delay of the newest record that readers can see.
func (w *Observer) Readable(_ string, _ int32, newest time.Time) { w.Metrics.Shown(newest, time.Now()) }

// Lag sets the lag of a partition; below 0 it is no longer owned.
func (w *Observer) Lag(topic string, partition int32, records int64) {
	w.Metrics.Lag(topic, partition, records)
	w.work.lags(partition, records)
}

// Position sets how far readers can see in a partition, and since when a record waits there.
func (w *Observer) Position(topic string, partition int32, next int64, waits time.Time) {
	w.Metrics.Position(topic, partition, next, waits)
	w.work.moved(partition, next, waits)
}

// Condition records the outcome of a health check of the consumer.
func (w *Observer) Condition(name string, ok bool, reason string) {
	if (name == "kafka" || name == "postgres") && !ok {
		reason = w.withHint(errors.New(reason))
	}
	w.health.Set(name, ok, reason)
	switch name {
	case "breaker":
		w.Metrics.Breaker(!ok)
		if ok {
			reason = ""
		}
		w.work.held(reason)
	case "postgres":
		w.Metrics.Up(name, ok)
		if ok {
			w.failed.Store(time.Time{})
		} else {
			w.failed.Store(time.Now())
			w.Metrics.Failed(name)
		}
	}
}

// Batch counts a committed batch and ends its trace.
func (w *Observer) Batch(s consumer.BatchSummary) {
	traceID := w.traces.Committed(map[string]int64{
		"records": int64(s.Records), "bytes": s.Bytes, "rows": int64(s.Rows), "superseded": int64(s.Superseded),
	})
	w.Metrics.Committed(s.Records, s.Bytes, s.Rows, s.Superseded)
	w.Metrics.Issues(s.Issues)
	w.work.batch(time.Now(), s)
	for code, n := range s.DeadLetters {
		w.Metrics.DeadLetters(string(code), n)
	}
	attrs := []any{"records", s.Records, "bytes", s.Bytes, "rows", s.Rows, "deletes", s.Deletes,
		"identifies", s.Identifies, "superseded", s.Superseded, "dead_letters", s.DeadLetters, "took", s.Took}
	if traceID != "" {
		attrs = append(attrs, "trace_id", traceID)
	}
	w.log.Debug("batch", attrs...)
}

// pingEvery is the time between two checks of Postgres, and the timeout of one; pingSoon is the time after
// one that failed.
const (
	pingEvery = 5 * time.Second
	pingSoon  = time.Second
)

// pingPostgres returns a loop that checks whether Postgres answers and has the migrations of this build: a
// processor without partitions writes nothing, and must still know. It closes migrated after the first check
// that passes. It returns an error for a database that this build must not use.
func (w *Observer) pingPostgres(store *pgsink.Sink, migrated chan<- struct{}) func(context.Context) error {
	return func(ctx context.Context) error {
		known := sync.OnceFunc(func() { close(migrated) })
		tick := time.NewTimer(0)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			ping, cancel := context.WithTimeout(ctx, pingEvery)
			unknown, err := store.DB().CheckMigrations(ping)
			cancel()
			switch {
			case ctx.Err() != nil:
				return nil
			case errors.Is(err, pgsink.ErrEncoding), errors.Is(err, pgsink.ErrNewerSchema):
				return err
			}
			w.pinged(time.Now(), err)
			if err != nil {
				tick.Reset(pingSoon)
				continue
			}
			w.noteUnknown(unknown)
			known()
			tick.Reset(pingEvery)
		}
	}
}

// refusedFor is how long a refused write counts if nothing more is heard of it: an attempt takes less, and
// its partition may be another processor's by then.
const refusedFor = 35 * time.Second

// pinged records the outcome of a check of Postgres. A server that answers may refuse every write, as with a
// full disk, so that it does not end the fault of a write.
func (w *Observer) pinged(now time.Time, err error) {
	w.logAbsence(now, err)
	switch {
	case err != nil:
		w.health.Set("postgres", false, w.withHint(err))
	// guard: postgres: a server that refuses writes is not ready | now.Sub(w.writeFailed()) < refusedFor -> false
	case now.Sub(w.writeFailed()) < refusedFor:
		return
	default:
		w.health.Set("postgres", true, "")
	}
	w.Metrics.Up("postgres", err == nil)
}

// An absence of Postgres is logged with absenceTexts different reasons at once, and then with a new one after
// absenceQuiet. A text may have the port of its connection, so that each check has another.
const (
	absenceTexts = 8
	absenceQuiet = time.Minute
)

// absence has the reasons why Postgres cannot be used that were logged since it could be used.
type absence struct {
	mu     sync.Mutex
	logged map[string]bool // guarded by mu; nil: it can be used
	last   time.Time       // guarded by mu; when one was logged
}

// mustLog reports whether a reason is to be logged, and counts it as logged.
func (a *absence) mustLog(now time.Time, why string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	// guard: the log of an absence is bounded | len(a.logged) >= absenceTexts && now.Sub(a.last) < absenceQuiet -> false
	isEnough := len(a.logged) >= absenceTexts && now.Sub(a.last) < absenceQuiet
	// guard: a processor that waits for Postgres logs why | a.logged[why] || isEnough -> true
	if a.logged[why] || isEnough {
		return false
	}
	if len(a.logged) < absenceTexts {
		if a.logged == nil {
			a.logged = map[string]bool{}
		}
		a.logged[why] = true
	}
	a.last = now
	return true
}

// end reports whether there was an absence, and ends it.
func (a *absence) end() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	was := a.logged != nil
	a.logged = nil
	return was
}

// logAbsence logs why Postgres cannot be used, once for each remedy, and when it can be again. A processor
// that starts writes nothing yet, so its log would otherwise not say why it waits.
func (w *Observer) logAbsence(now time.Time, err error) {
	switch {
	case err == nil:
		if w.absence.end() {
			w.log.Info("Postgres can be used again")
		}
	case w.absence.mustLog(now, cmp.Or(w.hint(err), err.Error())):
		w.log.Warn("Postgres cannot be used: waiting for it", "error", err)
	}
}

// writeFailed returns when a write to Postgres failed last, zero if a later one succeeded.
func (w *Observer) writeFailed() (at time.Time) {
	at, _ = w.failed.Load().(time.Time)
	return at
}

// noteUnknown names in /readyz, and once in the log, the migrations that a newer build has applied.
func (w *Observer) noteUnknown(unknown []schemas.Migration) {
	note := ""
	if len(unknown) > 0 {
		note = fmt.Sprintf("a newer build has applied %v, which this build does not know: finish the upgrade",
			unknown)
	}
	w.health.Note("postgres", note)
	if was := w.unknown.Swap(note); note != "" && was != note {
		w.log.Warn("the schema has migrations of a newer build: going on, because they only add",
			"unknown", unknown)
	}
}

// RedisHooks returns the hooks of the process that keeps Redis up to date. changed is called after each
// change of its state.
func (w *Observer) RedisHooks(changed func()) redissink.Hooks {
	return redissink.Hooks{
		Pushed: func(err error) {
			if err != nil {
				w.Metrics.Failed("redis")
			}
		},
		Skipped: w.Metrics.Skipped,
		Swept: func(r redissink.SweepReport, err error) {
			outcome := "ok"
			if errors.Is(err, redissink.ErrSweeping) {
				outcome = "elsewhere"
			} else if err != nil {
				outcome = "failed"
			}
			w.Metrics.Swept(outcome, r.Repaired+r.Dropped)
		},
		Changed: func(s redissink.State) {
			w.Metrics.Phase(string(s.Phase))
			w.noteRedis(s)
			w.logRefusal(s)
			changed()
		},
	}
}

// noteRedis names in /readyz why Redis is not written to.
func (w *Observer) noteRedis(s redissink.State) {
	note := ""
	if s.Phase == redissink.PhaseUnavailable {
		note = "unavailable: " + w.withHint(errors.New(s.Reason))
	} else if s.Phase == redissink.PhaseRefused {
		note = "refused: " + w.withHint(errors.New(s.Reason))
	}
	w.health.Note("redis", note)
}

// logRefusal logs why Redis is not written to, once for each remedy. The keeper logs only the first reason of
// an outage, which may be that connections ended, so the wrong password would not be seen.
func (w *Observer) logRefusal(s redissink.State) {
	if s.Phase == redissink.PhaseOK {
		w.refused.Store("")
		return
	}
	hint := w.hint(errors.New(s.Reason))
	if hint != "" && w.refused.Swap(hint) != hint {
		w.log.Warn("Redis is not written to", "phase", s.Phase, "reason", s.Reason)
	}
}
