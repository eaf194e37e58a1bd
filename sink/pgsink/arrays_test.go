package pgsink

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// The arrays of a batch cost allocations for each column, and none for each row.
func TestAllocationsOfArraysDoNotGrowWithRows(t *testing.T) {
	allocations := func(rows int) float64 {
		pitches := make([]schemas.PitchChanges, rows)
		for i := range pitches {
			row := &schemas.Row{
				PitchType: "Slider", IsSwing: true, BatterID: schemas.Some(int64(i)),
				ContactBatSpeedMPH: schemas.Some(72.5), InZone: schemas.Some(true), Inning: schemas.Some(int16(9)),
			}
			pitches[i].Measured = []schemas.Change{{Row: row}, {Op: schemas.OpDelete}}[i%2:][:1]
		}
		set := newest(pitches)
		return testing.AllocsPerRun(10, func() { measuredArrays(set) })
	}
	require.InDelta(t, allocations(10), allocations(1000), 5)
}
