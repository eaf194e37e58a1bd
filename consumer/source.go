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

// A replay may read records from an archive that are gone from the topic. A member of a consumer group cannot
// do that, because it gets its records from the brokers. So such a replay joins no group. It reads from a
// Source, and commits offsets and records in one transaction, as a member does, in the name of a group
// without members. The rest of a session is the same: it does not know where its records come from.
//
// Two replays that run at a time in the name of one group would overwrite each other's offsets. A lock in
// Postgres keeps them apart. If one that seemed dead comes back, Kafka refuses its transaction, because a
// newer producer has the same transactional ID.

// Source reads records by offset, also those that are gone from the topic.
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
	// End commits or aborts the transaction. ctx carries a *decision, which decision.annotate has put there.
	End(ctx context.Context, how kgo.TransactionEndTry) (committed bool, err error)
	Close()
}

// decisionKey is the key under which the context of recordSource.End has its *decision.
type decisionKey struct{}

// sourceReader reads a Source for one session. Its fields belong to the goroutine of session.run, unless they
// say so.
type sourceReader struct {
	cfg        *Config
	source     Source
	client     *kgo.Client
	partitions *partitions
	topicID    kadm.TopicID
	produced   atomic.Int64 // records of this transaction; the client's goroutines count them

	next      map[int32]int64 // the next offset to return, of each partition that this session reads
	committed map[int32]int64 // where next goes back to after an abort
	ended     []int32         // partitions whose end was read; takeEnded empties it

	chunks  <-chan chunk       // from the goroutine that reads the Source; nil while there is none
	stop    context.CancelFunc // ends that goroutine
	paused  []int32            // partitions that were paused when it began, which it does not read
	pending []*kgo.Record      // received from chunks, and not returned yet
}

// chunk is what one step of reading gave: some records, an error, or the end of all.
type chunk struct {
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

// transactionalID is the same for each reader of an instance, so that a new one fences an earlier one.
func (r *sourceReader) transactionalID() string {
	return r.cfg.Group + "/" + cmp.Or(r.cfg.InstanceID, "source")
}

// producedHook counts the records that the client is given to produce.
type producedHook struct{ n *atomic.Int64 }

// OnProduceRecordBuffered is called by the client.
func (h producedHook) OnProduceRecordBuffered(*kgo.Record) { h.n.Add(1) }

// join takes the partitions that this session reads, at the offsets that startOffsets gives. Reading begins
// with the first poll.
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

// Close ends reading, and closes the client.
func (r *sourceReader) Close() {
	r.drop()
	r.client.Close()
}

// drop ends reading. The next poll begins to read anew at next, so records that were not returned are not
// lost.
func (r *sourceReader) drop() {
	if r.stop != nil {
		r.stop()
	}
	r.chunks, r.stop, r.pending = nil, nil, nil
}

// seek makes the next poll read a partition from this offset on.
func (r *sourceReader) seek(id int32, offset int64) {
	r.drop()
	r.next[id], r.committed[id] = offset, offset
}

// unread returns the offsets that are still to be read, without paused partitions.
func (r *sourceReader) unread() kafkaread.Spans {
	spans := kafkaread.Spans{}
	for id, next := range r.next {
		if to := r.cfg.Replay.To[id]; next < to && !slices.Contains(r.paused, id) {
			spans[id] = kafkaread.Span{Partition: id, From: next, To: to}
		}
	}
	return spans
}

// startReading reads the spans in a goroutine of its own, until drop.
func (r *sourceReader) startReading(spans kafkaread.Spans) {
	ctx, stop := context.WithCancel(context.Background())
	chunks := make(chan chunk)
	send := func(c chunk) error {
		select {
		case chunks <- c:
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
			return send(chunk{records: records})
		})
		_ = send(chunk{err: err, isEnd: true})
	}()
	r.chunks, r.stop = chunks, stop
}

// PollRecords waits for records and returns up to most of them. At the end of all partitions that are not
// paused it returns none, and takeEnded returns those partitions. Its errors are ctx's, and sourceError.
func (r *sourceReader) PollRecords(ctx context.Context, most int) kgo.Fetches {
	paused := r.client.PauseFetchPartitions(nil)[r.cfg.Topic]
	slices.Sort(paused)
	if r.chunks != nil && !slices.Equal(paused, r.paused) {
		r.drop()
	}
	if r.chunks == nil {
		r.paused = paused
		spans := r.unread()
		if len(spans) == 0 {
			<-ctx.Done() // nothing is left here, but another reader of the replay is not at its end yet
			return kgo.NewErrFetch(ctx.Err())
		}
		r.startReading(spans)
	}
	if len(r.pending) == 0 {
		select {
		case c := <-r.chunks:
			switch {
			case c.err != nil:
				r.drop()
				return kgo.NewErrFetch(&sourceError{c.err})
			case c.isEnd:
				r.noteEnds()
				return nil
			}
			r.pending = c.records
		case <-ctx.Done():
			return kgo.NewErrFetch(ctx.Err())
		}
	}
	some := r.pending[:min(most, len(r.pending))]
	r.pending = r.pending[len(some):]
	return r.advance(some)
}

// noteEnds notes that the partitions that were not paused are read to their end.
func (r *sourceReader) noteEnds() {
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

// advance moves next past the records, and returns them in the form of a poll of the client.
func (r *sourceReader) advance(records []*kgo.Record) kgo.Fetches {
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

// End commits the offsets of the decision together with the records of the transaction, or aborts both. After
// an abort the next poll reads again from the committed offsets. After an error the caller must give up the
// session.
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

// commit adds offsets to the transaction. If nothing was produced in it, commit commits them at once, because
// the client does not end a transaction without records.
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
	of.Topic, of.TopicID = r.cfg.Topic, r.topicID // old versions of the protocol send the name, new ones the ID
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

// sourceError is an error of a Source. It ends the replay, because the Source itself retries what is
// retryable.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// asFatal returns the error in a form that makes Processor.Run return it, instead of starting a new session.
func (e *sourceError) asFatal() error { return backoff.Permanent(e.err) }
