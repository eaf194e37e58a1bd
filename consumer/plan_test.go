package consumer

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
)

// Every record is in the plan once: as the writer of a version, or as a dead letter. Pitches are sorted,
// because all processors lock them in one order, and each is in it once. The store gets each version once,
// those of a register newest first, because it may refuse any of them.
// guard: sort before upsert
// guard: versions are newest first in a batch
func TestAPlanContainsEveryRecordOnce(t *testing.T) {
	records := newScorer(20).records(400)
	var decoded []Decoded
	for i, r := range records {
		r.Topic, r.Offset = rawTopic, int64(i)
		d := Decoded{Record: r}
		d.Change, d.Rejection = features.Transform(r, features.Limits{})
		decoded = append(decoded, d)
	}
	p := MakePlan(decoded)
	require.True(t, slices.IsSortedFunc(p.Pitches, func(a, b schemas.PitchChanges) int {
		return bytes.Compare(a.PitchID[:], b.PitchID[:])
	}))
	seen := map[int64]int{}
	written := map[schemas.Register]int{}
	for i, pitch := range p.Pitches {
		require.True(t, i == 0 || p.Pitches[i-1].PitchID != pitch.PitchID)
		for _, versions := range [][]schemas.Change{pitch.Measured, pitch.Identified} {
			require.True(t, slices.IsSortedFunc(versions, func(a, b schemas.Change) int {
				return b.Version.Compare(a.Version)
			}))
			for i := range versions {
				written[schemas.RegisterOf(&versions[i])]++
			}
		}
	}
	require.Equal(t, len(p.carriers), len(written))
	for register, carriers := range p.carriers {
		require.Equal(t, 1, written[register], "%+v", register)
		for _, r := range carriers {
			seen[r.Offset]++
		}
	}
	for _, l := range p.DeadLetters {
		seen[l.Record.Offset]++
	}
	require.Equal(t, len(records), len(seen))
	for offset, n := range seen {
		require.Equal(t, 1, n, "offset %d", offset)
	}
	require.True(t, slices.IsSortedFunc(p.DeadLetters, func(a, b schemas.DeadLetter) int {
		return int(a.Record.Offset - b.Record.Offset)
	}))
}
