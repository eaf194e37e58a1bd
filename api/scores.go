package api

import (
	"context"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// ScoreStore is a Store that has the scores of models. With another Store …/scores and …/archetypes answer
// 404. A model is live if one of its versions has the state schemas.ModelLive: only that one is shown here.
type ScoreStore interface {
	// PitchScores returns the scores of a pitch by the live models; nil if there is no such pitch (any more).
	PitchScores(ctx context.Context, id schemas.PitchID) (*schemas.PitchScores, error)
	// Archetypes returns the groups of a batter's swings by a model of kind archetypes. Their Version is 0 if
	// no such model is live.
	Archetypes(ctx context.Context, batterID int64, model string) (schemas.Archetypes, error)
}

// errNoScores is the answer where the Store is no ScoreStore.
func errNoScores() error { return huma.Error404NotFound("no models score pitches here") }

// ScoredPitch is what live models say about a pitch.
type ScoredPitch struct {
	PitchID schemas.PitchID `json:"pitch_id" doc:"The pitch"`
	schemas.PitchScores
	Condition
}

func getPitchScores(ctx context.Context, a *API, in *pitchIn) (body ScoredPitch, err error) {
	id, ok := schemas.ParsePitchID(in.ID)
	if !ok {
		return body, huma.Error422UnprocessableEntity("id: want UUID text")
	}
	store, ok := a.cfg.Store.(ScoreStore)
	if !ok {
		return body, errNoScores()
	}
	read := func(ctx context.Context, _ Store) (*schemas.PitchScores, error) { // store is that Store
		return store.PitchScores(ctx, id)
	}
	scores, condition, err := readStore(ctx, a, "scores/"+id.String(), in.AtLeast, read)
	if err != nil {
		return body, err
	}
	if scores == nil {
		return body, errNoPitch()
	}
	return ScoredPitch{PitchID: id, PitchScores: *scores, Condition: condition}, nil
}

// batterArchetypesIn asks by default for the model that "pitchstream model fit archetypes" makes.
type batterArchetypesIn struct {
	ID    int64  `path:"id" example:"660271" doc:"The batter"`
	Model string `query:"model" default:"archetypes" maxLength:"63" pattern:"^[a-z][a-z0-9_-]*$" doc:"The model, of kind archetypes"`
	Waiting
}

// BatterArchetypes are the groups that a batter's swings belong to.
type BatterArchetypes struct {
	BatterID int64  `json:"batter_id" doc:"The batter"`
	Name     string `json:"name,omitempty" doc:"His name; not there where it is not known"`
	schemas.Archetypes
	Condition
}

func getBatterArchetypes(
	ctx context.Context, a *API, in *batterArchetypesIn,
) (body BatterArchetypes, err error) {
	store, ok := a.cfg.Store.(ScoreStore)
	if !ok {
		return body, errNoScores()
	}
	read := func(ctx context.Context, _ Store) (schemas.Archetypes, error) { // store is that Store
		return store.Archetypes(ctx, in.ID, in.Model)
	}
	key := fmt.Sprintf("archetypes/%d/%s", in.ID, in.Model)
	body.Archetypes, body.Condition, err = readStore(ctx, a, key, in.AtLeast, read)
	switch {
	case err != nil:
		return body, err
	case body.Version == 0:
		return body, huma.Error404NotFound("no version of this model of kind archetypes is live")
	case body.Swings == 0:
		return body, huma.Error404NotFound("no swing of this batter is stored")
	}
	body.BatterID = in.ID
	body.Name, _ = a.names.of(in.ID)
	return body, nil
}
