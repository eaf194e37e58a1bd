package ensemble

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ParseXGBoost reads a model that XGBoost's save_model wrote as JSON, of version 1.6 or later; 3.2 is tested.
// Where training stopped early, the trees after the best iteration are left out, as XGBoost's predictors for
// scikit-learn do.
func ParseXGBoost(text string) (*Model, error) {
	var file xgbFile
	if err := CheckObjects([]byte(text)); err != nil {
		return nil, fmt.Errorf("XGBoost's model: %w", err)
	}
	if err := json.Unmarshal([]byte(text), &file); err != nil {
		return nil, fmt.Errorf("this is no model of XGBoost: %w", err)
	}
	x := xgb{learner: &file.Learner, isOld: slices.Compare(file.Version, namesCategories) < 0}
	m, err := x.model()
	if err != nil {
		return nil, fmt.Errorf("XGBoost's model: %w", err)
	}
	return m, nil
}

type xgbFile struct {
	Learner xgbLearner `json:"learner"`
	Version []int      `json:"version"`
}

// namesCategories is the first version of XGBoost that stores the categories of a data frame.
var namesCategories = []int{3, 1}

type xgbLearner struct {
	Attributes      map[string]string `json:"attributes"`
	FeatureNames    []string          `json:"feature_names"`
	FeatureTypes    []string          `json:"feature_types"`
	GradientBooster struct {
		Name       string    `json:"name"`
		Model      xgbModel  `json:"model"`
		Gbtree     xgbDart   `json:"gbtree"` // of dart
		WeightDrop []float64 `json:"weight_drop"`
	} `json:"gradient_booster"`
	Parameters struct {
		BaseScore  string `json:"base_score"`
		NumClass   string `json:"num_class"`
		NumFeature string `json:"num_feature"`
		NumTarget  string `json:"num_target"`
	} `json:"learner_model_param"`
	Objective struct {
		Name string `json:"name"`
	} `json:"objective"`
}

type xgbDart struct {
	Model xgbModel `json:"model"`
}

type xgbModel struct {
	Parameters struct {
		NumParallelTree string `json:"num_parallel_tree"`
	} `json:"gbtree_model_param"`
	Categories struct {
		Encodings []xgbEncoding `json:"enc"`
	} `json:"cats"`
	IterationEnds []int     `json:"iteration_indptr"`
	TreeInfo      []int     `json:"tree_info"`
	Trees         []xgbTree `json:"trees"`
}

// xgbEncoding has the categories of a feature: texts as bytes between offsets, or numbers.
type xgbEncoding struct {
	Offsets []int     `json:"offsets"`
	Values  []float64 `json:"values"`
	Type    *int      `json:"type"`
}

type xgbTree struct {
	Left              []int32   `json:"left_children"`
	Right             []int32   `json:"right_children"`
	Feature           []int32   `json:"split_indices"`
	Condition         []float32 `json:"split_conditions"`
	DefaultLeft       xgbFlags  `json:"default_left"`
	SplitType         xgbFlags  `json:"split_type"`
	Categories        []int32   `json:"categories"`
	CategoriesNodes   []int     `json:"categories_nodes"`
	CategoriesBegin   []int     `json:"categories_segments"`
	CategoriesLengths []int     `json:"categories_sizes"`
	Parameters        struct {
		LeafVector string `json:"size_leaf_vector"`
	} `json:"tree_param"`
}

// xgbFlags are numbers, or true and false.
type xgbFlags []bool

func (f *xgbFlags) UnmarshalJSON(b []byte) error {
	var numbers []xgbFlag
	if err := json.Unmarshal(b, &numbers); err != nil {
		return err
	}
	for _, n := range numbers {
		*f = append(*f, bool(n))
	}
	return nil
}

type xgbFlag bool

func (u *xgbFlag) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "1", "true":
		*u = true
	case "0", "false":
	default:
		return fmt.Errorf("%.20q is neither 0 nor 1", b)
	}
	return nil
}

// xgb makes a Model of a learner.
type xgb struct {
	learner *xgbLearner
	isOld   bool // before namesCategories
	m       Model
}

func (x *xgb) model() (*Model, error) {
	x.m.isF32 = true
	booster := &x.learner.GradientBooster
	model := &booster.Model
	switch booster.Name {
	case "gbtree":
	case "dart":
		model = &booster.Gbtree.Model
		if len(booster.WeightDrop) != len(model.Trees) {
			return nil, fmt.Errorf("weight_drop has %d values for %d trees", len(booster.WeightDrop), len(model.Trees))
		}
		x.m.weight = booster.WeightDrop
	default:
		return nil, fmt.Errorf("its booster is %q: this build reads gbtree and dart", booster.Name)
	}
	if err := x.features(model.Categories.Encodings); err != nil {
		return nil, err
	}
	classes, err := x.classes()
	if err != nil {
		return nil, err
	}
	x.m.base = make([]float64, classes)
	if err := x.objective(); err != nil {
		return nil, err
	}
	if len(model.TreeInfo) != len(model.Trees) || len(model.Trees) == 0 {
		return nil, fmt.Errorf("it has %d trees and the classes of %d", len(model.Trees), len(model.TreeInfo))
	}
	used, err := x.used(model)
	if err != nil {
		return nil, err
	}
	for i := range used {
		t, err := x.tree(&model.Trees[i])
		if err == nil {
			err = x.m.add(t, model.TreeInfo[i])
		}
		if err != nil {
			return nil, fmt.Errorf("tree %d: %w", i, err)
		}
	}
	return &x.m, nil
}

func (x *xgb) features(encodings []xgbEncoding) error {
	n, err := strconv.Atoi(x.learner.Parameters.NumFeature)
	if err != nil || n != len(x.learner.FeatureNames) {
		return fmt.Errorf("it names %d features, and num_feature is %q: train with a data frame, "+
			"so that the file names its columns", len(x.learner.FeatureNames), x.learner.Parameters.NumFeature)
	}
	types := len(x.learner.FeatureTypes)
	if types != 0 && types != n || len(encodings) != 0 && len(encodings) != n {
		return fmt.Errorf("it has %d features, the types of %d, and the categories of %d",
			n, types, len(encodings))
	}
	for i, name := range x.learner.FeatureNames {
		f := Feature{Name: name, IsCategorical: len(x.learner.FeatureTypes) > 0 && x.learner.FeatureTypes[i] == "c"}
		if len(encodings) > 0 {
			if err := f.decode(&encodings[i]); err != nil {
				return err
			}
		}
		f.IsUnnamed = f.IsCategorical && x.isOld && f.Texts == nil && f.Numbers == nil
		x.m.Features = append(x.m.Features, f)
	}
	return checkFeatures(x.m.Features)
}

func (f *Feature) decode(e *xgbEncoding) error {
	var values []any
	if e.Type != nil {
		for _, v := range e.Values {
			values = append(values, v)
		}
	} else {
		bytes := make([]byte, 0, len(e.Values))
		for _, v := range e.Values {
			// XGBoost 3 counts characters where it stores bytes, and so cuts other texts.
			// guard: trees: categories that XGBoost cuts are refused | v > 127 -> v > 255
			if v != math.Trunc(v) || v > 127 || v < 0 {
				return fmt.Errorf("a category of %s is not ASCII, and XGBoost stores such ones cut off: "+
					"rename it, or train with LightGBM", f.Name)
			}
			bytes = append(bytes, byte(v))
		}
		for i := 1; i < len(e.Offsets); i++ {
			from, to := e.Offsets[i-1], e.Offsets[i]
			if from < 0 || to < from || to > len(bytes) {
				return fmt.Errorf("the categories of %s have an offset that is not in them", f.Name)
			}
			values = append(values, string(bytes[from:to]))
		}
	}
	if len(values) == 0 {
		return nil
	}
	return f.setCategories(values)
}

func (x *xgb) classes() (int, error) {
	if t := x.learner.Parameters.NumTarget; t != "" && t != "0" && t != "1" {
		return 0, fmt.Errorf("it has %s targets: this build reads models of one", t)
	}
	n, err := strconv.Atoi(x.learner.Parameters.NumClass)
	if err != nil || n < 0 || n > MaxClasses {
		return 0, fmt.Errorf("num_class is %q: want 0 to %d", x.learner.Parameters.NumClass, MaxClasses)
	}
	return max(1, n), nil
}

func (x *xgb) objective() error {
	m := &x.m
	m.Objective, m.kind = x.learner.Objective.Name, Value
	link := func(score float64) float64 { return score }
	logit := func(score float64) float64 { return float64(float32(-math.Log(float64(float32(1/score - 1))))) }
	isMany := false
	switch m.Objective {
	case "binary:logistic":
		m.kind, m.finish, link = Probability, sigmoid(1), logit
	case "reg:logistic":
		m.finish, link = sigmoid(1), logit
	case "multi:softprob", "multi:softmax":
		m.kind, m.finish, isMany = Classes, softmax, true
	case "count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft":
		m.finish, link = exponential, math.Log
	case "reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror",
		"reg:squaredlogerror", "rank:pairwise", "rank:ndcg", "rank:map":
		m.finish = same
	default:
		return fmt.Errorf("its objective is %q, which this build does not know", m.Objective)
	}
	if isMany != (len(m.base) > 1) {
		return fmt.Errorf("its objective is %q with %d classes", m.Objective, len(m.base))
	}
	scores := strings.Split(strings.Trim(x.learner.Parameters.BaseScore, "[]"), ",")
	if len(scores) != 1 && len(scores) != len(m.base) {
		return fmt.Errorf("base_score is %.100q: want one, or one of each class", x.learner.Parameters.BaseScore)
	}
	for i := range m.base {
		score, err := strconv.ParseFloat(scores[i%len(scores)], 32)
		if m.base[i] = m.round(link(score)); err != nil || math.IsNaN(m.base[i]) || math.IsInf(m.base[i], 0) {
			return fmt.Errorf("base_score is %.100q, which the objective %s does not allow",
				x.learner.Parameters.BaseScore, m.Objective)
		}
	}
	return nil
}

// used returns how many trees predict: all, or those up to the best iteration.
func (x *xgb) used(model *xgbModel) (int, error) {
	all := len(model.Trees)
	best, isEarly := x.learner.Attributes["best_iteration"]
	if !isEarly {
		return all, nil
	}
	n, err := strconv.Atoi(best)
	if err != nil || n < 0 || n > MaxTrees {
		return 0, fmt.Errorf("best_iteration is %q", best)
	}
	if len(model.IterationEnds) == 0 {
		parallel, err := strconv.Atoi(model.Parameters.NumParallelTree)
		if err != nil || parallel < 1 || parallel > MaxTrees {
			return 0, fmt.Errorf("num_parallel_tree is %q", model.Parameters.NumParallelTree)
		}
		return min(all, (n+1)*parallel*len(x.m.base)), nil
	}
	if n+1 >= len(model.IterationEnds) {
		return all, nil
	}
	if end := model.IterationEnds[n+1]; end > 0 && end <= all {
		return end, nil
	}
	return 0, errors.New("iteration_indptr does not fit the number of trees")
}

func (x *xgb) tree(from *xgbTree) (t tree, err error) {
	n := len(from.Left)
	if n == 0 || len(from.Right) != n || len(from.Feature) != n || len(from.Condition) != n ||
		len(from.DefaultLeft) != n || len(from.SplitType) != n && len(from.SplitType) != 0 {
		return t, errors.New("its arrays are of different lengths")
	}
	if v := from.Parameters.LeafVector; v != "" && v != "0" && v != "1" {
		return t, errors.New("its leaves are vectors, which this build does not read: train one tree a class")
	}
	// Each node of the file becomes the node or the leaf of this index.
	place := make([]int32, n)
	nodes := int32(0)
	for i := range n {
		if from.Left[i] == -1 {
			place[i] = ^int32(len(t.leaves))
			t.leaves = append(t.leaves, float64(from.Condition[i]))
		} else {
			place[i] = nodes
			nodes++
		}
	}
	sets, err := x.sets(from, n)
	if err != nil {
		return t, err
	}
	t.root = place[0]
	for i := range n {
		if place[i] < 0 {
			continue
		}
		left, right := from.Left[i], from.Right[i]
		if left < 0 || int(left) >= n || right < 0 || int(right) >= n {
			return t, errNoTree
		}
		node := node{feature: from.Feature[i], first: place[left], second: place[right], flags: nanMissing}
		isDefaultFirst := from.DefaultLeft[i]
		if len(from.SplitType) > 0 && from.SplitType[i] {
			node.flags |= isSet
			node.first, node.second, isDefaultFirst = node.second, node.first, !isDefaultFirst
			node.set, node.words = sets[i].at, sets[i].words
		} else {
			node.threshold = float64(math.Nextafter32(from.Condition[i], float32(math.Inf(-1))))
		}
		if isDefaultFirst {
			node.flags |= defaultFirst
		}
		t.nodes = append(t.nodes, node)
	}
	return t, nil
}

type xgbSet struct{ at, words int32 }

// sets stores the sets of a tree, by the node of the file.
func (x *xgb) sets(from *xgbTree, nodes int) (map[int]xgbSet, error) {
	if len(from.CategoriesBegin) != len(from.CategoriesNodes) ||
		len(from.CategoriesLengths) != len(from.CategoriesNodes) {
		return nil, errors.New("its sets of categories are of different lengths")
	}
	sets := map[int]xgbSet{}
	for i, node := range from.CategoriesNodes {
		begin, size := from.CategoriesBegin[i], from.CategoriesLengths[i]
		if node < 0 || node >= nodes || begin < 0 || size < 0 || begin > len(from.Categories)-size {
			return nil, errors.New("a set of categories is not in the file")
		}
		var words []uint32
		for _, c := range from.Categories[begin : begin+size] {
			if c < 0 || c >= maxCategory {
				return nil, fmt.Errorf("there is no category %d", c)
			}
			if need := int(c>>5) + 1 - len(words); need > 0 {
				words = append(words, make([]uint32, need)...)
			}
			words[c>>5] |= 1 << (c & 31)
		}
		at, err := x.m.addSet(words)
		if err != nil {
			return nil, err
		}
		sets[node] = xgbSet{at, int32(len(words))}
	}
	return sets, nil
}

// isUBJSON reports whether the bytes are XGBoost's binary format, which begins with an object and a length.
func isUBJSON(b []byte) bool {
	return len(b) > 10 && b[0] == '{' && b[1] == 'L' && binary.BigEndian.Uint64(b[2:10]) < 1<<20
}

// Library names the library whose file this is: lightgbm or xgboost, else "".
func Library(content []byte) (string, error) {
	text := string(content[:min(len(content), 4096)])
	switch {
	case isUBJSON(content):
		return "", errors.New("the file is XGBoost's binary format: save the model to a name that ends in .json")
	case strings.HasPrefix(text, "tree\n"), strings.HasPrefix(text, "tree\r\n"):
		return "lightgbm", nil
	case strings.HasPrefix(text, "{") && strings.Contains(text, `"learner"`):
		return "xgboost", nil
	}
	return "", nil
}
