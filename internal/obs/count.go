package obs

import (
	"strconv"
	"time"
)

// Committed counts a batch whose offsets are committed: its records, the bytes of their values, the pitches whose state
// they became, and the changes that were void.
func (m *Metrics) Committed(records int, bytes int64, rows, lost int) {
	m.mu.Lock()
	m.totals.Records += int64(records)
	m.totals.Bytes += bytes
	m.totals.Rows += int64(rows)
	m.totals.Lost += int64(lost)
	m.mu.Unlock()
	m.records.Add(float64(records))
	m.bytes.Add(float64(bytes))
	m.rows.Add(float64(rows))
	m.lost.Add(float64(lost))
	m.committed.Set(float64(time.Now().UnixMilli()) / 1000)
}

// Letters counts n dead letters of one code.
func (m *Metrics) Letters(code string, n int) {
	m.mu.Lock()
	m.totals.Letters += int64(n)
	m.mu.Unlock()
	m.letters.WithLabelValues(code).Add(float64(n))
}

// Breaker tells whether the processor holds because too much is rejected.
func (m *Metrics) Breaker(open bool) {
	if open {
		m.breaker.Set(1)
	} else {
		m.breaker.Set(0)
	}
}

// Step counts the time that a batch spent in a step.
func (m *Metrics) Step(step string, took time.Duration) {
	m.batchSeconds.WithLabelValues(StepName(step)).Observe(took.Seconds())
}

// StepName is what a step is called here: the consumer knows a store and a view of it, people know Postgres and Redis.
func StepName(step string) string {
	switch step {
	case "store":
		return "postgres"
	case "view":
		return "redis"
	}
	return step
}

// Retried counts a failed attempt of a step that is made again.
func (m *Metrics) Retried(step string) { m.retries.WithLabelValues(StepName(step)).Inc() }

// Lag sets how many records wait in a partition that is owned; −1: it is not owned any more, and another processor tells
// its lag now.
func (m *Metrics) Lag(topic string, id int32, records int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if records < 0 {
		delete(m.lag, partition{topic, id})
		m.lagRecords.DeleteLabelValues(topic, strconv.Itoa(int(id)))
		return
	}
	m.lag[partition{topic, id}] = records
	m.lagRecords.WithLabelValues(topic, strconv.Itoa(int(id))).Set(float64(records))
}

// Totals are the numbers as they are now.
func (m *Metrics) Totals() Totals {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.totals
	for _, records := range m.lag {
		t.LagRecords += records
	}
	return t
}
