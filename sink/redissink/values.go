package redissink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/pitchstream/pitchstream/schemas"
)

// field is one field of a player's hash and the value of the aggregates that it holds.
type field struct {
	name  string
	value any // *int64, *schemas.Opt[float64], or a pointer to a nilable value that is stored as JSON
}

// fieldsOf returns the fields of a hash, in the order in which they are written.
func fieldsOf(side schemas.Side, values []any) []field {
	fields := make([]field, len(values))
	for i, value := range values {
		fields[i] = field{side.Columns()[i].Name, value}
	}
	return fields
}

// encode returns the fields and values of a hash, in turn. A missing value has no field. values are those of
// the side's columns; without any there is no hash.
func encode(side schemas.Side, values []any, updatedAt schemas.TimeMS) ([]any, error) {
	if len(values) == 0 {
		return nil, nil
	}
	fields := make([]any, 0, 2*len(values)+2)
	for _, f := range fieldsOf(side, values) {
		switch v := f.value.(type) {
		case *int64:
			fields = append(fields, f.name, strconv.FormatInt(*v, 10))
		case *schemas.Opt[float64]:
			if v.Present {
				fields = append(fields, f.name, shortest(v.Value))
			}
		default:
			if reflect.ValueOf(v).Elem().IsNil() {
				continue
			}
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false) // because people read it with redis-cli
			if err := enc.Encode(v); err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
			fields = append(fields, f.name, string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))))
		}
	}
	return append(fields, "updated_at", updatedAt.String()), nil
}

// decode parses a hash that encode's fields were written to. An error means that no processor wrote the hash
// as it is.
func decode(side schemas.Side, hash map[string]string) (v schemas.PlayerState, err error) {
	var whole int64
	v.Side = side
	for _, f := range append(fieldsOf(side, v.Fields()),
		field{"updated_at", &v.UpdatedAt}, field{"seq", &v.Seq}, field{"whole", &whole}) {
		text, ok := hash[f.name]
		if !ok {
			if _, isCount := f.value.(*int64); isCount && f.name != "whole" { // a game has none
				return v, fmt.Errorf("no field %s", f.name)
			}
			continue
		}
		switch at := f.value.(type) {
		case *int64:
			*at, err = strconv.ParseInt(text, 10, 64)
		case *schemas.Opt[float64]:
			at.Present = true
			if at.Value, err = strconv.ParseFloat(text, 64); math.IsNaN(at.Value) || math.IsInf(at.Value, 0) {
				err = errors.New("not finite")
			}
		case *schemas.TimeMS:
			err = at.UnmarshalJSON(strconv.AppendQuote(nil, text))
		default:
			err = json.Unmarshal([]byte(text), at)
		}
		if err != nil {
			return v, fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	if v.Seq <= 0 || v.Seq > maxSeq {
		return v, fmt.Errorf("field seq: %d", v.Seq)
	}
	v.Suspect = whole < 0
	return v, nil
}

// shortest returns the shortest decimal that reads back as the same number. It has an exponent only where
// writers of JSON use one: from 1e+21 and below 1e-06.
func shortest(v float64) string {
	format := byte('f')
	if size := math.Abs(v); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	return strconv.FormatFloat(v, format, -1, 64)
}
