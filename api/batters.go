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
	Delta
	Waiting
}

type batterGameIn struct {
	ID   int64  `path:"id" example:"660271" doc:"The batter"`
	Game string `path:"game" minLength:"1" maxLength:"64" example:"745804" doc:"The game_pk"`
	Delta
	Waiting
}

type battersIn struct {
	IDs []int64 `query:"ids" required:"true" minItems:"1" maxItems:"100" example:"[660271,592450]" doc:"The batters, up to 100, with commas"`
	Waiting
}

func getBatter(ctx context.Context, a *API, in *batterIn) (Batter, error) {
	return onePlayer(ctx, a, schemas.PlayerKey{PlayerID: in.ID}, in.AtLeast, a.names.batter)
}

func getBatterGame(ctx context.Context, a *API, in *batterGameIn) (Batter, error) {
	return onePlayer(ctx, a, schemas.PlayerKey{PlayerID: in.ID, GamePK: in.Game}, in.AtLeast, a.names.batter)
}

// onePlayer answers with the state of one player as show shows it.
func onePlayer[T any](
	ctx context.Context, a *API, key schemas.PlayerKey, need string, show func(held) T,
) (body T, err error) {
	found, err := findPlayers(ctx, a, []schemas.PlayerKey{key}, need)
	if err != nil {
		return body, err
	}
	if found[0].isUnknown() {
		return body, errUnavailable
	}
	if found[0].state == nil {
		why := "no pitch of this " + key.Side.String() + " is stored, or none in this game"
		return body, huma.Error404NotFound(why)
	}
	return show(found[0]), nil
}

func getBatters(ctx context.Context, a *API, in *battersIn) (body Batters, err error) {
	body.Batters, body.Missing, body.Freshness, err = severalPlayers(
		ctx, a, schemas.Batter, in.IDs, in.AtLeast, a.names.batter)
	return body, err
}

// severalPlayers answers with the states of players of a side, and with the ids of those who have none.
func severalPlayers[T any](
	ctx context.Context, a *API, side schemas.Side, ids []int64, need string, show func(held) T,
) (shown []T, missing []int64, fresh Freshness, err error) {
	keys := schemas.Map(once(ids), func(id int64) schemas.PlayerKey {
		return schemas.PlayerKey{Side: side, PlayerID: id}
	})
	found, err := findPlayers(ctx, a, keys, need)
	if err != nil {
		return nil, nil, fresh, err
	}
	shown, missing = []T{}, []int64{}
	for i, f := range found {
		fresh.addCondition(f.Condition)
		if f.state == nil {
			missing = append(missing, keys[i].PlayerID)
			continue
		}
		fresh.coverState(f.state)
		shown = append(shown, show(f))
	}
	slices.Sort(missing)
	return shown, missing, fresh, nil
}

// findPlayers waits for the records in need, then reads the states: one for each key, in the order of keys.
// The state is nil where there is no current row.
func findPlayers(ctx context.Context, a *API, keys []schemas.PlayerKey, need string) ([]held, error) {
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
