package schemas

import "embed"

// JSONSchemas are the published JSON Schemas (draft 2020-12) of what stands on the three topics, under the names below.
//
//go:embed jsonschema/*.schema.json
var JSONSchemas embed.FS

// Names of the files in JSONSchemas.
const (
	// RecordSchema describes the value of a tracking record. It accepts the records whose every value has the type that
	// pitchstream reads; $defs/readable in it accepts all that become a row, if with issues.
	RecordSchema = "jsonschema/record.schema.json"
	// RowSchema describes the value of the rows topic, a StoredRow. It is made from StoredColumns by
	// go run ./cmd/gendocs.
	RowSchema = "jsonschema/row.schema.json"
	// DeadLetterSchema describes the headers of a dead letter, taken as an object of texts.
	DeadLetterSchema = "jsonschema/letter.schema.json"
)
