package scoring

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/scoring/ensemble"
)

// lightGBM writes a model of LightGBM with so many trees, each a chain or a balanced tree of so many nodes.
func lightGBM(trees, nodes int, isChain bool) string {
	var b strings.Builder
	b.WriteString("tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=0\n" +
		"objective=regression\nfeature_names=bat_speed_mph\nfeature_infos=[0:1]\n\n")
	list := func(name string, n int, value func(i int) int) {
		b.WriteString(name + "=")
		for i := range n {
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprint(&b, value(i))
		}
		b.WriteByte('\n')
	}
	child := func(side int) func(i int) int {
		return func(i int) int {
			at := 2*i + 1 + side // of a heap: its first children are nodes, the others leaves
			if isChain {
				at = i + 1 // the second child of each node is a leaf
				if side == 1 {
					return ^i
				}
			}
			if at < nodes {
				return at
			}
			return ^(at - nodes + map[bool]int{true: nodes}[isChain])
		}
	}
	for t := range trees {
		fmt.Fprintf(&b, "Tree=%d\nnum_leaves=%d\nnum_cat=0\n", t, nodes+1)
		if nodes > 0 {
			list("split_feature", nodes, func(int) int { return 0 })
			list("threshold", nodes, func(i int) int { return i })
			list("decision_type", nodes, func(int) int { return 2 })
			list("left_child", nodes, child(0))
			list("right_child", nodes, child(1))
		}
		list("leaf_value", nodes+1, func(i int) int { return i })
		b.WriteString("is_linear=0\n\n")
	}
	b.WriteString("end of trees\n\nparameters:\nend of parameters\n")
	return b.String()
}

// A file at each bound is read, and one beyond it is refused with the bound.
func TestModelsAtTheirBounds(t *testing.T) {
	read := func(text string) error {
		_, err := ensemble.ParseLightGBM(text)
		return err
	}
	t.Run("trees", func(t *testing.T) {
		require.NoError(t, read(lightGBM(ensemble.MaxTrees, 0, false)))
		require.ErrorContains(t, read(lightGBM(ensemble.MaxTrees+1, 0, false)), "at most 10000 trees are allowed")
	})
	t.Run("depth", func(t *testing.T) {
		require.NoError(t, read(lightGBM(1, ensemble.MaxDepth, true)))
		require.ErrorContains(t, read(lightGBM(1, ensemble.MaxDepth+1, true)), "deeper than 1000")
	})
	t.Run("comparisons", func(t *testing.T) {
		const depth = 1000
		require.NoError(t, read(lightGBM(ensemble.MaxSteps/depth, depth, true)))
		require.ErrorContains(t, read(lightGBM(ensemble.MaxSteps/depth+1, depth, true)),
			"a row may cost 200000 comparisons")
	})
	t.Run("nodes", func(t *testing.T) {
		if testing.Short() {
			t.Skip("reads 80 MB")
		}
		const trees = 4
		require.NoError(t, read(lightGBM(trees, ensemble.MaxNodes/trees, false)))
		require.ErrorContains(t, read(lightGBM(trees, ensemble.MaxNodes/trees+1, false)),
			"at most 2000000 nodes are allowed")
	})
	t.Run("classes", func(t *testing.T) {
		classes := func(n int) string {
			text := lightGBM(n, 0, false)
			text = strings.Replace(text, "num_class=1", fmt.Sprint("num_class=", n), 1)
			text = strings.Replace(text, "num_tree_per_iteration=1", fmt.Sprint("num_tree_per_iteration=", n), 1)
			return strings.Replace(text, "objective=regression", fmt.Sprint("objective=multiclass num_class:", n), 1)
		}
		require.NoError(t, read(classes(ensemble.MaxClasses)))
		require.ErrorContains(t, read(classes(ensemble.MaxClasses+1)), "100")
	})
	t.Run("bytes", func(t *testing.T) {
		// Blanks between the values, so that only the size is at the bound.
		f := clusteredFile(1)
		content, err := f.Encode()
		require.NoError(t, err)
		fill := func(to int) []byte {
			return []byte(string(content[:len(content)-1]) + strings.Repeat(" ", to-len(content)+1))
		}
		_, err = Import(fill(MaxFileBytes), "", nil)
		require.NoError(t, err)
		_, err = Import(fill(MaxFileBytes+1), "", nil)
		require.ErrorContains(t, err, "33554433 bytes, and at most 33554432 are allowed")
	})
	t.Run("clusters", func(t *testing.T) {
		require.NoError(t, clusteredFile(maxClusters).check())
		require.ErrorContains(t, clusteredFile(maxClusters+1).check(), "65 clusters: want 1 to 64")
	})
	t.Run("columns", func(t *testing.T) {
		f := clusteredFile(1)
		f.Columns = make([]Column, maxColumns+1)
		require.ErrorContains(t, f.check(), "names 129 columns: want 1 to 128")
	})
	t.Run("inputs", func(t *testing.T) {
		f := clusteredFile(1)
		in := Input{Column: "bat_speed_mph", Edges: make([]float64, inputIntervals-1), Counts: make([]int, inputIntervals)}
		f.Trained.Inputs = []Input{in}
		require.NoError(t, f.check())
		in.Edges, in.Counts = make([]float64, inputIntervals), make([]int, inputIntervals+1)
		f.Trained.Inputs = []Input{in}
		require.ErrorContains(t, f.check(), `inputs of "bat_speed_mph" are no counts`)
		f.Trained.Inputs = make([]Input, maxColumns+1)
		require.ErrorContains(t, f.check(), "sums up 129 inputs: want at most 128")
	})
	t.Run("players", func(t *testing.T) {
		own := Own{Center: []float64{0}, Scale: []float64{1}}
		s := Self{
			Of: OfBatter, Measures: 1, Slopes: []Slopes{{}}, Inverse: []float64{1}, League: own,
			Distances: []float64{1}, Tails: []float64{1}, Players: make([]Player, maxPlayers),
		}
		for i := range s.Players {
			s.Players[i] = Player{ID: int64(i), Own: own}
		}
		require.NoError(t, s.check(columnsNamed("bat_speed_mph")))
		s.Players = append(s.Players, s.Players[0])
		require.ErrorContains(t, s.check(columnsNamed("bat_speed_mph")), "50001 players: at most 50000 are allowed")
	})
}

func clusteredFile(clusters int) *File {
	f := &File{
		Format: Format, Kind: KindArchetypes, Rows: RowsSwings, Columns: columnsNamed("bat_speed_mph"),
		Archetypes: &Archetypes{Mean: []float64{70}, Scale: []float64{5}},
	}
	for i := range clusters {
		c := Cluster{Name: fmt.Sprint("group ", i), Center: []float64{float64(i)}}
		f.Archetypes.Clusters = append(f.Archetypes.Clusters, c)
	}
	return f
}
