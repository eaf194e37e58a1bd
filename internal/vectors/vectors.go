// Package vectors reads the specification's streams, records with what the stores hold at their end, and holds what a
// test found against them.
package vectors

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// Stream is one vector: records in offset order by partition, and the answers.
type Stream struct {
	Name    string
	Records []schemas.Record
	want    want
}

type want struct {
	Rows        []map[string]any `json:"rows"`
	Letters     []Letter         `json:"letters"`
	Batters     []map[string]any `json:"batters"`
	BatterGames []map[string]any `json:"batter_games"`
}

// Letter names a record that failed, and the code.
type Letter struct {
	Partition int32        `json:"partition"`
	Offset    int64        `json:"offset"`
	Code      schemas.Code `json:"code"`
}

// State is what the stores hold.
type State struct {
	Rows    []schemas.StoredRow
	Letters []Letter
	Batters map[int64]schemas.Stats
	Games   map[schemas.BatterGame]schemas.Stats
}

// Streams reads every stream-*.json of the vectors; without them the test is skipped (fails under CI).
func Streams(t testing.TB) []Stream {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testkit.Vectors(t), "stream-*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no stream-*.json in %s (%v)", testkit.Vectors(t), err)
	}
	var streams []Stream
	for _, file := range files {
		streams = append(streams, read(t, file))
	}
	return streams
}

func read(t testing.TB, file string) Stream {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Records []struct {
			Partition   int32       `json:"partition"`
			Offset      int64       `json:"offset"`
			TimestampMS int64       `json:"timestamp_ms"`
			Key         *string     `json:"key"`
			Headers     [][2]string `json:"headers"`
			Value       *string     `json:"value"`
			Base64      *string     `json:"value_base64"`
		} `json:"records"`
		Want want `json:"want"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	s := Stream{Name: filepath.Base(file), want: v.Want}
	for _, r := range v.Records {
		rec := schemas.Record{Coordinates: schemas.Coordinates{Topic: "pitches.raw", Partition: r.Partition, Offset: r.Offset, TimestampMS: r.TimestampMS}}
		if r.Key != nil {
			rec.Key = []byte(*r.Key)
		}
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, schemas.Header{Key: h[0], Value: []byte(h[1])})
		}
		switch {
		case r.Value != nil:
			rec.Value = []byte(*r.Value)
		case r.Base64 != nil:
			if rec.Value, err = base64.StdEncoding.DecodeString(*r.Base64); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
		s.Records = append(s.Records, rec)
	}
	return s
}

// Check holds what was found against the answers: counts and maxima exactly, averages and features to 1e-9.
func (s Stream) Check(t testing.TB, got State) {
	t.Helper()
	found := map[string]any{}
	for _, r := range got.Rows {
		found[r.PitchID.String()] = r
	}
	compare(t, "row", found, s.want.Rows, "pitch_id")
	found = map[string]any{}
	for _, l := range got.Letters {
		key := fmt.Sprint(l.Partition, " ", l.Offset)
		if found[key] != nil {
			t.Errorf("letter %s stands twice", key)
		}
		found[key] = l
	}
	letters := make([]map[string]any, len(s.want.Letters))
	for i, l := range s.want.Letters {
		letters[i] = map[string]any{"partition": float64(l.Partition), "offset": float64(l.Offset), "code": string(l.Code)}
	}
	compare(t, "letter", found, letters, "partition", "offset")
	found = map[string]any{}
	for id, st := range got.Batters {
		found[fmt.Sprint(id)] = st
	}
	compare(t, "batter", found, s.want.Batters, "batter_id")
	found = map[string]any{}
	for g, st := range got.Games {
		found[fmt.Sprint(g.BatterID, " ", g.GamePK)] = st
	}
	compare(t, "batter-game", found, s.want.BatterGames, "batter_id", "game_pk")
}

// compare looks at every member that the answer has, in every object.
func compare(t testing.TB, what string, found map[string]any, want []map[string]any, keys ...string) {
	t.Helper()
	if len(found) != len(want) {
		t.Errorf("%d of %s, want %d", len(found), what, len(want))
	}
	for _, w := range want {
		key := keyOf(w, keys)
		g, ok := found[key]
		if !ok {
			t.Errorf("%s %s is missing", what, key)
			continue
		}
		columns := object(t, g)
		for name, value := range w {
			if have, ok := columns[name]; (ok || !contains(keys, name)) && !equal(value, have) {
				t.Errorf("%s %s: %s is %v, want %v", what, key, name, have, value)
			}
		}
	}
}

func keyOf(w map[string]any, keys []string) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		if f, ok := w[k].(float64); ok {
			parts[i] = fmt.Sprintf("%.0f", f)
		} else {
			parts[i] = fmt.Sprint(w[k])
		}
	}
	return strings.Join(parts, " ")
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func object(t testing.TB, v any) map[string]any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]any{}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func equal(want, have any) bool {
	switch w := want.(type) {
	case float64:
		h, ok := have.(float64)
		return ok && math.Abs(w-h) <= 1e-9*math.Max(math.Abs(w), math.Abs(h))
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok || len(h) != len(w) {
			return false
		}
		for k := range w {
			if !equal(w[k], h[k]) {
				return false
			}
		}
		return true
	case []any:
		h, ok := have.([]any)
		if !ok || len(h) != len(w) {
			return false
		}
		for i := range w {
			if !equal(w[i], h[i]) {
				return false
			}
		}
		return true
	}
	return want == have
}
