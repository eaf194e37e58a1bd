package api

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// OfGames chooses among leaders.
type OfGames struct {
	Game string `query:"game" minLength:"1" maxLength:"64" example:"745804" doc:"Only of this game (game_pk): the values are those of the player in it"`
	Date string `query:"date" maxLength:"10" pattern:"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$" format:"date" example:"2025-04-06" doc:"Only of the games of this date: the values are those of a player in one of them, the better one of two, and game_pk says which"`
	Team string `query:"team" minLength:"1" maxLength:"100" example:"SEA" doc:"Only of this team, as the players' list has it; see /v1/teams"`

	Cursor string `query:"cursor" maxLength:"64" pattern:"^(A[w-z0-9_-][A-Za-z0-9_-]{37})?$" doc:"The next_cursor of the page before, with the same other parameters but limit and since"`
}

// leaderPage is a page of leaders, with the rank of each.
type leaderPage struct {
	states    []schemas.PlayerState
	ranks     []int64
	next      string // cursor
	condition Condition
}

// leaders returns a page of the players that a filter and a request choose.
func leaders(
	ctx context.Context, a *API, f schemas.LeaderFilter, of OfGames, limit int, need string,
) (page leaderPage, err error) {
	cursor := of.Cursor
	of.Cursor = ""
	list := fmt.Sprintf("leaders/%d/%s/%d/%q", f.Side, f.Stat, f.AtLeast, of)
	after, err := parseLeaderCursor(list, cursor)
	if err != nil {
		return page, huma.Error422UnprocessableEntity("cursor: " + err.Error())
	}
	if after != nil {
		f.After = &after.LeaderCursor
	}
	f.GamePK, f.Date = schemas.Text(of.Game), schemas.Text(of.Date)
	if of.Team != "" {
		// guard: api: a team without players has no leaders
		if f.Players = a.names.ofTeam(of.Team); len(f.Players) == 0 {
			return page, huma.Error404NotFound("no player of this team is listed: see /v1/teams")
		}
	}
	key := fmt.Sprintf("%s/%s/%d", list, cursor, limit)
	read := func(ctx context.Context, s Store) ([]schemas.PlayerState, error) {
		return s.Leaders(ctx, f, limit+1)
	}
	states, condition, err := readStore(ctx, a, key, need, read)
	if err != nil {
		return page, err
	}
	page.states, page.condition = states[:min(limit, len(states))], condition
	page.ranks = ranks(page.states, f.Stat, after)
	if len(states) > limit {
		end := leaderPlace{place: uint32(limit), rank: uint32(page.ranks[limit-1])}
		end.Value, end.PlayerID = leaderValue(&states[limit-1], f.Stat), states[limit-1].PlayerID
		if after != nil {
			end.place += after.place
		}
		page.next = end.cursor(list)
	}
	return page, nil
}

// ranks returns the places of leaders behind a place, from 1; equal values have equal ranks.
func ranks(states []schemas.PlayerState, stat string, after *leaderPlace) []int64 {
	var last leaderPlace
	if after != nil {
		last = *after
	}
	all := make([]int64, len(states))
	for i := range states {
		value := leaderValue(&states[i], stat)
		// guard: api: equal values have equal ranks on the next page, too
		if last.place++; last.place == 1 || value != last.Value {
			last.Value, last.rank = value, last.place
		}
		all[i] = int64(last.rank)
	}
	return all
}

// leaderPlace is where a page of leaders ends: behind this player, who is the place-th of the list.
type leaderPlace struct {
	schemas.LeaderCursor
	place, rank uint32
}

// A cursor of leaders is a version byte, a hash of what was asked for, the value, the player, and the place
// and the rank, so that ranks go on.
const leaderCursorVersion, leaderCursorSize = 3, 1 + 4 + 8 + 8 + 4 + 4

func listHash(list string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(list))
	return h.Sum32()
}

func (p leaderPlace) cursor(list string) string {
	b := append(make([]byte, 0, leaderCursorSize), leaderCursorVersion)
	b = binary.BigEndian.AppendUint32(b, listHash(list))
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(p.Value))
	b = binary.BigEndian.AppendUint64(b, uint64(p.PlayerID))
	b = binary.BigEndian.AppendUint32(b, p.place)
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, p.rank))
}

func parseLeaderCursor(list, text string) (*leaderPlace, error) {
	if text == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != leaderCursorSize || b[0] != leaderCursorVersion {
		return nil, errors.New("want a next_cursor of this API")
	}
	// guard: api: a cursor of leaders is of the same list
	if binary.BigEndian.Uint32(b[1:]) != listHash(list) {
		return nil, errors.New("it is of other parameters: begin without a cursor")
	}
	p := &leaderPlace{place: binary.BigEndian.Uint32(b[21:]), rank: binary.BigEndian.Uint32(b[25:])}
	p.Value = math.Float64frombits(binary.BigEndian.Uint64(b[5:]))
	p.PlayerID = int64(binary.BigEndian.Uint64(b[13:]))
	return p, nil
}
