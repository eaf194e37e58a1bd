package deadletter

import (
	"regexp"
	"strings"
)

// What differs between two messages about the same mistake.
var (
	quotedText = regexp.MustCompile(`"(?:[^"\\]|\\.)*"…?`)
	uuidText   = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`)
	hexText    = regexp.MustCompile(`\b[0-9a-fA-F]*[0-9][0-9a-fA-F]{7,}\b`)
	digitsText = regexp.MustCompile(`[0-9]+(?:[.,][0-9]+)*`)
)

// named are the quoted words that are no data: the core's own.
var named = map[string]bool{`"foot"`: true, `"mph"`: true}

// Shape is a letter's message without what differs from record to record: numbers, identifiers, quoted data. Letters of
// one code and one shape have the same thing wrong with them.
//
//	malformed_json at byte 1834: not JSON from here on: "NaN, 1.2"   →   malformed_json at byte N: not JSON from here on: "…"
func Shape(message string) string {
	s := quotedText.ReplaceAllStringFunc(message, func(q string) string {
		if named[q] {
			return q
		}
		return `"…"`
	})
	s = uuidText.ReplaceAllString(s, "ID")
	s = hexText.ReplaceAllStringFunc(s, func(hex string) string {
		if strings.ContainsAny(hex, "abcdefABCDEF") {
			return "ID"
		}
		return "N"
	})
	return digitsText.ReplaceAllString(s, "N")
}
