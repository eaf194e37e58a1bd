package consumer

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// A live pitch must be readable soon. For that it must be in the stores: in Postgres (the store) and in Redis
// (the view). Its offset need not be committed to Kafka yet. One commit costs more than one write. So a batch
// gathers polls, and writes each to the stores without waiting for the next one. All are committed together,
// in one Kafka transaction with their rows and dead letters (commit.go).
//
// Three goroutines share the work, and each keeps the order of the polls:
//
//   - That of session.run polls and decodes (gather). It is the only one that uses Kafka's transaction.
//   - The store goroutine (storeAll) writes to Postgres. Polls that wait for it go there in one Postgres
//     transaction.
//   - The view goroutine writes to Redis (stores.show).
//
// When a batch has lasted for commitEvery, an early produce may send the rows that are stored by then, while
// polls go on: commit.go has it, and pipeline.pollAgain starts it.
//
// When run has returned, the other two goroutines have ended. Without an error, everything that was polled is
// in the stores then.
//
// A comment "guard: NAME | HOW" says how test/mutants removes the statement below it.

// errBytesRecycled reports that the store refused a record whose bytes are gone (recycleBytes), so that its
// dead letter cannot be written. The batch is dropped and read again. The session keeps the bytes of its
// records from then on, until a batch is committed of which the store refused nothing.
var errBytesRecycled = errors.New("the store refused a record whose bytes were recycled: it is read again")

// pollsWaiting is how many polls may wait for the store.
const pollsWaiting = 16

// poll is one decoded poll. Its records have no bytes unless they were rejected, or session.keepsBytes is
// set.
type poll struct {
	records []Decoded
	reached []reach
	behind  int64 // records in the topic that follow it and can be read
}

// reach is how far a poll got in a partition.
type reach struct {
	partition int32
	from      int64     // offset of the first record
	next      int64     // offset after the last record
	last      time.Time // of the last record; zero if there were only markers of transactions
	// high watermark: what follows an open transaction counts as lag, although it cannot be read yet
	end int64
}

// pipeline takes the polls of one batch through the stores.
type pipeline struct {
	session *session
	cfg     *Config
	batch   *batch
	early   *earlyProduce   // nil until it was started; of the goroutine of run
	running context.Context // ends when a shutdown begins: polls end, and the batch is committed
	work    context.Context // ends at a revoke, errEarlyTooLong, or shutdownGrace after a shutdown began

	stages  *errgroup.Group // the store goroutine and the view goroutine
	polling context.Context // ends with work, and when a stage has failed
	polls   chan *poll      // to the store goroutine
	shows   chan viewUpdate // to the view goroutine
}

func newPipeline(running, work context.Context, s *session, b *batch) *pipeline {
	p := &pipeline{
		session: s, cfg: s.cfg, batch: b, running: running, work: work,
		polls: make(chan *poll, pollsWaiting), shows: make(chan viewUpdate, 1),
	}
	p.stages, p.polling = errgroup.WithContext(work)
	return p
}

// run polls until the batch is to be committed, beginning with these records, and returns when all are in the
// stores.
func (p *pipeline) run(first kgo.Fetches) error {
	p.stages.Go(func() error {
		defer close(p.shows)
		return p.storeAll()
	})
	p.stages.Go(func() error {
		for s := range p.shows {
			p.session.stores.show(p.work, s)
		}
		return nil
	})
	err := p.gather(first)
	close(p.polls)
	// guard: the batch ends only when every poll of it is in the stores | instead go func() { _ = p.stages.Wait() }()
	err = errors.Join(p.stages.Wait(), err)
	if err != nil {
		// The producer must be quiet before session.drop aborts Kafka's transaction, and its records with it.
		// Without an error decide waits for it.
		_ = p.early.wait()
	}
	return err
}

// gather hands polls to the store goroutine, beginning with these records, until the batch is to be
// committed.
func (p *pipeline) gather(fetches kgo.Fetches) error {
	for fetches != nil {
		read, err := p.read(fetches)
		if err == nil {
			err = p.put(read)
		}
		if err != nil {
			return err
		}
		if fetches, err = p.pollAgain(read); err != nil {
			return err
		}
	}
	return nil
}

// read decodes a poll, recycles its bytes and reports what waits. It returns an error if the log was cut back
// below the committed offset, because new records have taken offsets below it then, and would be skipped.
//
// For a partition without a committed offset, read commits the offset that reading started from. It does so
// before anything of it is stored. Otherwise a crash would leave the stored position alone. The records below
// that would not be read again, and their dead letters would be lost.
func (p *pipeline) read(fetches kgo.Fetches) (*poll, error) {
	s := p.session
	lost, err := s.starter.logsCutBack(p.work, fetches)
	s.lost = append(s.lost, lost...)
	if err = cmp.Or(err, s.lossFound()); err != nil {
		return nil, err
	}
	read := &poll{}
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if len(f.Records) == 0 {
			return
		}
		// guard: api: lag is reported while a batch waits
		s.partitions.waiting(f.Partition, kafkaread.Time(f.Records[0]))
		at := reachOf(&f)
		at.next = s.replay.bounded(f.Partition, at.next) // packed records (decode.go) may go on after the end
		read.reached = append(read.reached, at)
		read.behind += f.LastStableOffset - at.next
	})
	records := withoutMarkers(fetches.Records())
	p.cfg.Observer.Polled(records)
	// Loaded once, because the store goroutine may set it at any time, and decode and recycleBytes must agree.
	keepsBytes := s.keepsBytes.Load()
	if read.records, err = decode(p.work, p.cfg, records, keepsBytes); err != nil {
		return nil, err
	}
	uncommitted, err := s.partitions.notePoll(read.reached, func() { s.trace.poll(read.reached, read.records) })
	if err != nil {
		return nil, err
	}
	if !keepsBytes {
		recycleBytes(read.records, records)
	}
	p.batch.countRead(read.records)
	if len(uncommitted) > 0 {
		err = s.starter.commitStart(p.work, uncommitted)
	}
	return read, err
}

func reachOf(f *kgo.FetchTopicPartition) reach {
	next := f.Records[len(f.Records)-1].Offset + 1
	return reach{
		partition: f.Partition, from: f.Records[0].Offset, next: next,
		last: lastTime(f.Records), end: f.HighWatermark,
	}
}

// lastTime returns the time of the last record; zero if there are only markers of transactions.
func lastTime(records []*kgo.Record) time.Time {
	for _, r := range slices.Backward(records) {
		if !r.Attrs.IsControl() {
			return kafkaread.Time(r)
		}
	}
	return time.Time{}
}

// withoutMarkers returns the records of a poll without the markers of transactions.
func withoutMarkers(records []*kgo.Record) []*kgo.Record {
	return slices.DeleteFunc(records, func(r *kgo.Record) bool {
		// guard: markers of transactions are no records
		if r.Attrs.IsControl() {
			r.Recycle()
			return true
		}
		return false
	})
}

// put hands a poll to the store goroutine; it returns the error of a stage that has failed.
func (p *pipeline) put(read *poll) error {
	select {
	case p.polls <- read:
		return nil
	case <-p.polling.Done():
		return context.Cause(p.polling)
	}
}

// pollAgain returns the records of another poll; nil when the batch is to be committed: it is full or old, or
// nothing comes and few records wait. A full or old batch first starts its early produce, if it can.
func (p *pipeline) pollAgain(previous *poll) (kgo.Fetches, error) {
	for !p.mustCommit() {
		wait := p.timeLeft()
		if wait <= 0 {
			// guard: records that arrive while rows are sent do not wait | p.produceEarly() -> false, error(nil)
			if started, err := p.produceEarly(); err != nil || !started {
				return nil, err
			}
			continue // the early produce has extended timeLeft
		}
		// with CommitEvery set, a test or a replay decides when batches end
		idle := previous.behind < gatherLag && p.cfg.CommitEvery == 0 && wait > commitIdle
		if idle {
			wait = commitIdle
		}
		fetches, err := p.pollFor(wait)
		if err != nil || fetches.NumRecords() > 0 {
			return fetches, err
		}
		if idle {
			return nil, nil
		}
	}
	return nil, nil
}

// mustCommit reports that the batch must be committed now, whatever waits behind it. With a negative
// CommitEvery each poll is a batch. The same holds while records keep their bytes, because the memory for
// more polls is not bounded.
func (p *pipeline) mustCommit() bool {
	b := p.batch
	return p.running.Err() != nil || p.cfg.CommitEvery < 0 || p.session.keepsBytes.Load() ||
		// guard: a batch is committed before its dead letters hold too much | b.heldBytes >= gatherHeldBytes -> false
		b.rejected >= gatherDeadLetters || b.heldBytes >= gatherHeldBytes
}

// timeLeft returns how long the batch may take more polls. It is 0 or less, too, when the batch has its
// records, or its early produce has sent the rows. An early produce raises the limits of time and records.
func (p *pipeline) timeLeft() time.Duration {
	every, records := commitEvery, p.batch.most
	if p.cfg.CommitEvery != 0 {
		every = p.cfg.CommitEvery
	}
	if p.early != nil {
		if p.early.sent.Err() != nil {
			return 0
		}
		every, records = every+earlyTime, records+earlyRecords
	}
	if p.batch.records >= records {
		return 0
	}
	return every - p.cfg.Now().Sub(p.batch.began)
}

// pollFor returns the records that arrive within this time. They must be stored before the commit, or the
// batch be dropped, because the commit covers everything that was polled.
func (p *pipeline) pollFor(wait time.Duration) (kgo.Fetches, error) {
	ctx, cancel := context.WithTimeout(p.polling, wait)
	defer cancel()
	defer context.AfterFunc(p.running, cancel)() // a shutdown waits for no more records
	if p.early != nil {
		defer context.AfterFunc(p.early.sent, cancel)() // once the rows are sent, the batch is committed
	}
	fetches := p.session.poll(ctx)
	if p.polling.Err() != nil {
		return nil, context.Cause(p.polling)
	}
	if fetches.IsClientClosed() {
		return nil, kgo.ErrClientClosed
	}
	return fetches, p.session.fetchErrors(ctx, fetches)
}

// storeAll is the store goroutine.
func (p *pipeline) storeAll() error {
	var next *poll
	for {
		if next == nil {
			if next = <-p.polls; next == nil {
				return nil
			}
		}
		var together []*poll
		together, next = p.take(next)
		s, err := p.store(together)
		if err != nil {
			return err
		}
		p.shows <- s
	}
}

// take joins the polls that wait behind the first one, up to the size of a transaction. It returns the poll
// that no longer fits as next. While many records wait in the topic, it waits until the transaction is half
// full, because computing a batter costs the same whether one pitch of his changed or five. The wait ends
// with the batch at the latest: run closes polls as soon as timeLeft is used up.
func (p *pipeline) take(first *poll) (together []*poll, next *poll) {
	together = []*poll{first}
	most := p.cfg.batchSize.limit()
	for n, previous := len(first.records), first; ; previous = next {
		// guard: polls are stored in few transactions while records wait | n < most/2 -> n < 0
		if previous.behind >= gatherLag && n < most/2 {
			next = <-p.polls
		} else {
			select {
			// guard: polls that wait for the store go together | p.polls -> (chan *poll)(nil)
			case next = <-p.polls:
			default:
				return together, nil
			}
		}
		if next == nil {
			return together, nil
		}
		// guard: polls go to the store together up to what one transaction is to hold
		if n += len(next.records); n > most {
			return together, next
		}
		together = append(together, next)
	}
}

// store writes polls to the store in one transaction, keeps the results, and returns what the view must show.
func (p *pipeline) store(polls []*poll) (viewUpdate, error) {
	s := p.session
	var update viewUpdate
	var records []Decoded
	for _, read := range polls {
		records = append(records, read.records...)
		update.reached = append(update.reached, read.reached...)
	}
	var err error
	if update.moves, err = p.moves(update.reached); err != nil {
		return viewUpdate{}, err
	}
	plan := MakePlan(records)
	outcome, retried, err := s.stores.write(p.work, plan, update.moves)
	if err != nil {
		return viewUpdate{}, err
	}
	// The store has the other records of this write, and gets them again with the refused ones: session.drop
	// sets mayRepeat for that. To the trace the answer is lost, because the batch does not go on with it.
	// guard: a record that the store refuses is read again for its bytes
	if len(outcome.Refused) > 0 && !s.keepsBytes.Swap(true) {
		s.trace.step("store", s.stores.op, answerLost)
		return viewUpdate{}, errBytesRecycled
	}
	deadLetters := append(plan.DeadLetters, plan.Refused(outcome.Refused)...)
	s.partitions.applied(update.moves)
	// After a person has set the group back, records are read again whose dead letters were committed before.
	deadLetters = slices.DeleteFunc(deadLetters, s.partitions.wasSent)
	committed, tallies := s.partitions.tallies(), p.batch.tallies // of rejections, for the breaker
	for _, read := range polls {
		tallies = countTallies(p.cfg, committed, tallies, read.records, deadLetters)
	}
	p.batch.keep(plan.counts, outcome, deadLetters, tallies, update.moves, s.stores.op)
	update.snapshots = outcome.Snapshots
	// guard: the view is compared after a batch that may have landed before | p.batch.mayRepeat || retried -> retried && false
	update.mustSweep = p.batch.mayRepeat || retried
	p.batch.mayRepeat = false // once a batch, because a sweep compares all players
	return update, nil
}

// moves returns how far polls move each position, from where the polls before have left it. It returns
// errRevoked when a partition was revoked since.
func (p *pipeline) moves(reached []reach) (moves []schemas.PositionMove, err error) {
	for _, r := range reached {
		at, ok := p.session.partitions.get(r.partition)
		if !ok {
			return nil, errRevoked
		}
		to := schemas.Position{Topic: p.cfg.Topic, Partition: r.partition, NextOffset: r.next, TopicID: at.topicID}
		// guard: a poll moves the position from where the one before it left it | Expected: at.stored -> Expected: 0
		move := schemas.PositionMove{Position: to, Expected: at.stored}
		i := slices.IndexFunc(moves, func(o schemas.PositionMove) bool { return o.Partition == r.partition })
		if i >= 0 {
			moves[i] = move
		} else {
			moves = append(moves, move)
		}
	}
	return moves, nil
}
