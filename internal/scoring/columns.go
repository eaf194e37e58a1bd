package scoring

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// value is a column of a row as models see it: a number or a text.
type value struct {
	number float64 // NaN where it is missing or a text
	text   string  // "" where it is missing or a number
}

// reader returns a column of a row.
type reader func(row *schemas.Row) value

// maxColumns bounds the columns of a model, so that a row is scored without allocating.
const maxColumns = 128

// readers has the reader of each column that models may use.
var readers = columnReaders()

// isText has the columns that are texts.
var isText = map[string]bool{}

func columnReaders() map[string]reader {
	all := map[string]reader{}
	t := reflect.TypeFor[schemas.Row]()
	for i, c := range schemas.RowColumns {
		field := func(row *schemas.Row) any { return reflect.ValueOf(row).Elem().Field(i).Addr().Interface() }
		switch t.Field(i).Type {
		case reflect.TypeFor[schemas.Opt[float64]]():
			all[c.Name] = func(row *schemas.Row) value { return number(field(row).(*schemas.Opt[float64])) }
		case reflect.TypeFor[schemas.Opt[int16]]():
			all[c.Name] = func(row *schemas.Row) value { return whole(field(row).(*schemas.Opt[int16])) }
		case reflect.TypeFor[schemas.Opt[int64]]():
			all[c.Name] = func(row *schemas.Row) value { return whole(field(row).(*schemas.Opt[int64])) }
		case reflect.TypeFor[schemas.Opt[bool]]():
			all[c.Name] = func(row *schemas.Row) value { return optTruth(field(row).(*schemas.Opt[bool])) }
		case reflect.TypeFor[bool]():
			all[c.Name] = func(row *schemas.Row) value { return truth(*field(row).(*bool)) }
		case reflect.TypeFor[int32]():
			all[c.Name] = func(row *schemas.Row) value { return value{number: float64(*field(row).(*int32))} }
		case reflect.TypeFor[schemas.Text]():
			isText[c.Name] = true
			all[c.Name] = func(row *schemas.Row) value {
				return value{number: math.NaN(), text: string(*field(row).(*schemas.Text))}
			}
		}
	}
	return all
}

func number(o *schemas.Opt[float64]) value {
	if !o.Present {
		return value{number: math.NaN()}
	}
	return value{number: o.Value}
}

func whole[T int16 | int64](o *schemas.Opt[T]) value {
	if !o.Present {
		return value{number: math.NaN()}
	}
	return value{number: float64(o.Value)}
}

func optTruth(o *schemas.Opt[bool]) value {
	if !o.Present {
		return value{number: math.NaN()}
	}
	return truth(o.Value)
}

func truth(b bool) value {
	if b {
		return value{number: 1}
	}
	return value{}
}

// columnsNamed returns columns of the row by their names, with their units.
func columnsNamed(names ...string) []Column {
	return schemas.Map(names, func(name string) Column { return Column{Name: name, Unit: unitOf(name)} })
}

func unitOf(name string) string {
	for _, c := range schemas.RowColumns {
		if c.Name == name {
			return c.Unit
		}
	}
	return ""
}

func checkColumns(columns []Column) error {
	seen := map[string]bool{}
	for _, c := range columns {
		switch {
		case readers[c.Name] == nil:
			return fmt.Errorf("the row has no column %s that a model can read%s: docs/DATA.md lists the columns",
				c.Name, near(c.Name))
		case c.Unit != unitOf(c.Name):
			return fmt.Errorf("the model reads %s in %q: the row has it in %q", c.Name, c.Unit, unitOf(c.Name))
		case seen[c.Name]:
			return fmt.Errorf("the model names the column %s twice", c.Name)
		}
		seen[c.Name] = true
	}
	return nil
}

// near returns a hint at a column whose name has the wrong one in it, or is in it.
func near(wrong string) string {
	if wrong == "" {
		return ""
	}
	for _, c := range schemas.RowColumns {
		if readers[c.Name] != nil && (strings.Contains(c.Name, wrong) || strings.Contains(wrong, c.Name)) {
			return fmt.Sprintf(" (is it %s?)", c.Name)
		}
	}
	return ""
}

// numbers copies the values that are all numbers into x. ok is false if one is missing.
func numbers(values []value, x []float64) (ok bool) {
	for i, v := range values {
		x[i] = v.number
	}
	return !slices.ContainsFunc(x[:len(values)], math.IsNaN)
}
