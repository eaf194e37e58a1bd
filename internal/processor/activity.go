package processor

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/schemas"
)

// activity collects the figures of the processor's work that each heartbeat carries: totals since the start,
// and rates over the last schemas.WorkWindowS seconds.
type activity struct {
	began time.Time

	mu      sync.Mutex // guards what follows
	records int64
	rows    int64
	letters map[schemas.Code]int64
	newest  []schemas.DeadLetterNote // the newest first
	lag     map[int32]int64          // records
	breaker string
	window  [schemas.WorkWindowS]second
}

// second is the work of one second.
type second struct {
	unix    int64
	records int64
	bytes   int64
	steps   map[string]schemas.StepWork
}

func newActivity(now time.Time) *activity {
	return &activity{began: now, letters: map[schemas.Code]int64{}, lag: map[int32]int64{}}
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
	steps[name] = addStep(steps[name], schemas.StepWork{Batches: 1, SumMS: ms, MaxMS: ms})
}

func addStep(a, b schemas.StepWork) schemas.StepWork {
	return schemas.StepWork{
		Batches: a.Batches + b.Batches, SumMS: a.SumMS + b.SumMS, MaxMS: max(a.MaxMS, b.MaxMS),
	}
}

// batch counts a committed batch.
func (w *activity) batch(now time.Time, b consumer.BatchSummary) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records += int64(b.Records)
	w.rows += int64(b.Rows)
	s := w.at(now)
	s.records += int64(b.Records)
	s.bytes += b.Bytes
	for code, n := range b.DeadLetters {
		w.letters[code] += int64(n)
	}
	for _, l := range b.Newest {
		l.At = schemas.TimeMSOf(now)
		w.newest = append([]schemas.DeadLetterNote{l}, w.newest[:min(len(w.newest), schemas.MaxNotes-1)]...)
	}
}

// lags sets the lag of a partition; below 0 removes it.
func (w *activity) lags(partition int32, records int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lag[partition] = records
	if records < 0 {
		delete(w.lag, partition)
	}
}

// held sets why the circuit breaker is open; "": it is closed.
func (w *activity) held(reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.breaker = reason
}

// report returns the figures for a heartbeat. Rates leave out the present second, because it is not over.
func (w *activity) report(now time.Time, at *positions, health *obs.Health) *schemas.Work {
	_, faults := health.Ready()
	w.mu.Lock()
	defer w.mu.Unlock()
	t := &schemas.Work{
		At: schemas.TimeMSOf(now), Since: schemas.TimeMSOf(w.began), Build: obs.Build(),
		Records: w.records, Rows: w.rows, Partitions: at.byPartition(now, w.lag),
		Steps: map[string]schemas.StepWork{}, Letters: map[schemas.Code]int64{},
		Newest: slices.Clone(w.newest), Faults: faults, Breaker: w.breaker,
	}
	for code, n := range w.letters {
		t.Letters[code] = n
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
	return t
}

// byPartition returns the progress of each owned partition. lag is in records.
func (p *positions) byPartition(now time.Time, lag map[int32]int64) map[string]schemas.PartitionWork {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]schemas.PartitionWork, len(p.next))
	for id, next := range p.next {
		w := schemas.PartitionWork{Next: next}
		if records, known := lag[id]; known {
			w.LagRecords = schemas.Some(records)
		}
		if since := p.wait[id]; !since.IsZero() {
			w.LagMS = max(now.Sub(since).Milliseconds(), 1)
		}
		out[strconv.Itoa(int(id))] = w
	}
	return out
}
