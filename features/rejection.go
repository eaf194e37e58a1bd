package features

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/schemas"
)

// Rejection is the data's fault: why a record is not a row. Whoever gets one sends the record to the dead-letter topic,
// unchanged, and goes on. Every other error in pitchstream is ours and is retried.
type Rejection struct {
	Code    schemas.Code
	Path    string // the JSON path (samples_bat[3]) or the header's name; "" where there is none
	Offset  int64  // byte offset into the value, −1 where there is none
	Message string // what was wrong, one line, at most 512 bytes
}

// maxMessageBytes keeps a letter's message, path and all, far below the 1 KB that a dead-letter header may have.
const maxMessageBytes = 512

// Error is one line for a person: the code, where, and what.
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

func reject(code schemas.Code, path, format string, args ...any) *Rejection {
	return &Rejection{Code: code, Path: path, Offset: -1, Message: oneLine(fmt.Sprintf(format, args...))}
}

// oneLine makes any text fit for a message: valid UTF-8, no control characters, cut to maxMessageBytes.
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
	cut := maxMessageBytes - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// shown is a piece of data as a message quotes it: escaped, and cut where it is long.
func shown(b []byte) string {
	const most = 64
	if len(b) > most {
		return fmt.Sprintf("%q…", b[:most])
	}
	return fmt.Sprintf("%q", b)
}
