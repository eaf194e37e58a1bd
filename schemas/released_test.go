package schemas_test

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

var readers = map[string]reader{"record": weRead, "row": othersRead, "letter": othersRead}

// released is a schema as the last release published it.
func released(t *testing.T, name string) map[string]any {
	t.Helper()
	b, err := schemas.ReleasedSchemas.ReadFile(path.Join(schemas.ReleasedFolder, name+".schema.json"))
	require.NoError(t, err)
	return parsed(t, b)
}

func parsed(t *testing.T, b []byte) (doc map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(b, &doc))
	return doc
}

// The schemas that this build publishes are compatible with those of the last release. Any other change needs
// a new major version: see docs/SCHEMA.md.
// guard: schemas: what was released stays
func TestSchemasAreCompatibleWithTheLastRelease(t *testing.T) {
	require.Len(t, schemas.PublishedSchemas(), len(readers))
	for _, s := range schemas.PublishedSchemas() {
		t.Run(s.Name, func(t *testing.T) {
			require.Empty(t, incompatible(readers[s.Name], released(t, s.Name), parsed(t, s.JSON)),
				"docs/SCHEMA.md says what only a major version may change")
		})
	}
}

// A schema that says something else has another version.
func TestAChangedSchemaHasAGreaterVersion(t *testing.T) {
	for _, s := range schemas.PublishedSchemas() {
		old := released(t, s.Name)
		major, minor := versionOf(t, s.Version)
		_, was, _ := strings.Cut(old["$id"].(string), s.Name+":")
		oldMajor, oldMinor := versionOf(t, was)
		require.Equal(t, "v"+strconv.Itoa(major), path.Base(schemas.ReleasedFolder))
		require.Equal(t, oldMajor, major)
		now := parsed(t, s.JSON)
		if minor == oldMinor {
			require.Empty(t, additions(old, now), "%s: what was added wants the minor version one up", s.Name)
		} else {
			require.Greater(t, minor, oldMinor)
		}
	}
}

// additions are what the new schema says and the old one did not: in the other direction, they are what was
// removed.
func additions(before, after map[string]any) []string {
	return append(incompatible(weRead, after, before), incompatible(othersRead, after, before)...)
}

func versionOf(t *testing.T, text string) (major, minor int) {
	t.Helper()
	a, b, ok := strings.Cut(text, ".")
	require.True(t, ok, text)
	major, err := strconv.Atoi(a)
	require.NoError(t, err)
	minor, err = strconv.Atoi(b)
	require.NoError(t, err)
	return major, minor
}

// Compatible and incompatible changes are distinguished, each tried on a changed copy of the released
// schemas.
func TestWhatOnlyAMajorVersionMayChange(t *testing.T) {
	column := func(name string, change func(map[string]any)) func(map[string]any) {
		return func(doc map[string]any) { change(object(object(doc["properties"])[name])) }
	}
	for what, c := range map[string]struct {
		schema string
		change func(map[string]any)
		broken string // "": nothing is
	}{
		"nothing":                     {"row", func(map[string]any) {}, ""},
		"a column removed":            {"row", func(d map[string]any) { delete(object(d["properties"]), "venue"); drop(d, "venue") }, "/properties/venue: was removed"},
		"a column retyped":            {"row", column("inning", func(c map[string]any) { c["type"] = []any{"number", "null"} }), "/properties/inning/type: was integer or null, is number or null"},
		"a column that may be null":   {"row", column("is_swing", func(c map[string]any) { c["type"] = []any{"boolean", "null"} }), "/properties/is_swing/type: may be null now"},
		"a column that is never null": {"row", column("game_pk", func(c map[string]any) { c["type"] = "string" }), ""},
		"a column with other limits":  {"row", column("bat_speed_mph", func(c map[string]any) { c["maximum"] = 200.0 }), "/properties/bat_speed_mph/maximum: was 120, is 200"},
		"a column without limits":     {"row", column("bat_speed_mph", func(c map[string]any) { delete(c, "maximum") }), "/properties/bat_speed_mph/maximum: was 120, is <nil>"},
		"a column that may be absent": {"row", func(d map[string]any) { drop(d, "venue") }, "/required: venue may be absent now"},
		"a new column":                {"row", add("catcher_id"), ""},
		"a new column for all": {"row", func(d map[string]any) {
			add("catcher_id")(d)
			d["required"] = append(list(d["required"]), "catcher_id")
		}, "/required: catcher_id is newly required"},
		"a new word":                {"row", column("swing_confidence", func(c map[string]any) { c["enum"] = append(list(c["enum"]), "denied") }), ""},
		"a word removed":            {"row", column("swing_confidence", func(c map[string]any) { c["enum"] = list(c["enum"])[1:] }), "/properties/swing_confidence/enum: the word confirmed was removed"},
		"another description":       {"row", func(d map[string]any) { d["description"] = "better" }, ""},
		"a rule removed":            {"row", func(d map[string]any) { d["allOf"] = list(d["allOf"])[1:] }, "/allOf: was"},
		"a letter's header removed": {"letter", func(d map[string]any) { delete(object(d["properties"]), "dlq.code") }, "/properties/dlq.code: was removed"},
		"a new header of letters":   {"letter", add("dlq.why"), ""},
		"a new code": {"letter", func(d map[string]any) {
			code := object(object(d["$defs"])["code"])
			code["enum"] = append(list(code["enum"]), "tired")
		}, ""},
		"a member removed":         {"record", func(d map[string]any) { delete(object(d["properties"]), "events") }, "/properties/events: was removed"},
		"a published part removed": {"record", func(d map[string]any) { delete(object(d["$defs"]), "readable") }, "/$defs/readable: was removed"},
		"a new member of records":  {"record", add("umpire"), ""},
		"a new member for all":     {"record", func(d map[string]any) { d["required"] = []any{"units"} }, "/required: units is newly required"},
	} {
		t.Run(what, func(t *testing.T) {
			doctored := released(t, c.schema)
			c.change(doctored)
			broken := incompatible(readers[c.schema], released(t, c.schema), doctored)
			if c.broken == "" {
				require.Empty(t, broken)
				return
			}
			require.Contains(t, strings.Join(broken, "\n"), c.broken)
		})
	}
}

func drop(doc map[string]any, name string) {
	doc["required"] = slices.DeleteFunc(list(doc["required"]), func(v any) bool { return v == name })
}

func add(name string) func(map[string]any) {
	return func(doc map[string]any) { object(doc["properties"])[name] = map[string]any{"type": "string"} }
}

func TestAnAdditionIsToldFromNothing(t *testing.T) {
	old, grown := released(t, "row"), released(t, "row")
	require.Empty(t, additions(old, grown))
	add("catcher_id")(grown)
	require.NotEmpty(t, additions(old, grown))
	wider := released(t, "row")
	object(object(wider["properties"])["swing_confidence"])["enum"] = []any{"confirmed", "suspected", "denied", nil}
	require.NotEmpty(t, additions(old, wider))
}

func TestPublishedSchemasAreTheFiles(t *testing.T) {
	for _, s := range schemas.PublishedSchemas() {
		b, err := schemas.JSONSchemas.ReadFile("jsonschema/" + s.Name + ".schema.json")
		require.NoError(t, err)
		require.True(t, bytes.Equal(b, s.JSON))
		require.NotEmpty(t, s.Title)
		require.Regexp(t, `^[0-9]+\.[0-9]+$`, s.Version)
	}
}
