package features

import (
	"bytes"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/schemas"
)

// Origin is where a record first stood: itself, unless it was redriven and all four dlq.origin.* headers can be read.
func Origin(rec schemas.Record) schemas.Coordinates {
	h := readHeaders(rec.Headers)
	return h.origin(rec)
}

// origin is where the record first stood: the record itself, unless all four headers of a redriven one can be read. Three
// of them and one of the record's own would be a place where nothing ever stood.
// Timestamps before 1970 or after the year 9999 count as the nearest that is not.
func (h *headers) origin(rec schemas.Record) schemas.Coordinates {
	own := rec.Coordinates
	own.TimestampMS = clampTimestamp(own.TimestampMS)
	partition, ok1 := digitsBelow(h.originPartition, 1<<31)
	offset, ok2 := digitsBelow(h.originOffset, 1<<63)
	at, ok3 := parseRFC3339(h.originTimestamp)
	if !ok1 || !ok2 || !ok3 || !isTopic(h.originTopic) {
		return own
	}
	return schemas.Coordinates{
		Topic: string(h.originTopic), Partition: int32(partition), Offset: int64(offset), TimestampMS: clampTimestamp(at),
	}
}

// isTopic asks only what the stores need of a topic's name: text without U+0000.
func isTopic(b []byte) bool { return len(b) > 0 && utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

func clampTimestamp(ms int64) int64 { return min(max(ms, 0), schemas.MaxTimestampMS) }
