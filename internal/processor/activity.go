package processor

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// activity collects what each heartbeat says of the processor's work: how far its partitions are, totals
// since the start, and rates over the last schemas.WorkWindowS seconds.
type activity struct {
	began time.Time

	mu         sync.Mutex // guards what follows
	total      schemas.Work
	partitions map[int32]*progress // the owned ones
	window     [schemas.WorkWindowS]second
}

// progress is how far one partition is, as the consumer reported it last.
type progress struct {
	next  int64              // readers see everything below this offset
	waits time.Time          // of the oldest record that waits; zero: none does
	lag   schemas.Opt[int64] // records
}

// second is the work of one second.
type second struct {
	unix    int64
	records int64
	bytes   int64
	steps   map[string]schemas.StepWork
}

func newActivity(now time.Time) *activity {
	return &activity{began: now, partitions: map[int32]*progress{}, total: schemas.Work{
		Since: schemas.TimeMSOf(now), Build: obs.Build(), Letters: map[schemas.Code]int64{},
	}}
}

// at returns the second of a time, emptied when its slot held an older one. mu must be held.
func (w *activity) at(now time.Time) *second {
	unix := now.Unix()
	s := &w.window[unix%int64(len(w.window))]
	if s.unix != unix {
		*s = second{unix: unix, steps: map[string]schemas.StepWork{}}
	}
	return s
}

// step counts one step of a batch.
func (w *activity) step(now time.Time, name string, took time.Duration) {
	ms := float64(took.Microseconds()) / 1000
	w.mu.Lock()
	defer w.mu.Unlock()
	steps := w.at(now).steps
	steps[name] = addStep(steps[name], schemas.StepWork{Count: 1, SumMS: ms, MaxMS: ms})
}

func addStep(a, b schemas.StepWork) schemas.StepWork {
	return schemas.StepWork{Count: a.Count + b.Count, SumMS: a.SumMS + b.SumMS, MaxMS: max(a.MaxMS, b.MaxMS)}
}

// batch counts a committed batch.
func (w *activity) batch(now time.Time, b consumer.BatchSummary) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t, s := &w.total, w.at(now)
	t.Records += int64(b.Records)
	t.Rows += int64(b.Rows)
	s.records += int64(b.Records)
	s.bytes += b.Bytes
	for code, n := range b.DeadLetters {
		t.Letters[code] += int64(n)
	}
	for _, l := range b.Newest {
		l.At = schemas.TimeMSOf(now)
		t.Newest = append([]schemas.DeadLetterNote{l}, t.Newest[:min(len(t.Newest), schemas.MaxNotes-1)]...)
	}
}

// moved sets how far readers can see in a partition, and since when a record waits there.
func (w *activity) moved(partition int32, next int64, waits time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.partitions[partition]
	if p == nil {
		p = &progress{}
		w.partitions[partition] = p
	}
	p.next, p.waits = next, waits
}

// lags sets the lag of a partition in records; below 0 the partition is no longer owned.
func (w *activity) lags(partition int32, records int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if records < 0 {
		delete(w.partitions, partition)
	} else if p := w.partitions[partition]; p != nil {
		p.lag = schemas.Some(records)
	}
}

// held sets why the circuit breaker is open; "": it is closed.
func (w *activity) held(reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.total.Breaker = reason
}

// heartbeat returns the heartbeat of a time, with the lag of the partition that is furthest behind.
func (w *activity) heartbeat(
	now time.Time, topic string, phase redissink.Phase, health *obs.Health,
) schemas.Heartbeat {
	h := schemas.Heartbeat{
		At: schemas.TimeMSOf(now), Phase: string(phase), Topic: topic, Positions: map[string]int64{},
		Work: w.report(now, health),
	}
	for id, p := range h.Work.Partitions {
		h.Positions[id], h.LagMS = p.Next, max(h.LagMS, p.LagMS)
	}
	return h
}

// report returns the figures for a heartbeat. Rates leave out the present second, because it is not over.
func (w *activity) report(now time.Time, health *obs.Health) *schemas.Work {
	_, faults := health.Ready()
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.total
	t.At, t.Faults, t.Steps = schemas.TimeMSOf(now), faults, map[string]schemas.StepWork{}
	t.Letters, t.Newest = maps.Clone(t.Letters), slices.Clone(t.Newest)
	t.Partitions = make(map[string]schemas.PartitionWork, len(w.partitions))
	for id, p := range w.partitions {
		work := schemas.PartitionWork{Next: p.next, LagRecords: p.lag}
		if !p.waits.IsZero() {
			work.LagMS = max(now.Sub(p.waits).Milliseconds(), 1)
		}
		t.Partitions[strconv.Itoa(int(id))] = work
	}
	var records, bytes int64
	for _, s := range w.window {
		age := now.Unix() - s.unix
		if age < 0 || age >= schemas.WorkWindowS {
			continue
		}
		for name, step := range s.steps {
			t.Steps[name] = addStep(t.Steps[name], step)
		}
		if age > 0 {
			records, bytes = records+s.records, bytes+s.bytes
		}
	}
	seconds := min(max(now.Sub(w.began).Seconds(), 1), schemas.WorkWindowS-1)
	t.RecordsPerS, t.BytesPerS = float64(records)/seconds, float64(bytes)/seconds
	return &t
}
