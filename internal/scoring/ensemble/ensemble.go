// Package ensemble predicts with the decision trees of LightGBM's text format and of XGBoost's JSON, as these
// libraries do: what is missing, categories, and the transformation of the sum included.
//
// Both formats become one. A node sends x to its first child if x ≤ threshold, or if x is one of a set of
// categories. XGBoost compares by x < threshold in float32: that is x ≤ the greatest float32 below the
// threshold. Its sets go to the second child: the children are exchanged. XGBoost adds in float32, too, and
// so its sums are rounded after each tree.
//
// A file is not trusted. Its size is bounded by the caller, and its trees, nodes, depths and the comparisons
// that a row costs by this package. Children that do not form a tree are refused.
package ensemble

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Bounds of a model.
const (
	MaxTrees = 10_000
	MaxNodes = 2_000_000 // of all trees, without leaves
	MaxDepth = 1_000
	// MaxSteps is the greatest sum of the trees' depths: how many comparisons a row may cost, about a
	// millisecond.
	MaxSteps   = 200_000
	MaxClasses = 100
	// maxCategory bounds a set of categories. XGBoost has the same bound for a category's number.
	maxCategory = 1 << 24
	maxSetWords = 4_000_000 // of all sets
	// MaxObjects bounds the objects of a file of JSON, because an empty one takes two bytes there and hundreds
	// in memory. A tree is two.
	MaxObjects = 200_000
)

// CheckObjects refuses JSON with too many objects, before it is read. Braces within texts count, too.
func CheckObjects(content []byte) error {
	// guard: models: a small file of many objects does not take the memory | n > MaxObjects -> false
	if n := bytes.Count(content, []byte{'{'}); n > MaxObjects {
		return fmt.Errorf("it has %d objects, and at most %d are allowed", n, MaxObjects)
	}
	return nil
}

// Feature is a column that the trees read.
type Feature struct {
	Name          string
	IsCategorical bool
	// IsUnnamed says that the file cannot say which values the codes stand for, as that of a library before it
	// could.
	IsUnnamed bool
	// Texts and Numbers are the categories by their codes, which the trees compare with. At most one of them
	// is set. With neither, the column is the code.
	Texts   []string
	Numbers []float64
}

// setCategories names the categories: texts, or numbers, where false is 0 and true is 1.
func (f *Feature) setCategories(values []any) error {
	f.IsCategorical = true
	for _, v := range values {
		switch v := v.(type) {
		case string:
			f.Texts = append(f.Texts, v)
		case float64:
			f.Numbers = append(f.Numbers, v)
		case bool:
			f.Numbers = append(f.Numbers, map[bool]float64{true: 1}[v])
		default:
			return fmt.Errorf("%s has the category %v: want texts or numbers", f.Name, v)
		}
	}
	if len(f.Texts) > 0 && len(f.Numbers) > 0 {
		return fmt.Errorf("%s has categories that are texts, and others that are numbers", f.Name)
	}
	return nil
}

// Model is a sum of trees, ready to predict. It is safe for use by several goroutines.
type Model struct {
	Features  []Feature
	Objective string
	Trees     int
	Steps     int // the greatest number of comparisons that a row costs

	nodes   []node
	leaves  []float64
	sets    []uint32
	roots   []int32 // of each tree: an index of nodes, or ^ of leaves
	class   []int32 // of each tree
	weight  []float64
	base    []float64 // of each class
	isF32   bool      // values, and sums after each tree, are rounded to float32
	average float64   // sums are divided by it
	finish  func(sums []float64)
	kind    Kind
}

// Kind says what a prediction is.
type Kind int

// Kinds of predictions.
const (
	Value       Kind = iota // a number
	Probability             // of the second of two classes
	Classes                 // a probability of each class
)

// Kind returns what predictions are.
func (m *Model) Kind() Kind { return m.kind }

// Outputs returns how many numbers a prediction has.
func (m *Model) Outputs() int { return len(m.base) }

// A node's flags.
const (
	isSet       = 1 << iota // threshold is a place in sets, and its words follow
	nanMissing              // NaN goes where defaultFirst says; without it NaN is 0
	zeroMissing             // zero and NaN go where defaultFirst says
	defaultFirst
)

type node struct {
	threshold     float64
	feature       int32
	first, second int32 // an index of nodes, or ^ of leaves
	set, words    int32
	flags         uint8
}

// Predict writes the prediction for x, a value of each feature, NaN where it is missing, into out.
func (m *Model) Predict(x, out []float64) {
	out = out[:len(m.base)]
	copy(out, m.base)
	for t, at := range m.roots {
		for at >= 0 {
			at = m.next(&m.nodes[at], x)
		}
		leaf := m.leaves[^at]
		if m.weight != nil {
			leaf = m.round(leaf * m.weight[t])
		}
		c := m.class[t]
		out[c] = m.round(out[c] + leaf)
	}
	if m.average != 0 {
		for i := range out {
			out[i] /= m.average
		}
	}
	m.finish(out)
}

// zeroThreshold is what LightGBM takes for zero.
const zeroThreshold = 1e-35

func (m *Model) next(n *node, x []float64) int32 {
	v := m.round(x[n.feature])
	isNaN := math.IsNaN(v)
	if isNaN && n.flags&(nanMissing|isSet) == 0 {
		v, isNaN = 0, false
	}
	isFirst := v <= n.threshold
	switch {
	case isNaN, n.flags&zeroMissing != 0 && math.Abs(v) <= zeroThreshold:
		isFirst = n.flags&defaultFirst != 0
	case n.flags&isSet != 0:
		isFirst = m.has(n, v)
	}
	if isFirst {
		return n.first
	}
	return n.second
}

// has reports whether the category v is in the set of n.
func (m *Model) has(n *node, v float64) bool {
	if !(v > -1 && v < maxCategory) {
		return false
	}
	c := int32(v)
	return c>>5 < n.words && m.sets[n.set+c>>5]>>(c&31)&1 == 1
}

func (m *Model) round(v float64) float64 {
	if m.isF32 {
		return float64(float32(v))
	}
	return v
}

// tree is one tree as a file has it. first and second are indexes of nodes, or ^ of leaves.
type tree struct {
	nodes  []node
	leaves []float64
	root   int32
}

var errNoTree = errors.New("its nodes do not form a tree")

// add appends a tree, after it has checked it.
func (m *Model) add(t tree, class int) error {
	depth, err := t.depth(len(m.Features))
	if err != nil {
		return err
	}
	m.Trees, m.Steps = m.Trees+1, m.Steps+depth
	switch {
	case m.Trees > MaxTrees:
		return fmt.Errorf("at most %d trees are allowed", MaxTrees)
	case len(m.nodes)+len(t.nodes) > MaxNodes:
		return fmt.Errorf("at most %d nodes are allowed in all trees", MaxNodes)
	case m.Steps > MaxSteps:
		return fmt.Errorf("a row may cost %d comparisons, the sum of the trees' depths, and no more", MaxSteps)
	case class < 0 || class >= len(m.base):
		return fmt.Errorf("it is of class %d of %d", class, len(m.base))
	}
	nodes, leaves := int32(len(m.nodes)), int32(len(m.leaves))
	place := func(at int32) int32 {
		if at < 0 {
			return at - leaves
		}
		return at + nodes
	}
	for _, n := range t.nodes {
		n.first, n.second = place(n.first), place(n.second)
		m.nodes = append(m.nodes, n)
	}
	m.leaves = append(m.leaves, t.leaves...)
	m.roots, m.class = append(m.roots, place(t.root)), append(m.class, int32(class))
	return nil
}

// depth returns the greatest number of nodes from the root to a leaf. It refuses what is no tree.
func (t *tree) depth(features int) (deepest int, err error) {
	for _, v := range t.leaves {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, errors.New("a leaf is no finite number")
		}
	}
	type place struct {
		at    int32
		depth int
	}
	seen := make([]bool, len(t.nodes))
	for todo := []place{{t.root, 0}}; len(todo) > 0; {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		deepest = max(deepest, p.depth)
		switch {
		case p.depth > MaxDepth:
			return 0, fmt.Errorf("it is deeper than %d", MaxDepth)
		case p.at < 0 && int(^p.at) < len(t.leaves):
			continue
		// guard: trees: nodes that form a circle are refused | || seen[p.at] -> || false
		case p.at < 0 || int(p.at) >= len(t.nodes) || seen[p.at]:
			return 0, errNoTree
		}
		seen[p.at] = true
		n := &t.nodes[p.at]
		if n.feature < 0 || int(n.feature) >= features {
			return 0, fmt.Errorf("it reads column %d of %d", n.feature, features)
		}
		if n.flags&isSet == 0 && math.IsNaN(n.threshold) {
			return 0, errors.New("a threshold is no number")
		}
		todo = append(todo, place{n.first, p.depth + 1}, place{n.second, p.depth + 1})
	}
	return deepest, nil
}

// addSet appends the words of a set, and returns where it begins.
func (m *Model) addSet(words []uint32) (at int32, err error) {
	if len(m.sets)+len(words) > maxSetWords {
		return 0, fmt.Errorf("the sets of categories have more than %d words", maxSetWords)
	}
	m.sets = append(m.sets, words...)
	return int32(len(m.sets) - len(words)), nil
}

func checkFeatures(features []Feature) error {
	for _, f := range features {
		if f.Name == "" {
			return errors.New("a feature has no name: train with a data frame, so that the file names its columns")
		}
	}
	return nil
}

// Transformations of sums.

func same([]float64) {}

func exponential(sums []float64) { sums[0] = math.Exp(sums[0]) }

// sigmoid is the logistic function of each sum times a slope.
func sigmoid(slope float64) func([]float64) {
	return func(sums []float64) {
		for i, v := range sums {
			sums[i] = 1 / (1 + math.Exp(-slope*v))
		}
	}
}

func softmax(sums []float64) {
	top, total := slices.Max(sums), 0.0
	for i, v := range sums {
		sums[i] = math.Exp(v - top)
		total += sums[i]
	}
	for i := range sums {
		sums[i] /= total
	}
}
