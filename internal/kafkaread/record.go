// Package kafkaread reads topics without a consumer group: bounded ranges (Read), single records (Reader),
// and the offsets between which a topic can be read (Bounds, Since). Record turns a client's record into
// the core's.
//
// Everything but Bounds with kgo.ReadUncommitted sees only committed records. Memory is bounded by the
// poll, however long the range is.
package kafkaread

import (
	"time"

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
	if len(r.Headers) > 0 {
		rec.Headers = make([]schemas.Header, len(r.Headers))
		for i, h := range r.Headers {
			rec.Headers[i] = schemas.Header{Key: h.Key, Value: h.Value}
		}
	}
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
