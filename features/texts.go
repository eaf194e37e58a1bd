package features

import (
	"bytes"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
	"github.com/pitchstream/pitchstream/schemas"
)

const (
	maxTextBytes  = 200 // of a text column
	maxVenueBytes = 64
)

// texts gathers the texts of a row, so that all of them together cost one string.
type texts struct {
	buf   []byte
	spans []textSpan
}

type textSpan struct {
	column   *schemas.Text
	from, to int
}

func (t *texts) reset() {
	clear(t.spans) // they point into a row that is somebody else's now
	t.buf, t.spans = t.buf[:0], t.spans[:0]
}

// add takes a text for a column, already judged. The column is set by assign.
func (t *texts) add(column *schemas.Text, b []byte) {
	t.buf = append(t.buf, b...)
	t.spans = append(t.spans, textSpan{column, len(t.buf) - len(b), len(t.buf)})
}

// addValue takes a text of the record, if it is one that a column may hold.
func (t *texts) addValue(column *schemas.Text, v value) bool {
	from := len(t.buf)
	buf, ok := v.appendColumnText(t.buf)
	if ok {
		t.buf, t.spans = buf, append(t.spans, textSpan{column, from, len(buf)})
	}
	return ok
}

// appendColumnText appends what a text column would hold: 1–200 bytes without U+0000 and lone surrogates.
func (v value) appendColumnText(dst []byte) (out []byte, ok bool) {
	if v.kind != text || len(v.raw) > maxTextBytes*jsonscan.MaxEscapeBytes {
		return dst, false
	}
	out, ok = jsonscan.AppendUnescaped(dst, v.raw)
	return out, ok && len(out)-len(dst) <= maxTextBytes
}

// assign sets the columns, to parts of one string: together they are a few hundred bytes at most, and live as long as the
// row does.
func (t *texts) assign() {
	all := string(t.buf)
	for _, s := range t.spans {
		*s.column = schemas.Text(all[s.from:s.to])
	}
}

// isVenue says that b is 1–64 bytes of UTF-8 without U+0000.
func isVenue(b []byte) bool {
	return len(b) > 0 && len(b) <= maxVenueBytes && utf8.Valid(b) && bytes.IndexByte(b, 0) < 0
}

// isGamePK says that b is 1–64 bytes of UTF-8 without control characters (U+0000–001F, U+007F): a game's name is part of
// keys and of lines that people read.
func isGamePK(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return len(b) > 0 && len(b) <= maxVenueBytes && utf8.Valid(b)
}
