package deadletter

import (
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// Filter says which letters are meant. The zero value means all.
type Filter struct {
	Codes  []schemas.Code // one of these; none: any
	Since  time.Time      // failed last at this time or later; zero: at any
	Until  time.Time      // and before this time; zero: at any
	GamePK string         // of this game; "": of any
	// At are the letters at these places of the dead-letter topic (partition and offset); none: anywhere.
	At []schemas.Coordinates
}

// Takes says whether a letter is meant.
func (f *Filter) Takes(l *Letter) bool {
	at := l.FailedAt.Time()
	switch {
	case len(f.Codes) > 0 && !slices.Contains(f.Codes, l.Code),
		!f.Since.IsZero() && at.Before(f.Since),
		!f.Until.IsZero() && !at.Before(f.Until),
		f.GamePK != "" && f.GamePK != l.GamePK:
		return false
	}
	return len(f.At) == 0 || slices.ContainsFunc(f.At, func(c schemas.Coordinates) bool {
		return c.Partition == l.At.Partition && c.Offset == l.At.Offset
	})
}
