package ensemble

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseLightGBM reads a model that LightGBM's save_model wrote, of version 3 or 4 of its format. The file has
// the trees up to the best iteration, where training stopped early.
func ParseLightGBM(text string) (*Model, error) {
	l := lightGBM{text: text}
	if line, _ := l.line(); strings.TrimSpace(line) != "tree" {
		return nil, errors.New("this is no model of LightGBM: its first line is not tree")
	}
	m, err := l.model()
	if err != nil {
		return nil, fmt.Errorf("LightGBM's model: %w", err)
	}
	return m, nil
}

// lightGBM reads the text line by line: NAME=VALUE, in sections that end with an empty line.
type lightGBM struct {
	text string
	m    Model
}

func (l *lightGBM) line() (line string, ok bool) {
	if l.text == "" {
		return "", false
	}
	line, l.text, _ = strings.Cut(l.text, "\n")
	return strings.TrimSuffix(line, "\r"), true
}

// section returns the values up to the next empty line by their names. A line without = is one, too, with an
// empty value.
func (l *lightGBM) section() map[string]string {
	values := map[string]string{}
	for {
		line, ok := l.line()
		if !ok || line == "" && len(values) > 0 {
			return values
		}
		if name, value, _ := strings.Cut(line, "="); name != "" {
			values[name] = value
		}
	}
}

func (l *lightGBM) model() (*Model, error) {
	head := l.section()
	if v := head["version"]; v != "v3" && v != "v4" {
		return nil, fmt.Errorf("its version is %q: this build reads v3 and v4", v)
	}
	names := strings.Fields(head["feature_names"])
	for _, name := range names {
		l.m.Features = append(l.m.Features, Feature{Name: name})
	}
	if last, err := strconv.Atoi(head["max_feature_idx"]); err != nil || last != len(names)-1 {
		return nil, fmt.Errorf("it names %d features, and max_feature_idx is %q",
			len(names), head["max_feature_idx"])
	}
	if err := checkFeatures(l.m.Features); err != nil {
		return nil, err
	}
	perIteration, err := strconv.Atoi(head["num_tree_per_iteration"])
	if err != nil || perIteration < 1 || perIteration > MaxClasses {
		return nil, fmt.Errorf("num_tree_per_iteration is %q: want 1 to %d",
			head["num_tree_per_iteration"], MaxClasses)
	}
	l.m.base = make([]float64, perIteration)
	if err := l.objective(head["objective"]); err != nil {
		return nil, err
	}
	if err := l.trees(perIteration); err != nil {
		return nil, err
	}
	if _, isForest := head["average_output"]; isForest {
		l.m.average = float64(l.m.Trees / perIteration)
	}
	return &l.m, l.categories()
}

func (l *lightGBM) trees(perIteration int) error {
	for i := 0; ; i++ {
		values := l.section()
		if _, isEnd := values["end of trees"]; isEnd {
			break
		}
		if values["Tree"] != strconv.Itoa(i) {
			return fmt.Errorf("tree %d is not there: the file is cut off or changed", i)
		}
		t, err := l.tree(values)
		if err == nil {
			err = l.m.add(t, i%perIteration)
		}
		if err != nil {
			return fmt.Errorf("tree %d: %w", i, err)
		}
	}
	if l.m.Trees == 0 || l.m.Trees%perIteration != 0 {
		return fmt.Errorf("it has %d trees, %d an iteration", l.m.Trees, perIteration)
	}
	return nil
}

func (l *lightGBM) objective(objective string) error {
	name, rest, _ := strings.Cut(objective, " ")
	slope, isRoot := 1.0, false
	for _, parameter := range strings.Fields(rest) {
		name, value, _ := strings.Cut(parameter, ":")
		switch name {
		case "sigmoid":
			v, err := strconv.ParseFloat(value, 64)
			if err != nil || !(v > 0) || math.IsInf(v, 0) {
				return fmt.Errorf("its objective is %q: want a positive sigmoid", objective)
			}
			slope = v
		case "sqrt":
			isRoot = true
		}
	}
	m := &l.m
	m.Objective, m.kind = name, Value
	isMany := false
	switch name {
	case "binary":
		m.kind, m.finish = Probability, sigmoid(slope)
	case "cross_entropy":
		m.kind, m.finish = Probability, sigmoid(1)
	case "multiclass":
		m.kind, m.finish, isMany = Classes, softmax, true
	case "multiclassova":
		m.kind, m.finish, isMany = Classes, sigmoid(slope), true
	case "cross_entropy_lambda":
		m.finish = func(sums []float64) { sums[0] = math.Log1p(math.Exp(sums[0])) }
	case "poisson", "gamma", "tweedie":
		m.finish = exponential
	case "regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg":
		m.finish = same
		if isRoot {
			m.finish = func(sums []float64) { sums[0] = math.Copysign(sums[0]*sums[0], sums[0]) }
		}
	default:
		return fmt.Errorf("its objective is %q, which this build does not know", objective)
	}
	if isMany != (len(m.base) > 1) {
		return fmt.Errorf("its objective is %q with %d trees an iteration", objective, len(m.base))
	}
	return nil
}

// arrays reads numbers that are separated by spaces, and remembers the first error.
type arrays struct {
	values map[string]string
	err    error
}

func (a *arrays) read(name string, want int) []float64 {
	fields := strings.Fields(a.values[name])
	if a.err == nil && len(fields) != want {
		a.err = fmt.Errorf("%s has %d values: want %d", name, len(fields), want)
	}
	if a.err != nil {
		return make([]float64, want)
	}
	numbers := make([]float64, 0, len(fields))
	for _, field := range fields {
		v, err := strconv.ParseFloat(field, 64)
		if err != nil && a.err == nil {
			a.err = fmt.Errorf("%s: %w", name, err)
		}
		numbers = append(numbers, v)
	}
	return numbers
}

// whole reads whole numbers of at most 32 bits.
func (a *arrays) whole(name string, want int) []int32 {
	numbers := make([]int32, 0, want)
	for _, v := range a.read(name, want) {
		if a.err == nil && (v != math.Trunc(v) || math.Abs(v) > math.MaxInt32) {
			a.err = fmt.Errorf("%s: %v is no whole number", name, v)
		}
		if a.err != nil {
			v = 0
		}
		numbers = append(numbers, int32(v))
	}
	return numbers
}

// count reads one number.
func (a *arrays) count(name string, low, high int) int {
	n, err := strconv.Atoi(a.values[name])
	if a.err == nil && (err != nil || n < low || n > high) {
		a.err = fmt.Errorf("%s is %q: want %d to %d", name, a.values[name], low, high)
	}
	if a.err != nil {
		return low
	}
	return n
}

func (l *lightGBM) tree(values map[string]string) (t tree, err error) {
	if v := values["is_linear"]; v != "" && v != "0" {
		return t, errors.New("it has linear leaves, which this build does not read: train without linear_tree")
	}
	a := &arrays{values: values}
	leaves := a.count("num_leaves", 1, MaxNodes+1)
	sets := a.count("num_cat", 0, MaxNodes)
	if leaves*2 > len(values["leaf_value"])+1 {
		return t, errors.New("leaf_value has fewer values than there are leaves")
	}
	t.leaves = a.read("leaf_value", leaves)
	if leaves == 1 {
		t.root = ^0
		return t, a.err
	}
	n := leaves - 1
	feature, threshold := a.whole("split_feature", n), a.read("threshold", n)
	decision := a.whole("decision_type", n)
	first, second := a.whole("left_child", n), a.whole("right_child", n)
	var bounds []int32
	if sets > 0 && a.err == nil {
		if sets*2 > len(values["cat_boundaries"]) {
			return t, errors.New("cat_boundaries has fewer values than there are sets")
		}
		bounds = a.whole("cat_boundaries", sets+1)
	}
	if a.err != nil {
		return t, a.err
	}
	at, err := l.sets(values["cat_threshold"], bounds)
	if err != nil {
		return t, err
	}
	for i := range n {
		node := node{feature: feature[i], threshold: threshold[i], first: first[i], second: second[i]}
		if node.flags, err = lightGBMFlags(decision[i]); err != nil {
			return t, err
		}
		if node.flags&isSet != 0 {
			s := threshold[i]
			if !(s >= 0 && s < float64(sets)) || s != math.Trunc(s) {
				return t, fmt.Errorf("node %d: there is no set %v", i, s)
			}
			node.set, node.words = at+bounds[int(s)], bounds[int(s)+1]-bounds[int(s)]
		}
		t.nodes = append(t.nodes, node)
	}
	return t, nil
}

// lightGBMFlags translates a decision_type: whether it is of a set, the default, and what is missing.
func lightGBMFlags(decision int32) (flags uint8, err error) {
	if decision&1 != 0 {
		return isSet, nil // a missing category is in no set
	}
	if decision&2 != 0 {
		flags = defaultFirst
	}
	switch decision >> 2 {
	case 0:
	case 1:
		flags |= zeroMissing
	case 2:
		flags |= nanMissing
	default:
		return 0, fmt.Errorf("decision_type %d is not known", decision)
	}
	return flags, nil
}

// sets stores the sets of a tree. Set i begins at at+bounds[i].
func (l *lightGBM) sets(text string, bounds []int32) (at int32, err error) {
	fields := strings.Fields(text)
	words := make([]uint32, 0, len(fields))
	for _, field := range fields {
		w, err := strconv.ParseUint(field, 10, 32)
		if err != nil {
			return 0, fmt.Errorf("cat_threshold: %w", err)
		}
		words = append(words, uint32(w))
	}
	last := int32(0)
	for _, b := range bounds {
		if b < last || int(b) > len(words) {
			return 0, errors.New("cat_boundaries do not rise within cat_threshold")
		}
		last = b
	}
	return l.m.addSet(words)
}

// categories reads which features are categorical, and which values of a data frame's columns their codes
// stand for: the parameter categorical_feature, and the list pandas_categorical in the same order.
func (l *lightGBM) categories() error {
	var categorical []string
	for {
		line, ok := l.line()
		if !ok {
			return nil
		}
		if list, ok := strings.CutPrefix(line, "[categorical_feature: "); ok {
			categorical = strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ']' })
		}
		list, ok := strings.CutPrefix(line, "pandas_categorical:")
		if !ok || strings.TrimSpace(list) == "null" {
			continue
		}
		var values [][]any
		if err := json.Unmarshal([]byte(list), &values); err != nil {
			return fmt.Errorf("pandas_categorical: %w", err)
		}
		return l.nameCategories(categorical, values)
	}
}

func (l *lightGBM) nameCategories(categorical []string, values [][]any) error {
	if len(values) == 0 {
		return nil
	}
	// guard: trees: categories of other columns are not taken for a column's
	if len(categorical) != len(values) {
		return fmt.Errorf("its data frame had %d columns of categories, and %d features are categorical: "+
			"train with unordered categories only, and no categorical_feature beside them",
			len(values), len(categorical))
	}
	for i, text := range categorical {
		at, err := strconv.Atoi(text)
		if err != nil || at < 0 || at >= len(l.m.Features) {
			return fmt.Errorf("categorical_feature: there is no feature %q", text)
		}
		if err := l.m.Features[at].setCategories(values[i]); err != nil {
			return err
		}
	}
	return nil
}
