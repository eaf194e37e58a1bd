package deadletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

// Sender produces records to the raw topic. It calls acked once for each record that Send took, in their
// order, at the latest within Flush; never for a record for which Send returned an error.
type Sender interface {
	Send(ctx context.Context, r *kgo.Record, acked func(error)) error
	Flush(ctx context.Context) error
}

// RetryOptions select what a retry sends.
type RetryOptions struct {
	Filter
	Again   bool  // also retried and discarded ones, and those that this build has tried
	Passing bool  // only those that would pass, and change something
	Limit   int64 // send at most this many; 0: all
	// Batch is how many dead letters are recorded as sending at a time; 0: 100.
	Batch int
	// Progress, if not nil, is called with the number of records sent and to send.
	Progress func(done, total int64)
}

// RetryReport is the result of a retry.
type RetryReport struct {
	Selected int64 `json:"selected"` // to be sent
	Sent     int64 `json:"sent"`     // acknowledged by Kafka
	Refused  int64 `json:"refused"`  // refused by Kafka permanently, or gone from the raw topic: they stay open
	Before   int64 `json:"before"`   // skipped: retried or discarded before, or failed again since
	Tried    int64 `json:"tried"`    // skipped: this build rejected them before and would again
	Foreign  int64 `json:"foreign"`  // skipped: without its origin a record would be a new version
	// Found counts records that a killed retry had sent. They are recorded as retried now, and not sent
	// again.
	Found   int64    `json:"found"`
	Reasons []string `json:"reasons,omitempty"` // why some were refused, at most maxReasons
}

// ErrBusy is returned if another retry or discard runs on this schema.
var ErrBusy = errors.New("another dlq retry or discard is running on this schema: wait for its end")

const (
	defaultBatch = 100
	maxReasons   = 5
	// graceTimeout is how long an interrupted retry waits for the answers that are still missing.
	graceTimeout = 10 * time.Second
)

// retry is the state of one Retry.
type retry struct {
	d      *Desk
	o      RetryOptions
	out    Sender
	book   *book
	report RetryReport
	left   int64 // dead letters that may still be sent
}

// Retry sends the selected dead letters' records to the raw topic, each once. A batch is recorded as
// sending before it is sent, and as retried, with its place, when Kafka has it. After a crash in between,
// the next run searches the raw topic for the batch, so no record is sent twice.
func (d *Desk) Retry(ctx context.Context, o RetryOptions, out Sender) (RetryReport, error) {
	if o.Batch <= 0 {
		o.Batch = defaultBatch
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
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

// run completes an earlier retry that was killed, surveys the dead letters, and then reads them again to send
// those that the survey has selected.
func (r *retry) run(ctx context.Context) (err error) {
	// guard: dead letters: what was being sent is looked for | instead
	if r.report.Found, err = r.d.resume(ctx); err != nil {
		return err
	}
	if r.book, err = r.d.survey(ctx, Question{Filter: r.o.Filter, Again: r.o.Again, Predict: true}); err != nil {
		return err
	}
	r.count(r.book.close().Sums)
	total := r.left
	r.o.Progress(0, total)
	var batch []Letter
	held := 0 // bytes of batch
	err = r.d.Each(ctx, r.o.Filter, func(l *Letter) (bool, error) {
		if r.left == 0 {
			return false, nil
		}
		if !r.book.take(l, r.o.Passing) {
			return true, nil
		}
		r.left--
		if err := r.d.Complete(ctx, l); isLost(err) {
			r.refuse(err)
			return r.left > 0, nil
		} else if err != nil {
			return false, err
		}
		batch = append(batch, *l)
		held += len(l.Value)
		// A batch ends at 1 MiB, because the producer holds each record several times.
		if len(batch) < r.o.Batch && held < 1<<20 && r.left > 0 {
			return true, nil
		}
		err := r.send(ctx, batch)
		batch, held = batch[:0], 0
		r.o.Progress(r.report.Sent+r.report.Refused, total)
		return r.left > 0, err
	})
	if err == nil && len(batch) > 0 {
		err = r.send(ctx, batch)
	}
	return err
}

// count reports how many dead letters are selected and skipped, and sets how many are left to send.
func (r *retry) count(sums Sums) {
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
}

// send sends one batch and records the result, also when it is interrupted. Records without an answer of
// Kafka stay recorded as sending, because they may be in the topic: resume searches for them.
func (r *retry) send(ctx context.Context, batch []Letter) error {
	decisions := schemas.Map(batch, func(l Letter) schemas.DeadLetterDecision {
		return r.d.decision(l.ID, schemas.DeadLetterSending, "")
	})
	if err := r.d.o.Store.DecideDeadLetters(ctx, decisions); err != nil {
		return err
	}
	answers, err := r.produce(ctx, batch)
	var known []schemas.DeadLetterDecision
	for i, a := range answers {
		switch decision := decisions[i]; {
		case a.err == nil:
			// guard: dead letters: what is sent is written down | instead continue
			decision.Action, decision.Raw = schemas.DeadLetterRetried, a.at
			known = append(known, decision)
		case a.err == errNotSent || kafkasink.IsRefusal(a.err):
			decision.Action, decision.Reason = schemas.DeadLetterOpen, a.err.Error()
			known = append(known, decision)
		}
	}
	// Recorded also after ctx has ended, because the records were sent.
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTimeout)
	defer cancel()
	if e := r.d.o.Store.DecideDeadLetters(late, known); err == nil {
		err = e
	}
	return r.note(answers, err)
}

// answer is Kafka's answer to one record.
type answer struct {
	err error
	at  schemas.Coordinates
}

var (
	errNotSent  = errors.New("not sent: the retry ended before")
	errNoAnswer = errors.New("Kafka has not answered")
)

// produce sends a batch to Kafka and waits for the answers, one for each record. After an error it waits for
// graceTimeout only; then a record has errNoAnswer, or errNotSent if the Sender was never given it.
func (r *retry) produce(ctx context.Context, batch []Letter) ([]answer, error) {
	var mu sync.Mutex
	got := make([]answer, len(batch))
	for i := range got {
		got[i].err = errNotSent
	}
	set := func(i int, err error, at schemas.Coordinates) {
		mu.Lock()
		defer mu.Unlock()
		got[i] = answer{err, at}
	}
	var err error
	for i := range batch {
		rec := batch[i].Again(r.d.o.Raw)
		set(i, errNoAnswer, schemas.Coordinates{})
		err = r.out.Send(ctx, rec, func(failed error) { set(i, failed, kafkaread.Record(rec).Coordinates) })
		if err != nil { // this one was not taken
			set(i, errNotSent, schemas.Coordinates{})
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

// note counts answers. A permanent refusal is counted and skipped; any other failure ends the retry.
func (r *retry) note(answers []answer, err error) error {
	for _, a := range answers {
		switch {
		case a.err == nil:
			r.report.Sent++
		case a.err == errNotSent:
		case kafkasink.IsRefusal(a.err):
			r.refuse(a.err)
		case err == nil:
			err = fmt.Errorf("Kafka does not take records: %w", a.err)
		}
	}
	return err
}

// refuse counts a record that cannot be sent. Its dead letter stays open.
func (r *retry) refuse(why error) {
	r.report.Refused++
	if len(r.report.Reasons) < maxReasons {
		r.report.Reasons = append(r.report.Reasons, why.Error())
	}
}

// decision returns a decision of the person who runs the program.
func (d *Desk) decision(
	id schemas.DeadLetterID, action schemas.DeadLetterAction, reason string,
) schemas.DeadLetterDecision {
	return schemas.DeadLetterDecision{
		ID: id, Action: action, Reason: reason, By: d.o.By, Build: d.o.Build, At: schemas.TimeMSOf(d.o.Now()),
	}
}

// resume completes a retry that was killed. The dead letters that it recorded as sending become retried if
// their record is in the raw topic, and open if not. found counts those in the raw topic.
func (d *Desk) resume(ctx context.Context) (found int64, err error) {
	sending, err := d.o.Store.DeadLettersSending(ctx)
	if err != nil || len(sending) == 0 {
		return 0, err
	}
	left := make(map[schemas.DeadLetterID]schemas.DeadLetterDecision, len(sending))
	since := sending[0].At
	for _, s := range sending {
		left[s.ID] = s
		since = min(since, s.At)
	}
	parts, err := kafkaread.Bounds(ctx, d.admin, d.o.Raw, kgo.ReadCommitted())
	if err != nil {
		return 0, err
	}
	// A record that is sent again carries the time of sending, so older ones need not be searched.
	if parts, err = kafkaread.Since(ctx, d.admin, d.o.Raw, parts, since.Time().Add(-clockSlack)); err != nil {
		return 0, err
	}
	var sent []schemas.DeadLetterDecision
	var done int64
	err = kafkaread.Read(ctx, d.o.Client, d.o.Raw, parts, func(batch []*kgo.Record) error {
		for _, r := range batch {
			err := kafkaread.Load(r, 0, func(rec schemas.Record) {
				// A record that was sent again carries the identity of its dead letter in the same headers.
				s, ok := left[Read(rec).ID]
				if !ok || rec.TimestampMS < int64(s.At)-clockSlack.Milliseconds() {
					return
				}
				delete(left, s.ID)
				s.Action, s.Reason = schemas.DeadLetterRetried, ""
				s.Raw = schemas.Coordinates{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}
				sent = append(sent, s)
			})
			if err != nil {
				return err
			}
		}
		done += int64(len(batch))
		d.o.Progress(done, parts.Total())
		return nil
	})
	if err != nil {
		return 0, err
	}
	found = int64(len(sent))
	for _, s := range left {
		s.Action, s.Reason, s.At = schemas.DeadLetterOpen, errNotSent.Error(), schemas.TimeMSOf(d.o.Now())
		sent = append(sent, s)
	}
	return found, d.o.Store.DecideDeadLetters(ctx, sent)
}

// Open counts the open dead letters that a filter takes, which Discard would discard.
func (d *Desk) Open(ctx context.Context, f Filter) (int64, error) {
	r, err := d.Survey(ctx, Question{Filter: f})
	return r.Open + r.Foreign, err
}

// Discard records the open dead letters that a filter takes as discarded, with the reason. They stay in their
// topic, and a retry with Again can still send them. discarded counts those recorded, also after an error.
func (d *Desk) Discard(ctx context.Context, f Filter, reason string) (discarded int64, err error) {
	unlock, err := d.lock(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	if _, err := d.resume(ctx); err != nil {
		return 0, err
	}
	b, err := d.survey(ctx, Question{Filter: f})
	if err != nil {
		return 0, err
	}
	b.close()
	var batch []schemas.DeadLetterDecision
	write := func() error {
		err := d.o.Store.DecideDeadLetters(ctx, batch)
		// guard: dead letters: a discard that was not recorded is not counted | err == nil -> true
		if err == nil {
			discarded += int64(len(batch))
		}
		batch = batch[:0]
		return err
	}
	err = d.Each(ctx, f, func(l *Letter) (bool, error) {
		if b.takeOpen(l) {
			batch = append(batch, d.decision(l.ID, schemas.DeadLetterDiscarded, reason))
		}
		if len(batch) < defaultBatch {
			return true, nil
		}
		return true, write()
	})
	if err == nil && len(batch) > 0 {
		err = write()
	}
	return discarded, err
}
