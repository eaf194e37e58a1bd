package api

import (
	"context"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// Pitcher is a pitcher over all games, or in one game.
type Pitcher struct {
	PitcherID int64  `json:"pitcher_id" doc:"The pitcher"`
	Name      string `json:"name,omitempty" doc:"His name; not there where it is not known"`
	Team      string `json:"team,omitempty" doc:"His team; not there where it is not known"`
	GamePK    string `json:"game_pk,omitempty" doc:"The game that the values are of; not there over all games"`
	schemas.PitcherStats
	Seq int64 `json:"seq" doc:"Orders the states of one pitcher: a greater one is newer. It says nothing else"`
	Freshness
}

// Pitchers are the pitchers of several ids.
type Pitchers struct {
	Pitchers []Pitcher `json:"pitchers" doc:"In the order of the ids that were asked for, each once"`
	Missing  []int64   `json:"missing" doc:"The ids of whom no pitch stands; where source is memory, also those who are not remembered"`
	Freshness
}

// PitcherGame is a pitcher's line in a game.
type PitcherGame struct {
	GamePK string `json:"game_pk" doc:"The game"`
	schemas.PitcherStats
	Seq int64 `json:"seq" doc:"Orders the states of one pitcher: a greater one is newer. It says nothing else"`
}

// PitcherGames are a pitcher's newest games.
type PitcherGames struct {
	PitcherID  int64         `json:"pitcher_id" doc:"The pitcher"`
	Name       string        `json:"name,omitempty" doc:"His name; not there where it is not known"`
	Team       string        `json:"team,omitempty" doc:"His team; not there where it is not known"`
	Games      []PitcherGame `json:"games" doc:"The game with his newest pitch first"`
	NextCursor string        `json:"next_cursor,omitempty" doc:"To be given as cursor for the next page; not there on the last one. It says nothing else, and stays good"`
	Freshness
}

// PitcherPitches are a page of the pitches that a pitcher threw.
type PitcherPitches struct {
	PitcherID  int64   `json:"pitcher_id" doc:"The pitcher"`
	Pitches    []Pitch `json:"pitches" doc:"The newest first"`
	NextCursor string  `json:"next_cursor,omitempty" doc:"To be given as cursor for the next page; not there on the last one. It says nothing else, and stays good"`
	Freshness
}

// PitcherLeaders are the pitchers who lead in one value.
type PitcherLeaders struct {
	Stat       string          `json:"stat" doc:"The value that they are ordered by"`
	MinPitches int64           `json:"min_pitches" doc:"The least pitches of a pitcher who counts"`
	Leaders    []PitcherLeader `json:"leaders" doc:"The greatest value first; of equal ones the lower id"`
	NextCursor string          `json:"next_cursor,omitempty" doc:"To be given as cursor, with the same other parameters, for the next page; not there on the last one. It says nothing else"`
	Freshness
}

// PitcherLeader is a place among the leaders.
type PitcherLeader struct {
	Rank      int64  `json:"rank" doc:"From 1; equal values have equal ranks"`
	PitcherID int64  `json:"pitcher_id" doc:"The pitcher"`
	GamePK    string `json:"game_pk,omitempty" doc:"The game, where leaders of a game or a date were asked for"`
	Name      string `json:"name,omitempty" doc:"His name; not there where it is not known"`
	Team      string `json:"team,omitempty" doc:"His team; not there where it is not known"`
	schemas.PitcherStats
	Seq int64 `json:"seq" doc:"Orders the states of one pitcher: a greater one is newer. It says nothing else"`
}

type pitcherIn struct {
	ID int64 `path:"id" example:"592450" doc:"The pitcher"`
	Delta
	Waiting
}

type pitcherGameIn struct {
	ID   int64  `path:"id" example:"592450" doc:"The pitcher"`
	Game string `path:"game" minLength:"1" maxLength:"64" example:"745804" doc:"The game_pk"`
	Delta
	Waiting
}

type pitchersIn struct {
	IDs []int64 `query:"ids" required:"true" minItems:"1" maxItems:"100" example:"[592450,660271]" doc:"The pitchers, up to 100, with commas"`
	Waiting
}

type pitcherGamesIn struct {
	ID     int64  `path:"id" example:"592450" doc:"The pitcher"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"The most games of a page"`
	Cursor string `query:"cursor" maxLength:"400" pattern:"^(Ag[A-Za-z0-9_-]+)?$" doc:"The next_cursor of the page before"`
	Waiting
}

type pitcherPitchesIn struct {
	ID     int64  `path:"id" example:"592450" doc:"The pitcher"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"The most pitches of a page"`
	Cursor string `query:"cursor" maxLength:"64" pattern:"^(A[Q-Za-f][A-Za-z0-9_-]{32})?$" doc:"The next_cursor of the page before"`
	Waiting
}

type pitcherLeadersIn struct {
	Stat       string `query:"stat" required:"true" enum:"pitches,swing_count,whiff_count,whiff_rate_pct,contact_count,hard_hit_count,called_strike_count,csw_rate_pct,zone_rate_pct,chase_rate_pct,avg_pitch_speed_mph,max_pitch_speed_mph,avg_spin_rate_rpm,max_spin_rate_rpm" doc:"The value to order by, the greatest first"`
	MinPitches int64  `query:"min_pitches" minimum:"0" default:"0" doc:"The least pitches of a pitcher who counts"`
	Limit      int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"The most pitchers"`
	OfGames
	Delta
	Waiting
}

// pitcherKey returns the key of a pitcher over all games, or in one.
func pitcherKey(id int64, gamePK string) schemas.PlayerKey {
	return schemas.PlayerKey{Side: schemas.Pitcher, PlayerID: id, GamePK: gamePK}
}

func getPitcher(ctx context.Context, a *API, in *pitcherIn) (Pitcher, error) {
	return onePlayer(ctx, a, pitcherKey(in.ID, ""), in.AtLeast, a.names.pitcher)
}

func getPitcherGame(ctx context.Context, a *API, in *pitcherGameIn) (Pitcher, error) {
	return onePlayer(ctx, a, pitcherKey(in.ID, in.Game), in.AtLeast, a.names.pitcher)
}

func getPitchers(ctx context.Context, a *API, in *pitchersIn) (body Pitchers, err error) {
	body.Pitchers, body.Missing, body.Freshness, err = severalPlayers(
		ctx, a, schemas.Pitcher, in.IDs, in.AtLeast, a.names.pitcher)
	return body, err
}

func getPitcherGames(ctx context.Context, a *API, in *pitcherGamesIn) (body PitcherGames, err error) {
	after, err := parseSplitCursor(schemas.SplitGame, in.Cursor)
	if err != nil {
		return body, cursorGone(err.Error())
	}
	key := fmt.Sprintf("pitcher-games/%d/%s/%d", in.ID, in.Cursor, in.Limit)
	read := func(ctx context.Context, s Store) ([]schemas.PlayerState, error) {
		return s.PlayerGames(ctx, pitcherKey(in.ID, ""), after, in.Limit+1)
	}
	states, condition, err := readStore(ctx, a, key, in.AtLeast, read)
	if err != nil {
		return body, err
	}
	if len(states) == 0 && after == nil {
		return body, huma.Error404NotFound("no game of this pitcher is stored")
	}
	body = PitcherGames{PitcherID: in.ID, Games: []PitcherGame{}, Freshness: Freshness{Condition: condition}}
	if len(states) > in.Limit {
		states = states[:in.Limit]
		last := &states[in.Limit-1]
		end := schemas.Split{Key: schemas.Text(last.GamePK), Newest: last.LastPitch().EventTime}
		body.NextCursor = splitCursorText(schemas.SplitGame, end)
	}
	body.Name, body.Team = a.names.of(in.ID)
	for i := range states {
		s := &states[i]
		body.Games = append(body.Games, PitcherGame{GamePK: s.GamePK, PitcherStats: *s.Pitching, Seq: s.Seq})
		body.coverState(s)
	}
	return body, nil
}

func getPitcherPitches(ctx context.Context, a *API, in *pitcherPitchesIn) (body PitcherPitches, err error) {
	body.PitcherID = in.ID
	body.Pitches, body.NextCursor, body.Freshness, err = playerPitches(
		ctx, a, pitcherKey(in.ID, ""), in.Cursor, in.Limit, in.AtLeast)
	return body, err
}

func getPitcherLeaders(ctx context.Context, a *API, in *pitcherLeadersIn) (body PitcherLeaders, err error) {
	body = PitcherLeaders{Stat: in.Stat, MinPitches: in.MinPitches, Leaders: []PitcherLeader{}}
	f := schemas.LeaderFilter{Side: schemas.Pitcher, Stat: in.Stat, AtLeast: in.MinPitches}
	page, err := leaders(ctx, a, f, in.OfGames, in.Limit, in.AtLeast)
	body.Condition, body.NextCursor = page.condition, page.next
	for i, rank := range page.ranks {
		s := &page.states[i]
		leader := PitcherLeader{Rank: rank, PitcherID: s.PlayerID, GamePK: s.GamePK, Seq: s.Seq}
		leader.PitcherStats = *s.Pitching
		leader.Name, leader.Team = a.names.of(s.PlayerID)
		body.Leaders = append(body.Leaders, leader)
		body.coverState(s)
	}
	return body, err
}

func (n *names) pitcher(h held) Pitcher {
	s := h.state
	p := Pitcher{PitcherID: s.PlayerID, GamePK: s.GamePK, PitcherStats: *s.Pitching, Seq: s.Seq}
	p.Name, p.Team = n.of(s.PlayerID)
	p.Condition = h.Condition
	p.coverState(s)
	return p
}
