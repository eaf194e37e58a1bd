package schemas

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

// Migrations are the SQL files that make the database's schema. They are applied in the order of their names,
// each once.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// JSONSchemas are the published JSON Schemas (draft 2020-12) of the records on the three topics, under the
// names below.
//
//go:embed jsonschema/*.schema.json
var JSONSchemas embed.FS

// Names of the files in JSONSchemas.
const (
	// RecordSchema describes the value of a tracking record. It accepts the records whose every value has the
	// type that pitchstream reads; its $defs/readable accepts all records that become a row, with or without
	// issues.
	RecordSchema = "jsonschema/record.schema.json"
	// RowSchema describes the value of the rows topic, a StoredRow. It is generated from StoredColumns by
	// go run ./cmd/gendocs.
	RowSchema = "jsonschema/row.schema.json"
	// DeadLetterSchema describes the headers of a dead letter, taken as an object of texts.
	DeadLetterSchema = "jsonschema/letter.schema.json"
)

// RegistrySchemas are the schemas of a row for a schema registry, beside RowSchema, under the names below.
// They are generated from StoredColumns by go run ./cmd/gendocs.
//
//go:embed registry/row.avsc registry/row.proto
var RegistrySchemas embed.FS

// Names of the files in RegistrySchemas.
const (
	RowAvroSchema = "registry/row.avsc"
	// RowProtobufSchema has the numbers of the fields. A column keeps its number for ever.
	RowProtobufSchema = "registry/row.proto"
)

// ReleasedSchemas are the JSON Schemas as the last release published them, under jsonschema/released/vMAJOR/.
// The present ones must stay compatible with them. They change when a release is made, and only then.
//
//go:embed jsonschema/released/v1/*.schema.json
var ReleasedSchemas embed.FS

// ReleasedFolder is the folder in ReleasedSchemas of the present major version.
const ReleasedFolder = "jsonschema/released/v1"

// PublishedSchema is one JSON Schema as the API serves it.
type PublishedSchema struct {
	Name    string // the name of the file without .schema.json, as in its $id
	Version string // MAJOR.MINOR, the end of its $id
	Title   string
	JSON    []byte // the file, byte for byte
}

// PublishedSchemas returns the schemas of this build, in the order in which a pitch meets them. It panics if
// a file is malformed, because the files are part of the binary: the first test would fail.
func PublishedSchemas() (all []PublishedSchema) {
	for _, file := range []string{RecordSchema, RowSchema, DeadLetterSchema} {
		b, err := JSONSchemas.ReadFile(file)
		if err != nil {
			panic(err)
		}
		s, err := publishedSchema(file, b)
		if err != nil {
			panic(err)
		}
		all = append(all, s)
	}
	return all
}

const idPrefix = "urn:pitchstream:schema:"

func publishedSchema(file string, b []byte) (s PublishedSchema, err error) {
	var head struct {
		ID    string `json:"$id"`
		Title string `json:"title"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	name := strings.TrimSuffix(path.Base(file), ".schema.json")
	version, ok := strings.CutPrefix(head.ID, idPrefix+name+":")
	if !ok {
		return s, fmt.Errorf("%s: its $id is %q: want %s%s:MAJOR.MINOR", file, head.ID, idPrefix, name)
	}
	return PublishedSchema{Name: name, Version: version, Title: head.Title, JSON: b}, nil
}
