package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// A Postgres that was restored from a backup is older than the group's offset. The records in between are
// read again and written again, in a loop of their own: poll, plan, store, republish the rows, move the
// position.
//
// Nothing is committed in the meantime, because the group's offset is already further. No dead letter is
// sent, because each was sent with an offset that is committed. Another core might reject other records, so
// those that another one has judged are read by session.process instead (starter.useMetadata).
//
// The position in the store alone says how far the refill is. So it moves only after the rows are published:
// a crash in between leaves them to be published again. One partition is read alone; at the floor, the offset
// that the group had committed, session.process takes over.
//
// Rows are published in a Kafka transaction without offsets. It must not be committed before the refiller has
// compared its rows with the store. Another processor may have sent a newer row of a pitch just before, and
// the older row would then be the last in the topic. No later refill would correct that: it finds the older
// record superseded, and sends nothing for it.

// refiller refills one partition. It belongs to the goroutine of session.run.
type refiller struct {
	session *session
	cfg     *Config
	id      int32
	client  *kgo.Client // produces in transactions of its own; nil until rows are published
}

// errForeignRecords reports records of a partition that is paused. They can neither be applied here nor be
// polled again, so the session ends: the next one reads them again from the committed offsets.
var errForeignRecords = errors.New("kafka sent records of a paused partition while another is refilled")

// run refills until the floor is reached, the partition is revoked, or ctx ends. In a replay it ends also
// when the replay is complete, or has read its part of this partition. The caller commits accepted gaps of
// other partitions after it.
func (r *refiller) run(ctx context.Context) error {
	defer func() {
		if r.client != nil {
			r.client.Close()
		}
	}()
	s := r.session
	for ctx.Err() == nil && (s.replay == nil || !s.replay.updateDone(s.partitions)) {
		s.partitions.forgetUnassigned()
		at, ok := s.partitions.get(r.id)
		if !ok || !at.isBehind() || s.replay.isDone(r.id) {
			return nil
		}
		fetches, err := s.firstPoll(ctx)
		if err == nil && fetches.NumRecords() > 0 {
			err = r.process(ctx, at, fetches)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// process applies one poll. After an error that the session survives, the client reads on from the position
// in the store (partitions.rewound).
func (r *refiller) process(ctx context.Context, at partition, fetches kgo.Fetches) error {
	work, done := r.session.begin(ctx)
	defer done()
	r.cfg.Observer.BatchStarted()
	began := r.cfg.Now()
	summary, err := r.apply(work, at, fetches)
	if err != nil {
		return r.session.drop(work, err)
	}
	summary.Took = r.cfg.Now().Sub(began)
	r.cfg.Observer.Batch(summary)
	return nil
}

// apply writes the records of a poll below the floor, shows them, publishes their rows, and moves the
// position. After an error any of these steps may have been done or not; all of them may be repeated.
func (r *refiller) apply(work context.Context, at partition, fetches kgo.Fetches) (BatchSummary, error) {
	s := r.session
	summary := newSummary()
	records, reached, err := r.belowFloor(at, fetches)
	if err != nil {
		return summary, err
	}
	records = withoutMarkers(records)
	r.cfg.Observer.Polled(records)
	const keepsBytes = false // no dead letter needs them
	decoded, err := decode(work, r.cfg, records, keepsBytes)
	if err != nil {
		return summary, err
	}
	polled := []reach{reached}
	if _, err := s.partitions.notePoll(polled, func() { s.trace.poll(polled, decoded) }); err != nil {
		return summary, err
	}
	recycleBytes(decoded, records)
	plan := MakePlan(decoded)
	repeated := s.mayRepeat.Swap(false) // an error sets it again, in drop

	// The first write brings the rows and leaves the position. It fails with ErrPositionBehind if the store
	// was restored once more.
	// guard: a store that is filled again moves on when its rows are published | NextOffset: at.stored -> NextOffset: reached.next
	here := schemas.Position{Topic: r.cfg.Topic, Partition: r.id, NextOffset: at.stored, TopicID: at.topicID}
	stay := schemas.PositionMove{Position: here, Expected: at.stored}
	outcome, retried, err := s.stores.write(work, plan, []schemas.PositionMove{stay})
	if err != nil {
		return summary, err
	}
	s.trace.stored(s.stores.op, &outcome)
	// guard: what the store refuses in a refill is named
	if n := len(outcome.Refused); n > 0 {
		r.cfg.Log.Warn("the store refuses records in a refill; no dead letter is sent, because it has refused "+
			"them before; if its tables have got a constraint since, run pitchstream replay with dead letters",
			"partition", r.id, "records", n, "first", outcome.Refused[0].Reason)
	}
	// The view may be ahead of the store's position: the rows are stored, and only republishing them is left.
	advance := stay
	advance.NextOffset = reached.next
	s.stores.show(work, viewUpdate{
		snapshots: outcome.Snapshots, moves: []schemas.PositionMove{advance},
		reached: []reach{reached}, mustSweep: repeated || retried,
	})

	rows := map[schemas.PitchID]schemas.Published{}
	for _, row := range outcome.Published {
		rows[row.PitchID] = row
	}
	if err := r.republish(work, sortedRows(rows)); err != nil {
		// guard: a refill whose rows the store compares too slowly takes fewer records | errors.Is(err, errEarlyTooLong) -> false
		if errors.Is(err, errEarlyTooLong) {
			r.session.publisher.tooSlow(plan.counts.Records)
		}
		return summary, err
	}
	if _, _, err := s.stores.write(work, Plan{}, []schemas.PositionMove{advance}); err != nil {
		return summary, err
	}
	s.trace.step("store", s.stores.op, answerOK)
	if s.replay != nil {
		// The poll may have reached the end of the replay's part (sessionReplay.trim). That does not count,
		// because records at and above the floor were dropped here. They are read again once refilled has
		// rewound the client.
		delete(s.replay.polledToEnd, r.id)
	}
	s.partitions.refilled(r.id, at.assignment, advance.NextOffset)
	s.cfg.commitSize.grow(plan.counts.Records, s.publisher.longest)

	summary.add(plan.counts, outcome, nil) // dead letters were counted when they were sent
	summary.addRows(rows)
	return summary, nil
}

// belowFloor returns the records of a poll below the floor, and how far they reach. The others are read again
// after the refill. It looks for one part of the poll only, because a poll has each partition once at most.
func (r *refiller) belowFloor(
	at partition, fetches kgo.Fetches,
) (records []*kgo.Record, reached reach, err error) {
	fetches.EachPartition(func(part kgo.FetchTopicPartition) {
		switch {
		case len(part.Records) == 0: // the answer to an empty partition
		case part.Partition != r.id:
			err = errForeignRecords
		default:
			r.session.partitions.waiting(r.id, kafkaread.Time(part.Records[0]))
			reached = reachOf(&part)
			reached.next = min(reached.next, at.floor)
			reached.next = r.session.replay.bounded(r.id, reached.next)
			records = part.Records
			if i := slices.IndexFunc(records, func(k *kgo.Record) bool { return k.Offset >= at.floor }); i >= 0 {
				// A placeholder that ends at the floor or beyond may begin before it.
				// guard: a refill has the records that are packed with later ones | kafkaread.IsPacked(records[i]) -> false
				if kafkaread.IsPacked(records[i]) {
					kafkaread.Narrow(records[i], 0, at.floor)
					i++
				}
				records = records[:i]
				reached.last = lastTime(records)
			}
		}
	})
	return records, reached, err
}

// republish sends rows in a transaction without offsets, and commits it once the store has none that is
// newer. The rows were sent before, but the last record of a pitch in the topic may be from before the
// restore, and newer than the store. republish returns errEarlyTooLong when the store did not say in time
// which rows have changed.
func (r *refiller) republish(work context.Context, rows []schemas.Published) error {
	if len(rows) == 0 {
		r.session.publisher.longest = notCompared
		return nil
	}
	if r.client == nil {
		if err := r.open(); err != nil {
			return err
		}
	}
	if err := r.client.BeginTransaction(); err != nil {
		return fmt.Errorf("kafka: begin: %w", err)
	}
	var failed firstError
	r.session.trace.send(rows)
	err := r.session.publisher.sendRows(work, work, r.client, rows, failed.note)
	return r.end(work, cmp.Or(failed.get(), err), len(rows))
}

// open makes the client.
func (r *refiller) open() error {
	client, err := kgo.NewClient(slices.Concat([]kgo.Opt{
		kgo.TransactionalID(r.session.transactionalID + "/refill"),
	}, producerOptions(r.cfg), r.cfg.Client)...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	r.client = client
	return nil
}

// end commits the transaction of so many rows, or aborts it after an error of sending (failed), which it
// returns. It returns an error of the commit, too. If the transaction may be open after either, it is fenced.
// After errLeftOpen it may be open until its time-out.
func (r *refiller) end(work context.Context, failed error, rows int) error {
	var err error // of ending the transaction
	if failed == nil {
		if err = r.commit(work); err == nil {
			r.cfg.produceFault.record(r.cfg, nil, 0, rows)
			return nil
		}
		failed = fmt.Errorf("kafka: commit of a refill's rows: %w", err)
		// guard: a commit that the brokers refuse in a refill is named
		r.cfg.produceFault.refused(r.cfg, failed)
	} else {
		err = r.abort(work)
		// After errEarlyTooLong or the end of work, the store or a revoke is the reason, and not Kafka.
		if work.Err() == nil && !errors.Is(failed, errEarlyTooLong) {
			failed = fmt.Errorf("kafka: produce: %w", failed)
			// guard: rows that a refill cannot send are named
			r.cfg.produceFault.record(r.cfg, failed, 0, rows)
		}
	}
	// guard: a refill whose abort fails leaves nothing open | err != nil -> false
	if err != nil {
		failed = r.fence(work, failed)
	}
	return failed
}

func (r *refiller) commit(work context.Context) error {
	return limited(work, transactionTimeout, func(ctx context.Context) error {
		return r.client.EndTransaction(ctx, kgo.TryCommit)
	})
}

func (r *refiller) abort(work context.Context) error {
	if err := limited(work, abortTimeout, r.client.AbortBufferedRecords); err != nil {
		return err
	}
	return limited(work, abortTimeout, func(ctx context.Context) error {
		// guard: a refill commits only rows that it has compared | kgo.TryAbort -> kgo.TryCommit
		return r.client.EndTransaction(ctx, kgo.TryAbort)
	})
}

// abortTimeout bounds each step of an abort: dropping the records, ending the transaction, and fencing it.
// Together they take no longer than the brokers wait before they abort it themselves.
const abortTimeout = transactionTimeout / 3

// errLeftOpen reports that Kafka did not take the abort of a refill's transaction.
var errLeftOpen = errors.New("kafka: abort of a refill's transaction")

// fence has Kafka abort what the client may have left open, after an error that it returns. It makes a new
// client, because Kafka aborts what another one with the same transactional ID has begun. From then on Kafka
// refuses requests of the former client that are still under way.
func (r *refiller) fence(work context.Context, failed error) error {
	r.client.Close()
	r.client = nil
	err := r.open()
	if err == nil {
		err = limited(work, abortTimeout, func(ctx context.Context) error {
			_, _, err := r.client.ProducerID(ctx)
			return err
		})
	}
	// guard: a refill that leaves a transaction open ends the session | err != nil -> false
	if err != nil {
		return fmt.Errorf("%w: %w, after: %v", errLeftOpen, err, failed)
	}
	return failed
}

// limited calls f with a context that ends after d, and not with ctx.
func limited(ctx context.Context, d time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d)
	defer cancel()
	return f(ctx)
}
