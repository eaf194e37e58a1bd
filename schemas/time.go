package schemas

import (
	"encoding/json"
	"fmt"
	"time"
)

// TimeMS is a time in Unix milliseconds. As text it is RFC 3339 in UTC, with milliseconds.
type TimeMS int64

const rfc3339MS = "2006-01-02T15:04:05.000Z"

// TimeMSOf cuts t to milliseconds, toward the past.
func TimeMSOf(t time.Time) TimeMS { return TimeMS(t.UnixMilli()) }

// Time returns t in UTC.
func (t TimeMS) Time() time.Time { return time.UnixMilli(int64(t)).UTC() }

// String returns RFC 3339 in UTC with milliseconds, as in 2024-09-28T22:04:37.926Z.
func (t TimeMS) String() string { return t.Time().Format(rfc3339MS) }

// MarshalJSON writes the text of String.
func (t TimeMS) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// UnmarshalJSON reads RFC 3339 text. Digits behind the milliseconds are cut, toward the past.
func (t *TimeMS) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("not an RFC 3339 time: %w", err)
	}
	*t = TimeMSOf(v)
	return nil
}
