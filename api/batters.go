package api

import (
	"context"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// Waiting lets an application read what it has just written.
type Waiting struct {
	AtLeast string `query:"at_least" maxLength:"1000" pattern:"^([0-9]{1,9}:[0-9]{1,18}(,[0-9]{1,9}:[0-9]{1,18})*)?$" example:"3:48213" doc:"PARTITION:OFFSET of records of the raw topic, several with commas: the answer has them in it. Waits for them for some seconds; 503 when they have not come by then"`
}

type batterIn struct {
	ID int64 `path:"id" example:"660271" doc:"The batter"`
	Waiting
}

type batterGameIn struct {
	ID   int64  `path:"id" example:"660271" doc:"The batter"`
	Game string `path:"game" minLength:"1" maxLength:"64" example:"745804" doc:"The game_pk"`
	Waiting
}

type battersIn struct {
	IDs []int64 `query:"ids" required:"true" minItems:"1" maxItems:"100" example:"[660271,592450]" doc:"The batters, up to 100, with commas"`
	Waiting
}

func getBatter(ctx context.Context, a *API, in *batterIn) (Batter, error) {
	return oneBatter(ctx, a, overAllGames(in.ID), in.AtLeast)
}

// overAllGames returns the key of a batter's state over all games.
func overAllGames(id int64) schemas.PlayerKey { return schemas.PlayerKey{PlayerID: id} }

func getBatterGame(ctx context.Context, a *API, in *batterGameIn) (Batter, error) {
	return oneBatter(ctx, a, schemas.PlayerKey{PlayerID: in.ID, GamePK: in.Game}, in.AtLeast)
}

func oneBatter(ctx context.Context, a *API, key schemas.PlayerKey, need string) (b Batter, err error) {
	found, err := findBatters(ctx, a, []schemas.PlayerKey{key}, need)
	if err != nil {
		return b, err
	}
	if found[0].state == nil {
		return b, huma.Error404NotFound("no pitch of this batter is stored, or none in this game")
	}
	return a.names.batter(found[0]), nil
}

func getBatters(ctx context.Context, a *API, in *battersIn) (body Batters, err error) {
	keys := schemas.Map(once(in.IDs), overAllGames)
	found, err := findBatters(ctx, a, keys, in.AtLeast)
	if err != nil {
		return body, err
	}
	body = Batters{Batters: []Batter{}, Missing: []int64{}}
	for i, f := range found {
		body.addCondition(f.Condition)
		if f.state == nil {
			body.Missing = append(body.Missing, keys[i].PlayerID)
			continue
		}
		body.coverState(f.state)
		body.Batters = append(body.Batters, a.names.batter(f))
	}
	slices.Sort(body.Missing)
	return body, nil
}

// findBatters waits for the records in need, then reads the states: one for each key, in the order of keys.
// The state is nil where there is no current row.
func findBatters(ctx context.Context, a *API, keys []schemas.PlayerKey, need string) ([]held, error) {
	r, err := awaitRecords(ctx, a, need, true)
	if err != nil {
		return nil, err
	}
	found, err := a.sources.states(ctx, keys, r)
	for _, f := range found {
		a.metrics.answered(f.Source)
	}
	return found, err
}

// awaitRecords waits for the records in need, and returns where the answer may come from: always Postgres,
// and with live also Redis.
func awaitRecords(ctx context.Context, a *API, need string, live bool) (route, error) {
	offsets, err := parseOffsets(need)
	if err != nil {
		return route{}, huma.Error422UnprocessableEntity("at_least: " + err.Error())
	}
	return a.sources.wait(ctx, offsets, live)
}
