package schemas_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

const readable = "/$defs/readable"

func TestRealRecordsFitTheRecordSchema(t *testing.T) {
	schema := compiled(t, schemas.RecordSchema, "")
	for name, value := range real(t) {
		require.NoError(t, schema.Validate(document(t, value)), name)
	}
}

func TestSimulatedRecordsFitTheRecordSchema(t *testing.T) {
	schema := compiled(t, schemas.RecordSchema, "")
	for _, m := range simulated(t, simulate.Options{Seed: 3, Pitches: 60}) {
		require.NoError(t, schema.Validate(document(t, m.Value)))
	}
}

// valueIn sets what a path leads to in a small record: a.b, and [0] for the first of a list.
func valueIn(path, value string) []byte {
	record := `{"summary_acts":{"pitch":{"action":"Called"}}}`
	if strings.HasPrefix(path, "summary_acts.pitch.") {
		record = `{}`
	}
	var doc any
	if err := json.Unmarshal([]byte(record), &doc); err != nil {
		panic(err)
	}
	doc = put(doc, strings.Split(path, "."), json.RawMessage(value))
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return b
}

func put(doc any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	name, isList := strings.CutSuffix(path[0], "[0]")
	object, _ := doc.(map[string]any)
	if object == nil {
		object = map[string]any{}
	}
	if isList {
		object[name] = []any{put(nil, path[1:], value)}
	} else {
		object[name] = put(object[name], path[1:], value)
	}
	return object
}

// The schema of records and the core agree about each value. A value of the wrong type is an issue, and every
// empty value is missing. A record that cannot be read is a dead letter.
func TestRecordSchemaSaysWhatTheCoreDoes(t *testing.T) {
	whole, must := compiled(t, schemas.RecordSchema, ""), compiled(t, schemas.RecordSchema, readable)
	values := []string{
		`null`, `{}`, `[]`, `""`, `true`, `false`, `0`, `-1`, `2.0`, `2.5`, `1e3`, `1e308`, `1e309`, `-1e309`, `12345678901234567890`,
		`"x"`, `" 42 "`, `"+42"`, `"4 2"`, `"\u0000"`, `"a\u0000"`, `"foot"`, `"mph"`, `"Strike"`, `{"a":1}`, `[1]`, `[{}]`, `[null]`,
		`[1,2]`, `[1,null]`, `[1,"2"]`, `[1,2,3]`, `[{"a":1},{}]`, `"` + strings.Repeat("x", 200) + `"`, `"` + strings.Repeat("x", 201) + `"`,
	}
	paths := []string{
		"units", "units.length", "units.velocity", "units.angle", "summary_acts", "summary_acts.pitch", "summary_acts.pitch.eventId",
		"summary_acts.pitch.type", "summary_acts.pitch.result", "summary_acts.pitch.action", "summary_acts.pitch.speed.mph",
		"summary_acts.pitch.spin.rpm", "summary_acts.hit.speed.mph", "summary_acts.hit.spin.rpm", "summary_acts.hit.speed.kph",
		"summary_score.runs.innings", "summary_score.outs.inning", "summary_score.count.balls.plateAppearance",
		"summary_score.count.strikes.plateAppearance", "events", "events[0]", "events[0].start.angle", "events[0].teamId.mlbId",
		"events[0].personId.mlbId", "samples_ball", "samples_bat", "samples_ball[0]", "samples_bat[0]", "nobody.knows.me",
	}
	refused := 0
	for _, path := range paths {
		for _, value := range values {
			rec := schemas.Record{Value: valueIn(path, value)}
			doc := document(t, rec.Value)
			change, rej := features.Transform(rec, features.Limits{})
			require.Equal(t, rej == nil, must.Validate(doc) == nil, "readable: %s (%v)", rec.Value, rej)
			clean, fits := rej == nil && !hasTypeIssue(change), whole.Validate(doc) == nil
			if quiet := path == "units" || strings.Contains(path, "samples"); fits || !quiet { // there the core says nothing
				require.Equal(t, clean, fits, "%s (%v)", rec.Value, rej)
			}
			if rej != nil {
				refused++
			}
		}
	}
	require.Greater(t, refused, 100)
}

func hasTypeIssue(c schemas.Change) bool {
	for _, issue := range c.Row.Issues {
		if strings.HasSuffix(issue, ":type") {
			return true
		}
	}
	return false
}

// The schema gives a sample's values types, too, because producers of records check against it.
func TestSamplesOfTheWrongType(t *testing.T) {
	whole, must := compiled(t, schemas.RecordSchema, ""), compiled(t, schemas.RecordSchema, readable)
	for sample, fits := range map[string]bool{
		`{}`: true, `{"event":"No"}`: true, `{"time":null,"head":{"pos":[]}}`: true, `{"time":0.1,"head":{"pos":[1,2,3]},"handle":{}}`: true,
		`{"time":"0.1"}`: false, `{"head":{"pos":[1,2]}}`: false, `{"handle":{"pos":[1,2,null]}}`: false, `{"head":[1,2,3]}`: false,
		`{"event":7}`: false,
	} {
		doc := document(t, valueIn("samples_bat", "["+sample+"]"))
		require.NoError(t, must.Validate(doc), sample)
		require.Equal(t, fits, whole.Validate(doc) == nil, sample)
	}
}

// halfSurrogates are escapes that are no character: a validator sees a replacement in their place.
var halfSurrogates = regexp.MustCompile(`(?i)\\ud[89a-f][0-9a-f]{2}`)

// The vectors' records, without their headers: what the schema accepts is a row without an issue of type, and
// what it calls readable is a row.
func TestVectorsFitTheRecordSchema(t *testing.T) {
	whole, must := compiled(t, schemas.RecordSchema, ""), compiled(t, schemas.RecordSchema, readable)
	accepted, unreadable := 0, 0
	for _, v := range featureVectors(t) {
		rec := schemas.Record{Value: v.record.Value} // without headers
		change, rej := features.Transform(rec, features.Limits{})
		if rej != nil && rej.Code == schemas.CodeMalformedJSON {
			continue
		}
		doc := document(t, rec.Value)
		require.Equal(t, rej == nil, must.Validate(doc) == nil, "%s: %v", v.id, rej)
		if rej != nil {
			unreadable++
		}
		if whole.Validate(doc) == nil && !halfSurrogates.Match(rec.Value) {
			require.Nil(t, rej, v.id)
			require.False(t, hasTypeIssue(change), "%s: %v", v.id, change.Row.Issues)
			accepted++
		}
	}
	require.Greater(t, accepted, 50)
	require.Greater(t, unreadable, 10)
}
