package terminal

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A record's key, headers and text come from another program. A terminal obeys escape sequences in them: they
// can move the cursor, change the title, or hide the lines above.

// Text returns a text in which a terminal obeys nothing but line ends and tabs. Other control characters are
// written as in a Go string, \x1b. So are characters without a shape, as those that change the direction of
// writing, and bytes that are no UTF-8.
func Text(text string) string {
	if !strings.ContainsFunc(text, isObeyed) && utf8.ValidString(text) {
		return text
	}
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[0])
		// guard: terminal: what a terminal obeys is escaped | isObeyed(r) -> false
		case isObeyed(r):
			quoted := strconv.QuoteRuneToASCII(r)
			out.WriteString(quoted[1 : len(quoted)-1])
		default:
			out.WriteString(text[:size])
		}
		text = text[size:]
	}
	return out.String()
}

// OneLine is Text in which line ends are escaped, too, so that a text of a record makes no line of its own.
func OneLine(text string) string {
	// guard: terminal: a text of a record makes no line of its own | lineEnd -> "\x00"
	return strings.ReplaceAll(Text(text), lineEnd, `\n`)
}

const lineEnd = "\n"

// IsText reports whether bytes are UTF-8 of one line that a terminal shows as it is.
func IsText(b []byte) bool {
	return utf8.Valid(b) && !strings.ContainsFunc(string(b), func(r rune) bool { return !unicode.IsGraphic(r) })
}

func isObeyed(r rune) bool { return !unicode.IsGraphic(r) && r != '\n' && r != '\t' }

// Plain returns a writer that writes texts to w as Text returns them. A call of Write must not end within a
// character.
func Plain(w io.Writer) io.Writer { return plain{w} }

type plain struct{ w io.Writer }

// Write implements io.Writer.
func (p plain) Write(b []byte) (int, error) {
	_, err := io.WriteString(p.w, Text(string(b)))
	return len(b), err
}

// TextOrBytes returns text of one line unchanged, anything else in Go's quotes.
func TextOrBytes(b []byte) string {
	// guard: terminal: dlq ls prints no escape sequence of a record | !IsText(b) -> false
	if !IsText(b) {
		return fmt.Sprintf("%q", b)
	}
	return string(b)
}
