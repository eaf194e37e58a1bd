package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"pitchstream/features"
	"pitchstream/schemas"
)

// spans are parts of partitions, by partition.
type spans map[int32]Span

func (s spans) total() (n int64) {
	for _, span := range s {
		n += max(0, span.To-span.From)
	}
	return n
}

// stallTimeout is how long Kafka may give nothing of what it should have.
const stallTimeout = 30 * time.Second

// readTopic calls each with the committed records of the spans, polls in turn, and returns at the last one.
func readTopic(ctx context.Context, opts []kgo.Opt, topic string, parts spans, each func([]*kgo.Record) error) error {
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
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // what retention takes meanwhile is not to be checked
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
	limited, cancel := context.WithTimeout(ctx, stallTimeout)
	defer cancel()
	fetches := client.PollRecords(limited, 1000)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.Is(limited.Err(), context.DeadlineExceeded) {
		return nil, fmt.Errorf("kafka: %s: no record within %v, though some should be there", topic, stallTimeout)
	}
	if err := fetches.Err(); err != nil {
		return nil, fmt.Errorf("kafka: %s: %w", topic, err)
	}
	return fetches.Records(), nil
}

// decoded is a record and what the core makes of it.
type decoded struct {
	partition int32
	offset    int64
	change    schemas.Change
	rejection *features.Rejection
}

// decodeAll runs the core on records, spread over the processors.
func decodeAll(records []*kgo.Record, limits features.Limits) []decoded {
	out := make([]decoded, len(records))
	var wg sync.WaitGroup
	workers := max(1, min(runtime.GOMAXPROCS(0), len(records)))
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(records); i += workers {
				out[i] = decodeOne(records[i], limits)
			}
		})
	}
	wg.Wait()
	return out
}

func decodeOne(r *kgo.Record, limits features.Limits) decoded {
	rec := schemas.Record{
		Coordinates: schemas.Coordinates{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, TimestampMS: r.Timestamp.UnixMilli()},
		Key:         r.Key, Value: r.Value,
	}
	for _, h := range r.Headers {
		rec.Headers = append(rec.Headers, schemas.Header{Key: h.Key, Value: h.Value})
	}
	d := decoded{partition: r.Partition, offset: r.Offset}
	d.change, d.rejection = features.Transform(rec, limits)
	return d
}

// ends are the first offsets of a topic's partitions, and those up to which readers see it.
func ends(ctx context.Context, admin *kadm.Client, topic string) (parts spans, err error) {
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
	parts = spans{}
	first.Each(func(o kadm.ListedOffset) {
		end, _ := last.Lookup(topic, o.Partition)
		parts[o.Partition] = Span{Partition: o.Partition, From: o.Offset, To: end.Offset}
	})
	return parts, nil
}
