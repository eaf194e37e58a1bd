package scoring

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/internal/scoring/ensemble"
	"github.com/pitchstream/pitchstream/schemas"
)

// Trees are decision trees that LightGBM or XGBoost trained, in one of their files. Its features are the
// columns of this file, in this order. A row that lacks a column is scored as they do it.
type Trees struct {
	Library string `json:"library"` // lightgbm or xgboost
	// Labels name the classes, of a model that tells two or more apart.
	Labels []string `json:"labels,omitempty"`
	Model  string   `json:"model"` // the library's file

	model *ensemble.Model // of Model, since check
}

// parsers read the files of the libraries.
var parsers = map[string]func(string) (*ensemble.Model, error){
	"lightgbm": ensemble.ParseLightGBM,
	"xgboost":  ensemble.ParseXGBoost,
}

func (t *Trees) check(columns []Column) (err error) {
	parse := parsers[t.Library]
	if parse == nil {
		return fmt.Errorf("the library is %q: want lightgbm or xgboost", t.Library)
	}
	if t.model, err = parse(t.Model); err != nil {
		return err
	}
	features := t.model.Features
	if len(features) != len(columns) {
		return fmt.Errorf("it reads %d features, and the file names %d columns", len(features), len(columns))
	}
	for i := range features {
		f := &features[i]
		switch {
		case f.Name != columns[i].Name:
			return fmt.Errorf("its feature %d is %s, and the file's column is %s", i, f.Name, columns[i].Name)
		case isText[f.Name] && f.Texts == nil:
			return fmt.Errorf("%s is a text, and the model has no categories of it: "+
				"train with a data frame in which it has the dtype category", f.Name)
		case !isText[f.Name] && f.Texts != nil:
			return fmt.Errorf("%s is a number, and the model's categories are texts", f.Name)
		}
	}
	classes := 0
	switch t.model.Kind() {
	case ensemble.Probability:
		classes = 2
	case ensemble.Classes:
		classes = t.model.Outputs()
	}
	if len(t.Labels) != 0 && len(t.Labels) != classes {
		return fmt.Errorf("it has %d labels for %d classes", len(t.Labels), classes)
	}
	if slices.ContainsFunc(t.Labels, func(s string) bool {
		return s == "" || len(s) > 100 || !utf8.ValidString(s)
	}) {
		return fmt.Errorf("want labels of 1–100 bytes")
	}
	return nil
}

// scorer returns the function that scores a row. Value is the prediction: a number, or the probability of the
// second of two classes. Among more classes, Label is the likeliest one and Value its probability. Margin is
// how much likelier it is than the next.
func (t *Trees) scorer() func(*schemas.Row, []value, *schemas.Score) {
	codes := schemas.Map(t.model.Features, codesOf)
	return func(_ *schemas.Row, values []value, score *schemas.Score) {
		var x [maxColumns]float64
		for i, v := range values {
			x[i] = codes[i](v)
		}
		var out [ensemble.MaxClasses]float64
		n := t.model.Outputs()
		t.model.Predict(x[:len(values)], out[:n])
		t.say(out[:n], score)
	}
}

func (t *Trees) say(out []float64, score *schemas.Score) {
	score.Value = finite(out[0])
	switch t.model.Kind() {
	case ensemble.Probability:
		if t.Labels != nil {
			second := 0
			if out[0] >= 0.5 {
				second = 1
			}
			score.Label = schemas.Text(t.Labels[second])
			score.Margin = finite(math.Abs(float64(2*out[0]) - 1))
		}
	case ensemble.Classes:
		best, next := 0, math.Inf(-1)
		for i, p := range out[1:] {
			if p > out[best] {
				best, next = i+1, out[best]
			} else {
				next = max(next, p)
			}
		}
		score.Label = schemas.Text(fmt.Sprint("class ", best))
		if t.Labels != nil {
			score.Label = schemas.Text(t.Labels[best])
		}
		score.Value, score.Margin = finite(out[best]), finite(out[best]-next)
	}
}

// codesOf returns the function that makes what the trees compare with of a column: the number, or the code of
// the category. A category that the model was not trained on is missing.
func codesOf(f ensemble.Feature) func(value) float64 {
	texts, numbers := map[string]float64{}, map[float64]float64{}
	for code, text := range f.Texts {
		texts[text] = float64(code)
	}
	for code, n := range f.Numbers {
		numbers[n] = float64(code)
	}
	switch {
	case len(texts) > 0:
		return func(v value) float64 { return codeOr(texts, v.text) }
	case len(numbers) > 0:
		return func(v value) float64 { return codeOr(numbers, v.number) }
	}
	return func(v value) float64 { return v.number }
}

func codeOr[K comparable](codes map[K]float64, key K) float64 {
	if code, ok := codes[key]; ok {
		return code
	}
	return math.NaN()
}

// Import reads a model file, or a file of LightGBM or XGBoost. Such a file names its features only, so the
// units are those of the row, and it scores these rows: swings or pitches. Labels name its classes.
func Import(content []byte, rows string, labels []string) (*File, error) {
	library, err := ensemble.Library(content)
	if err != nil || library == "" {
		if err == nil && (rows != "" || len(labels) > 0) {
			err = fmt.Errorf("the file is a model of this program, which says itself what rows it scores and " +
				"how its classes are named: leave out --rows and --labels")
		}
		if err != nil {
			return nil, err
		}
		return Parse(content)
	}
	if len(content) > MaxFileBytes {
		return nil, tooLarge(len(content))
	}
	model, err := parsers[library](string(content))
	if err != nil {
		return nil, err
	}
	if rows == "" {
		rows = RowsSwings
	}
	for _, feature := range model.Features {
		// guard: trees: codes of categories that nobody knows are not taken for values
		if feature.IsUnnamed && !isText[feature.Name] {
			return nil, fmt.Errorf("%s is categorical, and XGBoost before 3.1 does not store which values its "+
				"codes stand for: train with 3.1 or later, or with %[1]s as a number", feature.Name)
		}
	}
	names := schemas.Map(model.Features, func(f ensemble.Feature) string { return f.Name })
	f := &File{
		Format: Format, Kind: KindTrees, Rows: rows, Columns: columnsNamed(names...),
		Trained: Trained{By: library},
		Figures: map[string]float64{"trees": float64(model.Trees), "most_comparisons": float64(model.Steps)},
		Trees:   &Trees{Library: library, Labels: labels, Model: string(content)},
	}
	return f, f.check()
}
