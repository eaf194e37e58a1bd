package fileinput

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
)

// layout is how records are arranged in a file. It is detected from the content, never from the name.
type layout uint8

const (
	// lines has one record per line. A line that is not JSON is one broken record.
	lines layout = iota
	// values are JSON values one after the other, over any number of lines.
	values
	// arrays has the records as elements of one array, or of several one after the other.
	arrays
)

var byteOrderMark, markedObject = []byte("\xef\xbb\xbf"), []byte("\xef\xbb\xbf{")

// detect returns the layout of a stream, from its beginning and without consuming it. Usually the first line
// decides; of a pretty-printed file, the first record.
//
//	{…} alone on the first line                    lines
//	{…}{… on the first line                        values
//	{… over several lines, valid as far as it goes values
//	{… broken, and a whole record on a later line  lines
//	[…                                             arrays (but see detectArray)
//	anything else                                  lines
func (w *window) detect() layout {
	start := w.index(0, w.limit, nonSpace)
	if start < 0 {
		return lines
	}
	switch w.data()[start] {
	case '{':
		return w.detectObject(start)
	case '[':
		return w.detectArray(start)
	}
	return lines
}

// detectObject distinguishes lines from values if the first record is an object.
func (w *window) detectObject(start int) layout {
	var b brackets
	end := w.index(start, w.limit, func(piece []byte) int {
		if end, ok := b.find(piece); ok {
			return end - 1
		}
		return -1
	}) + 1
	end = cmp.Or(end, min(w.limit, len(w.data())))
	lineAt := start + newline(w.data()[start:end])
	if lineAt < start {
		return w.detectBehind(end)
	}
	var first brackets
	first.find(w.data()[start:lineAt])
	if first.inString { // JSON allows no line end there
		return lines
	}
	if validSoFar(w.data()[start:end]) || !holdsWholeLine(w.head(min(w.limit, end+1<<20))[lineAt:]) {
		return values
	}
	return lines
}

// detectBehind decides by what follows a first object on its line.
func (w *window) detectBehind(end int) layout {
	next := w.index(end, w.limit, func(b []byte) int {
		return slices.IndexFunc(b, func(c byte) bool { return c == '\n' || !isSpace(c) })
	})
	if next >= 0 && w.data()[next] == '{' {
		return values
	}
	return lines
}

// detectArray distinguishes arrays of records from lines that begin with a bracket: text that is no JSON, or
// JSON Lines whose first record is an array of something else.
func (w *window) detectArray(start int) layout {
	inner := w.index(start+1, firstBufferBytes, nonSpace)
	if inner < 0 {
		return arrays
	}
	switch c := w.data()[inner]; {
	case c == '{':
		return arrays
	case !strings.ContainsRune(`[]"-0123456789tfn`, rune(c)):
		return lines
	}
	lineAt := w.index(start, firstBufferBytes, newline)
	if lineAt < 0 || unclosed(w.data()[start:lineAt]) {
		return arrays
	}
	if next := w.index(lineAt, firstBufferBytes, nonSpace); next < 0 || w.data()[next] == '[' {
		return arrays
	}
	return lines
}

// head returns the first n bytes of the stream, fewer if it is shorter, however small the pieces in which it
// arrives.
func (w *window) head(n int) []byte {
	for len(w.data()) < n && w.fill() {
	}
	return w.data()[:min(n, len(w.data()))]
}

// index reads on until find returns an index in data()[from:]. It returns that index in data(), or −1 if it
// is not among the first most bytes. find sees every byte once, in pieces.
func (w *window) index(from, most int, find func([]byte) int) int {
	for {
		if d := w.data(); from < len(d) {
			if i := find(d[from:]); i >= 0 && from+i < most {
				return from + i
			}
			from = len(d)
		}
		if len(w.data()) >= most || !w.fill() {
			return -1
		}
	}
}

func newline(b []byte) int { return bytes.IndexByte(b, '\n') }

// validSoFar reports whether b begins with a JSON value or is the beginning of one.
func validSoFar(b []byte) bool {
	var v json.RawMessage
	err := json.NewDecoder(bytes.NewReader(b)).Decode(&v)
	return err == nil || errors.Is(err, io.ErrUnexpectedEOF)
}

// holdsWholeLine reports whether some line of b is a complete JSON object.
func holdsWholeLine(b []byte) bool {
	for line := range bytes.Lines(b) {
		if i := nonSpace(line); i >= 0 && line[i] == '{' && json.Valid(line) {
			return true
		}
	}
	return false
}

const sniffBytes = 64 << 10

// looksLikeJSON reports whether the stream begins like an object or an array of objects. Unless firstOnly is
// set, any line in its first sniffBytes may begin so. A stream of white space only is accepted.
func (w *window) looksLikeJSON(firstOnly bool) bool {
	isBlank := true
	for line := range bytes.Lines(w.head(sniffBytes)) {
		if i := nonSpace(line); i >= 0 {
			if isBlank = false; likeJSON(line[i:]) {
				return true
			}
			if firstOnly {
				return false
			}
		}
	}
	return isBlank
}

// likeJSON reports whether a line begins with { and then a quote or }, or with [ and then {, [ or ], or ends
// after its bracket.
func likeJSON(line []byte) bool {
	next, ok := map[byte]string{'{': `"}`, '[': `{[]`}[line[0]]
	i := nonSpace(line[1:])
	return ok && (i < 0 || strings.IndexByte(next, line[1+i]) >= 0)
}
