package consumer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// errNoAnswer ends an attempt whose connection may be dead without anybody having said so.
var errNoAnswer = fmt.Errorf("the store did not answer within %v", storeTimeout)

// permanent is an error that trying the same again cannot mend: the store came back older.
func permanent(err error) bool { return errors.Is(err, schemas.ErrPositionBehind) }

// batch applies a poll, and others that wait behind it. It is not cut short by ctx: a shutdown lets it finish, within
// shutdownGrace; a revoked partition ends it.
func (s *session) batch(ctx context.Context, fetches kgo.Fetches) error {
	work, done := s.begin(ctx)
	defer done()
	s.cfg.Observer.BatchStarted()
	b := &batch{session: s, ctx: ctx, work: work, began: s.cfg.Now(), again: s.again.Swap(false),
		rows: map[schemas.PitchID]schemas.Published{}, unsent: map[schemas.PitchID]schemas.Published{}, moves: map[int32]schemas.PositionMove{},
		late: map[int32]schemas.PositionMove{}, sum: BatchSummary{DeadLetters: map[schemas.Code]int{}, Issues: map[string]int{}}}
	if err := b.gather(fetches); err != nil {
		return s.dropped(work, err)
	}
	if s.refilling(b.positions()) {
		if err := s.republish(work, inOrder(b.rows)); err != nil {
			return s.dropped(work, err)
		}
	} else if committed, err := b.commit(); err != nil || !committed {
		return err
	}
	if err := b.catchUp(); err != nil {
		return s.dropped(work, err)
	}
	s.owned.readInTurn()
	b.report()
	return nil
}

// commit sends the letters and the rows and commits the offsets; false when the group moved on under the batch.
func (b *batch) commit() (committed bool, err error) {
	failed := b.ahead.wait()
	// guard: too much poison holds the processor
	if why := b.cfg.Breaker.judge(b.cfg.Now(), b.tallies); why != "" {
		// guard: a breaker that holds leaves nothing open
		if b.open {
			return false, b.dropped(b.work, errTripped)
		}
		if err := b.hold(b.ctx, b.work, why, b.letters); err != nil {
			return false, b.dropped(b.work, err)
		}
		b.tallies = cleared(b.tallies)
	}
	b.tallies = spent(b.tallies)
	committed, err = b.finish(withTallies(b.work, b.tallies, b.bounds()), failed, b.unsentLetters(b.letters), b.unsentRows())
	if err != nil {
		return false, err
	}
	if !committed {
		b.cfg.Log.Info("the group moved on under the batch: it is read again")
		b.session.again.Store(true)
		return false, nil
	}
	b.whole = false
	b.owned.committed(b.positions(), b.tallies)
	return true, nil
}

func (b *batch) positions() []schemas.PositionMove { return slices.Collect(maps.Values(b.moves)) }

// inOrder are rows in the order of their pitches.
func inOrder(rows map[schemas.PitchID]schemas.Published) []schemas.Published {
	return slices.SortedFunc(maps.Values(rows), func(x, y schemas.Published) int { return bytes.Compare(x.PitchID[:], y.PitchID[:]) })
}

// begin makes the context of a batch: ended by a revoke, or by the grace of a shutdown running out.
func (s *session) begin(ctx context.Context) (work context.Context, done func()) {
	// guard: the batch in hand is finished at shutdown | context.WithoutCancel(ctx) -> ctx
	shutdown, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	work, ended := s.underWay(shutdown)
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(shutdownGrace, func() { cancel(errors.New("shutting down: the stores did not answer in time")) })
		context.AfterFunc(work, func() { t.Stop() })
	})
	return work, func() {
		ended()
		stop()
		cancel(nil)
	}
}

// readAgain are the reasons for which a session reads a batch again and goes on.
var readAgain = []error{errRevoked, errLetGo, errTripped, errAheadTooLong}

// dropped ends a batch of which nothing was committed, though the store may have taken it. After a revoke the session goes
// on: what is still ours is read again from the committed offsets, which is what an aborted transaction does.
func (s *session) dropped(work context.Context, err error) error {
	s.again.Store(true)
	if cause := context.Cause(work); cause != nil {
		err = cause
	}
	if !slices.ContainsFunc(readAgain, func(why error) bool { return errors.Is(err, why) }) {
		err = fmt.Errorf("batch dropped: %w", err)
		if s.open {
			// guard: a session that ends leaves nothing open
			err = errors.Join(err, s.abort(work))
		}
		return err
	}
	// guard: a batch that tripped is judged before it is sent | errors.Is(err, errTripped) -> false
	s.whole = errors.Is(err, errTripped) || errors.Is(err, errAheadTooLong)
	s.cfg.Log.Info("batch dropped", "reason", err)
	// guard: what was dropped is read again | s.abort(work) -> nil
	return s.abort(work)
}

// moves are the new positions of the partitions in a poll.
func (s *session) moves(fetches kgo.Fetches) (moves []schemas.PositionMove, err error) {
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if len(f.Records) == 0 {
			return
		}
		p, ok := s.owned.get(f.Partition)
		if !ok {
			err = errRevoked // lost between the poll and here
			return
		}
		next := f.Records[len(f.Records)-1].Offset + 1
		moves = append(moves, schemas.PositionMove{
			Position: schemas.Position{Topic: f.Topic, Partition: f.Partition, NextOffset: next},
			Expected: p.stored,
		})
	})
	if err == nil && len(moves) > 1 && s.refilling(moves) {
		err = errMixed
	}
	return moves, err
}

// decode runs the core on every record, spread over the cores.
func (s *session) decode(records []*kgo.Record) []Decoded {
	defer s.step("decode", s.cfg.Now())
	decoded := make([]Decoded, len(records))
	workers := s.cfg.Workers
	if workers <= 0 {
		workers = max(1, runtime.GOMAXPROCS(0)-1)
	}
	const chunk = 8
	next := make(chan int, (len(records)+chunk-1)/chunk)
	for i := 0; i < len(records); i += chunk {
		next <- i
	}
	close(next)
	work := func() {
		for from := range next {
			for i := from; i < min(from+chunk, len(records)); i++ {
				decoded[i] = transform(records[i], s.cfg.Limits)
			}
		}
	}
	var others sync.WaitGroup
	for range min(workers, cap(next)) - 1 {
		others.Go(work)
	}
	work() // here: a pitch by itself waits for no other goroutine
	others.Wait()
	return decoded
}

func transform(r *kgo.Record, limits features.Limits) Decoded {
	d := Decoded{Record: kafkaread.Record(r), Bytes: len(r.Value)}
	d.Change, d.Rejection = features.Transform(d.Record, limits)
	return d
}

// commitStart makes sure that the group has an offset in each partition before the store moves: see partition.
func (s *session) commitStart(ctx context.Context, moves []schemas.PositionMove) error {
	start := map[int32]kgo.EpochOffset{}
	for _, m := range moves {
		// guard: the start is committed before the first write
		if p, ok := s.owned.get(m.Partition); ok && p.uncommitted {
			start[m.Partition] = kgo.EpochOffset{Epoch: -1, Offset: p.next}
		}
	}
	if len(start) == 0 {
		return nil
	}
	var failed error
	s.kafka.Client().CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{s.cfg.Topic: start}, onCommit(&failed))
	if failed != nil {
		return fmt.Errorf("committing the start: %w", failed)
	}
	s.owned.mu.Lock()
	defer s.owned.mu.Unlock()
	for id := range start {
		if p := s.owned.partitions[id]; p != nil {
			p.uncommitted, p.committed = false, start[id].Offset
		}
	}
	return nil
}

// write applies the plan to the store, for as long as it takes; failed says that an attempt did not succeed, though it
// may have landed.
func (s *session) write(ctx context.Context, plan Plan, moves []schemas.PositionMove) (out schemas.Outcome, failed bool, err error) {
	defer s.step("postgres", s.cfg.Now())
	b := schemas.Batch{Group: s.cfg.Group, Pitches: plan.Pitches, Positions: moves, Replay: s.cfg.Replay.step(plan)}
	attempts := 0
	out, err = retry(ctx, s.Processor, "postgres", func() (schemas.Outcome, error) {
		attempts++
		attempt, cancel := context.WithTimeoutCause(ctx, storeTimeout, errNoAnswer)
		defer cancel()
		// guard: an attempt that gets no answer ends | s.store.Apply(attempt, b) -> s.store.Apply(context.WithoutCancel(attempt), b)
		// guard: nothing is produced before the store has answered | instead out, _ := s.store.Apply(attempt, b); return out, nil
		return s.store.Apply(attempt, b)
	})
	return out, attempts > 1, err
}

func (s *session) push(ctx context.Context, snapshots []schemas.Snapshot, moves []schemas.PositionMove) {
	defer s.step("redis", s.cfg.Now())
	applied := make([]schemas.Position, len(moves))
	for i, m := range moves {
		applied[i] = m.Position
	}
	s.view.Push(ctx, snapshots, applied)
}

func (s *session) step(name string, began time.Time) {
	s.cfg.Observer.Step(name, s.cfg.Now().Sub(began))
}

func (b *batch) report() {
	for _, p := range b.rows {
		if p.Row != nil {
			b.sum.Rows++
			for _, issue := range p.Row.Issues {
				b.sum.Issues[issue]++
			}
		}
	}
	b.sum.Took = b.cfg.Now().Sub(b.began)
	b.cfg.Observer.Batch(b.sum)
}

// add counts a poll.
func (s *BatchSummary) add(counts BatchSummary, outcome schemas.Outcome, letters []schemas.DeadLetter) {
	s.Records, s.Bytes = s.Records+counts.Records, s.Bytes+counts.Bytes
	s.Deletes, s.Identifies = s.Deletes+counts.Deletes, s.Identifies+counts.Identifies
	s.Superseded += outcome.Superseded
	for _, l := range letters {
		s.DeadLetters[l.Code]++
		s.Newest = append(s.Newest[max(0, len(s.Newest)-schemas.MaxNotes+1):], l.Note())
	}
}
