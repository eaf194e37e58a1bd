package features

import (
	"bytes"
	"time"
)

// Bounds of the years 0001–9999 in UTC, in Unix milliseconds.
const (
	minTimeMS = -62135596800000
	maxTimeMS = 253402300799999
)

// parseRFC3339 reads an RFC 3339 time and returns Unix milliseconds, cut toward the past. T and Z may be
// lower case. Times outside of the years 0001–9999 in UTC are refused.
//
// The standard library accepts more than the RFC has. So three things are checked here: that the hour has two
// digits, that no comma is before the fraction, and that the offset is below a day.
func parseRFC3339(b []byte) (ms int64, ok bool) {
	if len(b) < len("2006-01-02T15:04:05Z") || b[13] != ':' || b[19] == ',' {
		return 0, false
	}
	if b[10] == 't' || b[len(b)-1] == 'z' {
		b = bytes.ToUpper(b)
	}
	var t time.Time
	if t.UnmarshalText(b) != nil {
		return 0, false
	}
	if offset := b[len(b)-len("07:00"):]; b[len(b)-1] != 'Z' && !(string(offset) < "24" && offset[3] < '6') {
		return 0, false
	}
	ms = t.UnixMilli()
	return ms, minTimeMS <= ms && ms <= maxTimeMS
}

// isGameDate reports whether b is a calendar date YYYY-MM-DD from 1800 on. Earlier ones are typing errors:
// pitches were not tracked then.
func isGameDate(b []byte) bool {
	_, err := time.Parse(time.DateOnly, string(b))
	return err == nil && string(b) >= "1800"
}
