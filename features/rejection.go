package features

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/schemas"
)

// Rejection says why a record is not a row. The fault lies in the record, so the caller sends the record to
// the dead-letter topic, unchanged, and goes on. Every other error in pitchstream is retryable.
type Rejection struct {
	Code schemas.Code
	// Path is the JSON path (samples_bat[3]) or the name of the header at fault; "" if there is none.
	Path string // the JSON path (samples_bat[3]) or the header's name; "" where there is none
	// Offset is the byte of the value at which it stops being JSON; −1 for other faults.
	Offset int64
	// Message says what was wrong, in one line of at most 512 bytes.
	Message string
}

// maxMessageBytes keeps code, path and message of a dead letter together below the 1 KB that one of its
// headers may have.
const maxMessageBytes = 512

// Error returns one line for a person: the code, where, and what.
func (r *Rejection) Error() string {
	where := ""
	if r.Path != "" {
		where += " at " + r.Path
	}
	if r.Offset >= 0 {
		where += fmt.Sprintf(" at byte %d", r.Offset)
	}
	return string(r.Code) + where + ": " + r.Message
}

// reject returns a rejection without an offset.
func reject(code schemas.Code, path, format string, args ...any) *Rejection {
	return &Rejection{Code: code, Path: path, Offset: -1, Message: oneLine(fmt.Sprintf(format, args...))}
}

// violation returns a rejection of a record that breaks the rules about one of its headers or members.
func violation(path, format string, args ...any) *Rejection {
	return reject(schemas.CodeSchemaViolation, path, format, args...)
}

// oneLine makes any text fit for a message: valid UTF-8, no control characters, at most maxMessageBytes.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= maxMessageBytes {
		return s
	}
	// Cutting inside of a character would leave invalid UTF-8.
	cut := maxMessageBytes - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// shown returns data as a message quotes it: escaped, and cut after 64 bytes.
func shown(b []byte) string {
	const most = 64
	if len(b) > most {
		return fmt.Sprintf("%q…", b[:most])
	}
	return fmt.Sprintf("%q", b)
}
