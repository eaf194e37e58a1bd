// Package vectors reads the streams of the specification's test vectors. A stream is a list of records with
// the content that the stores must have after all of them; Check compares the content that a test found with
// it.
package vectors

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// Stream is one test vector: records in the order of their offsets within each partition, and the expected
// content.
type Stream struct {
	Name    string
	Records []schemas.Record
	want    want
}

type want struct {
	Rows        []map[string]any `json:"rows"`
	DeadLetters []DeadLetter     `json:"letters"`
	Batters     []map[string]any `json:"batters"`
	BatterGames []map[string]any `json:"batter_games"`
}

// DeadLetter identifies a record that was rejected, and the code of the reason.
type DeadLetter struct {
	Partition int32        `json:"partition"`
	Offset    int64        `json:"offset"`
	Code      schemas.Code `json:"code"`
}

// State is the content of the stores. The order of its slices does not matter.
type State struct {
	Rows        []schemas.StoredRow
	DeadLetters []DeadLetter
	Batters     map[int64]schemas.Stats
	Games       map[schemas.PlayerGame]schemas.Stats
}

// Streams reads every stream-*.json of the vectors. Where they are missing, it skips the test, or fails it
// under CI.
func Streams(t testing.TB) []Stream {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testkit.Vectors(t), "stream-*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no stream-*.json in %s (%v)", testkit.Vectors(t), err)
	}
	return schemas.Map(files, func(file string) Stream { return read(t, file) })
}

func read(t testing.TB, file string) Stream {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
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
	require.NoError(t, json.Unmarshal(b, &v), file)
	s := Stream{Name: filepath.Base(file), want: v.Want}
	for _, r := range v.Records {
		rec := schemas.Record{Coordinates: schemas.Coordinates{
			Topic: "pitches.raw", Partition: r.Partition, Offset: r.Offset, TimestampMS: r.TimestampMS,
		}}
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
			rec.Value, err = base64.StdEncoding.DecodeString(*r.Base64)
			require.NoError(t, err, file)
		}
		s.Records = append(s.Records, rec)
	}
	return s
}

// Check fails the test for every difference between got and the expected content. It compares counts and
// maxima exactly, averages and features within a relative 1e-9.
func (s Stream) Check(t testing.TB, got State) {
	t.Helper()
	found := map[string]any{}
	for _, r := range got.Rows {
		found[r.PitchID.String()] = r
	}
	compare(t, "row", found, s.want.Rows, "pitch_id")

	found = map[string]any{}
	for _, l := range got.DeadLetters {
		key := fmt.Sprint(l.Partition, " ", l.Offset)
		if found[key] != nil {
			t.Errorf("dead letter %s occurs twice", key)
		}
		found[key] = l
	}
	deadLetters := schemas.Map(s.want.DeadLetters, func(l DeadLetter) map[string]any { return members(t, l) })
	compare(t, "dead letter", found, deadLetters, "partition", "offset")

	found = map[string]any{}
	for id, stats := range got.Batters {
		found[fmt.Sprint(id)] = stats
	}
	compare(t, "batter", found, s.want.Batters, "batter_id")
	found = map[string]any{}
	for g, stats := range got.Games {
		found[fmt.Sprint(g.PlayerID, " ", g.GamePK)] = stats
	}
	compare(t, "batter-game", found, s.want.BatterGames, "batter_id", "game_pk")
}

// compare checks that found has exactly the objects of want, with equal members. The members named by keys
// identify an object in want; in found they may be missing, because aggregates do not repeat the key of their
// map.
func compare(t testing.TB, kind string, found map[string]any, want []map[string]any, keys ...string) {
	t.Helper()
	if len(found) != len(want) {
		t.Errorf("%d of %s, want %d", len(found), kind, len(want))
	}
	for _, w := range want {
		var key string
		for _, k := range keys {
			if n, ok := w[k].(float64); ok {
				key += fmt.Sprintf(" %.0f", n)
			} else {
				key += fmt.Sprintf(" %v", w[k])
			}
		}
		key = key[1:]
		object, ok := found[key]
		if !ok {
			t.Errorf("%s %s is missing", kind, key)
			continue
		}
		have := members(t, object)
		for name, value := range w {
			got, ok := have[name]
			if !ok && slices.Contains(keys, name) {
				continue
			}
			if diff := cmp.Diff(value, got, cmpopts.EquateApprox(1e-9, 0)); diff != "" {
				t.Errorf("%s %s: %s differs (-want +got):\n%s", kind, key, name, diff)
			}
		}
	}
}

// members returns the members of v's JSON object.
func members(t testing.TB, v any) (m map[string]any) {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &m))
	return m
}
