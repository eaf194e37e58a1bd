package schemaregistry

import (
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/cenkalti/backoff/v5"
	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
)

// published are rows as a processor publishes them, the first with scores.
func published(t *testing.T, n int) (rows []schemas.Published) {
	t.Helper()
	for _, r := range pitches(t, n) {
		change, rejection := features.Transform(r, features.Limits{})
		require.Nil(t, rejection)
		if change.Row == nil {
			continue
		}
		change.Row.GameDate, change.Row.Venue = "2024-09-28", "Wrigley"
		stored := &schemas.StoredRow{Row: *change.Row, Provenance: schemas.ProvenanceOf(change, 2, "b1", 1727561077926)}
		rows = append(rows, schemas.Published{PitchID: stored.PitchID, Row: stored, Version: change.Version})
	}
	rows[0].Row.ContactDoubts = nil
	rows[0].Scores = []schemas.Score{
		{Model: "swings", Version: 3, Label: "short", Value: schemas.Some(1.5)},
		{Model: "swings", Version: 4, IsShadow: true, Label: "hidden"},
	}
	return rows
}

func TestARowInAvroHasEveryColumn(t *testing.T) {
	text, err := RowSchema(Avro)
	require.NoError(t, err)
	// Without logical types the values are the numbers on the wire.
	s, err := avro.Parse(text.Schema, avro.CustomType{LogicalType: "date"}, avro.CustomType{LogicalType: "timestamp-millis"})
	require.NoError(t, err)
	for _, p := range published(t, 60) {
		var got map[string]any
		rest, err := s.Decode(appendAvroRow(nil, &p), &got)
		require.NoError(t, err)
		require.Empty(t, rest)
		var want map[string]any
		require.NoError(t, json.Unmarshal(p.AppendJSON(nil), &want))
		want["game_date"] = int32(19994)
		want["event_time"], want["processed_at"] = int64(p.Row.EventTime), int64(p.Row.ProcessedAt)
		if want["scores"] == nil {
			want["scores"] = nil
		}
		wantText, err := json.Marshal(want)
		require.NoError(t, err)
		gotText, err := json.Marshal(got)
		require.NoError(t, err)
		require.JSONEq(t, string(wantText), string(gotText))
	}
}

func TestEveryColumnHasItsNumberInProtobuf(t *testing.T) {
	numbers := protobufNumbers()
	seen := map[any]bool{}
	for i, n := range numbers {
		require.Positive(t, n, i)
		require.False(t, seen[n], "number %d stands twice", n)
		seen[n] = true
	}
	require.Len(t, numbers, len(schemas.StoredColumns)+1)
	require.EqualValues(t, 1, numbers[0])
}

func TestARowIsRegisteredOnceAndCarriesItsSchema(t *testing.T) {
	for _, format := range RowFormats[1:] {
		f, c := newFake(t)
		first, err := c.RowWriter(t.Context(), "pitches.rows", format, false)
		require.NoError(t, err)
		again, err := c.RowWriter(t.Context(), "pitches.rows", format, true)
		require.NoError(t, err, "it is there")
		s, ok := f.GetSchema("pitches.rows-value", 1)
		require.True(t, ok)
		_, second := f.GetSchema("pitches.rows-value", 2)
		require.False(t, second)
		row := published(t, 1)[0]
		value := first(nil, &row)
		require.Equal(t, value, again(nil, &row))
		require.Zero(t, value[0])
		require.EqualValues(t, s.ID, binary.BigEndian.Uint32(value[1:]))
		if format == JSONSchema {
			require.Equal(t, row.AppendJSON(nil), value[5:])
		}
	}
}

func TestPlainRowsNeedNoRegistry(t *testing.T) {
	f, c := newFake(t)
	for _, format := range []Format{JSON, ""} {
		w, err := c.RowWriter(t.Context(), "pitches.rows", format, false)
		require.NoError(t, err)
		require.Nil(t, w)
	}
	require.Zero(t, f.asked.Load())
}

func TestASchemaThatMustExistIsNotRegistered(t *testing.T) {
	f, c := newFake(t)
	_, err := c.RowWriter(t.Context(), "pitches.rows", Avro, true)
	require.ErrorContains(t, err, "schema registry: subject pitches.rows-value: it does not have the schema of this build")
	require.True(t, IsPermanent(err))
	require.False(t, f.SubjectExists("pitches.rows-value"))
}

// guard: registry: an incompatible schema is not registered
func TestAnIncompatibleSchemaIsRefusedByName(t *testing.T) {
	f, c := newFake(t)
	register(t, f, "pitches.rows-value", jsonSchema())
	f.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/compatibility/") {
			return false
		}
		_, _ = w.Write([]byte(`{"is_compatible":false,"messages":["a property is gone"]}`))
		return true
	})
	_, err := c.RowWriter(t.Context(), "pitches.rows", JSONSchema, false)
	require.EqualError(t, err, "schema registry: subject pitches.rows-value: the schema of this build is not "+
		"compatible with what the subject has: a property is gone: change the compatibility of the subject, "+
		"or name another topic")
	require.True(t, IsPermanent(err))
	_, second := f.GetSchema("pitches.rows-value", 2)
	require.False(t, second)
	status, err := c.Rows(t.Context(), "pitches.rows", JSONSchema, true)
	require.NoError(t, err)
	require.False(t, status.IsCompatible)
	var text strings.Builder
	require.NoError(t, status.Print(&text))
	require.Equal(t, "pitches.rows-value: NOT COMPATIBLE with what is there\n  a property is gone\n", text.String())
}

// A subject whose level is BACKWARD_TRANSITIVE refuses a schema for an old version. A registry without that
// question is asked about the latest one.
// guard: registry: a schema is compared with all versions that the rule asks for
func TestASchemaIsComparedWithAllVersionsOfATransitiveSubject(t *testing.T) {
	f, c := newFake(t)
	register(t, f, "pitches.rows-value", jsonSchema())
	const path = "/compatibility/subjects/pitches.rows-value/versions"
	var answer string
	var status int
	f.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == path {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(answer))
		}
		return r.URL.Path == path
	})
	status, answer = http.StatusOK, `{"is_compatible":false,"messages":["version 1 has no such field"]}`
	got, err := c.Rows(t.Context(), "pitches.rows", JSONSchema, false)
	require.NoError(t, err)
	require.False(t, got.IsCompatible)
	require.Equal(t, []string{"version 1 has no such field"}, got.Messages)
	status, answer = http.StatusNotFound, `{"error_code":404,"message":"HTTP 404 Not Found"}`
	got, err = c.Rows(t.Context(), "pitches.rows", JSONSchema, false)
	require.NoError(t, err)
	require.True(t, got.IsCompatible)
	require.False(t, got.IsNew)
	got, err = c.Rows(t.Context(), "others.rows", JSONSchema, false)
	require.NoError(t, err)
	require.True(t, got.IsNew)
}

// guard: registry: a registry that is down for a moment is asked again
// guard: registry: what the registry refuses is not asked again
func TestARegistryThatIsDownForAMomentIsAskedAgain(t *testing.T) {
	f, c := newFake(t)
	c.pauses = func() backoff.BackOff { return &backoff.ZeroBackOff{} }
	asked, fails, status := 0, rowsTries-1, http.StatusServiceUnavailable
	f.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		asked++
		if asked > fails {
			return false
		}
		w.WriteHeader(status)
		return true
	})
	got, err := c.Rows(t.Context(), "pitches.rows", Avro, true)
	require.NoError(t, err)
	require.True(t, got.IsRegistered)
	asked, fails = 0, 100
	_, err = c.Rows(t.Context(), "pitches.rows", Avro, true)
	require.ErrorContains(t, err, "schema registry: HTTP status 503")
	require.Equal(t, rowsTries, asked)
	asked, status = 0, http.StatusForbidden
	_, err = c.Rows(t.Context(), "pitches.rows", Avro, true)
	require.ErrorContains(t, err, "schema registry: HTTP status 403")
	require.Equal(t, 1, asked)
}

// guard: registry: the JSON Schema is of a draft that every registry knows
func TestTheJSONSchemaIsOfDraft7(t *testing.T) {
	s, err := RowSchema(JSONSchema)
	require.NoError(t, err)
	require.Contains(t, s.Schema, `"$schema": "http://json-schema.org/draft-07/schema#"`)
	require.Equal(t, sr.TypeJSON, s.Type)
}
