// Package rawtopic reads single records of a topic by their coordinates, for those who look at one: bounded in bytes and
// in time, as no member of a group.
package rawtopic

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// ErrGone says that no record stands at these coordinates, or none any more.
var ErrGone = errors.New("the record is not in the topic any more")

// Fetches are of about so much; a single batch of records may be larger, and no answer is read beyond maxAnswerBytes.
const (
	fetchBytes     = 1 << 20
	maxAnswerBytes = 64 << 20
)

// Reader reads records. It holds no connection between two reads, and may be used by several goroutines.
type Reader struct{ opts []kgo.Opt }

// New makes a Reader of the cluster that the options name.
func New(opts ...kgo.Opt) *Reader { return &Reader{opts: opts} }

// Value reads the value of one record; ErrGone where there is none. It returns with ctx at the latest.
func (r *Reader) Value(ctx context.Context, at schemas.Coordinates) ([]byte, error) {
	client, err := kgo.NewClient(append(append([]kgo.Opt(nil), r.opts...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{at.Topic: {at.Partition: kgo.NewOffset().At(at.Offset)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // what is gone is not to be read from elsewhere
		kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(fetchBytes), kgo.BrokerMaxReadBytes(maxAnswerBytes),
		kgo.MaxConcurrentFetches(1), kgo.DisableFetchSessions(),
	)...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	defer client.CloseAllowingRebalance()
	if err := stands(ctx, client, at); err != nil {
		return nil, err
	}
	for {
		fetches := client.PollRecords(ctx, 1)
		for _, rec := range fetches.Records() {
			if rec.Offset == at.Offset {
				return rec.Value, nil
			}
			return nil, ErrGone // compacted, or a marker of a transaction
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

// stands asks for the end of the partition: what was never written would be waited for.
func stands(ctx context.Context, client *kgo.Client, at schemas.Coordinates) error {
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
