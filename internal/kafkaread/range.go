package kafkaread

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

// Span is a range of offsets of one partition: [From, To).
type Span struct {
	Partition int32 `json:"partition"`
	From      int64 `json:"from"`
	To        int64 `json:"to"`
}

// Spans are ranges of a topic, at most one per partition.
type Spans map[int32]Span

// Total returns the number of offsets in the spans. Compaction and transaction markers make it an upper
// bound of the records.
func (s Spans) Total() (n int64) {
	for _, span := range s {
		n += max(0, span.To-span.From)
	}
	return n
}

// A range is often read beside other work, as by serve, and the client has two fetches in memory: one that is
// read, and the next. So a fetch takes half of what one of the stream may take, on the wire and unpacked.
const (
	rangeFetchBytes    = 8 << 20
	rangeUnpackedBytes = unpackedFetchBytes / 2
	// fewRecords is up to how many offsets a range is read with fetches for single records.
	fewRecords = 10
)

// StallTimeout is how long Read waits for the next record of a range before it reports an error.
const StallTimeout = 30 * time.Second

// Read calls each with the committed records of the spans, one poll after the other, and returns after the
// last one. The slice may be empty, so each also serves as a sign of progress; each owns the records that it
// gets, and reads them with Load or Map. opts say how to reach the brokers. An error of each ends the reading
// and is returned as it is.
//
// Retention may delete the beginning of a span before it is read: then Read goes on at the topic's start.
func Read(
	ctx context.Context, opts []kgo.Opt, topic string, spans Spans, each func([]*kgo.Record) error,
) error {
	return readSharing(ctx, opts, topic, maps.Clone(spans), kgo.NewOffset().AtStart(), each)
}

// ReadOn is Read for who has the deleted records from elsewhere: an offset that the topic does not have is
// kerr.OffsetOutOfRange. It moves the beginnings of the spans behind what each took.
func ReadOn(
	ctx context.Context, opts []kgo.Opt, topic string, spans Spans, each func([]*kgo.Record) error,
) error {
	// guard: kafkaread: deleted records are an error for who has them elsewhere | kgo.NoResetOffset() -> kgo.NewOffset().AtStart()
	return readSharing(ctx, opts, topic, spans, kgo.NoResetOffset(), each)
}

// readSharing reads with another client where a batch has too many records for the first one.
func readSharing(
	ctx context.Context, opts []kgo.Opt, topic string, spans Spans, reset kgo.Offset,
	each func([]*kgo.Record) error,
) error {
	share := SharedRecords
	for {
		err := readFrom(ctx, opts, topic, spans, reset, share, each)
		tooMany := (*TooManyRecordsError)(nil)
		// guard: kafkaread: a batch of very many records is read, some at a time | tooMany.Share <= share -> true
		if !errors.As(err, &tooMany) || tooMany.Share <= share {
			return err
		}
		share = tooMany.Share
	}
}

// readFrom reads with one client, and moves the beginnings of the spans.
func readFrom(
	ctx context.Context, opts []kgo.Opt, topic string, spans Spans, reset kgo.Offset, share int,
	each func([]*kgo.Record) error,
) error {
	start := map[int32]kgo.Offset{}
	for id, span := range spans {
		if span.From < span.To {
			start[id] = kgo.NewOffset().At(span.From)
		}
	}
	if len(start) == 0 {
		return nil
	}
	// guard: bytes: a range is read in smaller fetches than the stream | rangeUnpackedBytes -> unpackedFetchBytes
	wire, unpacked := rangeFetchBytes, rangeUnpackedBytes
	// guard: bytes: a range of few records is read in small fetches
	if spans.Total() <= fewRecords {
		wire, unpacked = fetchBytes, oneFetchBytes
	}
	client, err := kgo.NewClient(append(slices.Concat(unpackSharing(share, unpacked), opts),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: start}),
		kgo.ConsumeResetOffset(reset),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // a range may end with a transaction marker, and the end must be seen
		kgo.FetchMaxBytes(int32(wire)), kgo.FetchMaxPartitionBytes(int32(min(wire, 4<<20))),
	)...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	left := maps.Clone(start)
	for len(left) > 0 {
		records, err := poll(ctx, client, topic, PollsSharing(1000, share))
		if err != nil {
			return err
		}
		var wanted []*kgo.Record
		for _, r := range records {
			span := spans[r.Partition]
			Narrow(r, span.From, span.To)
			_, isReading := left[r.Partition]
			// A placeholder has the offset of its last record, and may begin within the span.
			if (r.Offset < span.To || isReading && IsPacked(r)) && !r.Attrs.IsControl() {
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
		for _, r := range records {
			span := spans[r.Partition]
			span.From = min(span.To, max(span.From, r.Offset+1))
			spans[r.Partition] = span
		}
	}
	return nil
}

func poll(ctx context.Context, client *kgo.Client, topic string, most int) ([]*kgo.Record, error) {
	limited, cancel := context.WithTimeout(ctx, StallTimeout)
	defer cancel()
	fetches := client.PollRecords(limited, most)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if errors.Is(limited.Err(), context.DeadlineExceeded) {
		return nil, fmt.Errorf("kafka: %s: no record within %v, though the range has more", topic, StallTimeout)
	}
	if err := fetches.Err(); err != nil {
		return nil, fmt.Errorf("kafka: %s: %w", topic, err)
	}
	return fetches.Records(), nil
}

// Bounds returns the offsets of each partition of a topic: From is the first one, To the one behind the
// last record that a reader of that isolation level sees. With kgo.ReadCommitted that is the last stable
// offset, which an open transaction holds back; with kgo.ReadUncommitted it is the high watermark. A topic
// that does not exist is an error.
func Bounds(ctx context.Context, admin *kadm.Client, topic string, level kgo.IsolationLevel) (Spans, error) {
	first, err := admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = first.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: first offsets of %s: %w", topic, err)
	}
	list := admin.ListEndOffsets
	if level == kgo.ReadCommitted() {
		list = admin.ListCommittedOffsets
	}
	last, err := list(ctx, topic)
	if err == nil {
		err = last.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: last offsets of %s: %w", topic, err)
	}
	spans := Spans{}
	first.Each(func(o kadm.ListedOffset) {
		end, _ := last.Lookup(topic, o.Partition)
		spans[o.Partition] = Span{Partition: o.Partition, From: o.Offset, To: end.Offset}
	})
	return spans, nil
}

// Since returns the spans without what comes before the first record whose timestamp is since or later.
// Records behind it may be older, because producers set the timestamps. A time before 1970 narrows nothing.
func Since(
	ctx context.Context, admin *kadm.Client, topic string, spans Spans, since time.Time,
) (Spans, error) {
	if since.UnixMilli() <= 0 {
		return spans, nil
	}
	at, err := admin.ListOffsetsAfterMilli(ctx, since.UnixMilli(), topic)
	if err == nil {
		err = at.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: offsets of %s at %v: %w", topic, since, err)
	}
	out := Spans{}
	for id, span := range spans {
		o, ok := at.Lookup(topic, id)
		if !ok || o.Offset < 0 { // no record is that new
			o.Offset = span.To
		}
		span.From = max(span.From, min(o.Offset, span.To))
		out[id] = span
	}
	return out, nil
}
