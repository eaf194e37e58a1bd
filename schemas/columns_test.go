package schemas_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// The same columns are described as Go fields, as a table of columns, as SQL and as JSON Schema. They must
// agree in names, in order, in types, and in what may be missing.

// kind is how a field's type shows in the other descriptions.
type kind struct {
	sql     []string
	missing bool // it can hold nothing
}

var kinds = map[reflect.Type]kind{
	reflect.TypeFor[schemas.PitchID]():               {sql: []string{"uuid"}},
	reflect.TypeFor[schemas.Text]():                  {sql: []string{"text", "date"}, missing: true},
	reflect.TypeFor[string]():                        {sql: []string{"text"}},
	reflect.TypeFor[[]string]():                      {sql: []string{"text[]"}},
	reflect.TypeFor[schemas.Opt[bool]]():             {sql: []string{"boolean"}, missing: true},
	reflect.TypeFor[bool]():                          {sql: []string{"boolean"}},
	reflect.TypeFor[schemas.TimeMS]():                {sql: []string{"timestamptz"}},
	reflect.TypeFor[int32]():                         {sql: []string{"int"}},
	reflect.TypeFor[int64]():                         {sql: []string{"bigint"}},
	reflect.TypeFor[schemas.Opt[int16]]():            {sql: []string{"smallint"}, missing: true},
	reflect.TypeFor[schemas.Opt[int64]]():            {sql: []string{"bigint"}, missing: true},
	reflect.TypeFor[schemas.Opt[float64]]():          {sql: []string{"float8"}, missing: true},
	reflect.TypeFor[*schemas.LastPitch]():            {sql: []string{"jsonb"}}, // nil only where there is no pitch, and so no line
	reflect.TypeFor[map[string]schemas.TypeCounts](): {sql: []string{"jsonb"}},

	reflect.TypeFor[map[string]schemas.PitchTypeStats](): {sql: []string{"jsonb"}},
}

func TestStructsHaveTheColumns(t *testing.T) {
	for _, c := range []struct {
		of      any
		columns []schemas.Column
	}{
		{schemas.Row{}, schemas.RowColumns},
		{schemas.Provenance{}, schemas.ProvenanceColumns},
		{schemas.StoredRow{}, schemas.StoredColumns},
		{schemas.Stats{}, schemas.StatsColumns},
		{schemas.PitcherStats{}, schemas.PitcherStatsColumns},
		{schemas.PitchTypeStats{}, schemas.PitchTypeColumns},
	} {
		typ := reflect.TypeOf(c.of)
		fields := flat(typ)
		require.Len(t, fields, len(c.columns), typ)
		for i, column := range c.columns {
			k, known := kinds[fields[i].Type]
			require.True(t, known, "%s is a %v", column.Name, fields[i].Type)
			require.Equal(t, column.Name, fields[i].Tag.Get("json"), "%v: field %d", typ, i)
			require.Contains(t, k.sql, column.SQL, column.Name)
			missing := k.missing || column.Name == "contact_doubts" // nil where there is no contact
			require.Equal(t, missing, mayBeMissing(column), "%s is a %v", column.Name, fields[i].Type)
		}
	}
}

// flat are the fields of a struct, those of embedded ones in their place.
func flat(typ reflect.Type) (fields []reflect.StructField) {
	for f := range typ.Fields() {
		if f.Anonymous {
			fields = append(fields, flat(f.Type)...)
		} else {
			fields = append(fields, f)
		}
	}
	return fields
}

func mayBeMissing(c schemas.Column) bool { return !strings.HasPrefix(c.Missing, "never") }

// The order of a row's JSON is that of the columns, too: people read it.
func TestJSONHasTheColumnsInTheirOrder(t *testing.T) {
	b, err := json.Marshal(schemas.StoredRow{})
	require.NoError(t, err)
	require.Equal(t, names(schemas.StoredColumns), members(t, b))
	b, err = json.Marshal(schemas.Stats{})
	require.NoError(t, err)
	require.Equal(t, names(schemas.StatsColumns), members(t, b))
}

func TestViewsHaveTheColumns(t *testing.T) {
	stored, stats := names(schemas.StoredColumns), names(schemas.StatsColumns)
	// Views can only grow at their ends, because other people's views may use them.
	require.ElementsMatch(t, stored, viewColumns(t, "pitches"))
	require.ElementsMatch(t, slices.Concat([]string{"batter_id", "updated_at", "seq"}, stats), viewColumns(t, "batter_stats"))
	require.ElementsMatch(t, slices.Concat([]string{"batter_id", "game_pk", "updated_at", "seq"}, stats), viewColumns(t, "batter_game_stats"))
	stats = names(schemas.PitcherStatsColumns)
	require.ElementsMatch(t, slices.Concat([]string{"pitcher_id", "updated_at", "seq"}, stats), viewColumns(t, "pitcher_stats"))
	require.ElementsMatch(t, slices.Concat([]string{"pitcher_id", "game_pk", "updated_at", "seq"}, stats), viewColumns(t, "pitcher_game_stats"))
}

func TestRowSchemaHasTheColumns(t *testing.T) {
	b, err := schemas.JSONSchemas.ReadFile(schemas.RowSchema)
	require.NoError(t, err)
	var s struct {
		Properties json.RawMessage `json:"properties"`
		Required   []string        `json:"required"`
	}
	require.NoError(t, json.Unmarshal(b, &s))
	require.Equal(t, append(names(schemas.StoredColumns), schemas.ScoresMember), members(t, s.Properties))
	// Columns that came later are absent from rows that were published before.
	require.Equal(t, releasedRowColumns(t), s.Required)
}

func releasedRowColumns(t *testing.T) []string {
	t.Helper()
	b, err := schemas.ReleasedSchemas.ReadFile(schemas.ReleasedFolder + "/row.schema.json")
	require.NoError(t, err)
	var s struct {
		Required []string `json:"required"`
	}
	require.NoError(t, json.Unmarshal(b, &s))
	return s.Required
}

func TestColumnsAreDescribed(t *testing.T) {
	for _, c := range slices.Concat(schemas.StoredColumns, schemas.StatsColumns,
		schemas.PitcherStatsColumns, schemas.PitchTypeColumns) {
		require.Regexp(t, `^[a-z][a-z0-9_]*[a-z]$`, c.Name)
		require.NotEmpty(t, c.Meaning, c.Name)
		require.NotEmpty(t, c.Source, c.Name)
		require.NotEmpty(t, c.Missing, c.Name)
		require.False(t, strings.HasSuffix(c.Meaning, "."), "%s: the comment goes on behind the meaning", c.Name)
		unit := map[string]string{"_mph": "mph", "_rpm": "rpm", "_deg": "degree", "_pct": "percent", "_ms": "Unix milliseconds"}
		for suffix, want := range unit {
			if strings.HasSuffix(c.Name, suffix) {
				require.Equal(t, want, c.Unit, c.Name)
			}
		}
	}
	require.Equal(t, "Speed of the pitch; unit: mph; range: 50–110; missing: x",
		schemas.Column{Meaning: "Speed of the pitch", Unit: "mph", Range: "50–110", Missing: "x"}.Comment())
	require.Equal(t, "The game; missing: never", schemas.Column{Meaning: "The game", Missing: "never"}.Comment())
}

func names(columns []schemas.Column) (names []string) {
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return names
}

// members are the names of a JSON object's members, in their order.
func members(t *testing.T, object []byte) (names []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	_, err := d.Token()
	require.NoError(t, err)
	for d.More() {
		name, err := d.Token()
		require.NoError(t, err)
		names = append(names, name.(string))
		var value json.RawMessage
		require.NoError(t, d.Decode(&value))
	}
	return names
}

// viewColumns are the columns of a view, as its last definition among the migrations lists them.
func viewColumns(t *testing.T, view string) (columns []string) {
	t.Helper()
	files, err := fs.Glob(schemas.Migrations, "migrations/*.sql")
	require.NoError(t, err)
	definition := regexp.MustCompile(`(?s)CREATE (?:OR REPLACE )?VIEW ` + view + ` AS\nSELECT (.*?)\nFROM `)
	for _, file := range files {
		sql, err := schemas.Migrations.ReadFile(file)
		require.NoError(t, err)
		for _, m := range definition.FindAllSubmatch(sql, -1) {
			columns = selected(string(m[1]))
		}
	}
	require.NotEmpty(t, columns, "no migration makes the view %s", view)
	return columns
}

// selected returns the names of the columns that a SELECT lists: the word behind AS, else the last word.
func selected(list string) (names []string) {
	depth, from := 0, 0
	for i, c := range list + "," {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			words := strings.Fields(list[from:i])
			names = append(names, words[len(words)-1])
			from = i + 1
		}
	}
	return names
}
