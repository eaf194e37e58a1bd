package api

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

type gamesIn struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"The most games of a page"`
	Live   bool   `query:"live" doc:"Only those that are live"`
	Date   string `query:"date" maxLength:"10" pattern:"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$" format:"date" example:"2025-04-06" doc:"Only the games of this date: that of the games file, else that of most of a game's pitches. At most 1,000 games have a date"`
	Cursor string `query:"cursor" maxLength:"400" pattern:"^(Ag[A-Za-z0-9_-]+)?$" doc:"The next_cursor of the page before, with the same date and live. A game with a new pitch moves to the first page"`
	Waiting
}

type gameIn struct {
	Game string `path:"game" minLength:"1" maxLength:"64" example:"745804" doc:"The game_pk"`
	Delta
	Waiting
}

type leadersIn struct {
	Stat      string `query:"stat" required:"true" enum:"pitches,swing_count,whiff_count,whiff_rate_pct,contact_count,max_exit_velocity_mph,avg_exit_velocity_mph,hard_hit_count,max_bat_speed_mph,avg_bat_speed_mph,avg_attack_angle_deg,chase_rate_pct,zone_swing_rate_pct,zone_contact_rate_pct,competitive_swings,avg_contact_bat_speed_mph,fast_swing_rate_pct,avg_swing_length_ft,avg_contact_attack_angle_deg,ideal_attack_angle_rate_pct,squared_up_rate_pct,squared_up_contact_rate_pct,blast_rate_pct,barrel_rate_pct,sweet_spot_rate_pct,p10_contact_bat_speed_mph,p90_contact_bat_speed_mph,p90_exit_velocity_mph,avg_ev50_mph,sword_count" doc:"The value to order by, the greatest first"`
	MinSwings int64  `query:"min_swings" minimum:"0" default:"0" doc:"The least swings of a batter who counts"`
	Limit     int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"The most batters"`
	OfGames
	Delta
	Waiting
}

// A game is live for liveFor after one of its pitches was processed. The time of processing decides, not the
// event time: a feed may be late, and a whole stream may be played again with its old event times. But a game
// that is more than liveWithin older than the stream's newest pitch is history, although it is processed now.
const (
	liveFor    = 30 * time.Minute
	liveWithin = 6 * time.Hour
)

// maxGames is the greatest limit of gamesIn.
const maxGames = 100

// lastPitches is how many pitches a game shows.
const lastPitches = 10

func getGame(ctx context.Context, a *API, in *gameIn) (*Game, error) {
	r, err := awaitRecords(ctx, a, in.AtLeast, false)
	if err != nil {
		return nil, err
	}
	game, err := loadGame(ctx, a, in.Game, r)
	if err == nil && game == nil {
		err = huma.Error404NotFound("no pitch of this game is stored")
	}
	return game, err
}

func getGames(ctx context.Context, a *API, in *gamesIn) (body Games, err error) {
	q := schemas.GameQuery{Date: schemas.Text(in.Date), Limit: in.Limit + 1}
	if q.After, err = parseSplitCursor(schemas.SplitGame, in.Cursor); err != nil {
		return body, cursorGone(err.Error())
	}
	// guard: api: a live game behind others is found
	if in.Live { // most of the newest games may be over
		q.Limit = maxGames
	}
	key := fmt.Sprintf("games/%s/%s/%d", in.Date, in.Cursor, q.Limit)
	read := func(ctx context.Context, s Store) ([]schemas.PlayedGame, error) { return s.Games(ctx, q) }
	games, condition, err := readStore(ctx, a, key, in.AtLeast, read)
	if err != nil {
		return body, err
	}
	body = Games{Games: []GameSummary{}, Freshness: Freshness{Condition: condition}}
	for i, g := range games {
		if s := summary(g); s.Live || !in.Live {
			body.Games = append(body.Games, s)
			body.cover(g.Last, g.UpdatedAt)
		}
		isLast := i == len(games)-1
		goesOn := len(body.Games) == in.Limit && !isLast
		if goesOn || isLast && in.Live && mayBeLive(g, len(games)) {
			place := g.Place()
			body.NextCursor = splitCursorText(schemas.SplitGame, schemas.Split{Newest: place.Newest, Key: place.Key})
			break
		}
	}
	return body, nil
}

// mayBeLive says whether a game behind n games, of which g is the last, may be live: there may be more games,
// and history has not begun.
func mayBeLive(g schemas.PlayedGame, n int) bool {
	return n == maxGames && g.StreamLast.Time().Sub(g.Last.Time()) <= liveWithin
}

func summary(g schemas.PlayedGame) GameSummary {
	// guard: api: history that is loaded is not live | && g.StreamLast.Time().Sub(g.Last.Time()) <= liveWithin ->
	live := time.Since(g.UpdatedAt.Time()) <= liveFor && g.StreamLast.Time().Sub(g.Last.Time()) <= liveWithin
	return GameSummary{
		GamePK: g.GamePK, GameDate: g.GameDate, Venue: g.Venue, Pitches: g.Pitches,
		HomeTeam: g.HomeTeam, AwayTeam: g.AwayTeam, StartsAt: g.StartsAt,
		FirstPitchAt: g.First, LastPitchAt: g.Last, Live: live,
	}
}

// gamePlayers is how many batters, and how many pitchers, a game shows. A game has about thirty of each, and
// a feed that invents them must not make answers that grow without end.
const gamePlayers = 100

// loadGame returns a game, nil if it has no current row.
func loadGame(ctx context.Context, a *API, gamePK string, r route) (*Game, error) {
	read := func(ctx context.Context, s Store) (*schemas.WholeGame, error) {
		// One player more than are shown says that there are more.
		return s.Game(ctx, gamePK, gamePlayers+1, lastPitches)
	}
	whole, condition, err := fromStore(ctx, &a.sources, "game/"+gamePK, r, read)
	if err != nil || whole == nil {
		return nil, err
	}
	g := &Game{GameSummary: summary(whole.Game), Batters: []GameBatter{}, Pitchers: []GamePitcher{}}
	g.LastPitches = a.names.pitches(whole.Pitches)
	g.Condition = condition
	g.cover(whole.Game.Last, whole.Game.UpdatedAt)
	var batters, pitchers []schemas.PlayerState
	batters, g.MoreBatters = cutPlayers(whole.Batters)
	pitchers, g.MorePitchers = cutPlayers(whole.Pitchers)
	for i := range pitchers {
		g.Pitchers = append(g.Pitchers, a.names.pitcherLine(&pitchers[i]))
		g.coverState(&pitchers[i])
	}
	for i := range batters {
		g.Batters = append(g.Batters, a.names.line(&batters[i]))
		g.coverState(&batters[i])
	}
	return g, nil
}

func cutPlayers(states []schemas.PlayerState) (shown []schemas.PlayerState, more bool) {
	// guard: api: a game shows so many players, and no more | min(len(states), gamePlayers) -> len(states)
	return states[:min(len(states), gamePlayers)], len(states) > gamePlayers
}

func getLeaders(ctx context.Context, a *API, in *leadersIn) (body Leaders, err error) {
	f := schemas.LeaderFilter{Side: schemas.Batter, Stat: in.Stat, AtLeast: in.MinSwings}
	page, err := leaders(ctx, a, f, in.OfGames, in.Limit, in.AtLeast)
	if err != nil {
		return body, err
	}
	body = Leaders{Stat: in.Stat, MinSwings: in.MinSwings, Leaders: []Leader{}, NextCursor: page.next}
	body.Condition = page.condition
	for i, rank := range page.ranks {
		s := &page.states[i]
		leader := Leader{Rank: rank, GamePK: s.GamePK, GameBatter: a.names.line(s)}
		body.Leaders = append(body.Leaders, leader)
		body.coverState(s)
	}
	return body, nil
}

// leaderValue returns the statistic that leaders are ordered by. Store.Leaders returns no player without it,
// and the enums of leadersIn and pitcherLeadersIn allow no other.
func leaderValue(s *schemas.PlayerState, stat string) float64 {
	isStat := func(c schemas.Column) bool { return c.Name == stat }
	switch v := s.Fields()[slices.IndexFunc(s.Side.Columns(), isStat)].(type) {
	case *int64:
		return float64(*v)
	case *schemas.Opt[float64]:
		return v.Value
	}
	panic("leaders cannot be ordered by " + stat)
}

type gamePitchesIn struct {
	Game   string `path:"game" minLength:"1" maxLength:"64" example:"745804" doc:"The game_pk"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"The most pitches of a page"`
	Cursor string `query:"cursor" maxLength:"64" pattern:"^(A[Q-Za-f][A-Za-z0-9_-]{32})?$" doc:"The next_cursor of the page before"`
	Waiting
}

// GamePitches are a page of the pitches of a game.
type GamePitches struct {
	GamePK     string  `json:"game_pk" doc:"The game"`
	Pitches    []Pitch `json:"pitches" doc:"The newest first"`
	NextCursor string  `json:"next_cursor,omitempty" doc:"To be given as cursor for the next page; not there on the last one. It says nothing else, and stays good"`
	Freshness
}

func getGamePitches(ctx context.Context, a *API, in *gamePitchesIn) (body GamePitches, err error) {
	read := func(
		ctx context.Context, s Store, after *schemas.PitchCursor, limit int,
	) ([]schemas.StoredRow, error) {
		return s.GamePitches(ctx, in.Game, after, limit)
	}
	page, err := pageOfRows(ctx, a, "game-pitches/"+in.Game, in.Cursor, in.Limit, in.AtLeast, read)
	if err == nil && len(page.rows) == 0 && in.Cursor == "" {
		err = huma.Error404NotFound("no pitch of this game is stored")
	}
	body = GamePitches{GamePK: in.Game, NextCursor: page.next, Freshness: page.Freshness}
	body.Pitches = a.names.pitches(page.rows)
	return body, err
}
