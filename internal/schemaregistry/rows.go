package schemaregistry

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pitchstream/pitchstream/schemas"
)

// Format is how rows are written.
type Format string

// The formats of rows. All but JSON need a registry.
const (
	JSON       Format = "json"        // plain, without a prefix
	JSONSchema Format = "json-schema" // the same behind the prefix
	Avro       Format = "avro"
	Protobuf   Format = "protobuf"
)

// RowFormats are all formats, in the order in which help names them.
var RowFormats = []Format{JSON, JSONSchema, Avro, Protobuf}

// RowSchema returns the schema of rows in a format; JSON has none.
func RowSchema(f Format) (sr.Schema, error) {
	file, kind := "", sr.TypeJSON
	switch f {
	case JSONSchema:
		file = schemas.RowSchema
	case Avro:
		file, kind = schemas.RowAvroSchema, sr.TypeAvro
	case Protobuf:
		file, kind = schemas.RowProtobufSchema, sr.TypeProtobuf
	default:
		return sr.Schema{}, fmt.Errorf("rows in the format %q have no schema", f)
	}
	text, err := schemas.RegistrySchemas.ReadFile(file)
	if f == JSONSchema {
		text, err = schemas.JSONSchemas.ReadFile(file)
		// Registries check compatibility by draft 7, and some know no later one. The schema uses nothing newer.
		// guard: registry: the JSON Schema is of a draft that every registry knows | , 1) -> , 0)
		text = bytes.Replace(text, []byte("https://json-schema.org/draft/2020-12/schema"),
			[]byte("http://json-schema.org/draft-07/schema#"), 1)
	}
	return sr.Schema{Schema: string(text), Type: kind}, err
}

// AppendRow appends the value of a row, with its prefix.
type AppendRow func(b []byte, p *schemas.Published) []byte

func appendRow(f Format, id int) AppendRow {
	switch f {
	case Avro:
		return func(b []byte, p *schemas.Published) []byte { return appendAvroRow(AppendPrefix(b, id), p) }
	case Protobuf:
		numbers := protobufNumbers()
		return func(b []byte, p *schemas.Published) []byte {
			// The zero is the path to the message within the schema: the first one.
			return appendProtobufRow(append(AppendPrefix(b, id), 0), p, numbers)
		}
	}
	return func(b []byte, p *schemas.Published) []byte { return p.AppendJSON(AppendPrefix(b, id)) }
}

// fieldsOf returns pointers to the columns of a row, in the order of schemas.StoredColumns.
func fieldsOf(r *schemas.StoredRow) []any {
	return append(r.Row.Fields(), schemas.FieldsOf(&r.Provenance)...)
}

// liveScores returns the scores that readers see.
func liveScores(p *schemas.Published) []schemas.Score {
	isShadow := func(s schemas.Score) bool { return s.IsShadow }
	if !slices.ContainsFunc(p.Scores, isShadow) {
		return p.Scores
	}
	return slices.DeleteFunc(slices.Clone(p.Scores), isShadow)
}

// nullable reports for each of schemas.StoredColumns whether it may be missing.
var nullable = schemas.Map(schemas.StoredColumns, schemas.Column.IsNullable)

// appendAvroRow appends a row as row.avsc says. The union of a column that may be missing has null first.
func appendAvroRow(b []byte, p *schemas.Published) []byte {
	for i, field := range fieldsOf(p.Row) {
		b = appendAvroField(b, field, i, nullable[i])
	}
	scores := liveScores(p)
	if len(scores) == 0 {
		return append(b, 0)
	}
	b = binary.AppendVarint(append(b, 2), int64(len(scores)))
	for _, s := range scores {
		b = appendAvroText(b, s.Model)
		b = binary.AppendVarint(b, int64(s.Version))
		b = appendAvroField(b, &s.Label, -1, true)
		for _, v := range []schemas.Opt[float64]{s.Value, s.Margin, s.PValue, s.Shift} {
			b = appendAvroField(b, &v, -1, true)
		}
	}
	return append(b, 0)
}

// appendAvroField appends a value behind the branch of its union, if it has one.
func appendAvroField(b []byte, field any, column int, isNullable bool) []byte {
	present := func(ok bool) bool {
		if isNullable && ok {
			b = append(b, 2)
		} else if isNullable {
			b = append(b, 0)
		}
		return ok || !isNullable
	}
	switch v := field.(type) {
	case *schemas.PitchID:
		b = appendAvroText(b, v.String())
	case *schemas.Text:
		if present(*v != "") {
			if isDate(column) {
				return binary.AppendVarint(b, daysOf(string(*v)))
			}
			b = appendAvroText(b, string(*v))
		}
	case *string:
		b = appendAvroText(b, *v)
	case *schemas.Opt[int16]:
		if present(v.Present) {
			b = binary.AppendVarint(b, int64(v.Value))
		}
	case *schemas.Opt[int64]:
		if present(v.Present) {
			b = binary.AppendVarint(b, v.Value)
		}
	case *int32:
		b = binary.AppendVarint(b, int64(*v))
	case *int64:
		b = binary.AppendVarint(b, *v)
	case *schemas.TimeMS:
		b = binary.AppendVarint(b, int64(*v))
	case *schemas.Opt[float64]:
		if present(v.Present) {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Value))
		}
	case *schemas.Opt[bool]:
		if present(v.Present) {
			b = appendBool(b, v.Value)
		}
	case *bool:
		b = appendBool(b, *v)
	case *[]string:
		if present(*v != nil) {
			if len(*v) > 0 {
				b = binary.AppendVarint(b, int64(len(*v)))
				for _, text := range *v {
					b = appendAvroText(b, text)
				}
			}
			b = append(b, 0)
		}
	default:
		panic(fmt.Sprintf("no Avro for a column of type %T", field)) // a test writes every column
	}
	return b
}

func appendAvroText(b []byte, text string) []byte {
	return append(binary.AppendVarint(b, int64(len(text))), text...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

var isDateColumn = schemas.Map(schemas.StoredColumns, func(c schemas.Column) bool { return c.SQL == "date" })

func isDate(column int) bool { return column >= 0 && isDateColumn[column] }

// daysOf returns the days from 1970 on of a date, which the core has checked.
func daysOf(date string) int64 {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return 0
	}
	return t.Unix() / 86400
}

// protobufNumbers returns the field number of each column in row.proto, and behind them that of scores.
func protobufNumbers() []protowire.Number {
	text, err := schemas.RegistrySchemas.ReadFile(schemas.RowProtobufSchema)
	if err != nil {
		panic(err) // it is part of the binary
	}
	numbers := map[string]protowire.Number{}
	for _, m := range protobufField.FindAllSubmatch(text, -1) {
		n, err := strconv.ParseInt(string(m[2]), 10, 29)
		if _, again := numbers[string(m[1])]; err == nil && !again {
			numbers[string(m[1])] = protowire.Number(n)
		}
	}
	return schemas.Map(append(schemas.Map(schemas.StoredColumns, schemas.ColumnName), "scores"),
		func(name string) protowire.Number { return numbers[name] })
}

var protobufField = regexp.MustCompile(`(?m)^  \S.* (\w+) = (\d+);$`)

// appendProtobufRow appends a row as row.proto says. A missing value is an absent field.
func appendProtobufRow(b []byte, p *schemas.Published, numbers []protowire.Number) []byte {
	for i, field := range fieldsOf(p.Row) {
		b = appendProtobufField(b, field, numbers[i], nullable[i])
	}
	for _, s := range liveScores(p) {
		var score []byte
		score = appendProtobufField(score, &s.Version, 1, false)
		score = appendProtobufField(score, &s.Label, 2, true)
		for i, v := range []schemas.Opt[float64]{s.Value, s.Margin, s.PValue, s.Shift} {
			score = appendProtobufField(score, &v, protowire.Number(3+i), true)
		}
		entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), s.Model)
		entry = protowire.AppendBytes(protowire.AppendTag(entry, 2, protowire.BytesType), score)
		b = protowire.AppendTag(b, numbers[len(schemas.StoredColumns)], protowire.BytesType)
		b = protowire.AppendBytes(b, entry)
	}
	return b
}

// appendProtobufField appends a field. As in proto3, the zero value of one that cannot be missing is left
// out.
func appendProtobufField(b []byte, field any, n protowire.Number, isNullable bool) []byte {
	text := func(s string) {
		if s != "" {
			b = protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
		}
	}
	integer := func(v int64, ok bool) {
		if ok {
			b = protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(v))
		}
	}
	switch v := field.(type) {
	case *schemas.PitchID:
		text(v.String())
	case *schemas.Text:
		text(string(*v))
	case *string:
		text(*v)
	case *schemas.Opt[int16]:
		integer(int64(v.Value), v.Present)
	case *schemas.Opt[int64]:
		integer(v.Value, v.Present)
	case *int32:
		integer(int64(*v), *v != 0)
	case *int64:
		integer(*v, *v != 0)
	case *schemas.TimeMS:
		b = protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), timestamp(int64(*v)))
	case *schemas.Opt[float64]:
		if v.Present {
			b = protowire.AppendFixed64(protowire.AppendTag(b, n, protowire.Fixed64Type), math.Float64bits(v.Value))
		}
	case *schemas.Opt[bool]:
		integer(int64(appendBool(nil, v.Value)[0]), v.Present)
	case *bool:
		integer(1, *v)
	case *[]string:
		for _, element := range *v {
			b = protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), element)
		}
	default:
		panic(fmt.Sprintf("no Protobuf for a column of type %T", field)) // a test writes every column
	}
	return b
}

// timestamp returns a google.protobuf.Timestamp.
func timestamp(ms int64) []byte {
	t := time.UnixMilli(ms)
	var b []byte
	if s := t.Unix(); s != 0 {
		b = protowire.AppendVarint(protowire.AppendTag(b, 1, protowire.VarintType), uint64(s))
	}
	if ns := t.Nanosecond(); ns != 0 {
		b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(ns))
	}
	return b
}
