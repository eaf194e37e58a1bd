package schemas

import (
	"cmp"
	"fmt"
)

// Coordinates are the place of a record in Kafka.
type Coordinates struct {
	Topic     string
	Partition int32
	Offset    int64
	// TimestampMS is in Unix milliseconds, 0–253402300799999 (the end of the year 9999).
	TimestampMS int64
}

// MaxTimestampMS is the last millisecond of the year 9999. A later timestamp of a record counts as this one,
// and one below 0 counts as 0.
const MaxTimestampMS = 253402300799999

// Version orders the records of one pitch. In every store a pitch is a last-writer-wins register: a greater
// version replaces the stored one, an equal one writes the same values again, a lower one changes nothing. So
// records may arrive in any order, any number of times.
//
// Revision comes first, because a producer sets it for a correction. Timestamp, offset and partition are
// those of the origin; they order records of the same revision.
type Version struct {
	// Revision is 0–2^63−1.
	Revision    int64
	TimestampMS int64 // of the origin
	Offset      int64 // of the origin
	Partition   int32 // of the origin
}

// Compare returns −1 if v is older than w, 0 if they are equal, +1 if v is newer.
func (v Version) Compare(w Version) int {
	return cmp.Or(
		cmp.Compare(v.Revision, w.Revision),
		cmp.Compare(v.TimestampMS, w.TimestampMS),
		cmp.Compare(v.Offset, w.Offset),
		cmp.Compare(v.Partition, w.Partition),
	)
}

// String returns text for people, as in: revision 2 at 1727561077926 ms, partition 1 offset 8.
func (v Version) String() string {
	return fmt.Sprintf("revision %d at %d ms, partition %d offset %d",
		v.Revision, v.TimestampMS, v.Partition, v.Offset)
}
