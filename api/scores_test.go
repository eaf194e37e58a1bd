package api

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// scored is a store whose models have scored one pitch and the swings of player 1.
type scored struct {
	Store
	pitch schemas.PitchID
}

func (s *scored) PitchScores(_ context.Context, id schemas.PitchID) (*schemas.PitchScores, error) {
	if id != s.pitch {
		return nil, nil
	}
	score := schemas.ModelScore{Model: "archetypes", Version: 2, Kind: "archetypes", Label: "long"}
	return &schemas.PitchScores{
		AsOf: 1_700_000_000_000, ProcessedAt: 1_700_000_000_100, Scores: []schemas.ModelScore{score},
	}, nil
}

func (s *scored) Archetypes(_ context.Context, batterID int64, model string) (schemas.Archetypes, error) {
	found := schemas.Archetypes{Model: model, Archetypes: []schemas.ArchetypeShare{}}
	if model == "archetypes" {
		found.Version = 2
	}
	if batterID == 1 {
		found.Swings, found.Labelled, found.AsOf = 4, 3, 1_700_000_000_000
		found.Archetypes = []schemas.ArchetypeShare{{Label: "long", Swings: 3, SharePct: 100, LastPitchID: s.pitch}}
	}
	return found, nil
}

func TestScoresOfAPitch(t *testing.T) {
	id, ok := schemas.ParsePitchID("0b1e7c1e-6f0a-4f6b-8d6e-1f2a3b4c5d6e")
	require.True(t, ok)
	s := &scored{pitch: id}
	k := newAsker(t, newStores(), func(c *Config) { s.Store, c.Store = c.Store, s })
	body := k.get(200, "/v1/pitches/{id}/scores", "/v1/pitches/"+id.String()+"/scores")
	require.Equal(t, id.String(), body["pitch_id"])
	require.Equal(t, "postgres", body["source"])
	require.Equal(t, "2023-11-14T22:13:20.000Z", body["as_of"])
	score := body["scores"].([]any)[0].(map[string]any)
	require.Equal(t, "long", score["label"])
	require.Nil(t, score["margin"])
	require.Equal(t, 404, k.ask("/v1/pitches/00000000-0000-0000-0000-000000000001/scores").Code, "no such pitch")
	require.Equal(t, 422, k.ask("/v1/pitches/x/scores").Code)
	require.Equal(t, 404, newAsker(t, newStores(), nil).ask("/v1/pitches/"+id.String()+"/scores").Code, "no models here")
}

func TestArchetypesOfABatter(t *testing.T) {
	s := &scored{}
	names := newStores()
	names.players = []schemas.Player{{ID: 1, Name: "Aaron"}}
	k := newAsker(t, names, func(c *Config) { s.Store, c.Store = c.Store, s })
	body := k.get(200, "/v1/batters/{id}/archetypes", "/v1/batters/1/archetypes")
	require.Equal(t, "Aaron", body["name"])
	require.InDelta(t, 2, body["version"], 0)
	require.InDelta(t, 3, body["archetypes"].([]any)[0].(map[string]any)["swings"], 0)
	require.Equal(t, 404, k.ask("/v1/batters/2/archetypes").Code, "no swings")
	require.Equal(t, 404, k.ask("/v1/batters/1/archetypes?model=other").Code, "not live")
	require.Equal(t, 422, k.ask("/v1/batters/1/archetypes?model=No").Code)
	require.Equal(t, 404, newAsker(t, newStores(), nil).ask("/v1/batters/1/archetypes").Code, "no models here")
}
