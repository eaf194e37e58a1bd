package features

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// vectorFiles are some of the specification's vectors, which are not part of this project.
func vectorFiles(t *testing.T, pattern string) []string {
	t.Helper()
	dir := testkit.Vectors(t)
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		testkit.Unavailable(t, "no "+pattern+" in "+dir)
	}
	return files
}

// featureVector is a line of features.jsonl.
type featureVector struct {
	ID      string            `json:"id"`
	Key     *string           `json:"key"`
	Headers map[string]string `json:"headers"`
	Value   *string           `json:"value"`
	Base64  string            `json:"value_base64"`
	Want    struct {
		Row  map[string]any `json:"row"`
		Dead schemas.Code   `json:"dead"`
	} `json:"want"`
}

func (v featureVector) record(t *testing.T) schemas.Record {
	rec := schemas.Record{Value: valueOf(t, v.Value, v.Base64)}
	if v.Key != nil {
		rec.Key = []byte(*v.Key)
	}
	for k, h := range v.Headers {
		rec.Headers = append(rec.Headers, schemas.Header{Key: k, Value: []byte(h)})
	}
	return rec
}

func valueOf(t *testing.T, text *string, encoded string) []byte {
	if text != nil {
		return []byte(*text)
	}
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectorsFeatures(t *testing.T) {
	for _, file := range vectorFiles(t, "features*.jsonl") {
		f, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(f))
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			var v featureVector
			decodeNumbers(t, lines.Bytes(), &v)
			t.Run(filepath.Base(file)+"/"+v.ID, func(t *testing.T) { v.check(t) })
		}
	}
}

func (v featureVector) check(t *testing.T) {
	change, rej := Transform(v.record(t), Limits{})
	switch {
	case rej != nil && rej.Code != v.Want.Dead:
		t.Fatalf("got the rejection %v, want %v%v", rej, v.Want.Dead, v.Want.Row)
	case rej == nil && v.Want.Dead != "":
		t.Fatalf("got a row, want the rejection %s", v.Want.Dead)
	case rej == nil:
		diffColumns(t, columnsOf(t, change.Row), v.Want.Row)
	}
}

func decodeNumbers(t *testing.T, b []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		t.Fatal(err)
	}
}

// columnsOf is a value's JSON, as maps.
func columnsOf(t *testing.T, v any) map[string]any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	decodeNumbers(t, b, &m)
	return m
}

// diffColumns compares what is wanted with what is there: numbers to 1e-9, everything else exactly.
func diffColumns(t *testing.T, got, want map[string]any) {
	t.Helper()
	for name, w := range want {
		g, ok := got[name]
		if !ok || !equalJSON(g, w) {
			t.Errorf("%s is %v, want %v", name, g, w)
		}
	}
}

func equalJSON(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		n, ok := b.(json.Number)
		return ok && (a == n || close9(a, n))
	case map[string]any:
		m, ok := b.(map[string]any)
		if !ok || len(m) != len(a) {
			return false
		}
		for k := range a {
			if _, ok := m[k]; !ok || !equalJSON(a[k], m[k]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

// close9 compares numbers that may be measures; integers must be equal.
func close9(a, b json.Number) bool {
	if _, err := a.Int64(); err == nil && !strings.Contains(b.String(), ".") {
		return false
	}
	x, err1 := a.Float64()
	y, err2 := b.Float64()
	return err1 == nil && err2 == nil && math.Abs(x-y) <= 1e-9*max(math.Abs(x), math.Abs(y))
}
