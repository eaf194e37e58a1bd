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

// SplitChoice says which pitches of a player are aggregated, and in which groups.
type SplitChoice struct {
	By     string `query:"by" enum:"all,season,month,date,game,pitch_type,count,hand" default:"all" doc:"How the pitches are grouped. season, month and date are of the game date; count is balls-strikes; hand is the pitcher's hand of a batter's pitches, and the batter's side of a pitcher's"`
	Since  string `query:"since" maxLength:"40" format:"date-time" example:"2025-04-06T00:00:00Z" doc:"Only pitches with an event time from this one on"`
	Until  string `query:"until" maxLength:"40" format:"date-time" example:"2025-04-07T00:00:00Z" doc:"Only pitches with an event time before this one"`
	Last   int64  `query:"last" minimum:"1" maximum:"10000" example:"100" doc:"Only the last ones of these pitches, by event time; last_of says of what"`
	LastOf string `query:"last_of" enum:"pitches,swings,games" example:"swings" doc:"Without last it has no meaning. pitches, where it is not given: the last pitches. swings: all pitches from the swing on that has last - 1 newer swings, so that swing_count is last. games: all pitches of the games with the newest pitches"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"The most groups of a page"`
	Cursor string `query:"cursor" maxLength:"400" pattern:"^(Ag[A-Za-z0-9_-]+)?$" doc:"The next_cursor of the page before, with the same other parameters"`
}

type batterSplitsIn struct {
	ID int64 `path:"id" example:"660271" doc:"The batter"`
	SplitChoice
	Waiting
}

type pitcherSplitsIn struct {
	ID int64 `path:"id" example:"592450" doc:"The pitcher"`
	SplitChoice
	Waiting
}

// BatterSplits are a page of groups of a batter's pitches.
type BatterSplits struct {
	BatterID   int64         `json:"batter_id" doc:"The batter"`
	Name       string        `json:"name,omitempty" doc:"His name; not there where it is not known"`
	Team       string        `json:"team,omitempty" doc:"His team; not there where it is not known"`
	By         string        `json:"by" doc:"How the pitches are grouped"`
	Splits     []BatterSplit `json:"splits" doc:"Seasons, months, dates and games with the newest first, others by key. Those without a key are last of dates, and first of others but games"`
	NextCursor string        `json:"next_cursor,omitempty" doc:"To be given as cursor for the next page; not there on the last one. It says nothing else"`
	Freshness
}

// BatterSplit is one group: the values that the batter would have if he had no other pitches.
type BatterSplit struct {
	Key schemas.Text `json:"key" doc:"The group: 2025, 2025-04, 2025-04-06, the game_pk, the pitch_type, balls-strikes, R or L; null for pitches that have none, and where by is all"`
	schemas.Stats
}

// PitcherSplits are a page of groups of the pitches that a pitcher threw.
type PitcherSplits struct {
	PitcherID  int64          `json:"pitcher_id" doc:"The pitcher"`
	Name       string         `json:"name,omitempty" doc:"His name; not there where it is not known"`
	Team       string         `json:"team,omitempty" doc:"His team; not there where it is not known"`
	By         string         `json:"by" doc:"How the pitches are grouped"`
	Splits     []PitcherSplit `json:"splits" doc:"Seasons, months, dates and games with the newest first, others by key. Those without a key are last of dates, and first of others but games"`
	NextCursor string         `json:"next_cursor,omitempty" doc:"To be given as cursor for the next page; not there on the last one. It says nothing else"`
	Freshness
}

// PitcherSplit is one group: the values that the pitcher would have if he had no other pitches.
type PitcherSplit struct {
	Key schemas.Text `json:"key" doc:"The group: 2025, 2025-04, 2025-04-06, the game_pk, the pitch_type, balls-strikes, R, L or S; null for pitches that have none, and where by is all"`
	schemas.PitcherStats
}

func getBatterSplits(ctx context.Context, a *API, in *batterSplitsIn) (body BatterSplits, err error) {
	body = BatterSplits{BatterID: in.ID, By: in.By, Splits: []BatterSplit{}}
	body.Name, body.Team = a.names.of(in.ID)
	player := schemas.PlayerKey{PlayerID: in.ID}
	found, err := splitsOf(ctx, a, player, &in.SplitChoice, in.AtLeast)
	body.NextCursor, body.Freshness = found.next, found.Freshness
	for _, s := range found.groups {
		body.Splits = append(body.Splits, BatterSplit{s.Key, *s.Stats})
	}
	return body, err
}

func getPitcherSplits(ctx context.Context, a *API, in *pitcherSplitsIn) (body PitcherSplits, err error) {
	body = PitcherSplits{PitcherID: in.ID, By: in.By, Splits: []PitcherSplit{}}
	body.Name, body.Team = a.names.of(in.ID)
	found, err := splitsOf(ctx, a, pitcherKey(in.ID, ""), &in.SplitChoice, in.AtLeast)
	body.NextCursor, body.Freshness = found.next, found.Freshness
	for _, s := range found.groups {
		body.Splits = append(body.Splits, PitcherSplit{s.Key, *s.Pitching})
	}
	return body, err
}

// splitPage is a page of groups of a player's pitches.
type splitPage struct {
	groups []schemas.Split
	next   string // cursor
	Freshness
}

func splitsOf(
	ctx context.Context, a *API, player schemas.PlayerKey, choice *SplitChoice, need string,
) (page splitPage, err error) {
	q, err := choice.query(player)
	if err != nil {
		return page, err
	}
	key := fmt.Sprintf("splits/%v/%d/%#v", player.Side, player.PlayerID, *choice)
	read := func(ctx context.Context, s Store) (schemas.Splits, error) { return s.Splits(ctx, q) }
	found, condition, err := readStore(ctx, a, key, need, read)
	switch {
	case err != nil:
		return page, err
	case found.IsTooMuch:
		return page, huma.Error422UnprocessableEntity(fmt.Sprintf(
			"more than %d pitches: choose fewer with since, until or last", schemas.MaxSplitPitches))
	case len(found.Groups) == 0 && !q.Since.Present && !q.Until.Present && q.Last == 0 && q.After == nil:
		return page, huma.Error404NotFound("no pitch of this " + player.Side.String() + " is stored")
	}
	page.groups, page.Condition = found.Groups, condition
	if len(page.groups) > choice.Limit {
		page.groups = page.groups[:choice.Limit]
		page.next = splitCursorText(q.By, page.groups[choice.Limit-1])
	}
	for _, s := range page.groups {
		page.cover(s.Newest, s.ProcessedAt)
	}
	return page, nil
}

// query returns the query for one group more than a page has.
func (c *SplitChoice) query(player schemas.PlayerKey) (q schemas.SplitQuery, err error) {
	q = schemas.SplitQuery{
		Side: player.Side, PlayerID: player.PlayerID, By: schemas.SplitBy(c.By), Last: c.Last,
		LastOf: schemas.SplitLast(c.LastOf), Limit: c.Limit + 1,
	}
	if q.Since, err = timeOf("since", c.Since); err != nil {
		return q, err
	}
	if q.Until, err = timeOf("until", c.Until); err != nil {
		return q, err
	}
	if q.After, err = parseSplitCursor(q.By, c.Cursor); err != nil {
		err = cursorGone(err.Error())
	}
	return q, err
}

// splitCursorVersion is the first byte of a cursor of groups. Then come how they are grouped, the event time
// of the newest pitch of a game, and the key.
const splitCursorVersion = 2

// splitKinds are the bytes of a cursor that say how pitches are grouped. Never change one.
var splitKinds = map[schemas.SplitBy]byte{
	schemas.SplitAll: 0, schemas.SplitSeason: 1, schemas.SplitMonth: 2, schemas.SplitDate: 3,
	schemas.SplitGame: 4, schemas.SplitPitchType: 5, schemas.SplitCount: 6, schemas.SplitHand: 7,
}

func splitCursorText(by schemas.SplitBy, last schemas.Split) string {
	b := []byte{splitCursorVersion, splitKinds[by]}
	if by != schemas.SplitGame { // a new pitch moves no other group
		last.Newest = 0
	}
	b = binary.BigEndian.AppendUint64(b, uint64(last.Newest))
	return base64.RawURLEncoding.EncodeToString(append(b, last.Key...))
}

func parseSplitCursor(by schemas.SplitBy, text string) (*schemas.SplitCursor, error) {
	if text == "" {
		return nil, nil
	}
	const head = 1 + 1 + 8
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < head || b[0] != splitCursorVersion {
		return nil, errors.New("want a next_cursor of this API")
	}
	if b[1] != splitKinds[by] {
		return nil, errors.New("it is of another by")
	}
	key := string(b[head:])
	// guard: api: a cursor's key is a text of Postgres'
	if !isText(key) {
		return nil, errors.New("want a next_cursor of this API")
	}
	return &schemas.SplitCursor{Newest: storableTime(b[2:head]), Key: schemas.Text(key)}, nil
}
