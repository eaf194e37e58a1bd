package obs

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
)

// Health is whether a process can do its work: it is ready when all of its named checks are well. A process that is not
// ready is alive; it says what it waits for, and goes on when that comes. Its methods may be called by many goroutines.
type Health struct {
	log     *slog.Logger
	metrics *Metrics // nil: none

	mu     sync.Mutex
	faults map[string]string // check → why it is not well; "" when it is well
	ready  bool
}

// NewHealth begins with checks that are not well yet, so that a process is not ready before all were made. Changes of
// readiness are logged, and set in metrics, which may be nil.
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

// Set notes the outcome of a check. The reason, one line, says what is wrong; of a check that is well it is ignored.
func (h *Health) Set(name string, ok bool, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case ok:
		reason = ""
	case reason == "":
		reason = "not well"
	}
	h.faults[name] = reason
	if h.metrics != nil {
		h.metrics.check.WithLabelValues(name).Set(zeroOrOne(ok))
	}
	h.changed()
}

// Forget drops a check that is not made any more.
func (h *Health) Forget(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.faults, name)
	if h.metrics != nil {
		h.metrics.check.DeleteLabelValues(name)
	}
	h.changed()
}

// Ready tells whether all checks are well, and the reasons why not ("postgres: connection refused"), sorted. They are
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

// changed tells the log and the metrics when readiness has changed.
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
