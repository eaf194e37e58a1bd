package scoring

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/pitchstream/pitchstream/schemas"
)

// Agreement is how alike two versions of a model score the same rows.
type Agreement struct {
	Rows   int     // that both have scored
	Labels float64 // the share of them with the same label
	Rand   float64 // the adjusted Rand index of the labels, whatever their names
	// Rank is the rank correlation of the p-values, and Shift how much greater those of the second version
	// are on average. Both are missing where a version has none.
	Rank, Shift schemas.Opt[float64]
	// Unusual is the share of rows with a p-value below 0.05, by the first version.
	Unusual schemas.Opt[float64]
}

// unusual is the p-value below which a row counts as Unusual.
const unusual = 0.05

// Agree scores the rows that the first version uses with both, and compares.
func Agree(first, second *File, rows []schemas.StoredRow) (a Agreement) {
	one, other := first.ready(schemas.Model{}), second.ready(schemas.Model{})
	labels, same := map[[2]schemas.Text]int{}, 0
	var pValues [2][]float64
	var values [maxColumns]value
	for _, r := range first.used(rows) {
		var s [2]schemas.Score
		one.scoreRow(&r.Row, values[:], &s[0])
		other.scoreRow(&r.Row, values[:], &s[1])
		if s[0].Label == "" || s[1].Label == "" {
			continue
		}
		a.Rows++
		labels[[2]schemas.Text{s[0].Label, s[1].Label}]++
		if s[0].Label == s[1].Label {
			same++
		}
		if s[0].PValue.Present && s[1].PValue.Present {
			pValues[0], pValues[1] = append(pValues[0], s[0].PValue.Value), append(pValues[1], s[1].PValue.Value)
		}
	}
	if a.Rows > 1 {
		a.Labels, a.Rand = float64(same)/float64(a.Rows), AdjustedRandOf(labels)
	}
	if n := len(pValues[0]); n > 1 {
		a.Rank = finite(stat.Correlation(ranks(pValues[0]), ranks(pValues[1]), nil))
		a.Shift = finite(stat.Mean(pValues[1], nil) - stat.Mean(pValues[0], nil))
		below := 0
		for _, p := range pValues[0] {
			if p < unusual {
				below++
			}
		}
		a.Unusual = schemas.Some(float64(below) / float64(n))
	}
	return a
}

// ranks returns the rank of each value; equal values have their mean rank.
func ranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	out := make([]float64, len(values))
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			out[i] = float64(from+to-1) / 2
		}
		from = to
	}
	return out
}

// folds is the number of parts of the time whose rows are scored by a training on the others.
const folds = 5

// Calibration returns the share of rows that get a p-value below 0.05 from a model of self that they have not
// trained. Each fifth of the time is scored by a training on the other four. The share is missing where these
// have too few rows.
func Calibration(rows []schemas.StoredRow, of string) (share schemas.Opt[float64]) {
	whole, err := newSelf(of)
	if err != nil {
		return share
	}
	sorted := whole.used(rows)
	slices.SortFunc(sorted, func(a, b *schemas.StoredRow) int {
		return cmp.Or(cmp.Compare(a.EventTime, b.EventTime), bytes.Compare(a.PitchID[:], b.PitchID[:]))
	})
	all, below := 0, 0
	var values [maxColumns]value
	for i := range folds {
		from, to := i*len(sorted)/folds, (i+1)*len(sorted)/folds
		f, err := newSelf(of)
		if err != nil || f.fitSelf(slices.Concat(sorted[:from], sorted[to:])) != nil {
			return share
		}
		m := f.ready(schemas.Model{})
		for _, r := range sorted[from:to] {
			var s schemas.Score
			if m.scoreRow(&r.Row, values[:], &s); s.PValue.Present {
				all++
				if s.PValue.Value < unusual {
					below++
				}
			}
		}
	}
	if all == 0 {
		return share
	}
	return schemas.Some(float64(below) / float64(all))
}

// CalibrationError returns how far the share of unusual rows is from the 5 % that p-values below 0.05
// promise.
func CalibrationError(share schemas.Opt[float64]) schemas.Opt[float64] {
	if share.Present {
		share.Value = math.Abs(share.Value - unusual)
	}
	return share
}

// KeepNames gives a group of f the name of the live version's group that is the same but for its edges. The
// two must have more than half of all rows of either in common.
func KeepNames(f, live *File, rows []schemas.StoredRow) {
	if f.Kind != KindArchetypes || live.Kind != KindArchetypes {
		return
	}
	now, was := f.Archetypes.Clusters, live.Archetypes.Clusters
	both := make([][]int, len(now))
	ofNow, ofWas := make([]int, len(now)), make([]int, len(was))
	for i := range both {
		both[i] = make([]int, len(was))
	}
	one, other := f.ready(schemas.Model{}), live.ready(schemas.Model{})
	var values [maxColumns]value
	for _, r := range f.used(rows) {
		var s [2]schemas.Score
		one.scoreRow(&r.Row, values[:], &s[0])
		other.scoreRow(&r.Row, values[:], &s[1])
		i, j := named(now, s[0].Label), named(was, s[1].Label)
		if i >= 0 && j >= 0 {
			both[i][j]++
			ofNow[i]++
			ofWas[j]++
		}
	}
	kept, used := map[int]bool{}, map[string]bool{}
	for i := range now {
		for j := range was {
			// guard: refit: a group keeps its name only where it is the same | 2*n > all -> n > 0 && all > 0
			if n, all := both[i][j], ofNow[i]+ofWas[j]-both[i][j]; 2*n > all {
				now[i].Name, kept[i], used[was[j].Name] = was[j].Name, true, true
			}
		}
	}
	for i := range now {
		if !kept[i] {
			now[i].Name = nameOf(now[i].Center, f.Columns, used)
			used[now[i].Name] = true
		}
	}
}

func named(clusters []Cluster, name schemas.Text) int {
	return slices.IndexFunc(clusters, func(c Cluster) bool { return c.Name == string(name) })
}
