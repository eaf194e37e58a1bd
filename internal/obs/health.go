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
	notes  map[string]string // what is wrong beside the checks, by the same names
	ready  bool
}

// NewHealth returns a health whose checks have not passed yet, so that a process is not ready before all were
// made. Changes of readiness are logged, and set in metrics, which may be nil.
func NewHealth(log *slog.Logger, metrics *Metrics, checks ...string) *Health {
	h := &Health{log: log, metrics: metrics, faults: map[string]string{}, notes: map[string]string{}}
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

// Note records what is wrong with something that the process can do without, so that /readyz names it and
// stays ready; "" for nothing.
func (h *Health) Note(name, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notes[name] = reason
}

// Notes returns what is wrong beside the checks, as Ready returns the reasons.
func (h *Health) Notes() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return listed(h.notes)
}

// Ready reports whether all checks pass, and the sorted reasons why not ("postgres: connection refused"),
// never nil.
func (h *Health) Ready() (ready bool, reasons []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	reasons = listed(h.faults)
	return len(reasons) == 0, reasons
}

// listed returns "name: fault" for each name that has a fault.
func listed(faults map[string]string) []string {
	reasons := []string{}
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		if fault := faults[name]; fault != "" {
			reasons = append(reasons, name+": "+fault)
		}
	}
	return reasons
}

// changed logs a change of readiness and sets it in the metrics. mu must be held, except by NewHealth.
func (h *Health) changed() {
	reasons := listed(h.faults)
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
