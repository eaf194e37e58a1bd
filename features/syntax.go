package features

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
	"github.com/pitchstream/pitchstream/schemas"
)

// malformed returns the rejection of bytes that stop being one JSON value at an offset, with an excerpt of
// what is there.
func malformed(b []byte, at int) *Rejection {
	rej := reject(schemas.CodeMalformedJSON, "", "%s", syntaxFault(b, at))
	rej.Offset = int64(at)
	return rej
}

// syntaxFault describes what is wrong at an offset. It runs for dead letters only, so it may scan the value
// once more.
func syntaxFault(b []byte, at int) string {
	if at >= len(b) {
		if len(b) == 0 {
			return "the value is empty"
		}
		return "the value ends before its JSON does"
	}
	// RFC 8259 allows a parser to ignore a byte order mark; this one refuses it, as encoding/json does.
	if bytes.HasPrefix(b, []byte("\uFEFF")) && at == 0 {
		return "a byte order mark is not JSON"
	}
	if at == 0 {
		// guard: dead letters: bytes of another program are named | known != "" -> false
		if known := foreignBytes(b); known != "" {
			return known
		}
	}
	// guard: dead letters: text before the JSON is named | TextBefore(b) > 0 -> false
	if TextBefore(b) > 0 {
		return "the value has text before its JSON, as kafka-console-consumer prints a key or a time: " +
			"send the JSON alone"
	}
	if r, size := utf8.DecodeRune(b[at:]); r == utf8.RuneError && size == 1 {
		return "invalid UTF-8"
	}
	if (b[at] == '{' || b[at] == '[') && openBrackets(b[:at]) >= jsonscan.MaxDepth {
		return fmt.Sprintf("nesting deeper than %d", jsonscan.MaxDepth)
	}
	return "not JSON from here on: " + shown(b[at:min(len(b), at+16)])
}

// openBrackets counts the brackets that are open at the end of b, which must be the beginning of valid JSON.
func openBrackets(b []byte) (open int) {
	// Brackets inside of strings do not count.
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			end, _ := jsonscan.SkipString(b, i)
			if end < 0 {
				return open
			}
			i = end - 1
		case '{', '[':
			open++
		case '}', ']':
			open--
		}
	}
	return open
}
