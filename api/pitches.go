package api

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

type batterPitchesIn struct {
	ID     int64  `path:"id" example:"660271" doc:"The batter"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"The most pitches of a page"`
	Cursor string `query:"cursor" maxLength:"64" pattern:"^(A[Q-Za-f][A-Za-z0-9_-]{32})?$" doc:"The next_cursor of the page before"`
	Waiting
}

type pitchIn struct {
	ID string `path:"id" format:"uuid" minLength:"36" maxLength:"36" example:"0b1e7c1e-6f0a-4f6b-8d6e-1f2a3b4c5d6e" doc:"The pitch_id"`
	Waiting
}

func getBatterPitches(ctx context.Context, a *API, in *batterPitchesIn) (body Pitches, err error) {
	body.BatterID = in.ID
	body.Pitches, body.NextCursor, body.Freshness, err = playerPitches(
		ctx, a, schemas.PlayerKey{PlayerID: in.ID}, in.Cursor, in.Limit, in.AtLeast)
	return body, err
}

// playerPitches returns a page of the pitches of a player.
func playerPitches(
	ctx context.Context, a *API, player schemas.PlayerKey, cursor string, limit int, need string,
) (pitches []Pitch, next string, fresh Freshness, err error) {
	key := fmt.Sprintf("pitches/%v/%d", player.Side, player.PlayerID)
	read := func(
		ctx context.Context, s Store, after *schemas.PitchCursor, limit int,
	) ([]schemas.StoredRow, error) {
		return s.PlayerPitches(ctx, player, after, limit)
	}
	page, err := pageOfRows(ctx, a, key, cursor, limit, need, read)
	if err == nil && len(page.rows) == 0 && cursor == "" {
		err = huma.Error404NotFound("no pitch of this " + player.Side.String() + " is stored")
	}
	return a.names.pitches(page.rows), page.next, page.Freshness, err
}

// rowPage is a page of rows, the newest first.
type rowPage struct {
	rows []schemas.StoredRow
	next string // cursor
	Freshness
}

// pageOfRows reads a page with the rows behind the cursor. key is of the list, under which pages are
// remembered.
func pageOfRows(
	ctx context.Context, a *API, key, cursor string, limit int, need string,
	read func(context.Context, Store, *schemas.PitchCursor, int) ([]schemas.StoredRow, error),
) (page rowPage, err error) {
	after, err := parseCursor(cursor)
	if err != nil {
		return page, huma.Error422UnprocessableEntity("cursor: " + err.Error())
	}
	key += fmt.Sprintf("/%s/%d", cursor, limit)
	oneMore := func(ctx context.Context, s Store) ([]schemas.StoredRow, error) {
		return read(ctx, s, after, limit+1)
	}
	rows, condition, err := readStore(ctx, a, key, need, oneMore)
	if err != nil {
		return page, err
	}
	page.Condition = condition
	page.next, page.rows = cutPage(rows, limit)
	page.coverRows(page.rows)
	return page, nil
}

// errNoPitch returns the answer about a pitch that has no row. It is no variable, because those are made
// before init gives problems their types.
func errNoPitch() error {
	return huma.Error404NotFound("no such pitch is stored: it was never measured, or it was deleted")
}

func getPitch(ctx context.Context, a *API, in *pitchIn) (body OnePitch, err error) {
	id, ok := schemas.ParsePitchID(in.ID)
	if !ok {
		return body, huma.Error422UnprocessableEntity("id: want UUID text")
	}
	r, err := awaitRecords(ctx, a, in.AtLeast, false)
	if err != nil {
		return body, err
	}
	read := func(ctx context.Context) (*schemas.StoredPitch, error) {
		found, err := askByKey(ctx, &a.sources, &a.sources.pitches, []schemas.PitchID{id})
		if err != nil {
			return nil, err
		}
		return found[0], nil
	}
	pitch, condition, err := orRecalled(ctx, &a.sources, "pitch/"+id.String(), r, read)
	if err != nil {
		return body, err
	}
	if pitch == nil {
		return body, errNoPitch()
	}
	return OnePitch{
		Pitch: a.names.pitch(pitch.Row), IsSword: pitch.IsSword, AsOf: pitch.Row.EventTime, Condition: condition,
	}, nil
}

// cutPage returns the rows of a page, and the cursor of the next one, "" if they are the last.
func cutPage(rows []schemas.StoredRow, limit int) (next string, page []schemas.StoredRow) {
	if len(rows) <= limit {
		return "", rows
	}
	last := rows[limit-1]
	return cursorText(schemas.PitchCursor{EventTime: last.EventTime, PitchID: last.PitchID}), rows[:limit]
}

// A cursor is a version byte, the event time and the pitch id, in base64. Clients must not look into it.
const cursorVersion, cursorSize = 1, 1 + 8 + 16

func cursorText(c schemas.PitchCursor) string {
	b := append(make([]byte, 0, cursorSize), cursorVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(c.EventTime))
	return base64.RawURLEncoding.EncodeToString(append(b, c.PitchID[:]...))
}

func parseCursor(text string) (*schemas.PitchCursor, error) {
	if text == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != cursorSize || b[0] != cursorVersion {
		return nil, errors.New("want a next_cursor of this API")
	}
	c := &schemas.PitchCursor{EventTime: storableTime(b[1:])}
	copy(c.PitchID[:], b[9:])
	return c, nil
}

// storableTime reads a time of a cursor. Postgres compares times of the years 1–9999 only.
func storableTime(b []byte) schemas.TimeMS {
	const first, last = -62135596800000, 253402300799999
	t := schemas.TimeMS(binary.BigEndian.Uint64(b))
	// guard: api: a cursor's time is one of Postgres'
	t = max(first, min(t, last))
	return t
}
