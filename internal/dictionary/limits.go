package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// How a range is written in the table of columns.
var (
	numbers = regexp.MustCompile(`^(−?[0-9]+)–(−?[0-9]+)$`)
	atLeast = regexp.MustCompile(`^(−?[0-9]+) and more$`)
	length  = regexp.MustCompile(`^([0-9]+)–([0-9]+) bytes$`)
	words   = regexp.MustCompile(`^[A-Za-z]+(, [A-Za-z]+)+$`)
)

// What a date and a time look like: RFC 3339, in UTC, with milliseconds.
const (
	datePattern = `(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])`
	timePattern = `^[0-9]{4}-` + datePattern + `T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z$`
	uuidPattern = `^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`
	// A column's or a header's name, and the kind: kinds may be added.
	issuePattern = `^[a-z_]+:[a-z]+$`
)

// limitsOf is what is allowed of a column's type. A range that is written in a way not known here is an error.
func limitsOf(c schemas.Column) (object, error) {
	number := func(s string) json.Number { return json.Number(strings.ReplaceAll(s, "−", "-")) }
	switch at := c.Range; {
	case c.SQL == "uuid":
		return object{{"format", "uuid"}, {"pattern", uuidPattern}}, nil
	case c.SQL == "date" && at == "1800-01-01 and later":
		return object{{"format", "date"}, {"pattern", `^(1[89]|[2-9][0-9])[0-9]{2}-` + datePattern + `$`}}, nil
	case c.SQL == "timestamptz" && (at == "" || at == "years 0001–9999"):
		return object{{"format", "date-time"}, {"pattern", timePattern}}, nil
	case c.SQL == "text[]":
		return object{{"items", object{{"type", "string"}, {"pattern", issuePattern}}}, {"uniqueItems", true}}, nil
	case numbers.MatchString(at):
		m := numbers.FindStringSubmatch(at)
		return object{{"minimum", number(m[1])}, {"maximum", number(m[2])}}, nil
	case atLeast.MatchString(at) && most[c.SQL] != "":
		return object{{"minimum", number(atLeast.FindStringSubmatch(at)[1])}, {"maximum", number(most[c.SQL])}}, nil
	case length.MatchString(at): // in bytes; in characters it is that or less
		m := length.FindStringSubmatch(at)
		return object{{"minLength", number(m[1])}, {"maxLength", number(m[2])}}, nil
	case words.MatchString(at):
		return object{{"enum", strings.Split(at, ", ")}}, nil
	case at != "":
		return nil, fmt.Errorf("the range %q of a %s is written in a way that is not known here", at, c.SQL)
	case most[c.SQL] != "":
		return object{{"minimum", number(least[c.SQL])}, {"maximum", number(most[c.SQL])}}, nil
	case c.SQL == "text":
		return object{{"minLength", 1}}, nil
	}
	return nil, nil
}

// The bounds of the integer types.
var (
	least = map[string]string{"bigint": "-9223372036854775808", "int": "-2147483648", "smallint": "-32768"}
	most  = map[string]string{"bigint": "9223372036854775807", "int": "2147483647", "smallint": "32767"}
)
