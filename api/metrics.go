package api

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are
//
//	pitchstream_api_requests_total{route,status}     requests that were answered
//	pitchstream_api_request_duration_seconds{route}  time to the answer; streams are left out
//	pitchstream_api_answers_total{source}            answers by source
//	pitchstream_api_streams                          open streams
//	pitchstream_api_streams_dropped_total            clients that were too slow
//	pitchstream_api_app_requests_total{app,status}   requests with the token of an application
//	pitchstream_api_app_streams{app}                 open streams of an application
type metrics struct {
	requests, answers *prometheus.CounterVec
	seconds           *prometheus.HistogramVec
	streams           prometheus.Gauge
	dropped           prometheus.Counter
	appRequests       *prometheus.CounterVec
	appStreams        *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	auto := promauto.With(r)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return auto.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		requests: counter("pitchstream_api_requests_total", "Requests that were answered.", "route", "status"),
		answers:  counter("pitchstream_api_answers_total", "Answers by where they came from.", "source"),
		seconds: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pitchstream_api_request_duration_seconds", Help: "How long an answer took.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route"}),
		streams: auto.NewGauge(prometheus.GaugeOpts{
			Name: "pitchstream_api_streams", Help: "Streams that are open.",
		}),
		dropped: auto.NewCounter(prometheus.CounterOpts{
			Name: "pitchstream_api_streams_dropped_total", Help: "Clients that were too slow.",
		}),
	}
	m.appRequests = counter("pitchstream_api_app_requests_total",
		"Requests with the token of an application.", "app", "status")
	m.appStreams = auto.NewGaugeVec(prometheus.GaugeOpts{
		Name: "pitchstream_api_app_streams", Help: "Open streams of an application.",
	}, []string{"app"})
	for _, source := range []string{sourceRedis, sourcePostgres, sourceMemory} {
		m.answers.WithLabelValues(source)
	}
	return m
}

func (m *metrics) answered(source string) { m.answers.WithLabelValues(source).Inc() }

// observe counts an answered request.
func (m *metrics) observe(at matched, status int, took time.Duration, stream bool) {
	route := at.pattern
	if at.app != "" {
		m.appRequests.WithLabelValues(at.app, strconv.Itoa(status)).Inc()
	}
	if route == "" || route == "/" {
		route = "other"
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	if !stream {
		m.seconds.WithLabelValues(route).Observe(took.Seconds())
	}
}
