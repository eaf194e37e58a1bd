package obs

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
)

// Health is the readiness of a process: it is ready when all of its named checks pass. A process that is not
// ready is alive; /readyz names what it waits for. Its methods may be called by many goroutines.
type Health struct {
	log     *slog.Logger
	metrics *Metrics // nil: none

	mu     sync.Mutex
	faults map[string]string // check → why it fails; "" when it passes
	ready  bool
}

// NewHealth returns a health whose checks have not passed yet, so that a process is not ready before all were
// made. Changes of readiness are logged, and set in metrics, which may be nil.
func NewHealth(log *slog.Logger, metrics *Metrics, checks ...string) *Health {
	h := &Health{log: log, metrics: metrics, faults: map[string]string{}}
	for _, name := range checks {
		h.faults[name] = "starting"
		if metrics != nil {
			metrics.check.WithLabelValues(name)
		}
	}
	h.changed()
	return h
}

// Set records the outcome of a check. reason, one line, says why it fails; it is ignored when ok.
func (h *Health) Set(name string, ok bool, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case ok:
		reason = ""
	case reason == "":
		reason = "failed"
	}
	h.faults[name] = reason
	if h.metrics != nil {
		h.metrics.check.WithLabelValues(name).Set(zeroOrOne(ok))
	}
	h.changed()
}

// Ready reports whether all checks pass, and the sorted reasons why not ("postgres: connection refused"),
// never nil.
func (h *Health) Ready() (ready bool, reasons []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	reasons = h.reasons()
	return len(reasons) == 0, reasons
}

func (h *Health) reasons() []string {
	reasons := []string{}
	for _, name := range slices.Sorted(maps.Keys(h.faults)) {
		if fault := h.faults[name]; fault != "" {
			reasons = append(reasons, name+": "+fault)
		}
	}
	return reasons
}

// changed logs a change of readiness and sets it in the metrics. mu must be held, except by NewHealth.
func (h *Health) changed() {
	reasons := h.reasons()
	ready := len(reasons) == 0
	if ready == h.ready {
		return
	}
	h.ready = ready
	if ready {
		h.log.Info("ready")
	} else {
		h.log.Warn("not ready", "reasons", reasons)
	}
	if h.metrics != nil {
		h.metrics.ready.Set(zeroOrOne(ready))
	}
}
