package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

// loader is one run of load. The reading goroutine owns it; acknowledgements touch report and state only.
type loader struct {
	c        *loadCmd
	in       *fileinput.Reader
	out      sender
	ids      *fileinput.IDs        // nil: none
	state    *fileinput.Checkpoint // nil: none
	progress *terminal.Progress
	pace     realPace
	report   loadReport
	saved    time.Time               // when the state was last written
	stop     context.CancelCauseFunc // ends the reading and the sending
}

// sender is where records go: a producer, or nothing at all under --check.
type sender interface {
	Send(ctx context.Context, rec *kgo.Record, acked func(error)) error
	Refuse(err error, acked func(error))
	Flush(ctx context.Context) error
	Close()
}

const (
	saveEvery = 5 * time.Second
	// stopTimeout is how long an interrupted load waits for what is under way.
	stopTimeout = 5 * time.Second
)

var errInterrupted = errors.New("interrupted")

func (c *loadCmd) interrupted() error {
	if c.State == "" {
		return errInterrupted
	}
	return fmt.Errorf("%w: run the same command again to go on", errInterrupted)
}

// sentBefore passes over a file all of whose records are acknowledged.
func (l *loader) sentBefore(f *fileinput.File) bool {
	if !l.state.Complete(f) {
		return false
	}
	l.report.sentBefore(l.state.SettledRecords(f))
	return true
}

// run reads and sends to the end, or until ctx or a failing Kafka ends it; then it finishes what is under way.
func (l *loader) run(ctx context.Context) error {
	err := l.sendAll(ctx)
	l.in.Close()
	saveErr := l.finish(ctx)
	l.progress.Stop()
	ours := l.report.ours()
	switch {
	case ours != nil:
		err = fmt.Errorf("Kafka does not take records: %w", ours)
	case ctx.Err() != nil:
		err = l.c.interrupted()
	case err == nil:
		err = l.report.failure(l.in)
	}
	return errors.Join(err, saveErr)
}

func (l *loader) sendAll(ctx context.Context) error {
	for {
		item, err := l.in.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = l.one(ctx, item)
		}
		if err != nil {
			return err
		}
		l.progress.SetBytes(l.in.BytesRead())
		if err := l.saveNowAndThen(); err != nil {
			return err
		}
	}
}

// one sends one record, unless an earlier run has.
func (l *loader) one(ctx context.Context, item fileinput.Item) error {
	if l.state != nil && l.state.Done(item.File, item.Record) {
		l.report.sentBefore(1)
		return nil
	}
	l.report.read(item)
	place := placeOf(item)
	acked := func(err error) { l.acked(place, err) }
	if item.TooLarge {
		l.out.Refuse(kafkasink.ErrTooLarge, acked)
		return nil
	}
	rec, at := l.record(item)
	if l.c.Realtime && !l.c.Check {
		if err := l.pace.wait(ctx, at); err != nil {
			return err
		}
	}
	return l.out.Send(ctx, rec, acked)
}

// record is the Kafka record of an item, and when its pitch was thrown (zero where that is not known).
func (l *loader) record(item fileinput.Item) (rec *kgo.Record, thrown time.Time) {
	rec = &kgo.Record{Value: item.Value, Timestamp: l.c.timestamp.fixed}
	if !l.c.Check { // the value is the reader's, and the producer keeps it for a while
		rec.Value = bytes.Clone(item.Value)
	}
	game, named := item.GamePK, false
	if l.c.timestamp.mtime {
		rec.Timestamp, thrown = item.File.ModTime, item.File.ModTime
	}
	if l.ids != nil {
		var id fileinput.Identity
		id, named = l.identity(item.Value)
		for _, h := range id.Headers() {
			rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		if l.c.Game == "" {
			game = cmp.Or(id.GamePK, game)
		}
		if id.EventTime.Present {
			thrown = id.EventTime.Value.Time()
		}
	}
	if l.c.Revision > 0 {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: schemas.HeaderRevision, Value: strconv.AppendInt(nil, l.c.Revision, 10)})
	}
	if game != "" {
		rec.Key = []byte(game)
	}
	l.report.about(game, named)
	if l.c.Check {
		l.report.judge(judge(rec, int(l.c.Limits.MaxRecordBytes)))
	}
	return rec, thrown
}

// judge is what the processor would make of a record: the code of its dead letter, "" for a row.
func judge(rec *kgo.Record, maxRecordBytes int) schemas.Code {
	r := schemas.Record{Key: rec.Key, Value: rec.Value}
	for _, h := range rec.Headers {
		r.Headers = append(r.Headers, schemas.Header{Key: h.Key, Value: h.Value})
	}
	if _, rejection := features.Transform(r, features.Limits{MaxRecordBytes: maxRecordBytes}); rejection != nil {
		return rejection.Code
	}
	return ""
}

func (l *loader) identity(value []byte) (fileinput.Identity, bool) {
	eventID, ok := fileinput.EventID(value)
	if !ok {
		return fileinput.Identity{}, false
	}
	return l.ids.Lookup(eventID)
}

// acked notes what became of a record. It is called in the order of the records. Once one has failed that another try
// might bring there, none behind it counts as settled.
func (l *loader) acked(place place, err error) {
	settled := l.report.acked(place, err)
	if settled && l.state != nil {
		l.state.Settle(place.file, place.record, err != nil)
	}
	if ours := l.report.ours(); ours != nil {
		l.stop(ours)
	}
	l.progress.AddRecords(1)
}

// finish waits for what is under way, shortly where the run was ended, and writes the state.
func (l *loader) finish(ctx context.Context) error {
	if err := l.out.Flush(ctx); err != nil {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		_ = l.out.Flush(grace) // what it leaves, Close answers
	}
	l.out.Close()
	return l.save()
}

func (l *loader) saveNowAndThen() error {
	if time.Since(l.saved) < saveEvery {
		return nil
	}
	l.saved = time.Now()
	return l.save()
}

func (l *loader) save() error {
	if l.state == nil || l.c.Check {
		return nil
	}
	if err := l.state.Save(); err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	return nil
}

// realPace keeps the real time between events. An event earlier than those before it, or of no known time, goes at once.
type realPace struct {
	firstEvent, firstSent time.Time
}

func (p *realPace) wait(ctx context.Context, event time.Time) error {
	if p.firstEvent.IsZero() {
		p.firstEvent, p.firstSent = event, time.Now()
	}
	timer := time.NewTimer(time.Until(p.firstSent.Add(event.Sub(p.firstEvent))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
