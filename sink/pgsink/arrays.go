package pgsink

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// versionArrays returns the parts of the versions as four arrays, NULL where version returns nil.
func versionArrays[E any](set []E, version func(E) *schemas.Version) []any {
	n := len(set)
	revision, timestamp, offset := make([]*int64, n), make([]*int64, n), make([]*int64, n)
	partition := make([]*int32, n)
	for i, e := range set {
		if v := version(e); v != nil {
			revision[i], timestamp[i], offset[i], partition[i] = &v.Revision, &v.TimestampMS, &v.Offset, &v.Partition
		}
	}
	return []any{revision, timestamp, offset, partition}
}

func positionArrays(group string, moves []schemas.PositionMove) []any {
	return []any{
		group,
		schemas.Map(moves, func(m schemas.PositionMove) string { return m.Topic }),
		schemas.Map(moves, func(m schemas.PositionMove) int32 { return m.Partition }),
		schemas.Map(moves, func(m schemas.PositionMove) int64 { return m.NextOffset }),
		schemas.Map(moves, func(m schemas.PositionMove) int64 { return m.Expected }),
		schemas.Map(moves, func(m schemas.PositionMove) *string { return nullable(m.TopicID) }),
	}
}

// nullable returns NULL for "".
func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func pitchID(c *schemas.Change) *[16]byte              { return (*[16]byte)(&c.PitchID) }
func changeVersion(c *schemas.Change) *schemas.Version { return &c.Version }

// identifiedArrays returns the arguments of upsert_identified.sql.
func identifiedArrays(set []candidate) []any {
	changes := schemas.Map(set, candidate.change)
	args := append([]any{schemas.Map(changes, pitchID)}, versionArrays(changes, changeVersion)...)
	return append(args,
		schemas.Map(changes, func(c *schemas.Change) *int64 { return value(&c.IDs.BatterID) }),
		schemas.Map(changes, func(c *schemas.Change) *int64 { return value(&c.IDs.PitcherID) }),
		schemas.Map(changes, func(c *schemas.Change) *int64 { return value(&c.IDs.TeamID) }),
		schemas.Map(changes, func(c *schemas.Change) *int16 { return value(&c.IDs.AtBatNumber) }),
		schemas.Map(changes, func(c *schemas.Change) *int16 { return value(&c.IDs.PitchNumber) }),
		schemas.Map(changes, func(c *schemas.Change) *string { return text(&c.IDs.BatterSide) }),
		schemas.Map(changes, func(c *schemas.Change) *string { return text(&c.IDs.PitcherHand) }))
}

// yes and no are what elements of arrays point to.
var yes, no = true, false

// measuredArrays returns the first 75 arguments of upsert_measured.sql: an array per column, an element per
// pitch, nil where a value is missing. A row costs no allocation but those of its lists of words, because a
// list of its fields would be larger than the row.
func measuredArrays(set []candidate) []any {
	changes := schemas.Map(set, candidate.change)
	args := append([]any{schemas.Map(changes, pitchID)}, versionArrays(changes, changeVersion)...)
	args = append(args,
		schemas.Map(changes, func(c *schemas.Change) *string { return &c.Origin.Topic }),
		schemas.Map(changes, func(c *schemas.Change) time.Time { return c.EventTime.Time() }),
		schemas.Map(changes, func(c *schemas.Change) *bool {
			if c.Op == schemas.OpDelete {
				return &yes
			}
			return &no
		}))
	rows := schemas.Map(changes, func(c *schemas.Change) reflect.Value {
		if c.Op == schemas.OpDelete {
			return reflect.Value{} // a delete stores a version and no values
		}
		return reflect.ValueOf(c.Row).Elem()
	})
	for i, field := range new(schemas.Row).MeasuredFields() {
		if i > 0 { // the pitch's id is there already
			args = append(args, column(rows, i, field))
		}
	}
	return args
}

// column returns the values of a field of the rows, which is a pointer of the type of like.
func column(rows []reflect.Value, i int, like any) any {
	switch like.(type) {
	case *schemas.Text:
		return pointers(rows, i, text)
	case *schemas.Opt[int16]:
		return pointers(rows, i, value[int16])
	case *schemas.Opt[int64]:
		return pointers(rows, i, value[int64])
	case *schemas.Opt[float64]:
		return pointers(rows, i, value[float64])
	case *schemas.Opt[bool]:
		return pointers(rows, i, value[bool])
	case *bool:
		return pointers(rows, i, same[bool])
	case *int32:
		return pointers(rows, i, same[int32])
	case *[]string:
		return pointers(rows, i, words)
	}
	panic(fmt.Sprintf("a row has a field of type %T, which no column can hold", like))
}

// pointers returns what get returns for a field of each row, nil for the rows of deletes.
func pointers[F, T any](rows []reflect.Value, i int, get func(*F) *T) []*T {
	all := make([]*T, len(rows))
	for n, row := range rows {
		if row.IsValid() {
			all[n] = get(row.Field(i).Addr().Interface().(*F))
		}
	}
	return all
}

func same[T any](v *T) *T { return v }

// words returns a list of words as one text, because Postgres has no arrays of arrays of several lengths.
func words(list *[]string) *string {
	if *list == nil {
		return nil
	}
	return new(strings.Join(*list, ";"))
}

func value[T comparable](o *schemas.Opt[T]) *T {
	if !o.Present {
		return nil
	}
	return &o.Value
}

func text(t *schemas.Text) *string {
	if *t == "" {
		return nil
	}
	return (*string)(t)
}

// arrivalArrays returns the last arguments of upsert_measured.sql: what the older records of a pitch in the
// same batch count for the quality of the data. All are nil if each pitch has one record, as in nearly every
// batch.
func arrivalArrays(set []candidate) []any {
	var repeats, conflicts []*int32
	var game, day, venue []*string
	for i, c := range set {
		older := c.pitch.Measured[c.version+1:]
		if len(older) == 0 {
			continue
		}
		if repeats == nil {
			n := len(set)
			repeats, conflicts = make([]*int32, n), make([]*int32, n)
			game, day, venue = make([]*string, n), make([]*string, n), make([]*string, n)
		}
		if c.change().Op == schemas.OpDelete {
			game[i], day[i], venue[i] = deletedFrom(older)
		} else {
			repeats[i], conflicts[i] = countRepeats(c.change(), older)
		}
	}
	return []any{repeats, conflicts, game, day, venue}
}

// countRepeats counts the records of the newest revision that equal the record before them, and those that do
// not. older are the records before newest, the newest first.
func countRepeats(newest *schemas.Change, older []schemas.Change) (repeats, conflicts *int32) {
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

// deletedFrom returns the game, day and venue that a pitch had before the batch deleted it.
func deletedFrom(older []schemas.Change) (game, day, venue *string) {
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
