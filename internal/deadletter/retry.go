package deadletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// Sender brings records to the raw topic. acked is called once for each record handed over, in their order, at the
// latest within Flush; where Send itself fails, it is not.
type Sender interface {
	Send(ctx context.Context, r *kgo.Record, acked func(error)) error
	Flush(ctx context.Context) error
}

// RetryOptions say what a retry sends.
type RetryOptions struct {
	Filter
	Again   bool  // also letters that were retried or discarded, and those that this build has tried
	Passing bool  // only those that would pass, and change something
	Limit   int64 // at most so many; 0: all
	// IsRefusal says that Kafka will never take this record, as against a failure that is nothing about the record.
	IsRefusal func(error) bool
	// Batch is how many letters are written down before they are sent; 0: 100. What was killed in between is found again.
	Batch int
	// Progress is called with the letters that were sent, and how many there are; nil: by nobody.
	Progress func(done, total int64)
}

// RetryReport says what a retry did.
type RetryReport struct {
	Selected int64 `json:"selected"` // letters that were to be sent
	Sent     int64 `json:"sent"`     // acknowledged by Kafka
	Refused  int64 `json:"refused"`  // Kafka will not take them: they stay open
	Before   int64 `json:"before"`   // retried or discarded before, or failed again since: passed over
	Tried    int64 `json:"tried"`    // sent again before, rejected by this very build, and would fail the same way: passed over
	Foreign  int64 `json:"foreign"`  // passed over: without an origin a record would be a new one, and beat what stands
	// Found are letters that a retry which was killed had sent; they are written down now, and not sent again.
	Found   int64    `json:"found"`
	Reasons []string `json:"reasons,omitempty"` // why Kafka refused some, the first few
}

// ErrBusy says that another one decides about letters in this schema.
var ErrBusy = errors.New("another dlq retry or discard is running on this schema: wait for its end")

const (
	defaultBatch = 100
	maxReasons   = 5
	// graceTimeout is how long what is under way is waited for when a retry is interrupted.
	graceTimeout = 10 * time.Second
)

// retry is one run.
type retry struct {
	d      *Desk
	o      RetryOptions
	out    Sender
	book   *book
	report RetryReport
	left   int64
}

// Retry sends the selected letters' records to the raw topic, each once. Before a batch is sent it is written down as
// sending, and when Kafka has it, as retried with its place: so a letter that was sent is never sent again, whatever died
// in between.
func (d *Desk) Retry(ctx context.Context, o RetryOptions, out Sender) (RetryReport, error) {
	if o.Batch <= 0 {
		o.Batch = defaultBatch
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	if o.IsRefusal == nil {
		o.IsRefusal = func(error) bool { return false }
	}
	r := &retry{d: d, o: o, out: out}
	unlock, err := d.lock(ctx)
	if err != nil {
		return r.report, err
	}
	defer unlock()
	return r.report, r.run(ctx)
}

func (d *Desk) lock(ctx context.Context) (unlock func(), err error) {
	unlock, ok, err := d.o.Store.LockDeadLetters(ctx)
	if err == nil && !ok {
		err = ErrBusy
	}
	return unlock, err
}

func (r *retry) run(ctx context.Context) (err error) {
	// guard: letters: what was being sent is looked for | instead
	if r.report.Found, err = r.d.resume(ctx); err != nil {
		return err
	}
	if r.book, err = r.d.survey(ctx, Question{Filter: r.o.Filter, Again: r.o.Again, Predict: true}); err != nil {
		return err
	}
	sums := r.book.close().Sums
	r.report.Selected, r.report.Foreign = sums.Selected, sums.Foreign
	r.report.Before = sums.Retried + sums.Discarded + sums.FailedAgain
	if r.o.Again {
		r.report.Before = sums.FailedAgain
	} else {
		r.report.Tried = sums.Tried
	}
	if r.o.Passing {
		r.report.Selected = sums.WouldPass
	}
	if r.left = r.report.Selected; r.o.Limit > 0 {
		r.left = min(r.left, r.o.Limit)
	}
	total := r.left
	r.o.Progress(0, total)
	var batch []Letter
	err = r.d.Each(ctx, r.o.Filter, func(l *Letter) (bool, error) {
		if r.left == 0 {
			return false, nil
		}
		if !r.book.take(l, r.o.Passing) {
			return true, nil
		}
		r.left--
		batch = append(batch, *l)
		if len(batch) < r.o.Batch && bytesOf(batch) < 16<<20 && r.left > 0 {
			return true, nil
		}
		err := r.send(ctx, batch)
		batch = batch[:0]
		r.o.Progress(r.report.Sent+r.report.Refused, total)
		return r.left > 0, err
	})
	if err == nil && len(batch) > 0 {
		err = r.send(ctx, batch)
	}
	return err
}

func bytesOf(batch []Letter) (n int) {
	for i := range batch {
		n += len(batch[i].Value)
	}
	return n
}

// send brings one batch there and writes down what came of it, also when it is interrupted. What Kafka has not answered
// stays written down as sending: it may have landed, and resume looks.
func (r *retry) send(ctx context.Context, batch []Letter) error {
	decisions := make([]schemas.DeadLetterDecision, len(batch))
	for i := range batch {
		decisions[i] = r.d.decision(batch[i].ID, schemas.DeadLetterSending, "")
	}
	if err := r.d.o.Store.DecideDeadLetters(ctx, decisions); err != nil {
		return err
	}
	answers, err := r.hand(ctx, batch)
	var known []schemas.DeadLetterDecision
	for i, a := range answers {
		switch decision := decisions[i]; {
		case a.err == nil:
			// guard: letters: what is sent is written down | instead continue
			decision.Action, decision.Raw = schemas.DeadLetterRetried, a.at
			known = append(known, decision)
		case a.err == errNotHanded || r.o.IsRefusal(a.err):
			decision.Action, decision.Reason = schemas.DeadLetterOpen, a.err.Error()
			known = append(known, decision)
		}
	}
	// Written down also when ctx has ended: it happened.
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTimeout)
	defer cancel()
	if e := r.d.o.Store.DecideDeadLetters(late, known); err == nil {
		err = e
	}
	return r.note(answers, err)
}

// answer is what Kafka said of one record.
type answer struct {
	err error
	at  schemas.Coordinates
}

var (
	errNotHanded = errors.New("not sent: the retry ended before")
	errNoAnswer  = errors.New("Kafka has not answered")
)

// hand gives a batch to Kafka and waits for its answers; in the end for a short while only.
func (r *retry) hand(ctx context.Context, batch []Letter) ([]answer, error) {
	var mu sync.Mutex
	got := make([]answer, len(batch))
	for i := range got {
		got[i].err = errNotHanded
	}
	var err error
	for i := range batch {
		rec := batch[i].Again(r.d.o.Raw)
		mu.Lock()
		got[i].err = errNoAnswer
		mu.Unlock()
		err = r.out.Send(ctx, rec, func(failed error) {
			mu.Lock()
			defer mu.Unlock()
			got[i] = answer{failed, schemas.Coordinates{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}}
		})
		if err != nil { // this one was not taken
			mu.Lock()
			got[i].err = errNotHanded
			mu.Unlock()
			break
		}
	}
	if err == nil {
		err = r.out.Flush(ctx)
	}
	if err != nil {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTimeout)
		defer cancel()
		_ = r.out.Flush(late)
	}
	mu.Lock()
	defer mu.Unlock()
	return slices.Clone(got), err
}

// note counts answers. What Kafka will never take is told and passed over; another failure ends the retry.
func (r *retry) note(answers []answer, err error) error {
	for _, a := range answers {
		switch {
		case a.err == nil:
			r.report.Sent++
		case a.err == errNotHanded:
		case r.o.IsRefusal(a.err):
			r.report.Refused++
			if len(r.report.Reasons) < maxReasons {
				r.report.Reasons = append(r.report.Reasons, a.err.Error())
			}
		case err == nil:
			err = fmt.Errorf("Kafka does not take records: %w", a.err)
		}
	}
	return err
}

// decision is one by who runs this.
func (d *Desk) decision(id schemas.DeadLetterID, action schemas.DeadLetterAction, reason string) schemas.DeadLetterDecision {
	return schemas.DeadLetterDecision{ID: id, Action: action, Reason: reason, By: d.o.By, Build: d.o.Build, At: schemas.TimeMSOf(d.o.Now())}
}
