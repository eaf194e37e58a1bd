package scoring

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// Input sums up a column in the rows that a model was trained on: how many have a value in each of some
// intervals, and how many have none. A later training sees by it how far the rows have moved since.
type Input struct {
	Column  string    `json:"column"`
	Missing int       `json:"missing"` // rows that lack it, of those that could have trained
	Edges   []float64 `json:"edges"`   // ascending; the upper end of each interval but the last
	Counts  []int     `json:"counts"`  // of each interval
}

const inputIntervals = 10

// Uses reports whether the model looks at such rows in training: swings with reliable values, or pitches of
// known pitchers. They may lack a column.
func (f *File) Uses(row *schemas.Row) bool {
	isSwing := row.IsSwing && row.ContactConfidence == schemas.SpeedReliable
	switch {
	case f.Kind == KindArchetypes:
		return isSwing
	case f.Kind == KindSelf && f.Self.Of == OfBatter:
		return isSwing && row.BatterID.Present
	case f.Kind == KindSelf:
		return row.PitcherID.Present
	}
	return f.Rows == RowsPitches || row.IsSwing
}

// Inputs sums up the columns of the rows that the model uses, but texts. The intervals of a column are
// those that hold a tenth of its values each, or fewer where values repeat.
func (f *File) Inputs(rows []schemas.StoredRow) []Input { return f.inputs(f.used(rows)) }

func (f *File) inputs(used []*schemas.StoredRow) (all []Input) {
	for _, c := range f.Columns {
		if isText[c.Name] {
			continue
		}
		values, missing := valuesOf(c.Name, used)
		in := Input{Column: c.Name, Missing: missing, Edges: []float64{}}
		slices.Sort(values)
		for i := 1; i < inputIntervals && len(values) > 0; i++ {
			edge := values[i*(len(values)-1)/inputIntervals]
			if n := len(in.Edges); n == 0 || in.Edges[n-1] < edge {
				in.Edges = append(in.Edges, edge)
			}
		}
		in.Counts = in.count(values)
		all = append(all, in)
	}
	return all
}

// used returns the rows that the model looks at in training.
func (f *File) used(rows []schemas.StoredRow) (used []*schemas.StoredRow) {
	for i := range rows {
		if f.Uses(&rows[i].Row) {
			used = append(used, &rows[i])
		}
	}
	return used
}

// usable returns the values of the rows that have all columns, sorted by pitch, and these rows.
func (f *File) usable(of []*schemas.StoredRow) (data [][]float64, used []*schemas.StoredRow) {
	used = slices.Clone(of)
	slices.SortFunc(used, func(a, b *schemas.StoredRow) int { return bytes.Compare(a.PitchID[:], b.PitchID[:]) })
	used = slices.DeleteFunc(used, func(r *schemas.StoredRow) bool {
		values, x := make([]value, len(f.Columns)), make([]float64, len(f.Columns))
		for i, c := range f.Columns {
			values[i] = readers[c.Name](&r.Row)
		}
		ok := numbers(values, x)
		if ok {
			data = append(data, x)
		}
		return !ok
	})
	return data, used
}

func valuesOf(column string, rows []*schemas.StoredRow) (values []float64, missing int) {
	read := readers[column]
	for _, r := range rows {
		if v := read(&r.Row).number; math.IsNaN(v) || math.IsInf(v, 0) {
			missing++
		} else {
			values = append(values, v)
		}
	}
	return values, missing
}

func (in *Input) count(values []float64) []int {
	counts := make([]int, len(in.Edges)+1)
	for _, v := range values {
		i, _ := slices.BinarySearch(in.Edges, v)
		counts[i]++
	}
	return counts
}

// Drift is how far a column has moved.
type Drift struct {
	Column string
	PSI    float64
}

// Drifts returns the population stability index of each column of the inputs, between the rows that they sum
// up and these. A missing value is an interval of its own. Each interval counts half a row more than it has,
// so that an empty one is no infinite change.
func (f *File) Drifts(inputs []Input, rows []schemas.StoredRow) (all []Drift) {
	used := f.used(rows)
	for _, in := range inputs {
		values, missing := valuesOf(in.Column, used)
		was, is := append([]int{in.Missing}, in.Counts...), append([]int{missing}, in.count(values)...)
		all = append(all, Drift{in.Column, psi(was, is)})
	}
	return all
}

func psi(was, is []int) (sum float64) {
	total := func(counts []int) (n float64) {
		for _, c := range counts {
			n += float64(c) + 0.5
		}
		return n
	}
	ofWas, ofIs := total(was), total(is)
	for i := range was {
		p, q := (float64(was[i])+0.5)/ofWas, (float64(is[i])+0.5)/ofIs
		sum += (q - p) * math.Log(q/p)
	}
	return sum
}

// checkInputs refuses sums that do not fit a column.
func (f *File) checkInputs() error {
	if len(f.Trained.Inputs) > maxColumns {
		return fmt.Errorf("the model file sums up %d inputs: want at most %d", len(f.Trained.Inputs), maxColumns)
	}
	for _, in := range f.Trained.Inputs {
		isOurs := slices.ContainsFunc(f.Columns, func(c Column) bool { return c.Name == in.Column })
		isEven := len(in.Counts) == len(in.Edges)+1 && len(in.Edges) < inputIntervals && slices.IsSorted(in.Edges)
		isCount := in.Missing >= 0 && !slices.ContainsFunc(in.Counts, func(n int) bool { return n < 0 })
		if !isOurs || isText[in.Column] || !isEven || !isCount {
			return fmt.Errorf("the model file's inputs of %q are no counts of one of its columns by intervals",
				in.Column)
		}
	}
	return nil
}
