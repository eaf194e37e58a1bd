package kafkaread

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

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

// fetchBytes is the size that a fetch aims at. A single batch of records may be larger, but no answer of
// more than maxAnswerBytes is read.
const (
	fetchBytes     = 1 << 20
	maxAnswerBytes = 64 << 20
)

// Reader reads single records by their coordinates. Several goroutines may use it. Two of them read at the
// same time, and others wait, so that together they hold two batches.
type Reader struct {
	turn   *semaphore.Weighted
	client func() (*kgo.Client, error) // connects at the first call
}

// NewReader returns a Reader of the cluster that the options name. The caller must Close it.
func NewReader(opts ...kgo.Opt) *Reader {
	own := []kgo.Opt{kgo.BrokerMaxReadBytes(maxAnswerBytes)}
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

// Value returns the value of one record, or ErrGone if there is none. A value of more than limit bytes is an
// error. It returns when ctx ends at the latest.
func (r *Reader) Value(ctx context.Context, at schemas.Coordinates) ([]byte, error) {
	rec, err := r.Record(ctx, at, maxAnswerBytes)
	return rec.Value, err
}

// Record returns one record, or ErrGone if there is none. A value of more than limit bytes may be cut. It
// returns when ctx ends at the latest.
func (r *Reader) Record(
	ctx context.Context, at schemas.Coordinates, limit int,
) (found schemas.Record, err error) {
	if err := r.turn.Acquire(ctx, 1); err != nil {
		return found, fmt.Errorf("kafka: no answer in time: %w", err)
	}
	defer r.turn.Release(1)
	client, err := r.client()
	if err != nil {
		return found, fmt.Errorf("kafka: %w", err)
	}
	topics, err := checkWritten(ctx, client, at)
	if err != nil {
		return found, err
	}
	fetched, err := fetchOne(ctx, client, topics[at.Topic], at)
	if err != nil {
		return found, err
	}
	err = ErrGone // compacted, or a transaction marker
	for _, record := range fetched {
		if record.Offset < at.Offset || record.Attrs.IsControl() {
			continue
		}
		loadErr := Load(record, limit, func(rec schemas.Record) {
			if rec.Offset == at.Offset {
				found, err = Clone(rec), nil
			}
		})
		if loadErr != nil {
			return found, loadErr
		}
		break
	}
	return found, err
}

// fetchOne returns the records from one batch on, that of an offset.
func fetchOne(
	ctx context.Context, client *kgo.Client, topic kadm.TopicDetail, at schemas.Coordinates,
) ([]*kgo.Record, error) {
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
	unpack := &unpacker{left: unpackedFetchBytes}
	options := kgo.ProcessFetchPartitionOpts{
		Topic: at.Topic, Partition: at.Partition, Offset: at.Offset, KeepControlRecords: true,
	}
	fetched, _ := kgo.ProcessFetchPartition(options, &resp.Topics[0].Partitions[0], unpack, nil)
	if errors.Is(fetched.Err, kerr.OffsetOutOfRange) {
		return nil, ErrGone
	} else if fetched.Err != nil {
		return nil, fmt.Errorf("kafka: %w", fetched.Err)
	}
	for _, r := range fetched.Records {
		unpack.OnFetchRecordBuffered(r)
	}
	return fetched.Records, nil
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
