package obs

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// RefitState is the newest refit of a model.
type RefitState struct {
	Model  string
	At     time.Time
	IsHeld bool // it left a candidate for a person to decide on
}

// Refits shows the newest refit of each model as metrics. Every processor shows the same figures.
type Refits struct {
	mu     sync.Mutex // guards states
	states []RefitState
}

// Refits registers the metrics about refits and returns them. It must be called once at most.
func (m *Metrics) Refits() *Refits {
	r := &Refits{}
	m.Registry.MustRegister(r)
	return r
}

// Show shows these states from now on.
func (r *Refits) Show(states []RefitState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states = states
}

var (
	refitHeld = prometheus.NewDesc("pitchstream_model_refit_held",
		"1 while the newest refit of a model is a candidate beyond a limit.", []string{"model"}, nil)
	refitTime = prometheus.NewDesc("pitchstream_model_refit_timestamp_seconds",
		"Unix time of the newest refit of a model that came to a verdict.", []string{"model"}, nil)
)

// Describe sends the descriptions of both metrics.
func (r *Refits) Describe(ch chan<- *prometheus.Desc) {
	ch <- refitHeld
	ch <- refitTime
}

// Collect sends both figures of each model.
func (r *Refits) Collect(ch chan<- prometheus.Metric) {
	r.mu.Lock()
	states := r.states
	r.mu.Unlock()
	for _, s := range states {
		ch <- prometheus.MustNewConstMetric(refitHeld, prometheus.GaugeValue, zeroOrOne(s.IsHeld), s.Model)
		ch <- prometheus.MustNewConstMetric(refitTime, prometheus.GaugeValue,
			float64(s.At.UnixMilli())/1000, s.Model)
	}
}
