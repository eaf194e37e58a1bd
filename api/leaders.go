package api

import (
	"context"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// OfGames chooses among leaders.
type OfGames struct {
	Game string `query:"game" minLength:"1" maxLength:"64" example:"745804" doc:"Only of this game (game_pk): the values are those of the player in it"`
	Date string `query:"date" maxLength:"10" pattern:"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$" format:"date" example:"2025-04-06" doc:"Only of the games of this date: the values are those of a player in one of them, the better one of two, and game_pk says which"`
	Team string `query:"team" minLength:"1" maxLength:"100" example:"SEA" doc:"Only of this team, as the players' list has it; see /v1/teams"`
}

// leaders returns the players that a filter and a request choose.
func leaders(
	ctx context.Context, a *API, f schemas.LeaderFilter, of OfGames, limit int, need string,
) ([]schemas.PlayerState, Condition, error) {
	f.GamePK, f.Date = schemas.Text(of.Game), schemas.Text(of.Date)
	if of.Team != "" {
		// guard: api: a team without players has no leaders
		if f.Players = a.names.ofTeam(of.Team); len(f.Players) == 0 {
			return nil, Condition{}, huma.Error404NotFound("no player of this team is listed: see /v1/teams")
		}
	}
	key := fmt.Sprintf("leaders/%d/%s/%d/%q/%d", f.Side, f.Stat, f.AtLeast, of, limit)
	return readStore(ctx, a, key, need, func(ctx context.Context, s Store) ([]schemas.PlayerState, error) {
		return s.Leaders(ctx, f, limit)
	})
}
