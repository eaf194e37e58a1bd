// Package kafkaread reads topics without a consumer group: bounded ranges (Read), single records (Reader),
// and the offsets between which a topic can be read (Bounds, Since). Record turns a client's record into
// the core's.
//
// Everything but Bounds with kgo.ReadUncommitted sees only committed records. Memory is bounded by the
// poll, however long the range is.
package kafkaread

import (
	"context"
	"encoding/base64"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// Record returns a Kafka client's record as the core reads it. Key, header values and value share r's bytes.
func Record(r *kgo.Record) schemas.Record {
	rec := schemas.Record{
		Coordinates: schemas.Coordinates{
			Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, TimestampMS: timestampMS(r.Timestamp),
		},
		Key: r.Key, Value: r.Value,
	}
	if r.Context != nil {
		rec.Cut, _ = r.Context.Value(cutKey{}).(*schemas.Cut)
	}
	if len(r.Headers) > 0 {
		rec.Headers = make([]schemas.Header, len(r.Headers))
		for i, h := range r.Headers {
			rec.Headers[i] = schemas.Header{Key: h.Key, Value: h.Value}
		}
	}
	return rec
}

// emptyHeaderBytes is what a header costs in memory beside its bytes.
var emptyHeaderBytes = new(schemas.Header).HeldBytes()

// recordWithin is Record, but of very many headers it leaves those that a packed record would have. An empty
// one has two bytes in a batch. A record whose headers are few and long is whole.
func recordWithin(r *kgo.Record, limit int) schemas.Record {
	most := max(keptHeaderBytes, limit)
	// guard: bytes: the headers of a batch that is not packed do not take the memory twice | always
	if len(r.Headers) <= most/emptyHeaderBytes {
		return Record(r)
	}
	kept := keptHeaders{left: most}
	for _, h := range r.Headers {
		kept.add(schemas.Header{Key: h.Key, Value: h.Value}, false)
	}
	plain := *r
	plain.Headers = nil
	rec := Record(&plain)
	rec.DescribeWhole()
	whole := *rec.Cut
	headers, cut := kept.close()
	whole.Headers += cut
	rec.Headers, rec.Cut = headers, &whole
	return rec
}

// Time returns the timestamp of a record that a client has fetched, whatever its year.
func Time(r *kgo.Record) time.Time { return time.UnixMilli(timestampMS(r.Timestamp)) }

// timestampMS returns a fetched timestamp in milliseconds. The client multiplies it with 10⁶ to nanoseconds,
// which overflow after the year 2262, for example when a feed sends microseconds as milliseconds. The product
// is known modulo 2⁶⁴; divided by 2⁶ it is ms·5⁶ modulo 2⁵⁸, and 5⁶ has an inverse there.
func timestampMS(t time.Time) int64 {
	const inverse = 76480200929599801 // of 5⁶ = 15625, modulo 2⁵⁸
	ns := t.UnixNano()
	// guard: timestamps beyond the year 2262 are not cut | always
	if ns%1e6 == 0 || ns%(1<<6) != 0 {
		return t.UnixMilli()
	}
	return int64(uint64(ns) >> 6 * inverse & (1<<58 - 1))
}

// DescribedID returns the ID of a topic as kafka-topics.sh --describe shows it and positions have it; "" of
// brokers without IDs.
func DescribedID(id kadm.TopicID) string {
	if id == (kadm.TopicID{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// Headers returns a record's headers as a Kafka client sends them: the inverse of Record's. Values are
// shared.
func Headers(headers []schemas.Header) []kgo.RecordHeader {
	if len(headers) == 0 {
		return nil
	}
	out := make([]kgo.RecordHeader, len(headers))
	for i, h := range headers {
		out[i] = kgo.RecordHeader{Key: h.Key, Value: h.Value}
	}
	return out
}

// Map returns f of each record, in their order. It calls f on up to workers goroutines, one of which is the
// caller's, so that a single record waits for no other goroutine. Packed records follow, one at a time: their
// bytes are valid only within f, and their values are cut to limit (see Load). There may be more results than
// records, because several packed records share a placeholder. A record of very many headers has
// only some of them.
func Map[T any](
	records []*kgo.Record, limit, workers int, f func(rec schemas.Record, isPacked bool) T,
) ([]T, error) {
	out := make([]T, len(records))
	const chunk = 8
	next := make(chan int, (len(records)+chunk-1)/chunk)
	for i := 0; i < len(records); i += chunk {
		next <- i
	}
	close(next)
	work := func() {
		for from := range next {
			for i := from; i < min(from+chunk, len(records)); i++ {
				if !IsPacked(records[i]) {
					out[i] = f(recordWithin(records[i], 0), false)
				}
			}
		}
	}
	var others sync.WaitGroup
	for range min(workers, cap(next)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	if !slices.ContainsFunc(records, IsPacked) {
		return out, nil
	}
	var all []T
	for i, r := range records {
		if !IsPacked(r) {
			all = append(all, out[i])
			continue
		}
		if err := Load(r, limit, func(rec schemas.Record) { all = append(all, f(rec, true)) }); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// cutKey is the key of the context of a record of which only a part is here.
type cutKey struct{}

// Fetched returns a record of the core as a Kafka client would have fetched it: the inverse of Record. Bytes
// are shared.
func Fetched(r schemas.Record) *kgo.Record {
	out := &kgo.Record{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: time.UnixMilli(r.TimestampMS),
		Key: r.Key, Value: r.Value, Headers: Headers(r.Headers), LeaderEpoch: -1,
	}
	if r.Cut != nil {
		out.Context = context.WithValue(context.Background(), cutKey{}, r.Cut)
	}
	return out
}
