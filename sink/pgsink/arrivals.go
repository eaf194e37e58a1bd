package pgsink

import (
	"reflect"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// arrivalArrays are the last arguments of upsert_measured.sql: what the batch itself tells of the records of a pitch
// that came before the one that is written. Where each pitch has one record, as nearly always, they are no arrays.
func arrivalArrays(set []candidate) []any {
	var repeats, conflicts []*int32
	var game, day, venue []*string
	for i, c := range set {
		older := earlier(c)
		if len(older) == 0 {
			continue
		}
		if repeats == nil {
			n := len(set)
			repeats, conflicts = make([]*int32, n), make([]*int32, n)
			game, day, venue = make([]*string, n), make([]*string, n), make([]*string, n)
		}
		if c.change().Op == schemas.OpDelete {
			game[i], day[i], venue[i] = wasOf(older)
		} else {
			repeats[i], conflicts[i] = told(c.change(), older)
		}
	}
	return []any{repeats, conflicts, game, day, venue}
}

// earlier are the versions of the pitch that the batch has beside this one, newest first.
func earlier(c candidate) []schemas.Change { return c.pitch.Measured[c.version+1:] }

// told counts the records of the newest revision that said the same as the one before them, and those that did not.
func told(newest *schemas.Change, older []schemas.Change) (repeats, conflicts *int32) {
	repeats, conflicts = new(int32), new(int32)
	for i := range older {
		before := &older[i]
		// guard: quality: within a poll, only the newest revision counts | before.Version.Revision != newest.Version.Revision || ->
		if before.Version.Revision != newest.Version.Revision || before.Op != schemas.OpUpsert {
			break
		}
		if reflect.DeepEqual(newest.Row, before.Row) {
			*repeats++
		} else {
			*conflicts++
		}
		newest = before
	}
	return repeats, conflicts
}

// wasOf says of which game, day and venue the pitch was that the batch deletes.
func wasOf(older []schemas.Change) (game, day, venue *string) {
	for i := range older {
		if r := older[i].Row; older[i].Op == schemas.OpUpsert {
			date := string(r.GameDate)
			if date == "" {
				date = older[i].EventTime.Time().UTC().Format(time.DateOnly)
			}
			// guard: quality: a pitch that is deleted within its poll was of a game | text(&r.GamePK), &date, text(&r.Venue) -> nil, nil, nil
			return text(&r.GamePK), &date, text(&r.Venue)
		}
	}
	return nil, nil, nil
}
