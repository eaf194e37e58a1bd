package schemas

import (
	"cmp"
	"fmt"
)

// Coordinates say where a record stands, or first stood, in Kafka.
type Coordinates struct {
	Topic       string
	Partition   int32
	Offset      int64
	TimestampMS int64 // Unix milliseconds, 0 … 253402300799999 (the end of the year 9999)
}

// MaxTimestampMS is the last millisecond of the year 9999; a later record timestamp counts as this one, and one below 0 as 0.
const MaxTimestampMS = 253402300799999

// Version orders what is known of one pitch. In every store a pitch is a last-writer-wins register: a greater version
// replaces, an equal one rewrites the same values, a lower one changes nothing.
type Version struct {
	Revision    int64 // 0 … 2^63−1, set by the producer of a correction
	TimestampMS int64 // of the origin
	Offset      int64 // of the origin
	Partition   int32 // of the origin
}

// Compare is −1 when v is older than w, 0 when they are the same, +1 when v is newer.
func (v Version) Compare(w Version) int {
	return cmp.Or(
		cmp.Compare(v.Revision, w.Revision),
		cmp.Compare(v.TimestampMS, w.TimestampMS),
		cmp.Compare(v.Offset, w.Offset),
		cmp.Compare(v.Partition, w.Partition),
	)
}

// String is for people: revision 2 at 1727561077926 ms, partition 1 offset 8.
func (v Version) String() string {
	return fmt.Sprintf("revision %d at %d ms, partition %d offset %d", v.Revision, v.TimestampMS, v.Partition, v.Offset)
}
