package archive

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/lifecycle"
	"github.com/pitchstream/pitchstream/internal/obs"
)

// Metrics show how an archiver gets on. All methods do nothing for nil, as in a run without
// metrics. Only the goroutine of the run calls them.
type Metrics struct {
	records, bytes, segments, errors, missing prometheus.Counter
	lag, newest, progress                     prometheus.Gauge
	newestMS                                  int64
}

// NewMetrics registers the metrics of an archiver whose records wait for at most maxAge in memory.
func NewMetrics(r prometheus.Registerer, maxAge time.Duration) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return promauto.With(r).NewCounter(prometheus.CounterOpts{
			Namespace: "pitchstream", Subsystem: "archive", Name: name, Help: help,
		})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return promauto.With(r).NewGauge(prometheus.GaugeOpts{
			Namespace: "pitchstream", Subsystem: "archive", Name: name, Help: help,
		})
	}
	m := &Metrics{
		records:  counter("records_total", "Records that were archived."),
		bytes:    counter("bytes_total", "Bytes of the segments that were written."),
		segments: counter("segments_total", "Segments that were written and listed."),
		errors:   counter("errors_total", "Runs that failed; each begins again from the manifests."),
		missing:  counter("missing_records_total", "Offsets that the topic deleted before they were archived."),
		lag:      gauge("lag_records", "Offsets of the topic that are in no segment yet."),
	}
	m.newest = gauge("newest_record_timestamp_seconds",
		"Timestamp of the newest record that was archived, 0 before the first.")
	m.progress = gauge("progress_timestamp_seconds",
		"Unix time of the last segment, or of when no record waited.")
	maxAgeSeconds := gauge("max_age_seconds", "How long a record may wait for its segment (--archive-max-age).")
	maxAgeSeconds.Set(maxAge.Seconds())
	m.progress.SetToCurrentTime()
	return m
}

// Waits notes how many offsets of the topic are in no segment yet.
func (m *Metrics) Waits(offsets int64) {
	if m == nil {
		return
	}
	m.lag.Set(float64(offsets))
	// guard: archive: an archiver that nothing waits for is not behind
	if offsets == 0 {
		m.progress.SetToCurrentTime()
	}
}

// Wrote notes a segment.
func (m *Metrics) Wrote(s Segment) {
	if m == nil {
		return
	}
	m.records.Add(float64(s.Records))
	m.bytes.Add(float64(s.Bytes))
	m.segments.Inc()
	m.progress.SetToCurrentTime()
	if s.Records > 0 {
		m.newestMS = max(m.newestMS, s.MaxTime)
		m.newest.Set(float64(m.newestMS) / 1000)
	}
}

// Failed notes a run that failed.
func (m *Metrics) Failed() {
	if m != nil {
		m.errors.Inc()
	}
}

// Missed notes offsets that the topic deleted before they were archived.
func (m *Metrics) Missed(offsets int64) {
	if m != nil {
		m.missing.Add(float64(offsets))
	}
}

// RunWatched is Run with the metrics of the run at the admin address; "": none.
func RunWatched(
	ctx context.Context, o Options, addr string, settings ...config.Setting,
) (r Report, err error) {
	if addr == "" {
		return Run(ctx, o)
	}
	metrics := obs.NewMetrics(obs.Build())
	o.Metrics = NewMetrics(metrics.Registry, o.MaxAge)
	health := obs.NewHealth(o.Log, metrics, "archive")
	health.Set("archive", true, "")
	nothingToReset := func() bool { return false }
	pages := obs.AdminHandler(health, metrics, config.Admin{}, nothingToReset, settings...)
	admin, err := obs.Listen(addr, pages, o.Log)
	if err != nil {
		return r, err
	}
	err = lifecycle.Run(ctx, func(ctx context.Context) (err error) {
		r, err = Run(ctx, o)
		return err
	}, admin.Serve)
	return r, err
}
