package obs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// guard: metrics: ten players are shown
func TestTenPlayersWhoseMechanicsChangedAreShown(t *testing.T) {
	m := NewMetrics("test")
	c := m.Mechanics()
	var moved []Moved
	for id := range int64(30) {
		moved = append(moved, Moved{
			Player:      schemas.PlayerKey{Side: schemas.Pitcher, PlayerID: id},
			DriftChange: schemas.DriftChange{Scope: "game", Measure: "release_speed_mph", Score: -4 - float64(id)},
		})
	}
	c.Show(moved)
	families, err := m.Registry.Gather()
	require.NoError(t, err)
	found := map[string]int{}
	for _, f := range families {
		found[f.GetName()] = len(f.GetMetric())
		if f.GetName() == "pitchstream_mechanics_drifting_players" {
			require.InDelta(t, 30, f.GetMetric()[3].GetGauge().GetValue(), 0, "all are counted")
		}
	}
	require.Equal(t, 10, found["pitchstream_mechanics_before"])
	require.Equal(t, 10, found["pitchstream_mechanics_after"])
	require.EqualValues(t, 29, Farthest(moved)[0].Player.PlayerID)
	c.Rest()
	families, err = m.Registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		require.NotContains(t, f.GetName(), "mechanics")
	}
}
