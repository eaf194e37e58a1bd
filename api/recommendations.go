package api

import (
	"cmp"
	"context"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// AdviceStore is a Store that can recommend pitches. With another Store /v1/recommendations answers 404.
type AdviceStore interface {
	// Recommend ranks the types of a pitcher; there are none if no pitch of him is current.
	Recommend(ctx context.Context, q schemas.AdviceQuery) (schemas.Advice, error)
}

type recommendationsIn struct {
	Batter  int64  `query:"batter" required:"true" example:"660271" doc:"The batter"`
	Pitcher int64  `query:"pitcher" required:"true" example:"592450" doc:"The pitcher"`
	Balls   int16  `query:"balls" required:"true" minimum:"0" maximum:"3" example:"1" doc:"Balls before the pitch"`
	Strikes int16  `query:"strikes" required:"true" minimum:"0" maximum:"2" example:"2" doc:"Strikes before the pitch"`
	Zone    string `query:"zone" enum:"any,in,out" default:"any" doc:"Only pitches in the strike zone, or only those outside of it"`
	Waiting
}

// Recommendations are the types that a pitcher throws, the best against a batter in a count first.
type Recommendations struct {
	BatterID    int64  `json:"batter_id" doc:"The batter"`
	BatterName  string `json:"batter_name,omitempty" doc:"The batter's name; not there where it is not known"`
	PitcherID   int64  `json:"pitcher_id" doc:"The pitcher"`
	PitcherName string `json:"pitcher_name,omitempty" doc:"The pitcher's name; not there where it is not known"`
	Balls       int16  `json:"balls" doc:"Balls before the pitch"`
	Strikes     int16  `json:"strikes" doc:"Strikes before the pitch"`
	Zone        string `json:"zone" enum:"any,in,out" doc:"Where the pitches that were read crossed the plate"`
	schemas.Advice
	Condition
}

func getRecommendations(
	ctx context.Context, a *API, in *recommendationsIn,
) (body Recommendations, err error) {
	store, ok := a.cfg.Store.(AdviceStore)
	if !ok {
		return body, huma.Error404NotFound("nobody recommends pitches here")
	}
	zone := cmp.Or(schemas.AdviceZone(in.Zone), schemas.ZoneAny)
	q := schemas.AdviceQuery{
		BatterID: in.Batter, PitcherID: in.Pitcher, Balls: in.Balls, Strikes: in.Strikes, Zone: zone,
	}
	read := func(ctx context.Context, _ Store) (schemas.Advice, error) { return store.Recommend(ctx, q) }
	body.Advice, body.Condition, err = readStore(ctx, a, fmt.Sprintf("recommend/%v", q), in.AtLeast, read)
	if err != nil {
		return body, err
	}
	if len(body.Choices) == 0 {
		return body, huma.Error404NotFound("no pitch of this pitcher with a known type and count is stored")
	}
	body.BatterID, body.PitcherID, body.Zone = in.Batter, in.Pitcher, string(zone)
	body.Balls, body.Strikes = in.Balls, in.Strikes
	body.BatterName, _ = a.names.of(in.Batter)
	body.PitcherName, _ = a.names.of(in.Pitcher)
	return body, nil
}
