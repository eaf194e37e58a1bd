package api

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are
//
//	pitchstream_api_requests_total{route,status}     requests that were answered
//	pitchstream_api_request_duration_seconds{route}  time to the answer; streams are left out
//	pitchstream_api_answers_total{source}            answers by source
//	pitchstream_api_streams                          open streams
//	pitchstream_api_streams_dropped_total            clients that were too slow
type metrics struct {
	requests, answers *prometheus.CounterVec
	seconds           *prometheus.HistogramVec
	streams           prometheus.Gauge
	dropped           prometheus.Counter
}

func newMetrics(r prometheus.Registerer) metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return registered(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
	}
	m := metrics{
		requests: counter("pitchstream_api_requests_total", "Requests that were answered.", "route", "status"),
		answers:  counter("pitchstream_api_answers_total", "Answers by where they came from.", "source"),
		seconds: registered(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pitchstream_api_request_duration_seconds", Help: "How long an answer took.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route"})),
		streams: registered(r, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "pitchstream_api_streams", Help: "Streams that are open.",
		})),
		dropped: registered(r, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pitchstream_api_streams_dropped_total", Help: "Clients that were too slow.",
		})),
	}
	for _, source := range []string{sourceRedis, sourcePostgres, sourceMemory} {
		m.answers.WithLabelValues(source)
	}
	return m
}

// registered returns the collector of this name. Another API of the same process may have registered it
// before.
func registered[C prometheus.Collector](r prometheus.Registerer, c C) C {
	err := r.Register(c)
	if there := (prometheus.AlreadyRegisteredError{}); errors.As(err, &there) {
		return there.ExistingCollector.(C)
	}
	if err != nil {
		// Two collectors have one name and different kinds: no test passes then.
		panic(err)
	}
	return c
}

func (m *metrics) answered(source string) { m.answers.WithLabelValues(source).Inc() }

// observe counts an answered request.
func (m *metrics) observe(route string, status int, took time.Duration, stream bool) {
	if route == "" || route == "/" {
		route = "other"
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	if !stream {
		m.seconds.WithLabelValues(route).Observe(took.Seconds())
	}
}
