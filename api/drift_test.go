package api

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// drifting is a store that finds a change of player 1, on both sides.
type drifting struct {
	Store
	asked []schemas.PlayerKey
}

func (d *drifting) Drift(_ context.Context, key schemas.PlayerKey) (schemas.Drift, error) {
	d.asked = append(d.asked, key)
	if key.PlayerID != 1 {
		return schemas.Drift{Changes: []schemas.DriftChange{}, Measures: []string{}, Why: "not enough data"}, nil
	}
	return schemas.Drift{
		IsEnough: true, Measures: []string{"release_speed_mph"}, GamePK: "745804", GamePitches: 61, Pitches: 512,
		AsOf: schemas.Some[schemas.TimeMS](1_700_000_000_000),
		Changes: []schemas.DriftChange{{
			Scope: "game", Measure: "release_speed_mph", PitchType: "Slider", Before: 86.2, After: 84.8, Change: -1.4, Score: -4.9,
			Since: 1_700_000_000_000, N: 12, NBefore: 49,
		}},
	}, nil
}

func TestDriftOfPlayers(t *testing.T) {
	d := &drifting{}
	s := newStores()
	s.players = []schemas.Player{{ID: 1, Name: "Aaron"}}
	k := newAsker(t, s, func(c *Config) { d.Store, c.Store = c.Store, d })
	for path, operation := range map[string]string{
		"/v1/batters/1/drift": "/v1/batters/{id}/drift", "/v1/pitchers/1/drift": "/v1/pitchers/{id}/drift",
	} {
		body := k.get(200, operation, path)
		require.Equal(t, "Aaron", body["name"])
		require.Equal(t, "postgres", body["source"])
		require.InDelta(t, 84.8, body["changes"].([]any)[0].(map[string]any)["after"], 0)
	}
	require.ElementsMatch(t, []schemas.PlayerKey{{PlayerID: 1}, {Side: schemas.Pitcher, PlayerID: 1}}, d.asked)
	require.Equal(t, 404, k.ask("/v1/batters/2/drift").Code, "nothing of him can be compared")
	require.Equal(t, 404, newAsker(t, newStores(), nil).ask("/v1/batters/1/drift").Code, "nobody looks there")
}
