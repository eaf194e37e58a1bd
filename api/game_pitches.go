package api

import (
	"context"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

type gamePitchesIn struct {
	Game  string `path:"game" minLength:"1" maxLength:"64" example:"745804" doc:"The game_pk"`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"The most pitches"`
	Waiting
}

// GamePitches are the newest pitches of a game.
type GamePitches struct {
	GamePK  string  `json:"game_pk" doc:"The game"`
	Pitches []Pitch `json:"pitches" doc:"The newest first"`
	Freshness
}

func (a *API) registerGamePitches(api huma.API) {
	register(api, "get-game-pitches", "/v1/games/{game}/pitches", "A game's pitches, the newest first", a.getGamePitches)
}

func (a *API) getGamePitches(ctx context.Context, in *gamePitchesIn) (*out[GamePitches], error) {
	r, err := a.route(ctx, in.AtLeast, false)
	if err != nil {
		return nil, err
	}
	key := fmt.Sprintf("game-pitches/%s/%d", in.Game, in.Limit)
	rows, condition, err := fromStore(ctx, &a.sources, key, r, func(ctx context.Context) ([]schemas.StoredRow, error) {
		return a.cfg.Store.GamePitches(ctx, in.Game, in.Limit)
	})
	if err != nil {
		return nil, problemOf(err)
	}
	if len(rows) == 0 {
		return nil, notFound("no pitch of this game stands")
	}
	body := GamePitches{GamePK: in.Game, Pitches: a.pitches(rows), Freshness: Freshness{Condition: condition}}
	for _, row := range rows {
		body.saw(row.EventTime, row.ProcessedAt)
	}
	a.metrics.answered(condition.Source)
	return &out[GamePitches]{body}, nil
}
