package obs

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Committed counts a batch whose offsets are committed: its records, the bytes of their values, the pitches whose stored
// row it changed, and its superseded changes.
func (m *Metrics) Committed(records int, bytes int64, rows, superseded int) {
	m.mu.Lock()
	m.totals.Records += int64(records)
	m.totals.Bytes += bytes
	m.totals.Rows += int64(rows)
	m.totals.Superseded += int64(superseded)
	m.mu.Unlock()
	m.records.Add(float64(records))
	m.bytes.Add(float64(bytes))
	m.rows.Add(float64(rows))
	m.superseded.Add(float64(superseded))
	m.lost.Add(float64(superseded))
	m.committed.Set(float64(time.Now().UnixMilli()) / 1000)
}

// DeadLetters counts n dead letters of one code.
func (m *Metrics) DeadLetters(code string, n int) {
	m.mu.Lock()
	m.totals.DeadLetters += int64(n)
	m.mu.Unlock()
	m.letters.WithLabelValues(code).Add(float64(n))
}

// Breaker sets whether the circuit breaker is open: the processor holds because too many records are rejected.
func (m *Metrics) Breaker(open bool) { m.breaker.Set(zeroOrOne(open)) }

// Issues counts rows by their issues, which have the form column:kind.
func (m *Metrics) Issues(counts map[string]int) {
	for issue, n := range counts {
		column, _, _ := strings.Cut(issue, ":")
		// guard: metrics: an unknown column makes no series
		if !m.columns[column] {
			column = otherColumn
		}
		m.issues.WithLabelValues(column).Add(float64(n))
	}
}

// Shown observes the delay of a record that readers can see now, with all before it in its partition.
func (m *Metrics) Shown(newest, now time.Time) {
	m.delaySeconds.Observe(max(now.Sub(newest).Seconds(), 0))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.newestMS = max(m.newestMS, newest.UnixMilli())
	m.newest.Set(float64(m.newestMS) / 1000)
}

// Step observes the time that a batch spent in a step. traceID becomes the exemplar; "": the batch has no trace.
func (m *Metrics) Step(step string, took time.Duration, traceID string) {
	h := m.batchSeconds.WithLabelValues(step)
	// guard: metrics: a slow step leads to its trace
	if e, ok := h.(prometheus.ExemplarObserver); ok && traceID != "" {
		e.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": traceID})
		return
	}
	h.Observe(took.Seconds())
}

// Failed counts a failed attempt to write to a store, one of Stores.
func (m *Metrics) Failed(store string) { m.storeErrors.WithLabelValues(store).Inc() }

// Up sets whether a store can be written to.
func (m *Metrics) Up(store string, up bool) { m.storeUp.WithLabelValues(store).Set(zeroOrOne(up)) }

// Phase sets the phase of Redis, one of Phases.
func (m *Metrics) Phase(phase string) {
	for _, p := range Phases {
		m.redisPhase.WithLabelValues(p).Set(zeroOrOne(p == phase))
	}
	m.Up("redis", phase == "ok" || phase == "mending")
}

// Skipped counts a push to Redis that was not tried, because Redis is unavailable.
func (m *Metrics) Skipped() { m.redisSkipped.Inc() }

// Swept counts a comparison of Redis with Postgres by its outcome, and the batters that it repaired. The outcome is ok,
// failed, or elsewhere when another process compares.
func (m *Metrics) Swept(outcome string, repaired int) {
	m.redisSweeps.WithLabelValues(outcome).Inc()
	m.redisMended.Add(float64(repaired))
}

func zeroOrOne(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// Totals returns the present counts.
func (m *Metrics) Totals() Totals {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.totals
	for _, p := range m.partitions {
		t.LagRecords += max(p.lag, 0)
	}
	return t
}
