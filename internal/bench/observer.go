package bench

import (
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/consumer"
)

// observer records when a processor did each step. It passes every call on to the processor's own observer.
type observer struct {
	consumer.Observer // the processor's own; set before the processor runs

	mu       sync.Mutex // guards the fields below
	assigned clock      // when the partitions were assigned
	finished clock      // when the last batch was committed
	records  int64      // committed
	steps    map[string]time.Duration
	batches  []marks       // of every poll, in their order
	changed  chan struct{} // closed and replaced at each commit
}

// marks are the times at which one poll had passed each step.
type marks struct {
	polled, decoded, stored, pushed time.Time
	committed                       time.Time // of its batch
}

func newObserver() *observer {
	return &observer{steps: map[string]time.Duration{}, changed: make(chan struct{})}
}

// Condition implements consumer.Observer.
func (o *observer) Condition(name string, ok bool, reason string) {
	o.mu.Lock()
	if name == "assigned" && ok && o.assigned.began.IsZero() {
		o.assigned = startClock()
	}
	o.mu.Unlock()
	o.Observer.Condition(name, ok, reason)
}

// Step implements consumer.Observer. Polls are stored in the order in which they were decoded; those that
// wait are stored together.
func (o *observer) Step(step string, took time.Duration) {
	o.Observer.Step(step, took)
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	o.steps[step] += took
	switch step {
	case "decode":
		o.batches = append(o.batches, marks{polled: now.Add(-took), decoded: now})
	case "postgres":
		for m := range o.waiting(func(m *marks) (before, at time.Time) { return m.decoded, m.stored },
			now.Add(-took)) {
			m.stored = now
		}
	case "redis":
		for m := range o.waiting(func(m *marks) (before, at time.Time) { return m.stored, m.pushed },
			now.Add(-took)) {
			m.pushed = now
		}
	}
}

// waiting returns the polls that had passed the step before when this step began, and have not passed this
// one.
func (o *observer) waiting(of func(*marks) (before, at time.Time), began time.Time) iter.Seq[*marks] {
	return func(yield func(*marks) bool) {
		for i := len(o.batches) - 1; i >= 0; i-- {
			before, at := of(&o.batches[i])
			if !at.IsZero() {
				return
			}
			if !before.IsZero() && !before.After(began) && !yield(&o.batches[i]) {
				return
			}
		}
	}
}

// Batch implements consumer.Observer.
func (o *observer) Batch(s consumer.BatchSummary) {
	o.Observer.Batch(s)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.records += int64(s.Records)
	o.finished = startClock()
	for i := len(o.batches) - 1; i >= 0 && o.batches[i].committed.IsZero(); i-- {
		o.batches[i].committed = o.finished.began
	}
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *observer) committed() (records int64, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.records, o.changed
}

// took returns the time from the assignment to the last commit, and the time in each step.
func (o *observer) took() (wall, cpu time.Duration, steps map[string]time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.finished.began.Sub(o.assigned.began), o.finished.used - o.assigned.used, o.steps
}

// polls returns the times of every poll so far.
func (o *observer) polls() []marks {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.batches)
}
