package scoring

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// guard: refit: a group keeps its name only where it is the same
func TestAGroupKeepsItsName(t *testing.T) {
	p := plant(1, 60, 0)
	live, err := FitArchetypes(p.rows, 4, 1)
	require.NoError(t, err)
	names := []string{"one", "two", "three", "four"}
	for i, name := range names {
		live.Archetypes.Clusters[i].Name = name
	}
	later := plant(1, 90, 0).rows // the same batters, some other swings
	next, err := FitArchetypes(later, 4, 100)
	require.NoError(t, err)
	KeepNames(next, live, later)
	namesOf := func(f *File) []string {
		return schemas.Map(f.Archetypes.Clusters, func(c Cluster) string { return c.Name })
	}
	require.ElementsMatch(t, names, namesOf(next))
	a := Agree(live, next, later)
	require.Greater(t, a.Labels, 0.95)
	require.Greater(t, a.Rand, 0.9)
	require.False(t, a.Rank.Present, "archetypes have no p-values")

	// One of two groups holds several of the old ones: it is another, and gets a name of its own.
	fewer, err := FitArchetypes(later, 2, 1)
	require.NoError(t, err)
	KeepNames(fewer, live, later)
	require.NoError(t, fewer.check())
	require.NotSubset(t, names, namesOf(fewer))
}

// The index is 0 for the same rows, that of the books for a shift, and counts rows that lack the column.
func TestDriftOfAColumn(t *testing.T) {
	require.Zero(t, psi([]int{50, 50}, []int{50, 50}))
	require.InDelta(t, 0.2747, psi([]int{50_000, 50_000}, []int{75_000, 25_000}), 1e-4)
	rows := plant(4, 20, 0).rows
	f, err := FitArchetypes(rows, 2, 1)
	require.NoError(t, err)
	require.Len(t, f.Trained.Inputs, len(ArchetypeColumns))
	at := func(rows []schemas.StoredRow, column string) float64 {
		for _, d := range f.Drifts(f.Trained.Inputs, rows) {
			if d.Column == column {
				return d.PSI
			}
		}
		t.Fatalf("no drift of %s", column)
		return 0
	}
	for _, c := range ArchetypeColumns {
		require.Zero(t, at(rows, c))
		require.Less(t, at(plant(4, 40, 0).rows, c), 0.1, "as many rows again of the same batters")
	}
	for i := range rows {
		if i%4 == 0 {
			rows[i].SwingLengthFT = schemas.Opt[float64]{}
		}
	}
	require.Greater(t, at(rows, "swing_length_ft"), 0.25, "a quarter has lost it")
	require.Zero(t, at(rows, "swing_path_tilt_deg"))
	f.Trained.Inputs[0].Column = "swing_path_tilt"
	require.ErrorContains(t, f.check(), `inputs of "swing_path_tilt"`)
}

func TestEqualValuesHaveTheirMeanRank(t *testing.T) {
	require.Equal(t, []float64{2, 0.5, 3, 0.5}, ranks([]float64{5, 1, 9, 1}))
}
