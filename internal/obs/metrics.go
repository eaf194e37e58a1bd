// Package obs makes a process observable: its log, its metrics, its health, and the server that shows them.
//
// The rooms that do the work know nothing of this one: they declare what they tell and Metrics and Health can be told.
package obs

import (
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"
	"github.com/twmb/franz-go/plugin/kslog"
)

// Metrics are the numbers of one process. Its methods may be called by many goroutines.
//
// They are the names that dashboards and alerts know:
//
//	pitchstream_build_info{version}              1
//	pitchstream_records_total                    records that were processed: their batch is committed
//	pitchstream_bytes_total                      bytes of their values
//	pitchstream_rows_total                       pitches whose stored state these records became
//	pitchstream_lost_total                       changes that were void: the store had an equal or newer version
//	pitchstream_letters_total{code}              dead letters, by their code
//	pitchstream_retries_total{step}              failed attempts of a step that were repeated
//	pitchstream_batch_duration_seconds{step}     time that a batch spent in decode, postgres, redis, produce, commit
//	pitchstream_lag_records{topic,partition}     records that wait behind the position, of the partitions owned
//	pitchstream_commit_timestamp_seconds         when a batch was last committed, 0 before the first
//	pitchstream_breaker_open                     1 while the processor holds because too many records are rejected
//	pitchstream_ready                            1 when /readyz says so
//	pitchstream_kafka_…{client}, go_…, process_… from the Kafka clients, Go and the system
type Metrics struct {
	Registry *prometheus.Registry

	records, bytes, rows, lost prometheus.Counter
	letters, retries           *prometheus.CounterVec
	batchSeconds               *prometheus.HistogramVec
	lagRecords                 *prometheus.GaugeVec
	committed                  prometheus.Gauge
	ready, breaker             prometheus.Gauge

	mu     sync.Mutex
	totals Totals
	lag    map[partition]int64
}

type partition struct {
	topic string
	id    int32
}

// Steps are the labels of a batch's time, in their order.
var Steps = []string{"decode", "postgres", "redis", "produce", "commit"}

// Totals are what was counted since the start, and the lag as it is now.
type Totals struct {
	Records, Bytes, Rows, Lost, Letters int64
	LagRecords                          int64 // over all owned partitions
}

// NewMetrics makes the metrics of a process that runs this build. The letters' codes are named so that each is 0 from
// the start: a series that appears with its first count shows no increase.
func NewMetrics(build string, codes ...string) *Metrics {
	m := &Metrics{Registry: prometheus.NewRegistry(), lag: map[partition]int64{}}
	m.records = m.counter("records_total", "Records that were processed: their batch is committed.")
	m.bytes = m.counter("bytes_total", "Bytes of the values of the processed records.")
	m.rows = m.counter("rows_total", "Pitches whose stored state the processed records became.")
	m.lost = m.counter("lost_total", "Changes that were void: the store had an equal or newer version.")
	m.letters = m.counters("letters_total", "Dead letters, by their code.", "code", codes)
	m.retries = m.counters("retries_total", "Failed attempts of a step that were repeated.", "step", Steps)
	m.batchSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "pitchstream", Name: "batch_duration_seconds", Help: "Time that a batch spent in a step.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"step"})
	for _, s := range Steps {
		m.batchSeconds.WithLabelValues(s)
	}
	m.lagRecords = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "pitchstream", Name: "lag_records", Help: "Records behind the position, of the partitions owned.",
	}, []string{"topic", "partition"})
	m.committed = m.gauge("commit_timestamp_seconds", "Unix time of the last commit, 0 before the first.")
	m.breaker = m.gauge("breaker_open", "1 while the processor holds because too many records are rejected.")
	m.ready = m.gauge("ready", "1 when the process is ready.")
	m.Registry.MustRegister(m.batchSeconds, m.lagRecords, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "pitchstream", Name: "build_info", Help: "1, and the build that runs.",
	}, []string{"version"})
	info.WithLabelValues(build).Set(1)
	m.Registry.MustRegister(info)
	return m
}

// Kafka are the options that make a Kafka client count and log, under a name that no other client of this process has.
func (m *Metrics) Kafka(client string, log *slog.Logger) []kgo.Opt {
	named := prometheus.WrapRegistererWith(prometheus.Labels{"client": client}, m.Registry)
	return []kgo.Opt{
		kgo.WithHooks(kprom.NewMetrics("pitchstream_kafka", kprom.Registerer(named))),
		kgo.WithLogger(kslog.New(log.With("client", client))),
	}
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "pitchstream", Name: name, Help: help})
	m.Registry.MustRegister(c)
	return c
}

func (m *Metrics) counters(name, help, label string, values []string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "pitchstream", Name: name, Help: help}, []string{label})
	m.Registry.MustRegister(c)
	for _, v := range values {
		c.WithLabelValues(v)
	}
	return c
}

func (m *Metrics) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "pitchstream", Name: name, Help: help})
	m.Registry.MustRegister(g)
	return g
}
