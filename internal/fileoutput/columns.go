package fileoutput

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// sourceColumns follow the columns of the core. The other columns of a store, such as revision and offset,
// are left out, because they have no meaning for a file or would differ between runs.
var sourceColumns = []schemas.Column{
	{
		Name: "event_time", SQL: "timestamptz", Range: "years 0001–9999", Source: "the games' log",
		Meaning: "When the pitch was thrown, to the millisecond", Missing: "where the games' log names no time",
	}, {
		Name: "source", SQL: "text", Source: "the input",
		Meaning: "File that the record stands in, as it was named", Missing: "never",
	}, {
		Name: "record", SQL: "bigint", Range: "1 and more", Source: "the input",
		Meaning: "Number of the record in that file", Missing: "never",
	},
}

// Columns are the columns of the table of rows, in order.
var Columns = slices.Concat(schemas.RowColumns, sourceColumns)

// kind is how the values of a column are written.
type kind uint8

const (
	textKind kind = iota
	dateKind      // text YYYY-MM-DD
	int16Kind
	int32Kind
	int64Kind
	floatKind
	boolKind
	timeKind // milliseconds
	listKind // of text
)

// kinds maps types of Postgres.
var kinds = map[string]kind{
	"uuid": textKind, "text": textKind, "jsonb": textKind, "date": dateKind, "smallint": int16Kind,
	"int": int32Kind, "bigint": int64Kind, "float8": floatKind, "boolean": boolKind, "timestamptz": timeKind,
	"text[]": listKind,
}

// cell is one value of a row.
type cell struct {
	present bool
	n       int64 // of whole numbers, times, booleans (0 or 1)
	f       float64
	s       string // of texts and dates
	list    []string
}

// column is a column with the function that reads its value.
type column struct {
	schemas.Column
	kind kind
	of   func(*Row) cell
}

var columns, storedColumns = tableOf(Columns), tableOf(schemas.StoredColumns)

func tableOf(described []schemas.Column) []column {
	return schemas.Map(described, func(c schemas.Column) column {
		return column{c, kinds[c.SQL], cells[c.Name]}
	})
}

// cells has the values of the columns of every table, by name: those of the core by their place in a row.
var cells = func() map[string]func(*Row) cell {
	of := map[string]func(*Row) cell{
		"event_time":       func(r *Row) cell { return whole(r.EventTime) },
		"source":           func(r *Row) cell { return cell{present: true, s: r.Source} },
		"record":           func(r *Row) cell { return count(r.Record) },
		"revision":         func(r *Row) cell { return count(r.Provenance.Revision) },
		"record_ts_ms":     func(r *Row) cell { return count(r.Provenance.RecordTSMS) },
		"source_topic":     func(r *Row) cell { return cell{present: true, s: r.Provenance.SourceTopic} },
		"source_partition": func(r *Row) cell { return count(int64(r.Provenance.SourcePartition)) },
		"source_offset":    func(r *Row) cell { return count(r.Provenance.SourceOffset) },
		"core_version":     func(r *Row) cell { return count(int64(r.Provenance.CoreVersion)) },
		"build":            func(r *Row) cell { return cell{present: true, s: r.Provenance.Build} },
		"processed_at":     func(r *Row) cell { return count(int64(r.Provenance.ProcessedAt)) },
	}
	for i, c := range schemas.RowColumns {
		of[c.Name] = func(r *Row) cell { return cellOf(reflect.ValueOf(&r.Row).Elem().Field(i).Addr().Interface()) }
	}
	of["issues"] = func(r *Row) cell { return cell{present: true, list: r.Issues} }
	// By its confidence, because a spool does not keep an empty list apart from none.
	of["contact_doubts"] = func(r *Row) cell {
		return cell{present: r.ContactConfidence != "", list: r.ContactDoubts}
	}
	return of
}()

// cellOf returns the value of a field of a row.
func cellOf(field any) cell {
	switch f := field.(type) {
	case *schemas.PitchID:
		return cell{present: true, s: f.String()}
	case *schemas.Text:
		return cell{present: *f != "", s: string(*f)}
	case *schemas.Opt[int16]:
		return whole(*f)
	case *schemas.Opt[int64]:
		return whole(*f)
	case *schemas.Opt[float64]:
		return cell{present: f.Present, f: f.Value}
	case *schemas.Opt[bool]:
		return cell{present: f.Present, n: one(f.Value)}
	case *bool:
		return cell{present: true, n: one(*f)}
	case *int32:
		return count(int64(*f))
	case *[]string:
		return cell{present: *f != nil, list: *f}
	}
	panic(fmt.Sprintf("a row has a field of the unknown type %T", field))
}

func whole[T ~int16 | ~int64](o schemas.Opt[T]) cell {
	return cell{present: o.Present, n: int64(o.Value)}
}

func count(n int64) cell { return cell{present: true, n: n} }
