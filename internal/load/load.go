// Package load sends the records of files to the raw topic, byte for byte, so that the processor treats them
// like live ones:
//
//	o := load.Options{Paths: []string{"season/"}, Client: brokers, Topic: "pitches.raw"}
//	report, err := load.Run(ctx, o)
//
// A load may be repeated at any time, because a record that arrives twice changes nothing. With StatePath it
// remembers the acknowledged records, and the next run sends the rest. Three facts are not obvious:
//
//   - Acknowledgements come in the order of the records (kafkasink.Producer). After the first failure that a
//     repetition may cure, no record counts as settled, so that the next run leaves no gap.
//   - A broken record is sent as well, so that it becomes a dead letter, where people look for it.
//   - The report is complete however the run ends. Every record read is sent, refused or unconfirmed.
package load

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/archive"
	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/lifecycle"
	"github.com/pitchstream/pitchstream/internal/lineage"
	"github.com/pitchstream/pitchstream/internal/schemaregistry"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

// Options say what is loaded and how. Paths is required; so are Client and Topic unless Check is set.
type Options struct {
	Paths []string  // files, folders, globs, or fileinput.Stdin
	Stdin io.Reader // what fileinput.Stdin reads

	Game      string // the game_pk of all records; "": from the name of each file
	IDsPath   string // CSV file with identifiers, sent as headers; "": none
	Timestamp Timestamp
	Revision  int64 // sent as a header if it is more than 0

	RecordsPerSecond float64 // 0: no limit
	// Realtime keeps the real time between pitches. It needs IDsPath with event times, or Timestamp.FromFile.
	Realtime bool

	Check      bool   // read and judge everything, but send nothing
	AllowEmpty bool   // without it, inputs without any record are an error
	StatePath  string // file that remembers what was acknowledged; "": none

	Client   []kgo.Opt
	Topic    string
	Registry *schemaregistry.Client // to look into values with its prefix, which are sent as they are; nil: none
	// MaxRecordBytes is the processor's limit. A record up to 1 MiB larger is sent, and becomes a dead letter.
	MaxRecordBytes int
	ProgressTo     io.Writer
	Lineage        *lineage.Emitter // gets what is read and written, unless Check is set; nil: nothing is
}

// Timestamp says which timestamp records carry. Its zero value means the time at which they are sent.
type Timestamp struct {
	FromFile bool      // the modification time of the record's file
	Fixed    time.Time // this time, unless it is zero
	Text     string    // as the user gave it; a state file belongs to loads with the same text
}

// ParseTimestamp reads now, mtime or an RFC 3339 time before now. An error names the flag --timestamp.
func ParseTimestamp(text string, now time.Time) (Timestamp, error) {
	switch text {
	case "now":
		return Timestamp{Text: text}, nil
	case "mtime":
		return Timestamp{Text: text, FromFile: true}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return Timestamp{},
			fmt.Errorf("--timestamp=%s: want now, mtime, or an RFC 3339 time as 2024-09-28T19:05:00Z", text)
	}
	if t.Before(time.UnixMilli(1)) {
		return Timestamp{}, fmt.Errorf("--timestamp=%s: want a time after 1970-01-01T00:00:00Z", text)
	}
	if t.After(now) {
		return Timestamp{}, fmt.Errorf("--timestamp=%s: is in the future; "+
			"it would supersede live records that do not exist yet", text)
	}
	return Timestamp{Text: text, Fixed: t}, nil
}

// ErrInterrupted is the error of a run whose context ended.
var ErrInterrupted = errors.New("interrupted")

const (
	saveEvery = 5 * time.Second
	// stopTimeout is how long an interrupted load waits for acknowledgements of what it has sent.
	stopTimeout   = 5 * time.Second
	oversizeBytes = 1 << 20
)

// Run sends all records. It returns an error if a record failed or an input could not be read. The report is
// nil only if nothing could be opened.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	if !o.Check {
		run := o.Lineage.Begin(lineage.Job{Name: "load", Inputs: o.inputs(nil), Outputs: o.outputs(nil)})
		outer := ctx // that of the run ends with a fault, too
		defer func() { run.End(outer, err, o.inputs(report), o.outputs(report)) }()
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	l, err := open(ctx, stop, o)
	if err != nil {
		return nil, err
	}
	err = l.run(ctx)
	return l.counts.sum(l.in), err
}

// loader is one run. The reading goroutine owns it. Acknowledgements come on the producer's goroutine, which
// uses only counts.acked, state and progress; these are safe for concurrent use.
type loader struct {
	o        Options
	in       *fileinput.Reader
	out      sender
	ids      *fileinput.IDs        // nil: none
	state    *fileinput.Checkpoint // nil: none
	progress *terminal.Progress
	pace     realPace
	counts   counts
	saved    time.Time               // when the state was last written to its file
	stop     context.CancelCauseFunc // ends the reading and the sending
}

// sender is where records go: a kafkasink.Producer, or nowhere.
type sender interface {
	Send(ctx context.Context, rec *kgo.Record, acked func(error)) error
	Refuse(err error, acked func(error))
	Flush(ctx context.Context) error
	Close()
}

// nowhere acknowledges every record at once. It is the sender of Check.
type nowhere struct{}

func (nowhere) Send(_ context.Context, _ *kgo.Record, acked func(error)) error {
	acked(nil)
	return nil
}
func (nowhere) Refuse(err error, acked func(error)) { acked(err) }
func (nowhere) Flush(context.Context) error         { return nil }
func (nowhere) Close()                              {}

// open opens the inputs and outputs, the cheapest first, so that a mistake is reported early.
func open(ctx context.Context, stop context.CancelCauseFunc, o Options) (_ *loader, err error) {
	l := &loader{o: o, saved: time.Now(), stop: stop, counts: counts{
		begun: time.Now(), games: map[uint64]struct{}{},
		report: Report{DeadLetters: map[schemas.Code]int64{}}}}
	if o.IDsPath != "" {
		if l.ids, err = fileinput.LoadIDs(ctx, o.IDsPath); err != nil {
			return nil, fmt.Errorf("identifiers: %w", err)
		}
		if o.Realtime && !o.Timestamp.FromFile && !l.ids.HasEventTimes() {
			return nil, fmt.Errorf("%s has no event_time, which the real time between pitches needs: add the column, "+
				"or take the times of the files", o.IDsPath)
		}
	}
	if o.StatePath != "" {
		settings, err := o.stateSettings(ctx)
		if err != nil {
			return nil, err
		}
		if l.state, err = fileinput.OpenCheckpoint(o.StatePath, settings); err != nil {
			return nil, fmt.Errorf("state file: %w", err)
		}
		if err = l.save(); err != nil { // finds an unwritable path before hours of reading
			return nil, err
		}
	}
	if l.in, err = fileinput.Open(ctx, l.inputOptions()); err != nil {
		return nil, err
	}
	if err = o.refusePipes(l.in.Files()); err == nil {
		l.out, err = o.openSender(ctx)
	}
	if err != nil {
		l.in.Close()
		return nil, err
	}
	l.progress = l.in.StartProgress(o.ProgressTo, "load", l.ids)
	return l, nil
}

// refusePipes rejects options that a pipe cannot satisfy: it has no time and cannot be read again.
func (o *Options) refusePipes(files []*fileinput.File) error {
	for _, f := range files {
		switch {
		case f.SizeBytes >= 0:
		case o.StatePath != "":
			return fmt.Errorf("a state file cannot remember %s, which is a pipe: name files", f.Path)
		case o.Timestamp.FromFile:
			return fmt.Errorf("%s is a pipe and has no modification time: name files, or give a time", f.Path)
		}
	}
	return nil
}

// stateSettings returns what decides which records are sent, with which contents and where to. A topic that
// was made anew has another ID, and lacks the records that were sent before.
func (o *Options) stateSettings(ctx context.Context) (map[string]string, error) {
	settings := map[string]string{
		"topic": o.Topic, "revision": strconv.FormatInt(o.Revision, 10), "game": o.Game,
		"timestamp": o.Timestamp.Text, "ids": o.IDsPath,
	}
	if info, err := os.Stat(o.IDsPath); err == nil && info.Mode().IsRegular() {
		content, err := os.Open(o.IDsPath)
		if err != nil {
			return nil, fmt.Errorf("identifiers: %w", err)
		}
		defer content.Close()
		sum := sha256.New()
		if _, err := io.Copy(sum, content); err != nil {
			return nil, fmt.Errorf("identifiers: %w", err)
		}
		// guard: load: a state file is not continued with other identifiers | instead
		settings["content of ids (SHA-256)"] = hex.EncodeToString(sum.Sum(nil))
	}
	if o.Check {
		return settings, nil
	}
	client, err := kgo.NewClient(o.Client...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	id, err := archive.TopicID(ctx, kadm.NewClient(client), o.Topic)
	// guard: load: a state file is not continued into a topic that was made anew | instead _ = id
	settings["topic ID"] = id
	return settings, err
}

func (l *loader) inputOptions() fileinput.Options {
	o := fileinput.Options{
		Paths: l.o.Paths, Game: l.o.Game, Stdin: l.o.Stdin, Exclude: []string{l.o.IDsPath, l.o.StatePath},
		MaxRecordBytes: l.o.MaxRecordBytes + oversizeBytes,
	}
	if l.state != nil {
		o.Ended, o.Skip = l.state.Ended, l.skip
	}
	return o
}

func (o *Options) openSender(ctx context.Context) (sender, error) {
	if o.Check {
		return nowhere{}, nil
	}
	return kafkasink.OpenProducer(ctx, kafkasink.ProducerOptions{
		Client: o.Client, Topic: o.Topic, MaxRecordBytes: o.MaxRecordBytes + oversizeBytes,
		RecordsPerSecond: o.RecordsPerSecond,
	})
}

// skip reports whether earlier runs have sent all records of a file, so that it need not be read again.
func (l *loader) skip(f *fileinput.File) bool {
	if !l.state.Complete(f) {
		return false
	}
	l.counts.report.SentBefore += l.state.SettledRecords(f)
	return true
}

// run sends until the inputs end, ctx ends or Kafka fails. Then it waits for the acknowledgements.
func (l *loader) run(ctx context.Context) error {
	err := l.sendAll(ctx)
	l.in.Close()
	saveErr := l.finish(ctx)
	l.progress.Stop()
	kafkaErr := l.counts.kafkaError()
	switch {
	case kafkaErr != nil:
		err = fmt.Errorf("kafka does not take records: %w", kafkaErr)
	case ctx.Err() != nil && l.o.StatePath == "":
		err = ErrInterrupted
	case ctx.Err() != nil:
		err = fmt.Errorf("%w: run the same command again to continue", ErrInterrupted)
	case err == nil:
		report := l.counts.sum(l.in)
		err = report.failure(l.counts.hasPitch)
		// guard: load: an empty input is no success | report.Records+report.SentBefore == 0 -> false
		if err == nil && !l.o.AllowEmpty && report.Records+report.SentBefore == 0 {
			err = l.in.NothingRead()
		}
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
			err = l.sendOne(ctx, item)
		}
		if err != nil {
			return err
		}
		l.progress.SetBytes(l.in.BytesRead())
		if time.Since(l.saved) < saveEvery {
			continue
		}
		l.saved = time.Now()
		if err := l.save(); err != nil {
			return err
		}
	}
}

// sendOne sends a record, unless an earlier run has sent it.
func (l *loader) sendOne(ctx context.Context, item fileinput.Item) error {
	if l.state != nil && l.state.Done(item.File, item.Record) {
		l.counts.report.SentBefore++
		return nil
	}
	l.counts.report.Records++
	l.counts.report.Bytes += item.SizeBytes
	place := item
	place.Value = nil // only valid until the next record is read
	acked := func(err error) { l.acked(&place, err) }
	if item.TooLarge {
		err := kafkasink.ErrTooLarge
		if item.IsPart {
			err = fmt.Errorf("%w: %s", err, item.WhyTooLarge(l.o.MaxRecordBytes))
		}
		l.out.Refuse(err, acked)
		return nil
	}
	rec, thrown, err := l.record(ctx, item)
	if err != nil {
		return err
	}
	if l.o.Realtime && !l.o.Check {
		if err := l.pace.wait(ctx, thrown); err != nil {
			return err
		}
	}
	return l.out.Send(ctx, rec, acked)
}

// record makes the Kafka record of an item. thrown is the time of the pitch, zero if it is not known. An
// error is the schema registry's.
func (l *loader) record(
	ctx context.Context, item fileinput.Item,
) (rec *kgo.Record, thrown time.Time, err error) {
	limits := features.Limits{MaxRecordBytes: l.o.MaxRecordBytes}
	plain, _, err := l.o.Registry.Plain(ctx, schemas.Record{Value: item.Value}, limits)
	if err != nil {
		return nil, thrown, err
	}
	id, named := l.ids.Identify(plain.Value)
	r := item.KafkaRecord(l.o.Game, id)
	headers := kafkaread.Headers(r.Headers)
	rec = &kgo.Record{Key: r.Key, Value: r.Value, Headers: headers, Timestamp: l.o.Timestamp.Fixed}
	if !l.o.Check { // the producer keeps the value, but the reader will overwrite it
		rec.Value = bytes.Clone(item.Value)
	}
	switch {
	case l.o.Timestamp.FromFile:
		thrown = item.File.ModTime
		rec.Timestamp = thrown
	case rec.Timestamp.IsZero() && r.TimestampMS > 0:
		rec.Timestamp = time.UnixMilli(r.TimestampMS) // of its origin: what came later stays current
	}
	if id.EventTime.Present {
		thrown = id.EventTime.Value.Time()
	}
	if l.o.Revision > 0 {
		revision := strconv.AppendInt(nil, l.o.Revision, 10)
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: schemas.HeaderRevision, Value: revision})
	}
	return rec, thrown, l.count(ctx, rec, string(r.Key), named)
}

// count counts the game of a record, whether the identifiers name its pitch, and with Check what the
// processor would make of it.
func (l *loader) count(ctx context.Context, rec *kgo.Record, game string, named bool) error {
	r := &l.counts.report
	if game == "" {
		r.NoGame++
	} else {
		l.counts.addGame(game)
	}
	if named {
		r.Named++
	}
	if !hasHeader(rec, schemas.HeaderBatterID) {
		r.NoBatter++
	}
	if rec.Timestamp.IsZero() && !hasHeader(rec, schemas.HeaderEventTime) {
		r.NoTime++
	}
	if !l.o.Check && l.counts.hasPitch { // one is enough to know that these are tracking records
		return nil
	}
	sent := kafkaread.Record(rec)
	sent.Coordinates = schemas.Coordinates{} // it has none before it is sent
	limits := features.Limits{MaxRecordBytes: l.o.MaxRecordBytes}
	_, rejection, err := l.o.Registry.Transform(ctx, sent, limits)
	if err != nil {
		return err
	}
	l.counts.hasPitch = l.counts.hasPitch || rejection == nil
	switch {
	case !l.o.Check:
	case rejection == nil:
		r.Rows++
	default:
		r.DeadLetters[rejection.Code]++
	}
	return nil
}

func hasHeader(rec *kgo.Record, key string) bool {
	return slices.ContainsFunc(rec.Headers, func(h kgo.RecordHeader) bool { return h.Key == key })
}

// acked counts and remembers the answer to a record. It is called in the order of the records.
func (l *loader) acked(item *fileinput.Item, err error) {
	settled := l.counts.acked(item, err)
	if settled && l.state != nil {
		l.state.Settle(item.File, item.Record, err != nil)
	}
	if err := l.counts.kafkaError(); err != nil {
		l.stop(err)
	}
	l.progress.AddRecords(1)
}

// finish waits for the acknowledgements, at most stopTimeout after an interrupt, and writes the state.
func (l *loader) finish(ctx context.Context) error {
	if err := l.out.Flush(ctx); err != nil {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		_ = l.out.Flush(grace) // Close answers the records that are still in flight
	}
	l.out.Close()
	return l.save()
}

func (l *loader) save() error {
	if l.state == nil || l.o.Check {
		return nil
	}
	if err := l.state.Save(); err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	return nil
}

// realPace keeps the real time between events. An event that is late, or whose time is not known, does not
// wait.
type realPace struct{ firstEvent, firstSent time.Time }

func (p *realPace) wait(ctx context.Context, event time.Time) error {
	if p.firstEvent.IsZero() {
		p.firstEvent, p.firstSent = event, time.Now()
	}
	return lifecycle.Sleep(ctx, time.Until(p.firstSent.Add(event.Sub(p.firstEvent))))
}
