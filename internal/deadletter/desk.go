// Package deadletter reads dead letters, predicts what would become of them today, and carries out what
// people decide about them.
//
//	desk.go    opens the dead-letter topic, reads it, with or without a filter, and exports it
//	survey.go  all dead letters in one pass: status, and outcome if they were sent again
//	book.go    the counts of a pass, by code and shape of the message; some 50 bytes per dead letter
//	retry.go   sends records again, each once, also across crashes; discards dead letters
//	place.go   where in a record the fault is
//	export.go  dead letters as JSON
//
// The subject of letter.go is one dead letter: its headers, and its record as it is sent again.
//
// A dead letter is identified by its record's origin and the number of attempts. It is open until a person
// decides about it, or until its record has failed again. Reading is read_committed, up to the end of the
// topic when the Desk was opened. A decision needs the Store; looking does not.
package deadletter

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/archive"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/schemaregistry"
	"github.com/pitchstream/pitchstream/schemas"
)

// Known reads what the store of record knows about dead letters and their pitches.
type Known interface {
	// DeadLetterDecisions returns the last decision about each of the dead letters that has one, in no order.
	DeadLetterDecisions(ctx context.Context, ids []schemas.DeadLetterID) ([]schemas.DeadLetterDecision, error)
	// RegistersOf returns both registers of the pitches that the store knows.
	RegistersOf(ctx context.Context, ids []schemas.PitchID) ([]schemas.StoredRegisters, error)
}

// Store also writes decisions.
type Store interface {
	Known
	// DeadLettersSending returns the dead letters that a retry was about to send when it was killed.
	DeadLettersSending(ctx context.Context) ([]schemas.DeadLetterDecision, error)
	// DecideDeadLetters writes decisions, at most one per dead letter, over earlier ones.
	DecideDeadLetters(ctx context.Context, decisions []schemas.DeadLetterDecision) error
	// LockDeadLetters takes the lock of retry and discard. ok is false if another program holds it.
	LockDeadLetters(ctx context.Context) (unlock func(), ok bool, err error)
	// WouldRefuse returns the changes that the store would refuse permanently. It changes nothing.
	WouldRefuse(ctx context.Context, pitches []schemas.PitchChanges) ([]schemas.Refusal, error)
}

// Options configure a Desk.
type Options struct {
	Client    []kgo.Opt // how to reach the brokers
	Raw, Dead string    // topics
	Archive   string    // of the raw topic; "": none
	Known     Known     // nil: Store; without both, decisions and current versions are not known
	Store     Store     // nil: nothing can be decided
	// CoreOnly skips the question whether the store would refuse a row that passes the core.
	CoreOnly bool
	Limits   features.Limits
	Registry *schemaregistry.Client // for records with its prefix; nil: none
	By       string                 // who decides, user@host
	Build    string                 // of this program
	Now      func() time.Time       // nil: time.Now
	// Progress, if not nil, is called with the number of dead letters read and of offsets to read.
	Progress func(done, total int64)
}

// Desk reads the dead letters of one moment and decides about them. It is for one goroutine.
type Desk struct {
	o      Options
	client *kgo.Client
	admin  *kadm.Client
	reader *kafkaread.Reader
	parts  kafkaread.Spans // of the dead-letter topic, as it was when the desk was opened
}

// Open connects to Kafka and fixes the end up to which the Desk reads. The caller must Close it.
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
	d := &Desk{o: o, client: client, admin: kadm.NewClient(client), reader: kafkaread.NewReader(o.Client...)}
	d.reader.ReadBeyond(archive.Beyond(o.Archive))
	if d.parts, err = kafkaread.Bounds(ctx, d.admin, o.Dead, kgo.ReadCommitted()); err != nil {
		client.Close()
		return nil, err
	}
	return d, nil
}

// Close closes the connections to Kafka.
func (d *Desk) Close() {
	d.client.Close()
	d.reader.Close()
}

// Has reports whether the dead-letter topic had a place when the Desk was opened.
func (d *Desk) Has(at schemas.Coordinates) bool {
	span, ok := d.parts[at.Partition]
	return ok && span.From <= at.Offset && at.Offset < span.To
}

// clockSlack is how far the clocks of this program, the processors and the brokers may differ.
const clockSlack = 10 * time.Minute

// Each calls do with every dead letter that the filter takes, in the order of each partition, until do
// returns false.
func (d *Desk) Each(ctx context.Context, f Filter, do func(*Letter) (more bool, err error)) error {
	err := d.read(ctx, f, func(batch []*kgo.Record) error {
		return d.letters(batch, func(l *Letter) error {
			if !f.Takes(l) {
				return nil
			}
			more, err := do(l)
			if err == nil && !more {
				err = errEnough
			}
			return err
		})
	})
	if err == errEnough {
		return nil
	}
	return err
}

// letters calls do with the dead letters that records are. Those of a packed batch are loaded one at a time.
func (d *Desk) letters(records []*kgo.Record, do func(*Letter) error) error {
	for _, r := range records {
		var some []Letter // several small ones share a placeholder
		err := kafkaread.Load(r, d.o.valueLimit(), func(rec schemas.Record) {
			if kafkaread.IsPacked(r) {
				rec = kafkaread.Clone(rec)
			}
			some = append(some, Read(rec))
		})
		for i := 0; err == nil && i < len(some); i++ {
			err = do(&some[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// valueLimit returns the largest value that is held whole. A record that is too large may be a dead letter.
func (o *Options) valueLimit() int {
	return cmp.Or(o.Limits.MaxRecordBytes, features.DefaultMaxRecordBytes) + 1<<20
}

var (
	errTooLarge = errors.New("the record is larger than --max-record-bytes")
	// errLongFields is another error than errTooLarge, because the value may be short, and no flag helps.
	errLongFields = errors.New("the record has a longer key, or more headers, than can be sent again")
)

// isLost reports whether an error of Complete means that the record cannot be sent again.
func isLost(err error) bool {
	return errors.Is(err, kafkaread.ErrGone) || errors.Is(err, errTooLarge) || errors.Is(err, errLongFields)
}

// Complete reads the whole record of a dead letter that has only its beginning. It is where it failed, in the
// raw topic. It returns ErrGone if that record is not there any more.
func (d *Desk) Complete(ctx context.Context, l *Letter) error {
	if l.Cut == nil {
		return nil
	}
	// guard: bytes: a record is read whole only within the limit
	if l.Cut.Bytes > int64(d.o.valueLimit()) {
		return fmt.Errorf("%d:%d has %d bytes: %w", l.At.Partition, l.At.Offset, l.Cut.Bytes, errTooLarge)
	}
	// guard: dead letters: a long key beside a short value is read whole | d.o.valueLimit() -> int(l.Cut.Bytes)
	rec, err := d.reader.Record(ctx, l.Failed, d.o.valueLimit())
	// guard: dead letters: a truncated one is sent again as the record that failed | != l.Cut.SHA256 -> == [32]byte{}
	if err == nil && sha256.Sum256(rec.Value) != l.Cut.SHA256 {
		err = kafkaread.ErrGone
	}
	if err != nil {
		return fmt.Errorf("the dead letter at %d:%d is truncated, and its whole record at %s/%d offset %d: %w",
			l.At.Partition, l.At.Offset, l.Failed.Topic, l.Failed.Partition, l.Failed.Offset, err)
	}
	// guard: dead letters: one with a very long key is not sent again with half of it | rec.Cut != nil -> false
	if rec.Cut != nil {
		return fmt.Errorf("%d:%d: %w: a key of %d bytes, and %d headers that are missing or cut", l.At.Partition,
			l.At.Offset, errLongFields, max(rec.Cut.KeyBytes, int64(len(rec.Key))), rec.Cut.Headers)
	}
	headers := slices.DeleteFunc(rec.Headers, func(h schemas.Header) bool { return !isOwn(h.Key) })
	for _, h := range l.Headers {
		if !isOwn(h.Key) {
			headers = append(headers, h)
		}
	}
	l.Key, l.Value, l.Headers, l.Cut = rec.Key, rec.Value, headers, nil
	return nil
}

// ExportFile writes the dead letters that a filter takes to a new file, which appears complete or not at
// all. An existing file is an error.
func (d *Desk) ExportFile(ctx context.Context, f Filter, name string) (n int64, err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return 0, err
	}
	if _, err := os.Stat(name); err == nil {
		return 0, fmt.Errorf("%s is there already: name another folder", name)
	}
	file, err := os.CreateTemp(filepath.Dir(name), ".rejected-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	n, err = d.Export(ctx, f, file)
	if err = errors.Join(err, file.Sync(), file.Chmod(0o644), file.Close()); err != nil {
		return n, err
	}
	return n, os.Link(file.Name(), name) // not Rename, because Link fails if the file exists by now
}

// Export writes the dead letters that a filter takes as JSON Lines and returns their number.
func (d *Desk) Export(ctx context.Context, f Filter, out io.Writer) (n int64, err error) {
	w := bufio.NewWriterSize(out, 64<<10)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	err = d.Each(ctx, f, func(l *Letter) (bool, error) {
		n++
		return true, e.Encode(ExportedOf(l))
	})
	return n, errors.Join(err, w.Flush())
}

// read calls each with the records among which the filter may take some.
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

// partsFor returns the part of the topic in which the filter may take dead letters. With Since it begins
// there, because a dead letter is written when its record fails.
func (d *Desk) partsFor(ctx context.Context, f Filter) (kafkaread.Spans, error) {
	if len(f.At) > 0 {
		parts := kafkaread.Spans{}
		for _, c := range f.At {
			span := d.parts[c.Partition]
			if !d.Has(c) && span.From >= span.To {
				return nil, fmt.Errorf("%s has no record at %d:%d (partition %d of it is empty)",
					d.o.Dead, c.Partition, c.Offset, c.Partition)
			}
			if !d.Has(c) {
				return nil, fmt.Errorf("%s has no record at %d:%d (it has %d to %d there)",
					d.o.Dead, c.Partition, c.Offset, span.From, span.To-1)
			}
			if got, again := parts[c.Partition]; again {
				c.Offset = min(c.Offset, got.From)
			}
			// Read to the end, because the record may have failed again later.
			parts[c.Partition] = kafkaread.Span{Partition: c.Partition, From: c.Offset, To: span.To}
		}
		return parts, nil
	}
	if f.Since.IsZero() {
		return d.parts, nil
	}
	return kafkaread.Since(ctx, d.admin, d.o.Dead, d.parts, f.Since.Add(-clockSlack))
}

// Filter selects dead letters. The zero value takes all.
type Filter struct {
	Codes  []schemas.Code // one of these; none: any
	Since  time.Time      // failed last at this time or later; zero: any
	Until  time.Time      // and before this time; zero: any
	GamePK string         // of this game; "": any
	// At takes those at these partitions and offsets of the dead-letter topic; empty: anywhere.
	At []schemas.Coordinates
}

// Takes reports whether the filter selects a dead letter.
func (f *Filter) Takes(l *Letter) bool {
	at := l.FailedAt.Time()
	switch {
	case len(f.Codes) > 0 && !slices.Contains(f.Codes, l.Code),
		!f.Since.IsZero() && at.Before(f.Since),
		!f.Until.IsZero() && !at.Before(f.Until),
		f.GamePK != "" && f.GamePK != l.GamePK:
		return false
	}
	return len(f.At) == 0 || slices.ContainsFunc(f.At, func(c schemas.Coordinates) bool {
		return c.Partition == l.At.Partition && c.Offset == l.At.Offset
	})
}
