package kafkaread

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"

	"github.com/pitchstream/pitchstream/schemas"
)

// ErrGone is returned for coordinates that hold no record: deleted by retention, compacted, or not written
// yet.
var ErrGone = errors.New("the record is not in the topic any more")

// MaxAnswerBytes bounds the answer to a fetch, and so every record.
const MaxAnswerBytes = 64 << 20

const (
	// fetchBytes is the size that a fetch aims at. A single batch of records may be larger.
	fetchBytes = 1 << 20
	// oneFetchBytes bounds what is unpacked whole to find one record. Larger batches are read as streams.
	oneFetchBytes = 4 << 20
)

// Reader reads single records by their coordinates. Several goroutines may use it. Two of them read at the
// same time, and others wait, so that together they hold two batches.
type Reader struct {
	turn   *semaphore.Weighted
	client func() (*kgo.Client, error) // connects at the first call
	beyond Beyond                      // nil: a record that is gone is gone
	last   atomic.Pointer[fetchedBatch]
}

// Beyond returns a record that the topic with this ID has no more, or ErrGone. A value of more than limit
// bytes is cut.
type Beyond func(
	ctx context.Context, id kadm.TopicID, at schemas.Coordinates, limit int,
) (schemas.Record, error)

// ReadBeyond has the reader look elsewhere for records that the topic has no more. It must come before the
// first record is read.
func (r *Reader) ReadBeyond(beyond Beyond) { r.beyond = beyond }

// fetchedBatch is what a fetch returned, from an offset on. A Reader keeps the rest of a packed batch,
// because each of its records is found by unpacking all before it: the next one follows where the last one
// ended.
type fetchedBatch struct {
	topicID   kadm.TopicID
	partition int32
	from      int64
	records   []*kgo.Record
	loaded    []schemas.Record // those that share the first placeholder; none if it has only one
}

// Bounds of a fetchedBatch that is kept.
const (
	keptRecords     = 20_000 // placeholders, of 400 bytes each
	keptPackedBytes = 16 << 20
)

// has reports whether the record at an offset of a partition is in the batch, if there is one.
func (b *fetchedBatch) has(id kadm.TopicID, at schemas.Coordinates) bool {
	if b == nil || b.topicID != id || b.partition != at.Partition || at.Offset < b.from {
		return false
	}
	return len(b.records) > 0 && at.Offset <= b.records[len(b.records)-1].Offset
}

// load returns the record at an offset of the partition, and the rest of the batch if that is worth to be
// kept.
func (b *fetchedBatch) load(offset int64, limit int) (found schemas.Record, rest *fetchedBatch, err error) {
	is := func(r schemas.Record) bool { return r.Offset == offset }
	if i := slices.IndexFunc(b.loaded, is); i >= 0 {
		return Clone(b.loaded[i]), b, nil
	}
	at := slices.IndexFunc(b.records, func(r *kgo.Record) bool {
		return r.Offset >= offset && !r.Attrs.IsControl()
	})
	if at < 0 {
		return found, nil, ErrGone // compacted, or a transaction marker
	}
	var loaded []schemas.Record
	most := max(limit, sharedBytes)
	// guard: bytes: a single record has its whole key | Field: most -> Field: KeptBytes
	err = LoadWithin(b.records[at], Limits{Value: most, Field: most}, func(rec schemas.Record) {
		loaded = append(loaded, Clone(rec))
	})
	if err != nil {
		return found, nil, err
	}
	rest = &fetchedBatch{b.topicID, b.partition, offset, samePacked(b.records[at:]), nil}
	if len(loaded) > 1 {
		rest.loaded = loaded
	}
	if i := slices.IndexFunc(loaded, is); i >= 0 {
		return loaded[i], rest, nil
	}
	return found, rest, ErrGone
}

// samePacked returns the first records if they are of one packed batch that is small enough to be kept.
func samePacked(records []*kgo.Record) []*kgo.Record {
	first, ok := placeOf(records[0])
	n := slices.IndexFunc(records, func(r *kgo.Record) bool {
		at, _ := placeOf(r)
		return at.batch != first.batch
	})
	if n < 0 {
		n = len(records)
	}
	// guard: bytes: a batch that is kept for its next record is bounded | always
	if !ok || n > keptRecords || len(first.batch.src) > keptPackedBytes {
		return nil
	}
	return slices.Clone(records[:n])
}

// NewReader returns a Reader of the cluster that the options name. The caller must Close it.
func NewReader(opts ...kgo.Opt) *Reader {
	own := []kgo.Opt{kgo.BrokerMaxReadBytes(MaxAnswerBytes)}
	// guard: bytes: single records are read two at a time | Weighted(2) -> Weighted(9)
	return &Reader{turn: semaphore.NewWeighted(2), client: sync.OnceValues(func() (*kgo.Client, error) {
		return kgo.NewClient(slices.Concat(own, opts)...)
	})}
}

// Close disconnects. No call may follow.
func (r *Reader) Close() {
	if client, err := r.client(); err == nil {
		client.Close()
	}
}

// Record returns one record, or ErrGone if there is none. A value, a key, or headers in sum, of more than
// limit bytes may be cut. It returns when ctx ends at the latest. It returns schemas.ErrUnreadable if the
// batch of the record is broken, and schemas.ErrOccupied if other reads took the time.
func (r *Reader) Record(
	ctx context.Context, at schemas.Coordinates, limit int,
) (found schemas.Record, err error) {
	err = r.Use(ctx, at, limit, func(rec schemas.Record) { found = rec })
	return found, err
}

// Use is Record for a caller that needs the record within use only. Others wait until use has returned, so
// that callers together hold two records, however large they are.
func (r *Reader) Use(ctx context.Context, at schemas.Coordinates, limit int, use func(schemas.Record)) error {
	if err := r.turn.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("kafka: %w: %w", schemas.ErrOccupied, err)
	}
	defer r.turn.Release(1)
	client, err := r.client()
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	topics, err := checkWritten(ctx, client, at)
	if err != nil {
		return err
	}
	found, err := r.fromTopic(ctx, client, topics, at, limit)
	if errors.Is(err, ErrGone) && r.beyond != nil {
		found, err = r.beyond(ctx, topics[at.Topic].ID, at, limit)
	}
	if err == nil {
		use(found)
	}
	return err
}

func (r *Reader) fromTopic(
	ctx context.Context, client *kgo.Client, topics kadm.TopicDetails, at schemas.Coordinates, limit int,
) (found schemas.Record, err error) {
	batch := r.last.Swap(nil)
	// guard: bytes: the next record of a packed batch is read without unpacking those before it | always
	if !batch.has(topics[at.Topic].ID, at) {
		if batch, err = fetchOne(ctx, client, topics[at.Topic], at); err != nil {
			return found, err
		}
	}
	found, rest, err := batch.load(at.Offset, limit)
	if rest != nil && len(rest.records) > 0 {
		r.last.Store(rest)
	}
	return found, err
}

// fetchOne returns the records from an offset on.
func fetchOne(
	ctx context.Context, client *kgo.Client, topic kadm.TopicDetail, at schemas.Coordinates,
) (*fetchedBatch, error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = 500, 1, fetchBytes, -1
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = at.Partition, at.Offset, fetchBytes
	of := kmsg.NewFetchRequestTopic()
	of.Topic, of.TopicID, of.Partitions = at.Topic, topic.ID, []kmsg.FetchRequestTopicPartition{part}
	req.Topics = []kmsg.FetchRequestTopic{of}
	leader := client.Broker(int(topic.Partitions[at.Partition].Leader))
	answer, err := leader.RetriableRequest(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	resp, ok := answer.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); !ok || err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, errors.New("kafka: the answer to a fetch has no partition")
	}
	unpack := &unpacker{left: oneFetchBytes, share: SharedRecords}
	options := kgo.ProcessFetchPartitionOpts{
		Topic: at.Topic, Partition: at.Partition, Offset: at.Offset, KeepControlRecords: true,
	}
	fetched, _ := kgo.ProcessFetchPartition(options, &resp.Topics[0].Partitions[0], unpack, nil)
	if tooMany := (*TooManyRecordsError)(nil); errors.As(fetched.Err, &tooMany) {
		unpack = &unpacker{left: oneFetchBytes, share: tooMany.Share}
		fetched, _ = kgo.ProcessFetchPartition(options, &resp.Topics[0].Partitions[0], unpack, nil)
	}
	if err := fetched.Err; errors.Is(err, kerr.OffsetOutOfRange) {
		return nil, ErrGone
	} else if answered := (*kerr.Error)(nil); errors.As(err, &answered) {
		return nil, fmt.Errorf("kafka: %w", err)
	} else if err != nil {
		// guard: kafkaread: a batch that cannot be read is no fault of the brokers | %w: %w", schemas.ErrUnreadable, err -> %w", err
		return nil, fmt.Errorf("kafka: %w: %w", schemas.ErrUnreadable, err)
	}
	for _, r := range fetched.Records {
		unpack.OnFetchRecordBuffered(r)
	}
	return &fetchedBatch{topic.ID, at.Partition, at.Offset, fetched.Records, nil}, nil
}

// checkWritten returns ErrGone if the offset is behind the partition's end, because there is nothing to wait
// for.
func checkWritten(
	ctx context.Context, client *kgo.Client, at schemas.Coordinates,
) (topics kadm.TopicDetails, err error) {
	admin := kadm.NewClient(client)
	ends, err := admin.ListEndOffsets(ctx, at.Topic)
	if err == nil {
		topics, err = admin.ListTopics(ctx, at.Topic)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil, fmt.Errorf("kafka: no answer in time: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	end, known := ends.Lookup(at.Topic, at.Partition)
	switch {
	case !known, errors.Is(end.Err, kerr.UnknownTopicOrPartition):
		return nil, ErrGone
	case end.Err != nil:
		return nil, fmt.Errorf("kafka: %w", end.Err)
	// guard: api: a record that is to come is not waited for
	case at.Offset >= end.Offset:
		return nil, ErrGone
	}
	return topics, nil
}
