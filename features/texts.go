package features

import (
	"bytes"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
	"github.com/pitchstream/pitchstream/schemas"
)

// Limits on the texts of a row, in bytes. A venue and a game are shorter than other texts, because they are
// parts of keys.
const (
	maxTextBytes  = 200
	maxVenueBytes = 64
)

// texts gathers the texts of a row, so that all of them together cost a single allocation.
type texts struct {
	buf   []byte
	spans []textSpan
}

// textSpan is the part of texts.buf that becomes the value of a column.
type textSpan struct {
	column   *schemas.Text
	from, to int
}

// reset forgets the texts of the last row, and keeps the memory for the next one.
func (t *texts) reset() {
	// The spans point into a row that belongs to the caller now.
	clear(t.spans)
	t.buf, t.spans = t.buf[:0], t.spans[:0]
}

// add takes a text that has been checked, for a column that assign will set.
func (t *texts) add(column *schemas.Text, b []byte) {
	t.buf = append(t.buf, b...)
	t.spans = append(t.spans, textSpan{column, len(t.buf) - len(b), len(t.buf)})
}

// addValue takes a text of the record for a column. It reports false, and takes nothing, if the column cannot
// hold it.
func (t *texts) addValue(column *schemas.Text, v value) bool {
	from := len(t.buf)
	buf, ok := v.appendColumnText(t.buf)
	if ok {
		t.buf, t.spans = buf, append(t.spans, textSpan{column, from, len(buf)})
	}
	return ok
}

// appendColumnText appends the text of v if a text column can hold it: 1–200 bytes of UTF-8 after unescaping,
// without U+0000 and lone surrogates (section 2 of the specification, reading values).
func (v value) appendColumnText(dst []byte) (out []byte, ok bool) {
	if v.kind != text || len(v.raw) > maxTextBytes*jsonscan.MaxEscapeBytes {
		return dst, false
	}
	out, ok = jsonscan.AppendUnescaped(dst, v.raw)
	return out, ok && len(out)-len(dst) <= maxTextBytes
}

// assign sets the columns to parts of one string. The whole string lives as long as the row, which is no
// waste: it has a few hundred bytes.
func (t *texts) assign() {
	// One conversion copies the texts out of the scratch, which the next record overwrites.
	all := string(t.buf)
	for _, s := range t.spans {
		*s.column = schemas.Text(all[s.from:s.to])
	}
}

// isVenue reports whether b is 1–64 bytes of UTF-8 without U+0000.
func isVenue(b []byte) bool {
	return len(b) > 0 && len(b) <= maxVenueBytes && utf8.Valid(b) && bytes.IndexByte(b, 0) < 0
}

// isGamePK reports whether b is 1–64 bytes of UTF-8 without control characters (U+0000–001F, U+007F). Control
// characters are refused because a game is part of Redis keys and of lines that people read.
func isGamePK(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return len(b) > 0 && len(b) <= maxVenueBytes && utf8.Valid(b)
}
