package obs

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// partition identifies a partition of a topic.
type partition struct {
	topic string
	id    int32
}

// partitionState is the lag and position of an owned partition.
type partitionState struct {
	lag      int64 // records; −1: not known yet
	position int64 // −1: not known yet
	waits    time.Time
}

// state returns the state of a partition, and creates it when it is new. mu must be held.
func (m *Metrics) state(topic string, id int32) *partitionState {
	at := partition{topic, id}
	if m.partitions[at] == nil {
		m.partitions[at] = &partitionState{lag: -1, position: -1}
	}
	return m.partitions[at]
}

// Lag sets how many records wait in an owned partition. −1 removes it, because another processor owns it and
// reports its lag now.
func (m *Metrics) Lag(topic string, id int32, records int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if records < 0 {
		// guard: metrics: a revoked partition is no longer reported
		delete(m.partitions, partition{topic, id})
		return
	}
	m.state(topic, id).lag = records
}

// Position sets the offset below which readers see everything in an owned partition, and the time since which
// a record waits there; zero when none does.
func (m *Metrics) Position(topic string, id int32, next int64, waits time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.state(topic, id)
	s.position, s.waits = next, waits
}

func lagDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("pitchstream_"+name, help, []string{"topic", "partition"}, nil)
}

var (
	lagRecords = lagDesc("lag_records", "Records behind the position, of the partitions owned.")
	lagSeconds = lagDesc("lag_seconds",
		"Age of the oldest record known that waits, 0 when none does, of the partitions owned.")
	nextPosition = lagDesc("position_offset",
		"Offset below which everything can be read, of the partitions owned.")
)

// lagCollector reads the owned partitions at each scrape, because a lag in seconds grows without any event.
type lagCollector struct{ m *Metrics }

// Describe sends the three descriptions.
func (c lagCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lagRecords, lagSeconds, nextPosition} {
		to <- d
	}
}

// Collect sends the metrics of each owned partition.
func (c lagCollector) Collect(to chan<- prometheus.Metric) {
	now := time.Now()
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	for at, s := range c.m.partitions {
		send := func(d *prometheus.Desc, v float64) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, at.topic, strconv.Itoa(int(at.id)))
		}
		if s.lag >= 0 {
			send(lagRecords, float64(s.lag))
		}
		if s.position >= 0 {
			send(nextPosition, float64(s.position))
			// guard: metrics: a lag in seconds grows by itself | s.age(now) -> s.age(s.waits.Add(now.Sub(now)))
			send(lagSeconds, s.age(now))
		}
	}
}

// age returns how long the oldest record has waited, in seconds. A record's timestamp may lie in the future:
// then 0.
func (s *partitionState) age(now time.Time) float64 {
	if s.waits.IsZero() {
		return 0
	}
	return max(now.Sub(s.waits).Seconds(), 0)
}
