package api

import (
	"context"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// DriftStore is a Store that finds changes of mechanics. With another Store …/drift answers 404.
type DriftStore interface {
	// Drift returns what changed; no pitches if nothing of the player can be compared.
	Drift(ctx context.Context, key schemas.PlayerKey) (schemas.Drift, error)
}

type batterDriftIn struct {
	ID int64 `path:"id" example:"660271" doc:"The batter"`
	Waiting
}

type pitcherDriftIn struct {
	ID int64 `path:"id" example:"592450" doc:"The pitcher"`
	Waiting
}

type batterDriftStreamIn struct {
	ID int64 `path:"id" example:"660271" doc:"The batter"`
	Resuming
}

type pitcherDriftStreamIn struct {
	ID int64 `path:"id" example:"592450" doc:"The pitcher"`
	Resuming
}

// BatterDrift is what changed in a batter's swing.
type BatterDrift struct {
	BatterID int64  `json:"batter_id" doc:"The batter"`
	Name     string `json:"name,omitempty" doc:"His name; not there where it is not known"`
	schemas.Drift
	Condition
}

// PitcherDrift is what changed in a pitcher's arm.
type PitcherDrift struct {
	PitcherID int64  `json:"pitcher_id" doc:"The pitcher"`
	Name      string `json:"name,omitempty" doc:"His name; not there where it is not known"`
	schemas.Drift
	Condition
}

func getBatterDrift(ctx context.Context, a *API, in *batterDriftIn) (body BatterDrift, err error) {
	body.BatterID = in.ID
	body.Name, _ = a.names.of(in.ID)
	body.Drift, body.Condition, err = driftOf(ctx, a, schemas.PlayerKey{PlayerID: in.ID}, in.AtLeast)
	return body, err
}

func getPitcherDrift(ctx context.Context, a *API, in *pitcherDriftIn) (body PitcherDrift, err error) {
	body.PitcherID = in.ID
	body.Name, _ = a.names.of(in.ID)
	body.Drift, body.Condition, err = driftOf(ctx, a, pitcherKey(in.ID, ""), in.AtLeast)
	return body, err
}

func errNoDrift() error { return huma.Error404NotFound("nobody looks for drift here") }

func driftOf(
	ctx context.Context, a *API, key schemas.PlayerKey, need string,
) (d schemas.Drift, c Condition, err error) {
	store, ok := a.cfg.Store.(DriftStore)
	if !ok {
		return d, c, errNoDrift()
	}
	read := func(ctx context.Context, _ Store) (schemas.Drift, error) { return store.Drift(ctx, key) }
	d, c, err = readStore(ctx, a, fmt.Sprintf("drift/%v/%d", key.Side, key.PlayerID), need, read)
	if err == nil && d.Pitches == 0 {
		err = huma.Error404NotFound("no row of this " + key.Side.String() + " can be compared")
	}
	return d, c, err
}
