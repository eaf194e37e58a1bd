package schemas_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// compiled is a schema, or a part of it by its JSON pointer ("/$defs/readable"). Formats are asserted, too.
func compiled(t *testing.T, file, pointer string) *jsonschema.Schema {
	t.Helper()
	b, err := schemas.JSONSchemas.ReadFile(file)
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource(file, document(t, b)))
	s, err := c.Compile(file + "#" + pointer)
	require.NoError(t, err)
	return s
}

// document is JSON as the validator takes it: numbers as they are written.
func document(t *testing.T, b []byte) any {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	require.NoError(t, err, "%.200s", b)
	return doc
}

// with is a copy of a document that differs in one member.
func with(doc map[string]any, name string, value any) map[string]any {
	other := maps.Clone(doc)
	other[name] = value
	return other
}

func without(doc map[string]any, name string) map[string]any {
	other := maps.Clone(doc)
	delete(other, name)
	return other
}

func TestSchemasAreSchemas(t *testing.T) {
	draft := jsonschema.NewCompiler().MustCompile("https://json-schema.org/draft/2020-12/schema")
	files, err := schemas.JSONSchemas.ReadDir("jsonschema")
	require.NoError(t, err)
	require.Len(t, files, 3)
	ids := map[any]bool{}
	for _, f := range files {
		b, err := schemas.JSONSchemas.ReadFile("jsonschema/" + f.Name())
		require.NoError(t, err)
		doc := document(t, b).(map[string]any)
		require.NoError(t, draft.Validate(doc), f.Name())
		require.Equal(t, draft.Location, doc["$schema"].(string)+"#", f.Name())
		ids[doc["$id"]] = true
	}
	require.Len(t, ids, 3)
}

// simulated are the messages of a few simulated games, with all that a stream does to them.
func simulated(t *testing.T, o simulate.Options) (all []simulate.Message) {
	t.Helper()
	s, err := simulate.New(o)
	require.NoError(t, err)
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		all = append(all, m)
	}
	return all
}

// recordOf is a message as it would stand in the raw topic.
func recordOf(m simulate.Message, offset int64) schemas.Record {
	return schemas.Record{
		Coordinates: schemas.Coordinates{Topic: "pitches.raw", Offset: offset, TimestampMS: int64(m.Timestamp)},
		Key:         m.Key, Headers: m.Headers, Value: m.Value,
	}
}

// real are the recorded pitches by their files' names.
func real(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testkit.Hawkeye(t), "*.jsonl"))
	require.NoError(t, err)
	require.Len(t, files, 12)
	records := map[string][]byte{}
	for _, file := range files {
		records[filepath.Base(file)], err = os.ReadFile(file)
		require.NoError(t, err)
	}
	return records
}

// rowOf is the row of a record, which must have one.
func rowOf(t *testing.T, rec schemas.Record) schemas.Change {
	t.Helper()
	change, rej := features.Transform(rec, features.Limits{})
	require.Nil(t, rej)
	return change
}
