// Package deadletter is the workbench for dead letters: what lies in their topic, what would become of it today, and the
// decisions of people about it.
//
//	letter.go    one letter: what its headers say, and its record as it is sent again
//	survey.go    all letters up to now, in one pass, and what would become of them
//	book.go      what is kept of each letter during a pass: some 50 bytes
//	predict.go   today's core on letters, the versions that stand, and what the store would refuse
//	retry.go     sends records again, each once, whatever dies
//	resume.go    what a retry that was killed had sent
//	discard.go   nobody wants it
//	shape.go     messages without what differs; filter.go: which letters are meant
//	place.go     where in a record the fault is
//
// A letter's identity is (origin, attempts). It is open until somebody decides about it, or until its record has failed
// again. Everything reads with read_committed, up to the ends of the topic when it began.
package deadletter

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// Known is what the store of record knows of letters, and of the pitches that they are about.
type Known interface {
	// DeadLetterDecisions answers what was decided about letters, in no order.
	DeadLetterDecisions(ctx context.Context, ids []schemas.DeadLetterID) ([]schemas.DeadLetterDecision, error)
	// RegistersOf gives both registers of some pitches.
	RegistersOf(ctx context.Context, ids []schemas.PitchID) ([]schemas.StoredRegisters, error)
}

// Store is Known where one may also decide.
type Store interface {
	Known
	// DeadLettersSending answers the letters that a retry was about to send when it ended.
	DeadLettersSending(ctx context.Context) ([]schemas.DeadLetterDecision, error)
	// DecideDeadLetters writes decisions, each letter once, over those that stood.
	DecideDeadLetters(ctx context.Context, decisions []schemas.DeadLetterDecision) error
	// LockDeadLetters takes the one lock of those who decide.
	LockDeadLetters(ctx context.Context) (unlock func(), ok bool, err error)
	// WouldRefuse answers which changes the store would refuse for good, and changes nothing.
	WouldRefuse(ctx context.Context, pitches []schemas.PitchChanges) ([]schemas.Refusal, error)
}

// Options say where the letters are.
type Options struct {
	Client    []kgo.Opt // how to reach the brokers
	Raw, Dead string    // topics
	Known     Known     // nil: Store, and without that decisions and the versions that stand are not known
	Store     Store     // nil: nobody decides here
	// CoreOnly leaves out the question whether the store would refuse a row that passes the core.
	CoreOnly bool
	Limits   features.Limits
	By       string           // who decides, user@host
	Build    string           // of this program
	Now      func() time.Time // nil: time.Now
	// Progress is called with the letters that were looked at, and how many offsets there are; nil: by nobody.
	Progress func(done, total int64)
}

// Desk is a look at the letters of one moment.
type Desk struct {
	o      Options
	client *kgo.Client
	admin  *kadm.Client
	parts  kafkaread.Spans // of the dead-letter topic, as it was when the desk was opened
}

// Open asks where the dead-letter topic ends. Close lets go.
func Open(ctx context.Context, o Options) (*Desk, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	if o.Known == nil && o.Store != nil {
		o.Known = o.Store
	}
	client, err := kgo.NewClient(o.Client...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	d := &Desk{o: o, client: client, admin: kadm.NewClient(client)}
	if d.parts, err = kafkaread.Bounds(ctx, d.admin, o.Dead, kgo.ReadCommitted()); err != nil {
		client.Close()
		return nil, err
	}
	return d, nil
}

// Close lets go of the brokers.
func (d *Desk) Close() { d.client.Close() }

// Has says whether a place is one of the topic's, at the moment when the desk was opened.
func (d *Desk) Has(at schemas.Coordinates) bool {
	span, ok := d.parts[at.Partition]
	return ok && span.From <= at.Offset && at.Offset < span.To
}

// clockSlack is how far the clocks of this program, the processors and the brokers may be apart.
const clockSlack = 10 * time.Minute

// Each calls do with every letter that the filter takes, in the order of each partition, until do answers false.
func (d *Desk) Each(ctx context.Context, f Filter, do func(*Letter) (more bool, err error)) error {
	err := d.read(ctx, f, func(batch []*kgo.Record) error {
		for _, r := range batch {
			l := Read(r)
			if !f.Takes(&l) {
				continue
			}
			if more, err := do(&l); err != nil || !more {
				return cmpErr(err, errEnough)
			}
		}
		return nil
	})
	if err == errEnough {
		return nil
	}
	return err
}

// read reads what a filter may take.
func (d *Desk) read(ctx context.Context, f Filter, each func([]*kgo.Record) error) error {
	parts, err := d.partsFor(ctx, f)
	if err != nil {
		return err
	}
	var done int64
	total := parts.Total()
	return kafkaread.Read(ctx, d.o.Client, d.o.Dead, parts, func(batch []*kgo.Record) error {
		done += int64(len(batch))
		err := each(batch)
		d.o.Progress(done, total)
		return err
	})
}

// partsFor leaves out what lies before anything that a filter takes: a letter stands in its topic when it failed.
func (d *Desk) partsFor(ctx context.Context, f Filter) (kafkaread.Spans, error) {
	if len(f.At) > 0 {
		parts := kafkaread.Spans{}
		for _, c := range f.At {
			span := d.parts[c.Partition]
			if !d.Has(c) {
				return nil, fmt.Errorf("%s has no record at %d:%d (it has %d to %d there)", d.o.Dead, c.Partition, c.Offset, span.From, span.To-1)
			}
			if got, again := parts[c.Partition]; again {
				c.Offset = min(c.Offset, got.From)
			}
			// To the end of the partition: a later attempt counts.
			parts[c.Partition] = kafkaread.Span{Partition: c.Partition, From: c.Offset, To: span.To}
		}
		return parts, nil
	}
	if f.Since.IsZero() {
		return d.parts, nil
	}
	return kafkaread.Since(ctx, d.admin, d.o.Dead, d.parts, f.Since.Add(-clockSlack))
}
