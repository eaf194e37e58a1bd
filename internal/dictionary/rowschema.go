package main

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// rowSchemaID names the schema with its version: docs/SCHEMA.md says when which part of it grows.
const rowSchemaID = "urn:pitchstream:schema:row:1.0"

// rowSchema is the JSON Schema of a row as the rows topic carries it: every column a member, in the columns' order.
func rowSchema(columns []schemas.Column) ([]byte, error) {
	first, err := requiredAtFirst()
	if err != nil {
		return nil, err
	}
	var properties object
	var required, never, always []string
	for _, c := range columns {
		described, err := columnSchema(c)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		properties = append(properties, member{c.Name, described})
		if first[c.Name] {
			required = append(required, c.Name)
		}
		if strings.HasPrefix(c.Missing, noSwing) {
			never = append(never, c.Name)
		}
		if c.Missing == noSwing {
			always = append(always, c.Name)
		}
	}
	b, err := json.MarshalIndent(object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", rowSchemaID},
		{"title", "Row of one pitch"},
		{"description", "The value of a record of the rows topic, keyed by pitch_id: every column of the table pitches, a missing value " +
			"as null. A pitch that was deleted has no value (a tombstone). Later versions may have more members: ignore those that you do not know."},
		{"$comment", "Made from schemas/columns.go by go run ./internal/dictionary: do not edit."},
		{"type", "object"},
		{"properties", properties},
		{"required", required},
		{"allOf", []object{swingRule(never, always), whiffRule()}},
	}, "", "  ")
	return append(b, '\n'), err
}

// requiredAtFirst are the columns that a row has had since its major version began. One that came later is not required:
// rows that stand in the topic since before do not have it.
func requiredAtFirst() (map[string]bool, error) {
	b, err := schemas.ReleasedSchemas.ReadFile(path.Join(schemas.ReleasedFolder, path.Base(schemas.RowSchema)))
	if err != nil {
		return nil, err
	}
	var released struct{ Required []string }
	if err := json.Unmarshal(b, &released); err != nil {
		return nil, err
	}
	first := map[string]bool{}
	for _, name := range released.Required {
		first[name] = true
	}
	return first, nil
}

// noSwing begins what Missing says of the columns that only a swing can have; those with nothing else have it always.
const noSwing = "where is_swing is false"

// swingRule: without a swing nothing is known of it; with one, some of it always is.
func swingRule(never, always []string) object {
	return object{
		{"if", object{{"properties", object{{"is_swing", object{{"const", false}}}}}}},
		{"then", object{{"properties", each(never, object{{"type", "null"}})}}},
		{"else", object{{"properties", each(always, object{{"not", object{{"type", "null"}}}})}}},
	}
}

// whiffRule: a whiff is a swing without contact, and nothing else is.
func whiffRule() object {
	is := func(value bool) object { return object{{"properties", object{{"is_whiff", object{{"const", value}}}}}} }
	return object{
		{"if", object{{"properties", object{{"is_swing", object{{"const", true}}}, {"is_contact", object{{"const", false}}}}}}},
		{"then", is(true)},
		{"else", is(false)},
	}
}

func each(names []string, o object) (all object) {
	for _, name := range names {
		all = append(all, member{name, o})
	}
	return all
}

// columnSchema is what a column's type, range and missing say, in the words of JSON Schema.
func columnSchema(c schemas.Column) (object, error) {
	limits, err := limitsOf(c)
	if err != nil {
		return nil, err
	}
	nullable := !strings.HasPrefix(c.Missing, "never")
	o := object{{"description", c.Comment()}, {"$comment", "from: " + c.Source}}
	for _, m := range append(object{{"type", jsonTypes[c.SQL]}}, limits...) {
		switch words, isEnum := m.value.([]string); {
		case m.key == "type" && nullable:
			m.value = []any{m.value, "null"}
		case isEnum && nullable:
			m.value = append(anys(words), nil)
		}
		o = append(o, m)
	}
	return o, nil
}

func anys(words []string) (all []any) {
	for _, w := range words {
		all = append(all, w)
	}
	return all
}

// jsonTypes are the JSON types of the database's.
var jsonTypes = map[string]string{
	"uuid": "string", "text": "string", "date": "string", "timestamptz": "string", "text[]": "array", "boolean": "boolean",
	"bigint": "integer", "int": "integer", "smallint": "integer", "float8": "number",
}
