package schemaregistry

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
	"go.uber.org/goleak"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// fake is a registry in this process, and counts what it is asked.
type fake struct {
	*srfake.Registry
	asked atomic.Int64
	// status is what it answers with instead, while it is not 0.
	status atomic.Int64
}

func newFake(t *testing.T) (*fake, *Client) {
	t.Helper()
	f := &fake{Registry: srfake.New()}
	t.Cleanup(f.Close)
	f.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		f.asked.Add(1)
		if s := f.status.Load(); s != 0 {
			http.Error(w, `{"error_code":0,"message":"not now"}`, int(s))
			return true
		}
		return false
	})
	c, err := Open(Options{URLs: []string{f.URL()}})
	require.NoError(t, err)
	return f, c
}

// pitches are simulated records of measured pitches. Each names its pitch, because the id that the core gives
// to others follows from the bytes of the JSON.
func pitches(t *testing.T, n int) (all []schemas.Record) {
	t.Helper()
	s, err := simulate.New(simulate.Options{Seed: 7, Pitches: n, FeedIDs: true})
	require.NoError(t, err)
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		at := schemas.Coordinates{Topic: "pitches.raw", Offset: int64(len(all)), TimestampMS: int64(m.Timestamp)}
		id := schemas.PitchID{byte(len(all)), 1}
		m.Headers = append(m.Headers, schemas.Header{Key: schemas.HeaderPitchID, Value: []byte(id.String())})
		all = append(all, schemas.Record{Coordinates: at, Key: m.Key, Headers: m.Headers, Value: m.Value})
	}
	return all
}

// decoded is JSON without what means missing: empty objects are null.
func decoded(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(text, &v))
	return withoutEmpty(v)
}

func withoutEmpty(v any) any {
	switch x := v.(type) {
	case map[string]any:
		if len(x) == 0 {
			return nil
		}
		for k := range x {
			x[k] = withoutEmpty(x[k])
		}
	case []any:
		for i := range x {
			x[i] = withoutEmpty(x[i])
		}
	}
	return v
}

// avroOf infers the Avro schema of some JSON values: every member may be null.
func avroOf(name string, values ...any) any {
	values = slices.DeleteFunc(values, func(v any) bool { return v == nil })
	if len(values) == 0 {
		return []any{"null", "string"}
	}
	var kind any
	switch values[0].(type) {
	case string:
		kind = "string"
	case float64:
		kind = "double"
	case bool:
		kind = "boolean"
	case []any:
		var items []any
		for _, v := range values {
			items = append(items, v.([]any)...)
		}
		kind = map[string]any{"type": "array", "items": avroOf(name+"_item", items...)}
	case map[string]any:
		members := map[string][]any{}
		for _, v := range values {
			for k, m := range v.(map[string]any) {
				members[k] = append(members[k], m)
			}
		}
		var fields []any
		for _, k := range slices.Sorted(maps.Keys(members)) {
			fields = append(fields, map[string]any{"name": k, "type": avroOf(name+"_"+k, members[k]...), "default": nil})
		}
		kind = map[string]any{"type": "record", "name": name, "fields": fields}
	}
	return []any{"null", kind}
}

// asAvro returns the Avro schema of records, and their values in it.
func asAvro(t *testing.T, records []schemas.Record) (text string, values [][]byte) {
	t.Helper()
	all := schemas.Map(records, func(r schemas.Record) any { return decoded(t, r.Value) })
	schema, err := json.Marshal(avroOf("Record", all...).([]any)[1])
	require.NoError(t, err)
	s, err := avro.Parse(string(schema))
	require.NoError(t, err)
	for _, v := range all {
		b, err := s.Encode(v)
		require.NoError(t, err)
		values = append(values, b)
	}
	return string(schema), values
}

// framed returns the record with another value behind the prefix.
func framed(rec schemas.Record, id int, value []byte) schemas.Record {
	rec.Value = append(AppendPrefix(nil, id), value...)
	return rec
}

// sameChange requires that a record becomes what another one becomes.
func sameChange(t *testing.T, c *Client, want, got schemas.Record) {
	t.Helper()
	wantChange, wantRejection := features.Transform(want, features.Limits{})
	change, rejection, err := c.Transform(t.Context(), got, features.Limits{})
	require.NoError(t, err)
	require.Equal(t, wantRejection, rejection)
	require.Equal(t, wantChange, change)
}

func jsonSchema() sr.Schema { return sr.Schema{Schema: `{"type":"object"}`, Type: sr.TypeJSON} }

func register(t *testing.T, f *fake, subject string, s sr.Schema) int {
	t.Helper()
	id, _, err := f.RegisterSchema(subject, s)
	require.NoError(t, err)
	return id
}

func long(n int) string { return strings.Repeat("x", n) }
