package api

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// optional is a parameter of which it matters whether it was given. Its methods are those that huma asks for.
type optional[T any] struct {
	Value T
	isSet bool
}

// Schema returns the schema of the value.
func (optional[T]) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeFor[T]())
}

// Receiver returns where huma puts the value.
func (o *optional[T]) Receiver() reflect.Value { return reflect.ValueOf(o).Elem().Field(0) }

// OnParamSet records whether the parameter was given.
func (o *optional[T]) OnParamSet(isSet bool, _ any) { o.isSet = isSet }

type findPitchesIn struct {
	Batter    optional[int64] `query:"batter" example:"660271" doc:"Only of this batter"`
	Pitcher   optional[int64] `query:"pitcher" example:"592450" doc:"Only of this pitcher"`
	Game      string          `query:"game" minLength:"1" maxLength:"64" example:"745804" doc:"Only of this game (game_pk)"`
	PitchType string          `query:"pitch_type" minLength:"1" maxLength:"200" example:"FourSeamFastball" doc:"Only of this type"`
	Result    string          `query:"result" enum:"Strike,Ball,HitIntoPlay,Pickoff" doc:"Only with this pitch_result"`
	IsSwing   optional[bool]  `query:"is_swing" example:"true" doc:"Only swings, or only others"`
	IsChase   optional[bool]  `query:"is_chase" example:"true" doc:"Only swings at pitches outside of the zone, or only swings at others; pitches of which it is not known are neither"`
	Since     string          `query:"since" maxLength:"40" format:"date-time" example:"2025-04-06T00:00:00Z" doc:"Only with an event time from this one on"`
	Until     string          `query:"until" maxLength:"40" format:"date-time" example:"2025-04-07T00:00:00Z" doc:"Only with an event time before this one"`
	Limit     int             `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"The most pitches of a page"`
	Cursor    string          `query:"cursor" maxLength:"64" pattern:"^(A[Q-Za-f][A-Za-z0-9_-]{32})?$" doc:"The next_cursor of the page before, with the same filters"`
	Waiting
}

// FoundPitches are a page of the rows that filters choose.
type FoundPitches struct {
	Pitches    []Pitch `json:"pitches" doc:"The newest first; empty where none is chosen"`
	NextCursor string  `json:"next_cursor,omitempty" doc:"To be given as cursor, with the same filters, for the next page; not there on the last one"`
	Freshness
}

func (in *findPitchesIn) filter() (f schemas.PitchFilter, err error) {
	f = schemas.PitchFilter{
		BatterID: given(in.Batter), PitcherID: given(in.Pitcher), GamePK: schemas.Text(in.Game),
		PitchType: schemas.Text(in.PitchType), Result: schemas.Text(in.Result),
		IsSwing: given(in.IsSwing), IsChase: given(in.IsChase),
	}
	if f.Since, err = timeOf("since", in.Since); err == nil {
		f.Until, err = timeOf("until", in.Until)
	}
	return f, err
}

func given[T comparable](o optional[T]) schemas.Opt[T] {
	if !o.isSet {
		return schemas.Opt[T]{}
	}
	return schemas.Some(o.Value)
}

// timeOf reads a time that Postgres can compare.
func timeOf(name, text string) (out schemas.Opt[schemas.TimeMS], err error) {
	if text == "" {
		return out, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	// Events have whole milliseconds: the first of them that is not before t.
	// guard: api: a time between two milliseconds is not rounded down
	t = t.Add(time.Millisecond - time.Nanosecond)
	// guard: api: a time of a filter is one of Postgres'
	if err != nil || t.UTC().Year() < 1 || t.UTC().Year() > 9999 {
		return out, huma.Error422UnprocessableEntity(name + ": want an RFC 3339 time of the years 1 to 9999, " +
			"as 2025-04-06T19:05:00Z (a + is written %2B in a query)")
	}
	return schemas.Some(schemas.TimeMSOf(t)), nil
}

func findPitches(ctx context.Context, a *API, in *findPitchesIn) (body FoundPitches, err error) {
	after, err := parseCursor(in.Cursor)
	if err != nil {
		return body, huma.Error422UnprocessableEntity("cursor: " + err.Error())
	}
	f, err := in.filter()
	if err != nil {
		return body, err
	}
	key := fmt.Sprintf("find/%#v/%s/%d", f, in.Cursor, in.Limit)
	read := func(ctx context.Context, s Store) ([]schemas.StoredRow, error) {
		return s.FindPitches(ctx, f, after, in.Limit+1)
	}
	rows, condition, err := readStore(ctx, a, key, in.AtLeast, read)
	if err != nil {
		return body, err
	}
	body.Condition = condition
	body.NextCursor, rows = cutPage(rows, in.Limit)
	body.coverRows(rows)
	body.Pitches = a.names.pitches(rows)
	return body, nil
}
