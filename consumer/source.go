package consumer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
)

// A replay may read records that the topic has no more, from an archive. No member of a group can, because
// the brokers give it only what they have. So such a replay is no member. It reads from a Source, and commits
// offsets and records in one transaction as a member does, in the name of a group without members. The rest
// of a session is the same: it does not know where its records come from.
//
// Two replays of one group at a time would take each other's offsets. A lock in Postgres keeps them apart,
// and the ID of the transaction fences one that was taken for dead.

// Source reads records by offset, also those that the topic has no more.
type Source interface {
	// Bounds returns the offsets that can be read of each partition.
	Bounds(ctx context.Context) (kafkaread.Spans, error)
	// Read calls each with the records of the spans, some at a time, in the order of each partition.
	Read(ctx context.Context, spans kafkaread.Spans, each func([]*kgo.Record) error) error
}

// recordSource is where a session's records come from, and where its offsets go: a member of the group, or a
// sourceReader.
type recordSource interface {
	Client() *kgo.Client
	PollRecords(ctx context.Context, most int) kgo.Fetches
	Begin() error
	// End ends the transaction. ctx has the decision; see decision.annotate.
	End(ctx context.Context, how kgo.TransactionEndTry) (committed bool, err error)
	Close()
}

// decisionKey is the key of the decision in the context of recordSource.End.
type decisionKey struct{}

// sourceReader reads a Source for one session. Its fields belong to the goroutine of session.run, unless they
// say so.
type sourceReader struct {
	cfg        *Config
	source     Source
	client     *kgo.Client
	partitions *partitions
	topicID    kadm.TopicID
	produced   atomic.Int64 // records of this transaction; counted by the client

	next      map[int32]int64 // to hand over, of each partition that this session reads
	committed map[int32]int64 // where next goes back to after an abort
	ended     []int32         // partitions whose end was read, and not noted yet

	feed    <-chan fed
	stop    context.CancelFunc // of feed
	paused  []int32            // when feed began
	pending []*kgo.Record      // of feed, not handed over
}

// fed is a step of reading: some records, or the end of all, or an error.
type fed struct {
	records []*kgo.Record
	err     error
	isEnd   bool
}

func newSourceReader(cfg *Config, source Source, partitions *partitions) (*sourceReader, error) {
	r := &sourceReader{cfg: cfg, source: source, partitions: partitions}
	var err error
	r.client, err = kgo.NewClient(slices.Concat([]kgo.Opt{
		kgo.TransactionalID(r.transactionalID()),
		kgo.WithHooks(producedHook{&r.produced}),
	}, producerOptions(cfg), cfg.Client)...)
	return r, err
}

// transactionalID fences another reader of the same instance.
func (r *sourceReader) transactionalID() string {
	return r.cfg.Group + "/" + cmp.Or(r.cfg.InstanceID, "source")
}

// producedHook counts the records of a transaction.
type producedHook struct{ n *atomic.Int64 }

// OnProduceRecordBuffered is called by the client.
func (h producedHook) OnProduceRecordBuffered(*kgo.Record) { h.n.Add(1) }

// join takes the partitions of this session, at the offsets that startOffsets gives.
func (r *sourceReader) join(ctx context.Context, s *session) error {
	offsets, err := fetchOffsets(ctx, kadm.NewClient(r.client), r.cfg.Group)
	if err != nil {
		return err
	}
	topics, err := kadm.NewClient(r.client).ListTopics(ctx, r.cfg.Topic)
	if err == nil {
		err = topics.Error()
	}
	if err != nil {
		return fmt.Errorf("kafka: topic %s: %w", r.cfg.Topic, err)
	}
	r.topicID = topics[r.cfg.Topic].ID
	start := map[int32]kgo.Offset{}
	for id := range r.cfg.Replay.To {
		if int(id)%max(1, r.cfg.Replay.Readers) != r.cfg.ReplayReader {
			continue
		}
		start[id] = kgo.NoResetOffset().AtStart()
		if at, ok := offsets.Lookup(r.cfg.Topic, id); ok && at.At >= 0 {
			start[id] = kgo.NewOffset().At(at.At)
		}
	}
	located, err := s.starter.startOffsets(ctx, map[string]map[int32]kgo.Offset{r.cfg.Topic: start})
	if err != nil {
		return err
	}
	r.next, r.committed = map[int32]int64{}, map[int32]int64{}
	for id, at := range located[r.cfg.Topic] {
		r.next[id], r.committed[id] = at.EpochOffset().Offset, at.EpochOffset().Offset
	}
	s.onAssigned(ctx, r.client, map[string][]int32{r.cfg.Topic: slices.Sorted(maps.Keys(start))})
	return nil
}

// Client returns the client that produces.
func (r *sourceReader) Client() *kgo.Client { return r.client }

// Begin begins a transaction.
func (r *sourceReader) Begin() error {
	r.produced.Store(0)
	return r.client.BeginTransaction()
}

// Close ends the reading.
func (r *sourceReader) Close() {
	r.drop()
	r.client.Close()
}

// drop ends the feed. Records that were not handed over are read again.
func (r *sourceReader) drop() {
	if r.stop != nil {
		r.stop()
	}
	r.feed, r.stop, r.pending = nil, nil, nil
}

// seek has the next poll begin at an offset of a partition.
func (r *sourceReader) seek(id int32, offset int64) {
	r.drop()
	r.next[id], r.committed[id] = offset, offset
}

// left returns what is to be read of the partitions that are not paused.
func (r *sourceReader) left() kafkaread.Spans {
	spans := kafkaread.Spans{}
	for id, next := range r.next {
		if to := r.cfg.Replay.To[id]; next < to && !slices.Contains(r.paused, id) {
			spans[id] = kafkaread.Span{Partition: id, From: next, To: to}
		}
	}
	return spans
}

// begin starts to read the spans.
func (r *sourceReader) begin(spans kafkaread.Spans) {
	ctx, stop := context.WithCancel(context.Background())
	feed := make(chan fed)
	send := func(f fed) error {
		select {
		case feed <- f:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	go func() {
		err := r.source.Read(ctx, spans, func(records []*kgo.Record) error {
			if len(records) == 0 {
				return nil
			}
			return send(fed{records: records})
		})
		_ = send(fed{err: err, isEnd: true})
	}()
	r.feed, r.stop = feed, stop
}

// PollRecords returns up to most records. At the end of all partitions it returns none, and ended has them.
func (r *sourceReader) PollRecords(ctx context.Context, most int) kgo.Fetches {
	paused := r.client.PauseFetchPartitions(nil)[r.cfg.Topic]
	slices.Sort(paused)
	if r.feed != nil && !slices.Equal(paused, r.paused) {
		r.drop()
	}
	if r.feed == nil {
		r.paused = paused
		spans := r.left()
		if len(spans) == 0 {
			<-ctx.Done() // another reader is not at its end yet
			return kgo.NewErrFetch(ctx.Err())
		}
		r.begin(spans)
	}
	if len(r.pending) == 0 {
		select {
		case f := <-r.feed:
			switch {
			case f.err != nil:
				r.drop()
				return kgo.NewErrFetch(&sourceError{f.err})
			case f.isEnd:
				r.end()
				return nil
			}
			r.pending = f.records
		case <-ctx.Done():
			return kgo.NewErrFetch(ctx.Err())
		}
	}
	some := r.pending[:min(most, len(r.pending))]
	r.pending = r.pending[len(some):]
	return r.fetches(some)
}

// end notes that everything was read of the partitions that were not paused.
func (r *sourceReader) end() {
	for id := range r.next {
		if !slices.Contains(r.paused, id) {
			r.next[id] = max(r.next[id], r.cfg.Replay.To[id])
			r.ended = append(r.ended, id)
		}
	}
	r.drop()
}

// takeEnded returns the partitions whose end was read since it was called last.
func (r *sourceReader) takeEnded() []int32 {
	ended := r.ended
	r.ended = nil
	return ended
}

// fetches returns records as a poll of the client has them.
func (r *sourceReader) fetches(records []*kgo.Record) kgo.Fetches {
	topic := kgo.FetchTopic{Topic: r.cfg.Topic}
	byID := map[int32][]*kgo.Record{}
	for _, rec := range records {
		byID[rec.Partition] = append(byID[rec.Partition], rec)
		r.next[rec.Partition] = rec.Offset + 1
	}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		to := r.cfg.Replay.To[id]
		topic.Partitions = append(topic.Partitions, kgo.FetchPartition{
			Partition: id, HighWatermark: to, LastStableOffset: to, Records: byID[id],
		})
	}
	return kgo.Fetches{{Topics: []kgo.FetchTopic{topic}}}
}

// End commits the offsets of the decision with the records of the transaction. Or it aborts both, and goes
// back to the committed offsets.
func (r *sourceReader) End(ctx context.Context, how kgo.TransactionEndTry) (committed bool, err error) {
	d, _ := ctx.Value(decisionKey{}).(*decision)
	isCommit := bool(how) && d != nil
	at := map[int32]kgo.EpochOffset{}
	if isCommit {
		for id, next := range d.bounds {
			if was, ok := r.committed[id]; ok && next > was {
				at[id] = kgo.EpochOffset{Epoch: -1, Offset: next}
			}
		}
		err = r.client.Flush(ctx)
		if err == nil && len(at) > 0 {
			err = r.commit(ctx, at, d.tallies)
		}
	} else {
		err = r.client.AbortBufferedRecords(ctx)
	}
	isCommit = isCommit && err == nil
	// guard: archive: records and offsets are committed together | kgo.TransactionEndTry(isCommit) -> kgo.TryAbort
	if endErr := r.client.EndTransaction(ctx, kgo.TransactionEndTry(isCommit)); endErr != nil {
		return false, cmp.Or(err, endErr)
	}
	if !isCommit {
		r.drop()
		maps.Copy(r.next, r.committed)
		return false, err
	}
	for id, next := range at {
		r.committed[id] = next.Offset
	}
	return true, nil
}

// commit commits offsets. Without a record in the transaction it does so outside of it, because the client
// would not end it.
func (r *sourceReader) commit(
	ctx context.Context, at map[int32]kgo.EpochOffset, tallies map[int32]tally,
) error {
	if r.produced.Load() == 0 {
		return commitPlainly(ctx, r.client, r.cfg, at, tallies)
	}
	id, epoch, err := r.client.ProducerID(ctx)
	if err != nil {
		return err
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	txn := r.transactionalID()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = txn, id, epoch, r.cfg.Group
	added, err := add.RequestWith(ctx, r.client)
	if err == nil {
		err = kerr.ErrorForCode(added.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("adding offsets to the transaction: %w", err)
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.Generation = txn, r.cfg.Group, -1
	req.ProducerID, req.ProducerEpoch = id, epoch
	of := kmsg.NewTxnOffsetCommitRequestTopic()
	of.Topic, of.TopicID = r.cfg.Topic, r.topicID // the name or the ID counts, as the broker's version has it
	for id, next := range at {
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = id, next.Offset, -1, tallies[id].metadata()
		of.Partitions = append(of.Partitions, p)
	}
	req.Topics = append(req.Topics, of)
	resp, err := req.RequestWith(ctx, r.client)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}

// commitPlainly commits offsets of a group without members, outside of a transaction.
func commitPlainly(
	ctx context.Context, client *kgo.Client, cfg *Config, at map[int32]kgo.EpochOffset, tallies map[int32]tally,
) error {
	offsets := kadm.Offsets{}
	for id, next := range at {
		offsets.Add(kadm.Offset{
			Topic: cfg.Topic, Partition: id, At: next.Offset, LeaderEpoch: -1, Metadata: *tallies[id].metadata(),
		})
	}
	return kadm.NewClient(client).CommitAllOffsets(ctx, cfg.Group, offsets)
}

// sourceError is an error of a Source. It has tried again what may pass, so it ends the replay.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// asFatal returns an error that Processor.Run returns.
func (e *sourceError) asFatal() error { return backoff.Permanent(e.err) }
