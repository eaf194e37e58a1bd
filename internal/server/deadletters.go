package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/pitchstream/pitchstream/internal/deadletter"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// deadLetters shows the dead letters to the API. A report reads the whole topic, so one reading serves all
// requests. The next one starts after a pause of ten times the duration of the last one.
type deadLetters struct {
	o     deadletter.Options
	store *pgread.Reader
	ctx   context.Context // of the readings; close ends it
	stop  context.CancelFunc
	work  sync.WaitGroup
	turn  *semaphore.Weighted // of the readings of one dead letter

	mu      sync.Mutex                // guards what follows
	report  *schemas.DeadLetterReport // the last one; nil: none yet
	next    time.Time                 // earliest start of the next reading
	reading chan struct{}             // closed at the end of the reading in progress; nil: none is
	err     error                     // of the last reading
}

const (
	surveyInterval = 10 * time.Second // between two readings of the topic, at least
	surveyTimeout  = 5 * time.Minute  // of one reading
	excerptBytes   = 400              // of a record, around its fault
	textBytes      = 4 << 10          // of a key or of the value of a header
)

func openDeadLetters(o Options) (*deadLetters, error) {
	store, err := pgread.OpenPrimary(o.Postgres)
	if err != nil {
		return nil, err
	}
	// guard: bytes: one dead letter is read at a time | Weighted(1) -> Weighted(9)
	d := &deadLetters{store: store, turn: semaphore.NewWeighted(1), o: deadletter.Options{
		Client: o.Kafka, Raw: o.RawTopic, Dead: o.DeadTopic, Archive: o.Archive,
		Known: pgbooks.NewDeadLetters(store.DB()), CoreOnly: true,
	}}
	d.ctx, d.stop = context.WithCancel(context.Background())
	return d, nil
}

func (d *deadLetters) close() {
	d.stop()
	d.work.Wait()
	d.store.Close()
}

// DeadLetterReport returns the report of the last reading, and starts another one when that is old. The first
// request waits for the first reading.
func (d *deadLetters) DeadLetterReport(ctx context.Context) (schemas.DeadLetterReport, error) {
	report, reading := d.current()
	if report != nil {
		return *report, nil
	}
	select {
	case <-reading:
	case <-ctx.Done():
		return schemas.DeadLetterReport{}, ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.report == nil {
		return schemas.DeadLetterReport{}, d.err
	}
	return *d.report, nil
}

// current returns the last report and the reading in progress. It starts one unless the last report is
// recent.
func (d *deadLetters) current() (report *schemas.DeadLetterReport, reading chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reading != nil || time.Now().Before(d.next) || d.ctx.Err() != nil {
		return d.report, d.reading
	}
	reading = make(chan struct{})
	d.reading = reading
	d.work.Go(func() {
		ctx, cancel := context.WithTimeout(d.ctx, surveyTimeout)
		defer cancel()
		began := time.Now()
		report, err := d.survey(ctx)
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.err = err; err == nil {
			report.ReadAt = schemas.TimeMSOf(began)
			d.report, d.next = &report, time.Now().Add(max(surveyInterval, 10*time.Since(began)))
		}
		d.reading = nil
		close(reading)
	})
	return d.report, reading
}

// survey reads the whole topic and groups its dead letters.
func (d *deadLetters) survey(ctx context.Context) (report schemas.DeadLetterReport, err error) {
	desk, err := deadletter.Open(ctx, d.o)
	if err != nil {
		return report, err
	}
	defer desk.Close()
	found, err := desk.Survey(ctx, deadletter.Question{})
	report.DeadLetterSums = found.DeadLetterSums
	for _, g := range found.Groups {
		report.Groups = append(report.Groups, schemas.DeadLetterGroup{
			Code: g.Code, Shape: g.Shape, DeadLetterSums: g.DeadLetterSums, Share: g.Share, First: g.First,
			Last: g.Last, Example: g.Example,
		})
	}
	return report, err
}

// Letter returns the dead letter at a place, nil if there is none. It waits for a turn.
func (d *deadLetters) Letter(
	ctx context.Context, partition int32, offset int64,
) (out *schemas.DeadLetterView, err error) {
	if err := d.turn.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer d.turn.Release(1)
	desk, err := deadletter.Open(ctx, d.o)
	if err != nil {
		return nil, err
	}
	defer desk.Close()
	at := schemas.Coordinates{Partition: partition, Offset: offset}
	if !desk.Has(at) {
		return nil, nil
	}
	only := deadletter.Filter{At: []schemas.Coordinates{at}}
	err = desk.Each(ctx, only, func(l *deadletter.Letter) (bool, error) {
		judged, err := desk.Judge(ctx, l)
		if err == nil {
			out = d.shown(l, &judged)
		}
		return false, err
	})
	return out, err
}

// shown returns the dead letter as the API shows it, with an excerpt of its record around the fault.
func (d *deadLetters) shown(l *deadletter.Letter, j *deadletter.Judgement) *schemas.DeadLetterView {
	sum := sha256.Sum256(l.Value)
	out := &schemas.DeadLetterView{
		Partition: l.At.Partition, Offset: l.At.Offset, Code: l.Code, Message: l.Message, GamePK: l.GamePK,
		Attempts: l.ID.Attempts, FirstFailedAt: l.FirstFailedAt, FailedAt: l.FailedAt, Group: l.Group,
		Build: l.Build, Status: j.Status.String(), Decision: j.Decision, Today: j.Outcome.String(), Why: j.Why,
		Key: printable(l.Key), Bytes: len(l.Value), SHA256: hex.EncodeToString(sum[:]),
	}
	if l.HasOrigin {
		out.Origin = placeOf(l.ID.Origin)
	}
	if l.Failed.Topic != "" {
		out.Failed = placeOf(l.Failed)
	}
	for _, h := range l.Own() {
		header := schemas.DeadLetterHeader{Key: printable([]byte(h.Key)), Value: printable(h.Value)}
		out.Headers = append(out.Headers, header)
	}
	place := l.Fault(d.o.Limits)
	if out.Path = place.Path; place.From >= 0 {
		out.At = &place.From
	}
	out.Excerpt, out.MarkFrom, out.MarkTo = l.Shown(place, excerptBytes)
	return out
}

// printable returns bytes as UTF-8, because JSON has no other text, and the beginning of a long one.
func printable(b []byte) string {
	// guard: server: a key may be as long as a record | > textBytes -> < 0
	if len(b) > textBytes {
		return strings.ToValidUTF8(string(b[:textBytes]), "\uFFFD") + "…"
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

func placeOf(c schemas.Coordinates) *schemas.DeadLetterPlace {
	at := schemas.TimeMS(c.TimestampMS)
	return &schemas.DeadLetterPlace{Topic: c.Topic, Partition: c.Partition, Offset: c.Offset, Timestamp: at}
}
