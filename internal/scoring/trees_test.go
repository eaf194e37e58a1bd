package scoring

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/scoring/ensemble"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// set gives a row the value of a column as JSON has it.
func set(t *testing.T, row *schemas.Row, column string, v any) {
	t.Helper()
	at := slices.IndexFunc(schemas.RowColumns, func(c schemas.Column) bool { return c.Name == column })
	require.NotEqual(t, -1, at, column)
	if v == nil {
		return
	}
	switch field := reflect.ValueOf(row).Elem().Field(at).Addr().Interface().(type) {
	case *schemas.Opt[float64]:
		*field = schemas.Some(v.(float64))
	case *schemas.Opt[int16]:
		*field = schemas.Some(int16(v.(float64)))
	case *schemas.Text:
		*field = schemas.Text(v.(string))
	case *bool:
		*field = v.(bool)
	default:
		t.Fatalf("no rule for %s", column)
	}
}

// The libraries and this program predict the same, for missing values and categories, too.
func TestTreesPredictWhatTheLibrariesPredict(t *testing.T) {
	dir := t.TempDir()
	python := testkit.Python(t, "lightgbm, xgboost, pandas")
	script := exec.CommandContext(t.Context(), python, "testdata/trees.py", dir)
	out, err := script.CombinedOutput()
	require.NoError(t, err, string(out))
	b, err := os.ReadFile(filepath.Join(dir, "data.json"))
	require.NoError(t, err)
	var data struct {
		Columns     map[string][]any           `json:"columns"`
		Predictions map[string]json.RawMessage `json:"predictions"`
	}
	require.NoError(t, json.Unmarshal(b, &data))
	require.Len(t, data.Predictions, 29)
	rows := make([]schemas.Row, 10_000)
	for name, values := range data.Columns {
		for i, v := range values {
			set(t, &rows[i], name, v)
		}
	}
	for name, want := range data.Predictions {
		t.Run(name, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(dir, name+".*"))
			require.NoError(t, err)
			content, err := os.ReadFile(files[0])
			require.NoError(t, err)
			f, err := Import(content, RowsPitches, nil)
			require.NoError(t, err)
			s := scorerOf(t, f)
			var numbers []float64
			if json.Unmarshal(want, &numbers) != nil {
				requireClasses(t, s, rows, want)
				return
			}
			worst := 0.0
			for i := range rows {
				got := s.Score(&rows[i])[0].Value.Value
				worst = max(worst, math.Abs(got-numbers[i])/max(1, math.Abs(numbers[i])))
			}
			t.Logf("differs by at most %.2g", worst)
			require.LessOrEqual(t, worst, 1e-6)
		})
	}
}

// requireClasses fails unless the likeliest class, its probability and the distance to the next one are
// these.
func requireClasses(t *testing.T, s schemas.Scorer, rows []schemas.Row, want []byte) {
	t.Helper()
	var all [][]float64
	require.NoError(t, json.Unmarshal(want, &all))
	labels := []schemas.Text{"class 0", "class 1", "class 2", "class 3"}
	for i, p := range all {
		got := s.Score(&rows[i])[0]
		sorted := slices.Sorted(slices.Values(p))
		require.InDelta(t, sorted[3], got.Value.Value, 1e-6)
		require.InDelta(t, sorted[3]-sorted[2], got.Margin.Value, 2e-6)
		if sorted[3]-sorted[2] > 1e-6 {
			require.Equal(t, labels[slices.Index(p, sorted[3])], got.Label)
		}
	}
}

// stump is a LightGBM model of one node.
const stump = `tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=binary sigmoid:1
feature_names=bat_speed_mph pitch_type
feature_infos=[0:1] -1:0:1

Tree=0
num_leaves=3
num_cat=1
split_feature=0 1
threshold=70.5 0
decision_type=10 1
left_child=-1 -2
right_child=1 -3
leaf_value=-1 2 0.5
cat_boundaries=0 1
cat_threshold=2
is_linear=0

end of trees

parameters:
[categorical_feature: 1]
end of parameters

pandas_categorical:[["Curveball", "Slider"]]
`

// guard: trees: categories of other columns are not taken for a column's
// guard: trees: categories that XGBoost cuts are refused
// guard: trees: nodes that form a circle are refused
func TestATreeFileThatCannotBeUsedIsRefusedByName(t *testing.T) {
	_, err := Import([]byte(stump), "", nil)
	require.NoError(t, err)
	for want, change := range map[string][2]string{
		`no column bat_speed that a model can read (is it bat_speed_mph?)`: {"bat_speed_mph", "bat_speed"},
		`its version is "v5"`:                         {"version=v4", "version=v5"},
		`its objective is "magic sigmoid:1"`:          {"objective=binary", "objective=magic"},
		`want a positive sigmoid`:                     {"sigmoid:1", "sigmoid:-1"},
		`its nodes do not form a tree`:                {"right_child=1", "right_child=0"},
		`it reads column 7 of 2`:                      {"split_feature=0", "split_feature=7"},
		`a leaf is no finite number`:                  {"leaf_value=-1", "leaf_value=nan"},
		`a threshold is no number`:                    {"threshold=70.5", "threshold=nan"},
		`there is no set 3`:                           {"threshold=70.5 0", "threshold=70.5 3"},
		`do not rise within`:                          {"cat_boundaries=0 1", "cat_boundaries=0 2"},
		`leaf_value has fewer values`:                 {"num_leaves=3", "num_leaves=1000000"},
		`left_child has 2 values: want 3`:             {"num_leaves=3", "num_leaves=4\nsplit_feature=0 0 0\nthreshold=0 0 0\ndecision_type=0 0 0\nleaf_value=0 0 0 0\nx=y"},
		`linear leaves`:                               {"is_linear=0", "is_linear=1"},
		`tree 0 is not there`:                         {"Tree=0", "Tree=1"},
		`decision_type 12 is not known`:               {"decision_type=10", "decision_type=12"},
		`pitch_type is a text`:                        {`pandas_categorical:[["Curveball", "Slider"]]`, "pandas_categorical:null"},
		`and 0 features are categorical`:              {"[categorical_feature: 1]", "[categorical_feature: ]"},
		`pitches_type`:                                {"pitch_type", "pitches_type"},
		`bat_speed_mph is a number`:                   {"[categorical_feature: 1]", "[categorical_feature: 0]"},
		`this is no model of XGBoost`:                 {stump, `{"learner": [`},
		`save the model to a name that ends in .json`: {stump, "{L\x00\x00\x00\x00\x00\x00\x00\x07learner"},
	} {
		text := stump
		for _, line := range strings.Split(change[1], "\n")[1:] {
			if name, _, ok := strings.Cut(line, "="); ok {
				text = strings.ReplaceAll(text, "\n"+name+"=", "\nwas_"+name+"=")
			}
		}
		text = strings.Replace(text, change[0], change[1], 1)
		_, err := Import([]byte(text), "", nil)
		require.ErrorContains(t, err, want, want)
	}
	small, err := os.ReadFile("testdata/xgboost.json")
	require.NoError(t, err)
	_, err = Import([]byte(strings.Replace(string(small), ",83,108,105,", ",195,137,105,", 1)), "", nil)
	require.ErrorContains(t, err, "a category of pitch_type is not ASCII")
	for want, change := range map[string][2]string{
		`its booster is "gblinear"`:               {`"name":"gbtree"`, `"name":"gblinear"`},
		`its objective is "rank:magic"`:           {"multi:softprob", "rank:magic"},
		`it has 2 targets`:                        {`"num_target":"1"`, `"num_target":"2"`},
		`base_score is`:                           {`"base_score":"[`, `"base_score":"[x`},
		`its leaves are vectors`:                  {`"size_leaf_vector":"1"`, `"size_leaf_vector":"2"`},
		`its nodes do not form a tree`:            {`"left_children":[1`, `"left_children":[0`},
		`it is of class 9 of 2`:                   {`"tree_info":[0`, `"tree_info":[9`},
		`arrays are of different lengths`:         {`"left_children":[1,`, `"left_children":[1,1,`},
		`no column balls_thrown`:                  {`"balls"`, `"balls_thrown"`},
		`neither 0 nor 1`:                         {`"default_left":[`, `"default_left":[7,`},
		`names 3 features, and num_feature is "4`: {`"num_feature":"3"`, `"num_feature":"4"`},
	} {
		require.Contains(t, string(small), change[0])
		_, err := Import([]byte(strings.ReplaceAll(string(small), change[0], change[1])), "", nil)
		require.ErrorContains(t, err, want, want)
	}
	_, err = Import([]byte(stump), "", []string{"one"})
	require.ErrorContains(t, err, "1 labels for 2 classes")
	_, err = Import(append([]byte(stump), make([]byte, MaxFileBytes)...), "", nil)
	require.ErrorContains(t, err, "at most")
}

// Files of XGBoost before 3.1 have codes of categories, and not what these stand for.
// guard: trees: codes of categories that nobody knows are not taken for values
func TestCategoriesWithoutNamesAreRefused(t *testing.T) {
	small, err := os.ReadFile("testdata/xgboost.json")
	require.NoError(t, err)
	unnamed := strings.Replace(string(small), `{"type":15,"values":[0,1,2,3]}`, `{"offsets":[],"values":[]}`, 1)
	require.NotEqual(t, string(small), unnamed)
	for version, want := range map[string]string{
		"[3,0,5]": "balls is categorical, and XGBoost before 3.1 does not store", "[1,7,6]": "balls is categorical",
		"[3,1,0]": "", "[3,2,0]": "",
	} {
		_, err := Import([]byte(strings.Replace(unnamed, `"version":[3,2,0]`, `"version":`+version, 1)), "", nil)
		if want == "" {
			require.NoError(t, err, version)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}

// guard: models: a small file of many objects does not take the memory
func TestTheObjectsOfAModelFileAreBounded(t *testing.T) {
	objects := func(before string, n int) []byte {
		return []byte(before + strings.Repeat("{},", n-1) + "{}]}")
	}
	_, err := Import(objects(`{"learner":[`, ensemble.MaxObjects), "", nil)
	require.ErrorContains(t, err, "it has 200001 objects, and at most 200000 are allowed")
	_, err = Import(objects(`{"learner":[`, ensemble.MaxObjects-1), "", nil)
	require.ErrorContains(t, err, "this is no model of XGBoost")
	_, err = Parse(objects(`{"columns":[`, ensemble.MaxObjects))
	require.ErrorContains(t, err, "it has 200001 objects")
}

func TestTreesNameTheClassAndItsProbability(t *testing.T) {
	f, err := Import([]byte(stump), RowsPitches, []string{"contact", "whiff"})
	require.NoError(t, err)
	s := scorerOf(t, f)
	sigmoid := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	score := func(speed float64, pitchType schemas.Text) schemas.Score {
		row := schemas.Row{PitchType: pitchType}
		if speed > 0 {
			row.BatSpeedMPH = schemas.Some(speed)
		}
		return s.Score(&row)[0]
	}
	require.Equal(t, sigmoid(-1), score(70.5, "Slider").Value.Value)
	require.Equal(t, schemas.Text("contact"), score(70.5, "Slider").Label)
	require.Equal(t, sigmoid(2), score(70.6, "Slider").Value.Value)
	require.Equal(t, schemas.Text("whiff"), score(70.6, "Slider").Label)
	require.Equal(t, sigmoid(0.5), score(70.6, "Curveball").Value.Value)
	require.Equal(t, sigmoid(0.5), score(70.6, "Sinker").Value.Value, "a category that it does not know")
	require.Equal(t, sigmoid(-1), score(0, "Slider").Value.Value, "a missing value goes left here")
}

func FuzzTrees(f *testing.F) {
	f.Add([]byte(stump))
	for _, name := range []string{"lightgbm.txt", "xgboost.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := Import(content, "", nil)
		if err != nil {
			return
		}
		b, err := file.Encode()
		require.NoError(t, err)
		again, err := Parse(bytes.ToValidUTF8(b, nil))
		if err != nil {
			return
		}
		s := scorerOf(t, again)
		row := schemas.Row{IsSwing: true, PitchType: "Slider", BatSpeedMPH: schemas.Some(70.0)}
		require.Len(t, s.Score(&row), 1)
	})
}
