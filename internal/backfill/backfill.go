// Package backfill brings a season into a target batch by batch, and holds each batch to gates before the
// next one begins.
//
//	spec, err := backfill.ReadSpec("season.yaml")
//	report, err := backfill.Run(ctx, backfill.Options{Spec: spec, Replay: …})
//
// Postgres has what was planned, how far each batch is, and who did what. A run may be killed at any moment,
// because a replay counts each record once, and the same command continues it.
package backfill

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/archive"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/lineage"
	"github.com/pitchstream/pitchstream/internal/load"
	"github.com/pitchstream/pitchstream/internal/replay"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
)

// Options say what to bring in.
type Options struct {
	Spec   *Spec
	Replay replay.Options // into the target; From and To are those of the batches
	Load   load.Options   // of files: Client, Topic, MaxRecordBytes
	By     string         // user and machine
	// Accept is the number of a refused batch that counts as passed, and Reason says why; 0: none.
	Accept int
	Reason string
	// Again is the number of a refused batch whose records are read again, although its files are the same; 0:
	// none.
	Again int
	// Progress is called with how many records of all batches are done, as far as they are known. nil: not
	// called.
	Progress func(done, total int64)
	Log      *slog.Logger
	Lineage  *lineage.Emitter // gets what each batch reads and writes; nil: nothing is reported
}

// Status is how far a backfill is.
type Status struct {
	Backfill schemas.Backfill        `json:"backfill"`
	Batches  []schemas.BackfillBatch `json:"batches"`
	Records  int64                   `json:"records"`      // of the source, as far as they are known
	Done     int64                   `json:"records_done"` // of them, those that were read
	Left     schemas.Opt[float64]    `json:"seconds_left"` // at the speed so far; missing: not known
	Finished bool                    `json:"finished"`     // every batch passed or was accepted
	Audit    []schemas.BackfillEvent `json:"audit"`        // the newest first, 200 at most
}

// RefusedError is the error of a batch that did not pass its gates.
type RefusedError struct {
	Backfill string
	Batch    schemas.BackfillBatch
}

func (e *RefusedError) Error() string {
	var failed []string
	for _, g := range e.Batch.Gates {
		if !g.Passed {
			failed = append(failed, fmt.Sprintf("%s is %.4g, the limit is %.4g: %s", g.Gate, g.Value, g.Limit,
				strings.Join(g.Named, ", ")))
		}
	}
	return fmt.Sprintf("batch %d, %s, did not pass: %s (repair it and run again, --again=%d to read the same "+
		"records again, or --accept=%d --reason TEXT)", e.Batch.Number, e.Batch.Name, strings.Join(failed, "; "),
		e.Batch.Number, e.Batch.Number)
}

// backfill is one run.
type backfill struct {
	o       Options
	targets *pgadmin.Targets
	books   *pgadmin.Backfills
	client  *kgo.Client
	admin   *kadm.Client
	batches []schemas.BackfillBatch
	lineage *lineage.Run // nil before the plan is known
}

func open(ctx context.Context, o Options) (*backfill, error) {
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	o.Replay.Archive = o.Spec.Archive
	live := o.Replay.Live.Postgres
	cfg := pgsink.Config{URL: live.Address(), Schema: live.Schema}
	targets, err := pgadmin.OpenTargets(cfg, live.ServingSchema())
	if err != nil {
		return nil, err
	}
	if o.Spec.Schedule == LoadedGames {
		if err := o.Spec.loadSchedule(ctx, cfg); err != nil {
			targets.Close()
			return nil, err
		}
	}
	return &backfill{o: o, targets: targets, books: pgadmin.NewBackfills(targets)}, nil
}

func (b *backfill) close() {
	if b.client != nil {
		b.client.Close()
	}
	b.targets.Close()
}

func (b *backfill) connect() (err error) {
	if b.client, err = kgo.NewClient(b.o.Replay.Processor.Kafka...); err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	b.admin = kadm.NewClient(b.client)
	return nil
}

// Plan returns the batches, and changes nothing. It reads the whole source, unless the batches are files.
func Plan(ctx context.Context, o Options) ([]schemas.BackfillBatch, error) {
	b, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer b.close()
	if err := b.connect(); err != nil {
		return nil, err
	}
	return b.plan(ctx)
}

func (b *backfill) plan(ctx context.Context) (batches []schemas.BackfillBatch, err error) {
	s := b.o.Spec
	if len(s.Files) > 0 {
		// guard: backfill: files whose records the topic would delete are not planned | instead
		if err := kafkasink.RefuseOld(ctx, b.admin, b.o.Replay.Live.TopicRaw, s.Timestamp); err != nil {
			return nil, err
		}
	}
	for i, f := range s.Files {
		batch := schemas.BackfillBatch{Number: i + 1, Name: f.Path, Source: f.Path, State: schemas.BatchPlanned}
		batch.FromDate, batch.ToDate, _ = datesOf(f.Dates)
		if batch.SHA256, err = hashFiles(ctx, f.Path); err != nil {
			return nil, err
		}
		batches = append(batches, batch)
	}
	if len(batches) > 0 {
		return batches, nil
	}
	topic := archive.NewTopic(b.o.Replay.Processor.Kafka, b.admin, b.o.Replay.Live.TopicRaw, s.Archive)
	spans, err := topic.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	p := newPlanner(s, spans)
	err = topic.Read(ctx, spans, func(records []*kgo.Record) error {
		for _, r := range records {
			var failed error
			err := kafkaread.Load(r, 0, func(rec schemas.Record) { failed = errors.Join(failed, p.record(rec)) })
			if err = errors.Join(err, failed); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	source, hash, err := b.source(ctx)
	return p.batches(source, hash), err
}

// Run brings in what is not in yet. It ends with a *RefusedError at a batch that does not pass.
func Run(ctx context.Context, o Options) (_ *Status, err error) {
	b, err := open(ctx, o)
	if err != nil {
		(&backfill{o: o}).endLineage(ctx, err)
		return nil, err
	}
	defer b.close()
	defer func() { b.endLineage(ctx, err) }()
	if err := b.books.Ensure(ctx); err != nil {
		return nil, err
	}
	release, err := b.books.Lock(ctx, o.Spec.Name)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := b.connect(); err != nil {
		return nil, err
	}
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	if err := b.accept(ctx); err != nil {
		return nil, err
	}
	if err := b.again(ctx); err != nil {
		return nil, err
	}
	for i := range b.batches {
		if err := b.run(ctx, i); err != nil {
			return nil, err
		}
	}
	return b.status(ctx)
}

// begin finds the plan of an earlier run, or makes it.
func (b *backfill) begin(ctx context.Context) error {
	s := b.o.Spec
	found, batches, err := b.books.Find(ctx, s.Name)
	if err != nil {
		return err
	}
	// guard: backfill: a file that has changed is not continued | found.SHA256 != s.sha256 -> false
	if found != nil && found.SHA256 != s.sha256 {
		return fmt.Errorf("backfill %s was begun with another file (sha256 %s…): give this one another name",
			s.Name, found.SHA256[:min(12, len(found.SHA256))])
	}
	isContinued := found != nil
	if !isContinued {
		b.o.Log.Info("reading the source to plan the batches", "backfill", s.Name)
		if batches, err = b.plan(ctx); err != nil {
			return err
		}
		f := schemas.Backfill{Name: s.Name, Target: s.Target, SHA256: s.sha256, By: b.o.By}
		if err := b.books.Begin(ctx, f, batches); err != nil {
			return err
		}
	}
	b.batches = batches
	b.beginLineage(isContinued)
	return nil
}

// accept has a refused batch count as passed. One that was accepted already stays as it is, because the same
// command continues a run that was killed.
func (b *backfill) accept(ctx context.Context) error {
	n := b.o.Accept
	if n == 0 || 1 <= n && n <= len(b.batches) && b.batches[n-1].State == schemas.BatchAccepted {
		return nil
	}
	if n < 1 || n > len(b.batches) || b.batches[n-1].State != schemas.BatchRefused {
		return fmt.Errorf("batch %d was not refused", n)
	}
	batch := &b.batches[n-1]
	batch.State, batch.Reason = schemas.BatchAccepted, b.o.Reason
	run := b.batchLineage(*batch, true)
	err := b.save(ctx, *batch, "accepted", b.o.Reason)
	// guard: backfill: a batch is complete when it is saved | run.end(ctx, *batch, err) -> run.end(ctx, *batch, nil)
	run.end(ctx, *batch, err)
	return err
}

// again has a refused batch be read again: the one that Again names, or the first if its files have changed.
// Files are loaded once more, so that their records are those behind all others.
func (b *backfill) again(ctx context.Context) (err error) {
	n := b.o.Again
	if n != 0 && (n < 1 || n > len(b.batches) || b.batches[n-1].State != schemas.BatchRefused) {
		return fmt.Errorf("batch %d was not refused", n)
	}
	for i := range b.batches {
		batch := &b.batches[i]
		if batch.State != schemas.BatchRefused {
			continue
		}
		if len(b.o.Spec.Files) > 0 {
			hash, err := hashFiles(ctx, batch.Source)
			if err != nil {
				return err
			}
			if hash == batch.SHA256 && batch.Number != n {
				continue
			}
			batch.SHA256, batch.First, batch.End = hash, batch.End, nil
		} else if batch.Number != n {
			continue
		} else {
			batch.Readings++
		}
		batch.State, batch.Counts, batch.Gates = schemas.BatchRunning, schemas.ReplayCounts{}, nil
		if err := b.save(ctx, *batch, "again", ""); err != nil {
			return err
		}
	}
	return nil
}

func (b *backfill) save(ctx context.Context, batch schemas.BackfillBatch, action, detail string) error {
	return b.books.Save(ctx, b.o.Spec.Name, batch, schemas.BackfillEvent{
		By: b.o.By, Action: action, Batch: batch.Name, Source: batch.Source, SHA256: batch.SHA256, Detail: detail,
	})
}

// run brings in one batch and holds it to the gates.
func (b *backfill) run(ctx context.Context, i int) (err error) {
	batch := &b.batches[i]
	// guard: backfill: a batch that is in is not brought in again
	if batch.State == schemas.BatchPassed || batch.State == schemas.BatchAccepted {
		return nil
	}
	began := time.Now()
	run := b.batchLineage(*batch, batch.State != schemas.BatchPlanned)
	defer func() { run.end(ctx, *batch, err) }()
	if batch.State == schemas.BatchPlanned {
		batch.State = schemas.BatchRunning
		if err := b.save(ctx, *batch, "begun", ""); err != nil {
			return err
		}
	}
	b.o.Log.Info("batch", "number", batch.Number, "of", len(b.batches), "name", batch.Name)
	if len(b.o.Spec.Files) > 0 && batch.End == nil {
		if err := b.load(ctx, i); err != nil {
			return err
		}
	}
	if err := b.replay(ctx, batch); err != nil {
		return err
	}
	batch.Seconds += time.Since(began).Seconds()
	if err := b.judge(ctx, i); err != nil {
		return err
	}
	isRefused := false
	for _, g := range batch.Gates {
		isRefused = isRefused || !g.Passed
	}
	// guard: backfill: a batch that does not pass stops it
	if isRefused {
		batch.State = schemas.BatchRefused
		err := &RefusedError{b.o.Spec.Name, *batch}
		return errors.Join(b.save(ctx, *batch, "refused", err.Error()), err)
	}
	batch.State = schemas.BatchPassed
	return b.save(ctx, *batch, "passed", fmt.Sprintf("%+v", batch.Counts))
}

// replay reads up to the end of a batch, unless an earlier run has.
func (b *backfill) replay(ctx context.Context, batch *schemas.BackfillBatch) (err error) {
	from, to, schema, o := replay.Position, place(batch.End), b.o.Replay.Target.Schema, b.o.Replay
	// guard: backfill: a batch that is read again is read from its first record
	if batch.Readings > 0 {
		from = place(batch.First)
	}
	if o.From, err = replay.ParsePlace(from); err != nil {
		return err
	}
	if o.To, err = replay.ParsePlace(to); err != nil {
		return err
	}
	o.DeadLetters = true
	before, all := int64(0), int64(0)
	for _, other := range b.batches {
		if all += other.Records; other.Number < batch.Number {
			before += other.Records
		}
	}
	o.Progress = func(done, _ int64) { b.o.Progress(before+done, all) }
	isEmpty := true
	for p, end := range batch.End {
		isEmpty = isEmpty && end <= batch.First[p]
	}
	if isEmpty { // its end is that of the batch before, whose records are not its own
		batch.Counts = schemas.ReplayCounts{}
		return nil
	}
	counts, isRead, err := b.books.Counts(ctx, schema, from, to, batch.Readings)
	if err != nil {
		return err
	}
	if !isRead {
		report, err := replay.Run(ctx, o)
		if err == nil {
			err = report.Err()
		}
		if err != nil {
			return fmt.Errorf("batch %d, %s: %w", batch.Number, batch.Name, err)
		}
		if counts, _, err = b.books.Counts(ctx, schema, from, to, batch.Readings); err != nil {
			return err
		}
	}
	batch.Counts = counts
	return b.save(ctx, *batch, "replayed", fmt.Sprintf("%d records to %s", counts.Records, to))
}

// GetStatus returns how far a backfill is.
func GetStatus(ctx context.Context, o Options) (*Status, error) {
	b, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer b.close()
	return b.status(ctx)
}

func (b *backfill) status(ctx context.Context) (*Status, error) {
	name := b.o.Spec.Name
	found, batches, err := b.books.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("backfill %s was not begun: pitchstream backfill run FILE", name)
	}
	s := &Status{Backfill: *found, Batches: batches, Finished: true}
	seconds, read := 0.0, int64(0)
	for _, batch := range batches {
		s.Records += batch.Records
		switch batch.State {
		case schemas.BatchPassed, schemas.BatchAccepted:
			s.Done += batch.Counts.Records
			seconds, read = seconds+batch.Seconds, read+batch.Counts.Records
			continue
		case schemas.BatchRunning, schemas.BatchRefused:
			from := replay.Position
			if batch.Readings > 0 {
				from = place(batch.First)
			}
			to := place(batch.End)
			counts, _, err := b.books.Counts(ctx, b.o.Replay.Target.Schema, from, to, batch.Readings)
			if err != nil {
				return nil, err
			}
			s.Done += counts.Records
		}
		s.Finished = false
	}
	if seconds > 0 && read > 0 && !s.Finished {
		s.Left = schemas.Some(float64(max(s.Records-s.Done, 0)) * seconds / float64(read))
	}
	s.Audit, err = b.books.Audit(ctx, name, 200)
	return s, err
}
