package kafkaread

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// guard: timestamps beyond the year 2262 are not cut
func TestATimestampOfAnyYearIsReadToTheMillisecond(t *testing.T) {
	for _, ms := range []int64{
		0, 1, -1, -1000, 1_700_000_000_123,
		9_223_372_036_854, 9_223_372_036_855, 9_223_372_036_856, // the last one that fits, and the next
		253_402_300_799_999, 253_402_300_800_000, // the end of the year 9999
		1_700_000_000_123_456, // microseconds as milliseconds
		1<<57 + 1,
	} {
		r := &kgo.Record{Timestamp: time.Unix(0, ms*1e6)} // as the client computes it
		require.Equal(t, ms, Record(r).TimestampMS)
		require.Equal(t, ms, Time(r).UnixMilli())
	}
	now := time.Unix(1_700_000_000, 123_456_789) // of a record that no client has fetched
	require.Equal(t, now.UnixMilli(), Record(&kgo.Record{Timestamp: now}).TimestampMS)
}
