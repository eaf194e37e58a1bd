package api

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

const opRecommendations = "/v1/recommendations"

// advising is a store that recommends pitches.
type advising struct {
	Store
	asked []schemas.AdviceQuery
	err   error
}

func (a *advising) Recommend(_ context.Context, q schemas.AdviceQuery) (schemas.Advice, error) {
	a.asked = append(a.asked, q)
	if q.PitcherID != 2 {
		return schemas.Advice{Choices: []schemas.AdviceChoice{}}, a.err
	}
	return schemas.Advice{
		IsEnough: true, GainPoints: schemas.Some(2.5), AsOf: schemas.Some[schemas.TimeMS](1_700_000_000_000),
		Choices: []schemas.AdviceChoice{
			{Rank: schemas.Some[int64](1), PitchType: "Slider", IsEnough: true, Strike: schemas.AdviceEstimate{Pct: 40, LowPct: 31, HighPct: 49.5}},
			{PitchType: "Curveball", Why: "not enough data: w"},
		},
	}, a.err
}

func TestRecommendations(t *testing.T) {
	j := &advising{}
	s := newStores()
	s.players = []schemas.Player{{ID: 1, Name: "Aaron"}}
	k := newAsker(t, s, func(c *Config) { j.Store, c.Store = c.Store, j })
	body := k.get(200, opRecommendations, "/v1/recommendations?batter=1&pitcher=2&balls=1&strikes=2")
	require.Equal(t, "postgres", body["source"])
	require.Equal(t, "Aaron", body["batter_name"])
	require.Equal(t, "any", body["zone"])
	require.NotNil(t, body["as_of"])
	require.Nil(t, body["choices"].([]any)[1].(map[string]any)["rank"])
	k.get(200, opRecommendations, "/v1/recommendations?batter=1&pitcher=2&balls=3&strikes=0&zone=out")
	require.Equal(t, []schemas.AdviceQuery{{BatterID: 1, PitcherID: 2, Balls: 1, Strikes: 2, Zone: "any"},
		{BatterID: 1, PitcherID: 2, Balls: 3, Zone: "out"}}, j.asked)
	require.Equal(t, 404, k.ask("/v1/recommendations?batter=1&pitcher=3&balls=1&strikes=2").Code)
	for _, wrong := range []string{"balls=4&strikes=0", "balls=0&strikes=3", "balls=0&strikes=0&zone=up", "balls=0", "balls=-1&strikes=0"} {
		require.Equal(t, 422, k.ask("/v1/recommendations?batter=1&pitcher=2&"+wrong).Code, wrong)
	}
	j.err = errGone
	remembered := k.get(200, opRecommendations, "/v1/recommendations?batter=1&pitcher=2&balls=1&strikes=2")
	require.Equal(t, "memory", remembered["source"])
	require.Equal(t, 404, newAsker(t, newStores(), nil).ask("/v1/recommendations?batter=1&pitcher=2&balls=1&strikes=2").Code)
}
