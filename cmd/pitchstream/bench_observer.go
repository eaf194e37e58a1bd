package main

import (
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/consumer"
	stream "github.com/pitchstream/pitchstream/internal/processor"
)

// benchObserver notes when a processor did what.
type benchObserver struct {
	*stream.Observer

	mu       sync.Mutex
	assigned benchClock // when the partitions were
	finished benchClock // when the last batch was committed
	records  int64      // committed
	steps    map[string]time.Duration
	batches  []benchMarks
	changed  chan struct{} // closed, and another one made, at each commit
}

// benchMarks are the moments of one poll.
type benchMarks struct {
	polled, decoded, stored, pushed time.Time
	committed                       time.Time // of its batch
}

func newBenchObserver() *benchObserver {
	return &benchObserver{steps: map[string]time.Duration{}, changed: make(chan struct{})}
}

// Condition is the consumer's.
func (o *benchObserver) Condition(name string, ok bool, reason string) {
	o.mu.Lock()
	if name == "assigned" && ok && o.assigned.began.IsZero() {
		o.assigned = startClock()
	}
	o.mu.Unlock()
	o.Observer.Condition(name, ok, reason)
}

// Step is the consumer's. Polls go to the stores in the order in which they were decoded, those that wait together.
func (o *benchObserver) Step(step string, took time.Duration) {
	o.Observer.Step(step, took)
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	o.steps[step] += took
	switch step {
	case "decode":
		o.batches = append(o.batches, benchMarks{polled: now.Add(-took), decoded: now})
	case "postgres":
		for m := range o.waiting(func(m *benchMarks) (before, at time.Time) { return m.decoded, m.stored }, now.Add(-took)) {
			m.stored = now
		}
	case "redis":
		for m := range o.waiting(func(m *benchMarks) (before, at time.Time) { return m.stored, m.pushed }, now.Add(-took)) {
			m.pushed = now
		}
	}
}

// waiting are the polls that had the step before one behind them when it began, and not this one.
func (o *benchObserver) waiting(of func(*benchMarks) (before, at time.Time), began time.Time) iter.Seq[*benchMarks] {
	return func(yield func(*benchMarks) bool) {
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

// Batch is the consumer's.
func (o *benchObserver) Batch(s consumer.BatchSummary) {
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

func (o *benchObserver) committed() (records int64, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.records, o.changed
}

// took is from the assignment to the last commit.
func (o *benchObserver) took() (wall, processor time.Duration, steps map[string]time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.finished.began.Sub(o.assigned.began), o.finished.used - o.assigned.used, o.steps
}

// marks are the moments of all polls so far.
func (o *benchObserver) marks() []benchMarks {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.batches)
}
