package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// The schemas of a row for a schema registry. Avro finds fields by name, so a column that may be missing has
// the default null, and may come at any place. Protobuf finds them by number, so each keeps the one that it
// has in the file, and a new one gets the next that no field ever had.

// avroTypes maps the SQL types to those of Avro.
var avroTypes = map[string]any{
	"uuid": object{{"type", "string"}, {"logicalType", "uuid"}}, "text": "string", "boolean": "boolean",
	"date":        object{{"type", "int"}, {"logicalType", "date"}},
	"timestamptz": object{{"type", "long"}, {"logicalType", "timestamp-millis"}},
	"text[]":      object{{"type", "array"}, {"items", "string"}},
	"bigint":      "long", "int": "int", "smallint": "int", "float8": "double",
}

// rowAvro returns the Avro schema of a row.
func rowAvro(columns []schemas.Column) ([]byte, error) {
	var fields []object
	for _, c := range columns {
		kind, ok := avroTypes[c.SQL]
		if !ok {
			return nil, fmt.Errorf("column %s: there is no Avro type for %s", c.Name, c.SQL)
		}
		field := object{{"name", c.Name}, {"doc", c.Comment()}, {"type", kind}}
		if c.IsNullable() {
			field[2].value = []any{"null", kind}
			field = append(field, member{"default", nil})
		}
		fields = append(fields, field)
	}
	double := []any{"null", "double"}
	score := object{
		{"type", "record"}, {"name", "Score"},
		{"fields", []object{
			{{"name", "version"}, {"type", "int"}},
			{{"name", "label"}, {"type", []any{"null", "string"}}, {"default", nil}},
			{{"name", "value"}, {"type", double}, {"default", nil}},
			{{"name", "margin"}, {"type", double}, {"default", nil}},
			{{"name", "p_value"}, {"type", double}, {"default", nil}},
			{{"name", "shift"}, {"type", double}, {"default", nil}},
		}},
	}
	fields = append(fields, object{
		{"name", "scores"},
		{"doc", "What live models say about the pitch, by model; missing: where none scores it"},
		{"type", []any{"null", object{{"type", "map"}, {"values", score}}}}, {"default", nil},
	})
	b, err := json.MarshalIndent(object{
		{"type", "record"}, {"name", "Row"}, {"namespace", "pitchstream.v1"},
		{"doc", "Row of one pitch. Made from schemas/columns.txt by go run ./cmd/gendocs: do not edit."},
		{"fields", fields},
	}, "", "  ")
	return append(b, '\n'), err
}

// protobufTypes maps the SQL types to those of Protobuf.
var protobufTypes = map[string]string{
	"uuid": "string", "text": "string", "boolean": "bool", "date": "string",
	"timestamptz": "google.protobuf.Timestamp", "text[]": "repeated string",
	"bigint": "int64", "int": "int32", "smallint": "int32", "float8": "double",
}

var protobufNumber = regexp.MustCompile(`(?m)^  \S.* (\w+) = (\d+);$`)

// rowProtobuf returns the Protobuf schema of a row, with the numbers that before has.
func rowProtobuf(columns []schemas.Column, before []byte) ([]byte, error) {
	numbers, next := map[string]int{}, 1
	for _, m := range protobufNumber.FindAllStringSubmatch(string(before), -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			return nil, err
		}
		numbers[m[1]], next = n, max(next, n+1)
	}
	numberOf := func(name string) int {
		if numbers[name] == 0 {
			numbers[name] = next
			next++
		}
		return numbers[name]
	}
	var b strings.Builder
	b.WriteString(`// Row of one pitch. Made from schemas/columns.txt by go run ./cmd/gendocs: do not edit. A number is never
// given to another field.
syntax = "proto3";

package pitchstream.v1;

import "google/protobuf/timestamp.proto";

message Row {
  message Score {
    int32 version = 1;
    optional string label = 2;
    optional double value = 3;
    optional double margin = 4;
    optional double p_value = 5;
    optional double shift = 6;
  }

`)
	for _, c := range columns {
		kind, ok := protobufTypes[c.SQL]
		if !ok {
			return nil, fmt.Errorf("column %s: there is no Protobuf type for %s", c.Name, c.SQL)
		}
		if c.IsNullable() && c.SQL != "text[]" {
			kind = "optional " + kind
		}
		fmt.Fprintf(&b, "  // %s\n  %s %s = %d;\n", c.Comment(), kind, c.Name, numberOf(c.Name))
	}
	fmt.Fprintf(&b, "  // What live models say about the pitch, by model\n"+
		"  map<string, Score> scores = %d;\n}\n", numberOf("scores"))
	return []byte(b.String()), nil
}
