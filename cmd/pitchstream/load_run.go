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
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"pitchstream/features"
	"pitchstream/internal/config"
	"pitchstream/internal/inputs"
	"pitchstream/schemas"
)

// loader is one run of load. The reading goroutine owns it; acknowledgements touch report and state only.
type loader struct {
	c        *loadCmd
	in       *inputs.Reader
	out      sender
	ids      *inputs.IDs        // nil: none
	state    *inputs.Checkpoint // nil: none
	progress *progress
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

// open opens what a load needs, the cheapest to be wrong first.
func (c *loadCmd) open(ctx context.Context, stop context.CancelCauseFunc, std *stdio) (_ *loader, err error) {
	l := &loader{c: c, report: newLoadReport(c), saved: time.Now(), stop: stop}
	if c.IDs != "" {
		if l.ids, err = inputs.LoadIDs(ctx, c.IDs); err != nil {
			return nil, fmt.Errorf("--ids: %w", err)
		}
		if c.Realtime && !c.timestamp.mtime && !l.ids.HasEventTimes() {
			return nil, fmt.Errorf("--realtime: %s has no event_time; add the column, or give --timestamp mtime", c.IDs)
		}
	}
	if c.State != "" {
		if l.state, err = inputs.OpenCheckpoint(c.State, c.stateSettings()); err != nil {
			return nil, fmt.Errorf("--state: %w", err)
		}
		if err = l.save(); err != nil { // better now than after an hour
			return nil, err
		}
	}
	if l.in, err = inputs.Open(ctx, l.inputOptions(std)); err != nil {
		return nil, err
	}
	if err = c.refusePipes(l.in.Files()); err == nil {
		l.out, err = c.openSender(ctx)
	}
	if err != nil {
		l.in.Close()
		return nil, err
	}
	total, _ := l.in.BytesTotal()
	l.progress = startProgress(std.Err, progressOptions{Title: "load", TotalBytes: total})
	if l.ids != nil {
		for _, note := range l.ids.Notes {
			l.progress.Note("load: %s: %s", c.IDs, note)
		}
	}
	return l, nil
}

// refusePipes is Validate for what only the file system tells: a named pipe is no file to come back to.
func (c *loadCmd) refusePipes(files []*inputs.File) error {
	for _, f := range files {
		switch {
		case f.SizeBytes >= 0:
		case c.State != "":
			return fmt.Errorf("--state cannot remember %s, which is a pipe: name files", f.Path)
		case c.timestamp.mtime:
			return fmt.Errorf("--timestamp mtime: %s is a pipe and has none: name files, or give a time", f.Path)
		}
	}
	return nil
}

// stateSettings are what makes two loads of one file different loads.
func (c *loadCmd) stateSettings() map[string]string {
	return map[string]string{"topic": c.Topics.TopicRaw, "revision": strconv.FormatInt(c.Revision, 10), "game": c.Game, "timestamp": c.Timestamp, "ids": c.IDs}
}

func (l *loader) inputOptions(std *stdio) inputs.Options {
	o := inputs.Options{
		Paths: l.c.Paths, Game: l.c.Game, Stdin: std.In,
		// A record that the processor finds too large still goes out; it becomes a letter there.
		MaxRecordBytes: int(l.c.Limits.MaxRecordBytes) + 1<<20,
	}
	if l.c.IDs != "" {
		o.Exclude = append(o.Exclude, l.c.IDs)
	}
	if l.state != nil {
		o.Exclude = append(o.Exclude, l.c.State)
		o.Ended = l.state.Ended
		o.Skip = l.sentBefore
	}
	return o
}

func (c *loadCmd) openSender(ctx context.Context) (sender, error) {
	if c.Check {
		return nowhere{}, nil
	}
	options, err := config.Kafka(c.Kafka).Options()
	if err != nil {
		return nil, err
	}
	return openProducer(ctx, producerOptions{
		Client: options, Topic: c.Topics.TopicRaw, MaxRecordBytes: int(c.Limits.MaxRecordBytes) + 1<<20, RecordsPerSecond: c.Rate,
	})
}

// sentBefore passes over a file all of whose records are acknowledged.
func (l *loader) sentBefore(f *inputs.File) bool {
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
		err = errInterrupted
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
func (l *loader) one(ctx context.Context, item inputs.Item) error {
	if l.state != nil && l.state.Done(item.File, item.Record) {
		l.report.sentBefore(1)
		return nil
	}
	l.report.read(item)
	place := placeOf(item)
	acked := func(err error) { l.acked(place, err) }
	if item.TooLarge {
		l.out.Refuse(errTooLarge, acked)
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
func (l *loader) record(item inputs.Item) (rec *kgo.Record, thrown time.Time) {
	rec = &kgo.Record{Value: item.Value, Timestamp: l.c.timestamp.fixed}
	if !l.c.Check { // the value is the reader's, and the producer keeps it for a while
		rec.Value = bytes.Clone(item.Value)
	}
	game, named := item.GamePK, false
	if l.c.timestamp.mtime {
		rec.Timestamp, thrown = item.File.ModTime, item.File.ModTime
	}
	if l.ids != nil {
		var id inputs.Identity
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

func (l *loader) identity(value []byte) (inputs.Identity, bool) {
	eventID, ok := inputs.EventID(value)
	if !ok {
		return inputs.Identity{}, false
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

// nowhere is the sender of --check.
type nowhere struct{}

func (nowhere) Send(_ context.Context, _ *kgo.Record, acked func(error)) error {
	acked(nil)
	return nil
}
func (nowhere) Refuse(err error, acked func(error)) { acked(err) }
func (nowhere) Flush(context.Context) error         { return nil }
func (nowhere) Close()                              {}

// realPace keeps the real time between events. An event earlier than those before it, or of no known time, goes at once.
type realPace struct {
	firstEvent, firstSent time.Time
}

func (p *realPace) wait(ctx context.Context, event time.Time) error {
	if event.IsZero() {
		return nil
	}
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

// isGamePK is whether text can be a game_pk.
func isGamePK(s string) bool {
	if len(s) == 0 || len(s) > 64 || !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if c < 0x20 || c == 0x7f {
			return false
		}
	}
	return true
}
