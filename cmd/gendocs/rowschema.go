package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// rowSchemaID names the schema with its version. docs/SCHEMA.md says when to raise the major and the minor
// part.
const rowSchemaID = "urn:pitchstream:schema:row:1.2"

// rowSchema returns the JSON Schema of a row in the rows topic. Its members are the columns, in their order,
// and the scores of live models, which a row has only while a model scores such rows.
func rowSchema(columns []schemas.Column) ([]byte, error) {
	released, err := releasedColumns()
	if err != nil {
		return nil, err
	}
	var properties object
	var required, onlySwings, allSwings []string
	for _, c := range columns {
		described, err := columnSchema(c)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		properties = append(properties, member{c.Name, described})
		if slices.Contains(released, c.Name) {
			required = append(required, c.Name)
		}
		if strings.HasPrefix(c.Missing, noSwing) {
			onlySwings = append(onlySwings, c.Name)
		}
		if c.Missing == noSwing {
			allSwings = append(allSwings, c.Name)
		}
	}
	properties = append(properties, member{schemas.ScoresMember, scoresSchema()})
	b, err := json.MarshalIndent(object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", rowSchemaID},
		{"title", "Row of one pitch"},
		{"description", "The value of a record of the rows topic, keyed by pitch_id: " +
			"every column of the table pitches, a missing value as null, and what live models say. " +
			"A pitch that was deleted has no value (a tombstone). " +
			"Later versions may have more members: ignore those that you do not know."},
		{"$comment", "Made from schemas/columns.go by go run ./cmd/gendocs: do not edit."},
		{"type", "object"},
		{"properties", properties},
		{"required", required},
		{"allOf", []object{swingRule(onlySwings, allSwings), whiffRule()}},
	}, "", "  ")
	return append(b, '\n'), err
}

// scoresSchema returns the JSON Schema of what live models say about a row.
func scoresSchema() object {
	number := func(description string) object {
		return object{{"description", description}, {"type", []string{"number", "null"}}}
	}
	return object{
		{"description", "What live models say about the row, by the name of the model; missing: none scores it"},
		{"$comment", "from: the live version of each model, in the transaction that wrote the row"},
		{"type", "object"},
		{"additionalProperties", object{
			{"type", "object"},
			{"properties", object{
				{"version", object{
					{"description", "The version that scored the row"}, {"type", "integer"}, {"minimum", 1},
				}},
				{"label", object{{"description", "The group that the pitch belongs to; null: the model gives none, " +
					"or the row lacks what it needs"}, {"type", []string{"string", "null"}}}},
				{"value", number("A distance or a prediction; null: the row lacks what the model needs")},
				{"margin", number("How much nearer the label is than the next one, 0–1; null: the model gives none")},
				{"p_value", number("Share of such pitches that are at least as far away; null: the model gives none")},
				{"shift", number("By how many standard deviations of the player the first column of the model is off; " +
					"null: the model gives none")},
			}},
			{"required", []string{"version", "label", "value", "margin", "p_value", "shift"}},
		}},
	}
}

// releasedColumns returns the columns that rows have had since the first release of their major version. A
// column that was added later is not required, because older rows in the topic do not have it.
func releasedColumns() ([]string, error) {
	b, err := schemas.ReleasedSchemas.ReadFile(path.Join(schemas.ReleasedFolder, path.Base(schemas.RowSchema)))
	if err != nil {
		return nil, err
	}
	var released struct{ Required []string }
	if err := json.Unmarshal(b, &released); err != nil {
		return nil, err
	}
	return released.Required, nil
}

// noSwing begins Column.Missing of the columns that only swings have. If it is the whole text, every swing
// has a value.
const noSwing = "where is_swing is false"

// swingRule returns the rule that a pitch without a swing has null in the columns of onlySwings, and that a
// swing has a value in those of allSwings.
func swingRule(onlySwings, allSwings []string) object {
	return object{
		{"if", object{{"properties", object{{"is_swing", object{{"const", false}}}}}}},
		{"then", object{{"properties", each(onlySwings, object{{"type", "null"}})}}},
		{"else", object{{"properties", each(allSwings, object{{"not", object{{"type", "null"}}}})}}},
	}
}

// whiffRule returns the rule that a whiff is a swing without contact, and that nothing else is a whiff.
func whiffRule() object {
	is := func(column string, value bool) member { return member{column, object{{"const", value}}} }
	return object{
		{"if", object{{"properties", object{is("is_swing", true), is("is_contact", false)}}}},
		{"then", object{{"properties", object{is("is_whiff", true)}}}},
		{"else", object{{"properties", object{is("is_whiff", false)}}}},
	}
}

// each returns an object that has o under every name.
func each(names []string, o object) (all object) {
	for _, name := range names {
		all = append(all, member{name, o})
	}
	return all
}

// columnSchema returns the JSON Schema of one column from its type, its range and when it is missing.
func columnSchema(c schemas.Column) (object, error) {
	limits, err := limitsOf(c)
	if err != nil {
		return nil, err
	}
	o := object{{"description", c.Comment()}, {"$comment", "from: " + c.Source}}
	for _, m := range append(object{{"type", jsonTypes[c.SQL]}}, limits...) {
		switch words, isEnum := m.value.([]string); {
		case m.key == "type" && c.IsNullable():
			m.value = []any{m.value, "null"}
		case isEnum && c.IsNullable():
			values := []any{}
			for _, w := range words {
				values = append(values, w)
			}
			m.value = append(values, nil)
		}
		o = append(o, m)
	}
	return o, nil
}

// jsonTypes maps the SQL types to those of JSON.
var jsonTypes = map[string]string{
	"uuid": "string", "text": "string", "date": "string", "timestamptz": "string", "text[]": "array",
	"boolean": "boolean", "bigint": "integer", "int": "integer", "smallint": "integer", "float8": "number",
}

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	key   string
	value any
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	parts := make([][]byte, len(o))
	for i, m := range o {
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		parts[i] = slices.Concat(key, []byte(":"), value)
	}
	return slices.Concat([]byte("{"), bytes.Join(parts, []byte(",")), []byte("}")), nil
}
