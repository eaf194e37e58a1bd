// Package obs makes a process observable: its log, metrics, traces and health, and the HTTP server that shows
// them.
//
// The packages that do the work do not import it. They declare the interface of their observer, and
// internal/processor passes what they report to Metrics, Health and Tracer.
package obs

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"
	"github.com/twmb/franz-go/plugin/kslog"
)

// Metrics are the Prometheus metrics of one process. Its methods may be called by many goroutines.
//
// docs/METRICS.md lists their names, labels and meanings; a test generates it from a running process. Each
// label has a bounded number of values, so a game, batter or pitch is never one.
type Metrics struct {
	Registry *prometheus.Registry

	ready prometheus.Gauge
	check *prometheus.GaugeVec

	// Only a processor has the metrics below.
	records, bytes, rows      prometheus.Counter
	arrivalTimes              prometheus.Counter
	superseded, lost          prometheus.Counter // lost: the old name of superseded, for one release
	letters, issues           *prometheus.CounterVec
	batchSeconds              *prometheus.HistogramVec
	delaySeconds              prometheus.Histogram
	committed, newest         prometheus.Gauge
	breaker                   prometheus.Gauge
	storeErrors, redisSweeps  *prometheus.CounterVec
	storeUp, redisPhase       *prometheus.GaugeVec
	redisMended, redisSkipped prometheus.Counter
	columns                   map[string]bool

	mu         sync.Mutex
	totals     Totals
	newestMS   int64
	partitions map[partition]*partitionState
}

// Steps are the values of the label step, in the order in which a batch takes them.
var Steps = []string{"decode", "postgres", "redis", "produce", "commit"}

// Stores are the values of the label store.
var Stores = []string{"postgres", "redis"}

// Phases are the values of the label phase: how far Redis can be trusted.
var Phases = []string{"ok", "mending", "away", "refused"}

// otherColumn is the label of an issue whose column is unknown.
const otherColumn = "other"

// Totals are the counts since the start, and the present lag.
type Totals struct {
	Records, Bytes, Rows, Superseded, DeadLetters int64
	LagRecords                                    int64 // over all owned partitions
}

// NewMetrics returns the metrics that every process has: its readiness, its build, Go's and the system's.
func NewMetrics(build string) *Metrics {
	m := &Metrics{Registry: prometheus.NewRegistry(), partitions: map[partition]*partitionState{}}
	m.ready = m.gauge("ready", "1 when the process is ready.")
	m.check = m.gauges("check_ok", "1 while this check of /readyz is well.", "check", nil)
	m.gauges("build_info", "1, and the build that runs.", "version", nil).WithLabelValues(build).Set(1)
	m.Registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// NewProcessorMetrics returns the metrics of a processor too. codes and columns are the label values of dead
// letters and issues. Each is 0 from the start, because a series that appears with its first count shows no
// increase. Issues of another column are counted as "other".
func NewProcessorMetrics(build string, codes, columns []string) *Metrics {
	m := NewMetrics(build)
	m.records = m.counter("records_total", "Records that were processed: their batch is committed.")
	m.arrivalTimes = m.counter("arrival_time_records_total",
		"Records that were read with the time of their arrival instead of their own: the topic replaces it.")
	m.bytes = m.counter("bytes_total", "Bytes of the values of the processed records.")
	m.rows = m.counter("rows_total", "Pitches whose stored state the processed records became.")
	m.superseded = m.counter("superseded_total",
		"Changes that lost against an equal or newer version of their pitch.")
	m.lost = m.counter("lost_total",
		"Deprecated: the old name of pitchstream_superseded_total, until the next minor release.")
	m.letters = m.counters("letters_total", "Dead letters, by their code.", "code", codes)
	m.issues = m.counters("issues_total",
		"Rows with something wrong in a value, by the column that it is about.", "column",
		append(slices.Clone(columns), otherColumn))
	m.batchSeconds = promauto.With(m.Registry).NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "pitchstream", Name: "batch_duration_seconds", Help: "Time that a batch spent in a step.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"step"})
	for _, step := range Steps {
		m.batchSeconds.WithLabelValues(step)
	}
	m.delaySeconds = promauto.With(m.Registry).NewHistogram(prometheus.HistogramOpts{
		Namespace: "pitchstream", Name: "delay_seconds",
		Help: "Time from a record's timestamp until it could be read, of the last record of each poll and " +
			"partition.",
		Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200},
	})
	m.committed = m.gauge("commit_timestamp_seconds", "Unix time of the last commit, 0 before the first.")
	m.newest = m.gauge("newest_record_timestamp_seconds",
		"Timestamp of the newest record that can be read, 0 before the first.")
	m.breaker = m.gauge("breaker_open", "1 while the processor holds because too many records are rejected.")
	m.storeErrors = m.counters("store_errors_total",
		"Attempts that a store did not take; each is made again.", "store", Stores)
	m.storeUp = m.gauges("store_up", "1 while the store takes what is written.", "store", Stores)
	m.redisPhase = m.gauges("redis_phase",
		"1 for what may be expected of Redis now, 0 for the others.", "phase", Phases)
	m.redisSweeps = m.counters("redis_sweeps_total",
		"Comparisons of all batters in Redis with Postgres.", "outcome", []string{"ok", "failed", "elsewhere"})
	m.redisMended = m.counter("redis_mended_batters_total",
		"Batters that differed in Redis and were written again.")
	m.redisSkipped = m.counter("redis_skipped_pushes_total",
		"Pushes that were not tried, because Redis was unavailable or refused writes.")
	m.columns = map[string]bool{}
	for _, c := range columns {
		m.columns[c] = true
	}
	m.Registry.MustRegister(lagCollector{m})
	return m
}

// Kafka returns the options that make a Kafka client count and log, under a name that no other client of this
// process has. Several clients may have the options at once, and are then counted together.
func (m *Metrics) Kafka(client string, log *slog.Logger) []kgo.Opt {
	named := prometheus.WrapRegistererWith(prometheus.Labels{"client": client}, m.Registry)
	hooks := &sharedHooks{
		Metrics:  kprom.NewMetrics("pitchstream_kafka", kprom.Registerer(withoutGauges{named})),
		register: named,
	}
	return []kgo.Opt{
		kgo.WithHooks(hooks),
		kgo.WithLogger(quietLogger{kslog.New(log.With("client", client))}),
	}
}

// sharedHooks registers the metrics once for all clients that are open, because a processor that refills a
// store has two, and registering them again panics. It embeds the metrics, since a client finds its hooks by
// type. The gauges are its own: those of kprom would be about the first client only.
type sharedHooks struct {
	*kprom.Metrics
	register prometheus.Registerer

	mu     sync.Mutex
	open   []*kgo.Client          // guarded by mu
	gauges []prometheus.Collector // guarded by mu; of the open clients
}

// OnNewClient implements kgo.HookNewClient.
func (h *sharedHooks) OnNewClient(c *kgo.Client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = append(h.open, c)
	// guard: obs: clients that are open together share their metrics | len(h.open) == 1 -> true
	if len(h.open) == 1 {
		h.Metrics.OnNewClient(c)
		h.addGauges()
	}
}

// OnClientClosed implements kgo.HookClientClosed.
func (h *sharedHooks) OnClientClosed(c *kgo.Client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	// guard: obs: a client that is closed counts no more
	h.open = slices.DeleteFunc(h.open, func(o *kgo.Client) bool { return o == c })
	// guard: obs: metrics stay until the last client is closed | len(h.open) == 0 -> true
	if len(h.open) == 0 {
		h.Metrics.OnClientClosed(c)
		for _, g := range h.gauges {
			h.register.Unregister(g)
		}
		h.gauges = nil
	}
}

// addGauges registers the gauges of what the open clients hold together. mu is held.
func (h *sharedHooks) addGauges() {
	add := func(name, help string, of func(*kgo.Client) int64) {
		g := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "pitchstream_kafka", Name: name, Help: help,
		}, func() (sum float64) {
			h.mu.Lock()
			defer h.mu.Unlock()
			for _, c := range h.open {
				sum += float64(of(c))
			}
			return sum
		})
		h.register.MustRegister(g)
		h.gauges = append(h.gauges, g)
	}
	add("buffered_produce_records_total", "Total number of records buffered within the client ready to be "+
		"produced", (*kgo.Client).BufferedProduceRecords)
	add("buffered_produce_bytes", "Total number of bytes buffered within the client ready to be produced",
		(*kgo.Client).BufferedProduceBytes)
	add("buffered_fetch_records_total", "Total number of records buffered within the client ready to be "+
		"consumed", (*kgo.Client).BufferedFetchRecords)
	add("buffered_fetch_bytes", "Total number of bytes buffered within the client ready to be consumed",
		(*kgo.Client).BufferedFetchBytes)
}

// withoutGauges registers all of a client's metrics but the single ones: kprom's gauges. Its counters have
// labels.
type withoutGauges struct{ prometheus.Registerer }

// Register implements prometheus.Registerer.
func (r withoutGauges) Register(c prometheus.Collector) error {
	if _, isSingle := c.(prometheus.Metric); isSingle {
		return nil
	}
	return r.Registerer.Register(c)
}

// MustRegister implements prometheus.Registerer.
func (r withoutGauges) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		if err := r.Register(c); err != nil {
			panic(err)
		}
	}
}

// quietLogger lowers each message of a Kafka client by one level, because the client logs every transaction
// as information.
type quietLogger struct{ kgo.Logger }

// Level returns the client's level whose messages the log still takes after they were lowered.
func (l quietLogger) Level() kgo.LogLevel { return l.Logger.Level() - 1 }

// Log logs a message one level lower.
func (l quietLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	l.Logger.Log(level+1, msg, keyvals...)
}

func named(name, help string) prometheus.Opts {
	return prometheus.Opts{Namespace: "pitchstream", Name: name, Help: help}
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	return promauto.With(m.Registry).NewCounter(prometheus.CounterOpts(named(name, help)))
}

func (m *Metrics) counters(name, help, label string, values []string) *prometheus.CounterVec {
	c := promauto.With(m.Registry).NewCounterVec(prometheus.CounterOpts(named(name, help)), []string{label})
	for _, v := range values {
		c.WithLabelValues(v)
	}
	return c
}

func (m *Metrics) gauge(name, help string) prometheus.Gauge {
	return promauto.With(m.Registry).NewGauge(prometheus.GaugeOpts(named(name, help)))
}

func (m *Metrics) gauges(name, help, label string, values []string) *prometheus.GaugeVec {
	g := promauto.With(m.Registry).NewGaugeVec(prometheus.GaugeOpts(named(name, help)), []string{label})
	for _, v := range values {
		g.WithLabelValues(v)
	}
	return g
}

// Quality registers the metrics about the quality of the data and returns them. It must be called once at
// most.
func (m *Metrics) Quality() *Quality {
	q := &Quality{}
	m.Registry.MustRegister(q)
	return q
}

// Mechanics registers the metrics about mechanics and returns them. It must be called once at most.
func (m *Metrics) Mechanics() *Mechanics {
	c := &Mechanics{}
	m.Registry.MustRegister(c)
	return c
}

// ArrivalTimes counts records that were read with the time of their arrival.
func (m *Metrics) ArrivalTimes(records int) { m.arrivalTimes.Add(float64(records)) }

// Committed counts a batch whose offsets are committed: its records, the bytes of their values, the pitches
// whose stored row it changed, and its superseded changes.
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

// Breaker sets whether the circuit breaker is open: the processor holds because too many records are
// rejected.
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

// Step observes the time that a batch spent in a step. traceID becomes the exemplar; "": the batch has no
// trace.
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

// Swept counts a comparison of Redis with Postgres by its outcome, and the batters that it repaired. The
// outcome is ok, failed, or elsewhere when another process compares.
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

// summaryEvery is the time between two summaries.
const summaryEvery = 10 * time.Second

// Summarize logs one line each summaryEvery: rates over that time, the lag, and the counts since the start.
// An idle process logs one line and is silent until work comes. It returns when ctx is done, after a last
// line.
func (m *Metrics) Summarize(ctx context.Context, log *slog.Logger) {
	tick := time.Tick(summaryEvery)
	last, at, idle := m.Totals(), time.Now(), false
	for {
		select {
		case <-ctx.Done():
			now := m.Totals()
			log.Info("processed, ending", now.attrs(last, time.Since(at))...)
			return
		case <-tick:
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
