// Package topicread reads bounded parts of a topic: what stood there at a moment, up to the end of that moment, as
// readers with read_committed see it. What it holds in memory is bounded, however much it reads.
package topicread

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Span is a part of a partition: [From, To).
type Span struct {
	Partition int32 `json:"partition"`
	From      int64 `json:"from"`
	To        int64 `json:"to"`
}

// Spans are parts of a topic, by partition.
type Spans map[int32]Span

// Total is how many offsets the spans have.
func (s Spans) Total() (n int64) {
	for _, span := range s {
		n += max(0, span.To-span.From)
	}
	return n
}

// StallTimeout is how long Kafka may give nothing of what it should have.
const StallTimeout = 30 * time.Second

// Read calls each with the committed records of the spans, polls in turn, and returns at the last one. opts reach the
// brokers. each owns what it is given.
func Read(ctx context.Context, opts []kgo.Opt, topic string, parts Spans, each func([]*kgo.Record) error) error {
	start := map[int32]kgo.Offset{}
	for id, span := range parts {
		if span.From < span.To {
			start[id] = kgo.NewOffset().At(span.From)
		}
	}
	if len(start) == 0 {
		return nil
	}
	client, err := kgo.NewClient(append(slices.Clone(opts),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: start}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // what retention takes meanwhile is not to be read
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the marks of transactions take offsets too
		kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(4<<20), kgo.MaxConcurrentFetches(1),
	)...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	left := maps.Clone(start)
	for len(left) > 0 {
		records, err := poll(ctx, client, topic)
		if err != nil {
			return err
		}
		var wanted []*kgo.Record
		for _, r := range records {
			span := parts[r.Partition]
			if r.Offset < span.To && !r.Attrs.IsControl() {
				wanted = append(wanted, r)
			}
			if r.Offset >= span.To-1 {
				delete(left, r.Partition)
				client.PauseFetchPartitions(map[string][]int32{topic: {r.Partition}})
			}
		}
		if err := each(wanted); err != nil {
			return err
		}
	}
	return nil
}

func poll(ctx context.Context, client *kgo.Client, topic string) ([]*kgo.Record, error) {
	limited, cancel := context.WithTimeout(ctx, StallTimeout)
	defer cancel()
	fetches := client.PollRecords(limited, 1000)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if errors.Is(limited.Err(), context.DeadlineExceeded) {
		return nil, fmt.Errorf("kafka: %s: no record within %v, though some should be there", topic, StallTimeout)
	}
	if err := fetches.Err(); err != nil {
		return nil, fmt.Errorf("kafka: %s: %w", topic, err)
	}
	return fetches.Records(), nil
}

// Ends are the first offsets of a topic's partitions, and those up to which readers see it now.
func Ends(ctx context.Context, admin *kadm.Client, topic string) (Spans, error) {
	first, err := admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = first.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: first offsets of %s: %w", topic, err)
	}
	last, err := admin.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = last.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: last offsets of %s: %w", topic, err)
	}
	parts := Spans{}
	first.Each(func(o kadm.ListedOffset) {
		end, _ := last.Lookup(topic, o.Partition)
		parts[o.Partition] = Span{Partition: o.Partition, From: o.Offset, To: end.Offset}
	})
	return parts, nil
}

// Since narrows spans to what begins at the first record whose timestamp is not before a time. Records behind it may be
// older: timestamps are the producers'.
func Since(ctx context.Context, admin *kadm.Client, topic string, parts Spans, since time.Time) (Spans, error) {
	if since.UnixMilli() <= 0 {
		return parts, nil
	}
	at, err := admin.ListOffsetsAfterMilli(ctx, since.UnixMilli(), topic)
	if err == nil {
		err = at.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: offsets of %s at %v: %w", topic, since, err)
	}
	out := Spans{}
	for id, span := range parts {
		o, ok := at.Lookup(topic, id)
		if !ok || o.Offset < 0 { // nothing so new
			o.Offset = span.To
		}
		span.From = max(span.From, min(o.Offset, span.To))
		out[id] = span
	}
	return out, nil
}
