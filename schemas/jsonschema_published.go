package schemas

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

// ReleasedSchemas are the JSON Schemas as the last release published them, under jsonschema/released/vMAJOR/: what the
// present ones must stay compatible with. They change when a release is made, and not before.
//
//go:embed jsonschema/released/v1/*.schema.json
var ReleasedSchemas embed.FS

// ReleasedFolder is where those of the present major version stand in ReleasedSchemas.
const ReleasedFolder = "jsonschema/released/v1"

// PublishedSchema is one JSON Schema as others get it.
type PublishedSchema struct {
	Name    string // record, row, letter
	Version string // MAJOR.MINOR, the end of its $id
	Title   string
	JSON    []byte // the file, byte for byte
}

// PublishedSchemas are the schemas of this build, in the order in which a pitch meets them.
func PublishedSchemas() (all []PublishedSchema) {
	for _, file := range []string{RecordSchema, RowSchema, DeadLetterSchema} {
		b, err := JSONSchemas.ReadFile(file)
		if err != nil {
			panic(err) // it is in the binary, or this does not compile
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
