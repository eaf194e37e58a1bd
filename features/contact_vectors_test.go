package features

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/pitchstream/pitchstream/schemas"
)

// contactVectors are the columns of flight and contact of the recorded pitches, by file.
func contactVectors(t *testing.T) map[string]map[string]any {
	vectors := map[string]map[string]any{}
	for _, file := range vectorFiles(t, "contact-*.jsonl") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var v struct {
				File    string
				Columns map[string]any
			}
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Fatal(err)
			}
			vectors[v.File] = v.Columns
		}
	}
	return vectors
}

func TestVectorsContactOfTheRecordedPitches(t *testing.T) {
	files, vectors := realFiles(t), contactVectors(t)
	if len(vectors) != len(files) {
		t.Fatalf("%d vectors of %d records", len(vectors), len(files))
	}
	for file, want := range vectors {
		rec := schemas.Record{Value: files[file]}
		core, _ := Transform(rec, Limits{})
		plain, _ := plainTransform(rec, Limits{})
		for who, row := range map[string]*schemas.Row{"core": core.Row, "plain": plain.Row} {
			got := columnsOf(t, row)
			for name, w := range want {
				if !agrees6(got[name], w) {
					t.Errorf("%s: %s: %s is %v, want %v", file, who, name, got[name], w)
				}
			}
		}
	}
}

// agrees6 compares a column's JSON with a vector: numbers to 1e-6 absolute or relative.
func agrees6(got, want any) bool {
	w, ok := want.(float64)
	if !ok {
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		return string(a) == string(b)
	}
	n, ok := got.(json.Number)
	if !ok {
		return false
	}
	g, err := n.Float64()
	return err == nil && math.Abs(g-w) <= 1e-6*max(1, math.Abs(w))
}
