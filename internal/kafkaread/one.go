package kafkaread

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

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

// Reader reads single records by their coordinates. It keeps no connection between two reads, and several
// goroutines may use it.
type Reader struct{ opts []kgo.Opt }

// NewReader returns a Reader of the cluster that the options name.
func NewReader(opts ...kgo.Opt) *Reader { return &Reader{opts: opts} }

// Value returns the value of one record, or ErrGone if there is none. It returns when ctx ends at the latest.
func (r *Reader) Value(ctx context.Context, at schemas.Coordinates) ([]byte, error) {
	client, err := kgo.NewClient(append(slices.Clone(r.opts),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
			at.Topic: {at.Partition: kgo.NewOffset().At(at.Offset)},
		}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // a deleted record must not be replaced by another one
		kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(fetchBytes),
		kgo.BrokerMaxReadBytes(maxAnswerBytes), kgo.MaxConcurrentFetches(1), kgo.DisableFetchSessions(),
	)...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	defer client.CloseAllowingRebalance()
	if err := checkWritten(ctx, client, at); err != nil {
		return nil, err
	}
	for {
		fetches := client.PollRecords(ctx, 1)
		for _, rec := range fetches.Records() {
			if rec.Offset == at.Offset {
				return rec.Value, nil
			}
			return nil, ErrGone // compacted, or a transaction marker
		}
		if err := fetches.Err0(); errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			return nil, fmt.Errorf("kafka: no answer in time: %w", err)
		}
		for _, e := range fetches.Errors() {
			if errors.Is(e.Err, kerr.OffsetOutOfRange) {
				return nil, ErrGone
			}
			return nil, fmt.Errorf("kafka: %w", e.Err)
		}
	}
}

// checkWritten returns ErrGone if the offset is behind the partition's end, because a poll would wait for
// the record until ctx ends.
func checkWritten(ctx context.Context, client *kgo.Client, at schemas.Coordinates) error {
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, at.Topic)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	end, known := ends.Lookup(at.Topic, at.Partition)
	switch {
	case !known, errors.Is(end.Err, kerr.UnknownTopicOrPartition):
		return ErrGone
	case end.Err != nil:
		return fmt.Errorf("kafka: %w", end.Err)
	// guard: api: a record that is to come is not waited for
	case at.Offset >= end.Offset:
		return ErrGone
	}
	return nil
}
