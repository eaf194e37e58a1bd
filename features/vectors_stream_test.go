package features

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pitchstream/pitchstream/schemas"
)

// streamVector is a whole stream and what the stores hold at its end.
type streamVector struct {
	Records []streamRecord `json:"records"`
	Want    struct {
		Rows        []map[string]any `json:"rows"`
		Letters     []streamLetter   `json:"letters"`
		Batters     []map[string]any `json:"batters"`
		BatterGames []map[string]any `json:"batter_games"`
	} `json:"want"`
}

type streamRecord struct {
	Partition   int32       `json:"partition"`
	Offset      int64       `json:"offset"`
	TimestampMS int64       `json:"timestamp_ms"`
	Key         *string     `json:"key"`
	Headers     [][2]string `json:"headers"`
	Value       *string     `json:"value"`
	Base64      string      `json:"value_base64"`
}

type streamLetter struct {
	Partition int32        `json:"partition"`
	Offset    int64        `json:"offset"`
	Code      schemas.Code `json:"code"`
}

func (r streamRecord) record(t *testing.T) schemas.Record {
	rec := schemas.Record{
		Coordinates: schemas.Coordinates{
			Topic: "pitches.raw", Partition: r.Partition, Offset: r.Offset, TimestampMS: r.TimestampMS,
		},
		Value: valueOf(t, r.Value, r.Base64),
	}
	if r.Key != nil {
		rec.Key = []byte(*r.Key)
	}
	for _, h := range r.Headers {
		rec.Headers = append(rec.Headers, schemas.Header{Key: h[0], Value: []byte(h[1])})
	}
	return rec
}

// Every stream, through Transform and the plain models, ends in the rows, letters and aggregates that it must.
func TestVectorsStreamsReference(t *testing.T) {
	for _, file := range vectorFiles(t, "stream-*.json") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var v streamVector
			decodeNumbers(t, b, &v)
			v.check(t)
		})
	}
}

func (v streamVector) check(t *testing.T) {
	var changes []schemas.Change
	var letters []streamLetter
	for _, r := range v.Records {
		change, rej := Transform(r.record(t), Limits{})
		if rej != nil {
			letters = append(letters, streamLetter{r.Partition, r.Offset, rej.Code})
			continue
		}
		changes = append(changes, change)
	}
	sameSet(t, "letters", letters, v.Want.Letters)
	rows := Resolve(changes)
	batters, games := Fold(rows)
	diffKeyed(t, keyed(rows, func(r schemas.StoredRow) (string, any) { return r.PitchID.String(), r }), v.Want.Rows, "pitch_id")
	diffKeyed(t, keyedMap(batters, func(id int64) string { return fmt.Sprint(id) }), v.Want.Batters, "batter_id")
	diffKeyed(t, keyedMap(games, func(g BatterGame) string { return fmt.Sprint(g.BatterID, " ", g.GamePK) }),
		v.Want.BatterGames, "batter_id", "game_pk")
}

func sameSet(t *testing.T, what string, got, want []streamLetter) {
	t.Helper()
	for _, l := range got {
		if !slices.Contains(want, l) {
			t.Errorf("%s: %v was not wanted", what, l)
		}
	}
	for _, l := range want {
		if !slices.Contains(got, l) {
			t.Errorf("%s: %v is missing", what, l)
		}
	}
}

func keyed[T any](list []T, key func(T) (string, any)) map[string]any {
	m := map[string]any{}
	for _, v := range list {
		k, v := key(v)
		m[k] = v
	}
	return m
}

func keyedMap[K comparable, V any](from map[K]V, key func(K) string) map[string]any {
	m := map[string]any{}
	for k, v := range from {
		m[key(k)] = v
	}
	return m
}

// diffKeyed compares lists of objects, each known by some of its members.
func diffKeyed(t *testing.T, got map[string]any, want []map[string]any, keys ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d by %v, want %d", len(got), keys, len(want))
	}
	for _, w := range want {
		key := ""
		for i, k := range keys {
			if i > 0 {
				key += " "
			}
			key += fmt.Sprint(w[k])
		}
		g, ok := got[key]
		if !ok {
			t.Errorf("%v %s is missing", keys, key)
			continue
		}
		t.Run(key, func(t *testing.T) {
			columns := columnsOf(t, g)
			for _, k := range keys {
				columns[k] = w[k]
			}
			diffColumns(t, columns, w)
		})
	}
}
