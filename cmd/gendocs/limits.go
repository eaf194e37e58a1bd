package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// The ways in which schemas.Column.Range writes a range.
var (
	numbers = regexp.MustCompile(`^(−?[0-9]+)–(−?[0-9]+)$`)
	atLeast = regexp.MustCompile(`^(−?[0-9]+) and more$`)
	length  = regexp.MustCompile(`^([0-9]+)–([0-9]+) bytes$`)
	words   = regexp.MustCompile(`^[A-Za-z]+(, [A-Za-z]+)+$`)
)

// The patterns of text values. A date and a time follow RFC 3339, in UTC, with milliseconds.
const (
	datePattern = `(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])`
	timePattern = `^[0-9]{4}-` + datePattern + `T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z$`
	uuidPattern = `^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`
	// The name of a column or header, and the kind of issue. Later versions may add kinds.
	issuePattern = `^[a-z_]+:[a-z]+$`
)

// limitsOf returns the JSON Schema keywords for a column's type and range. A range written in a way that is
// not known here is an error, so that no limit is silently left out of the schema.
func limitsOf(c schemas.Column) (object, error) {
	number := func(s string) json.Number { return json.Number(strings.ReplaceAll(s, "−", "-")) }
	switch at := c.Range; {
	case c.SQL == "uuid":
		return object{{"format", "uuid"}, {"pattern", uuidPattern}}, nil
	case c.SQL == "date" && at == "1800-01-01 and later":
		return object{{"format", "date"}, {"pattern", `^(1[89]|[2-9][0-9])[0-9]{2}-` + datePattern + `$`}}, nil
	case c.SQL == "timestamptz" && (at == "" || at == "years 0001–9999"):
		return object{{"format", "date-time"}, {"pattern", timePattern}}, nil
	case c.SQL == "text[]" && at != "":
		return object{{"items", object{{"enum", strings.Split(at, ", ")}}}, {"uniqueItems", true}}, nil
	case c.SQL == "text[]":
		return object{{"items", object{{"type", "string"}, {"pattern", issuePattern}}}, {"uniqueItems", true}}, nil
	case numbers.MatchString(at):
		m := numbers.FindStringSubmatch(at)
		return object{{"minimum", number(m[1])}, {"maximum", number(m[2])}}, nil
	case atLeast.MatchString(at) && most[c.SQL] != "":
		return object{{"minimum", number(atLeast.FindStringSubmatch(at)[1])}, {"maximum", number(most[c.SQL])}}, nil
	case length.MatchString(at): // the range counts bytes, the schema characters, which are never more
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

// The least and the greatest value of each integer type.
var (
	least = map[string]string{"bigint": "-9223372036854775808", "int": "-2147483648", "smallint": "-32768"}
	most  = map[string]string{"bigint": "9223372036854775807", "int": "2147483647", "smallint": "32767"}
)
