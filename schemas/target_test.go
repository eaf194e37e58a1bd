package schemas_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// guard: target: pitchers that differ are a difference
func TestEachTableThatDiffersIsADifference(t *testing.T) {
	differs := schemas.TableDiff{Differ: 1}
	require.False(t, schemas.TargetDiff{OtherCore: 1}.Different())
	for table, d := range map[string]schemas.TargetDiff{
		"rows": {Rows: differs}, "batters": {Batters: differs}, "batter-games": {BatterGames: differs},
		"pitchers": {Pitchers: differs}, "pitcher-games": {PitcherGames: differs},
	} {
		require.True(t, d.Different(), table)
	}
}
