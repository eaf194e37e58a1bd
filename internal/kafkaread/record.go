// Package kafkaread reads topics without a consumer group: bounded ranges (Read), single records (Reader),
// and the offsets between which a topic can be read (Bounds, Since). Record turns a client's record into
// the core's.
//
// Everything but Bounds with kgo.ReadUncommitted sees only committed records. Memory is bounded by the
// poll, however long the range is.
package kafkaread

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// Record returns a Kafka client's record as the core reads it. Key, header values and value share r's bytes.
func Record(r *kgo.Record) schemas.Record {
	rec := schemas.Record{
		Coordinates: schemas.Coordinates{
			Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, TimestampMS: r.Timestamp.UnixMilli(),
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
