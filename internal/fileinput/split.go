package fileinput

import (
	"bytes"
	"io"
)

// KeptBytes is how much of a record that is too large is kept to show it by.
const KeptBytes = 64 << 10

// piece is where one record stands in a stream.
type piece struct {
	offset int64  // of its first byte
	size   int64  // bytes, all of it
	value  []byte // good until the next piece; the first KeptBytes where tooLarge
	// tooLarge: longer than the limit; it was read to its end and let go.
	tooLarge bool
	// atEnd: the end of the stream ended it, not its own bytes.
	atEnd bool
	// torn: atEnd, and it is not whole.
	torn bool
}

// splitter cuts a stream into records. Every byte of the stream that is neither white space between records nor the
// punctuation of an array around them is in exactly one piece, so that nothing falls between two records.
//
// In a layout other than lines a record that never closes its brackets takes what follows with it.
type splitter struct {
	window
	layout  layout
	inArray bool // between the brackets of an array of records
	kept    []byte
}

// begin tells how the records of a new stream stand. A byte order mark before a record is left to it, which makes it the
// broken record that the specification calls it; one before an array belongs to no record.
func (s *splitter) begin(r io.Reader) (hasByteOrderMark bool) {
	s.reset(r)
	s.inArray = false
	s.layout = s.detect()
	mark := s.hasByteOrderMark()
	if mark && s.layout == arrays {
		s.drop(len(byteOrderMark))
	}
	return mark
}

// next is the next record; ok is false at the end of the stream, good or bad (err tells).
func (s *splitter) next() (p piece, ok bool) {
	if s.layout == lines {
		return s.nextLine()
	}
	return s.nextValue()
}

// nextLine gives each line that is not blank as it is, without its line end (\n or \r\n).
func (s *splitter) nextLine() (piece, bool) {
	for {
		var line lineEnd
		p := s.take(&line)
		if !p.atEnd {
			s.drop(1)
		}
		if !line.worded {
			if p.atEnd {
				return piece{}, false
			}
			continue
		}
		if !p.tooLarge {
			p.value = bytes.TrimSuffix(p.value, []byte{'\r'})
			p.size = int64(len(p.value))
			p.torn = p.atEnd && unclosed(p.value)
		}
		return p, true
	}
}

// nextValue gives the values that follow one another, and the elements of arrays where the layout is arrays.
func (s *splitter) nextValue() (piece, bool) {
	for {
		c, ok := s.nextToken()
		switch {
		case !ok:
			return piece{}, false
		case s.inArray && c == ']':
			s.inArray = false
			s.drop(1)
		case !s.inArray && s.layout == arrays && c == '[':
			s.inArray = true
			s.drop(1)
		case c == '{' || c == '[' || s.base == 0 && c == byteOrderMark[0]:
			return s.takeTorn(&brackets{}), true
		case s.inArray:
			p := s.takeTorn(&element{})
			if !p.tooLarge {
				p.value = bytes.TrimRight(p.value, whiteSpace)
				p.size = int64(len(p.value))
			}
			return p, true
		default: // no value begins like this: what is left of the line is one broken record
			return s.take(&lineEnd{}), true
		}
	}
}

// nextToken drops what stands between records and looks at the byte behind it.
func (s *splitter) nextToken() (c byte, ok bool) {
	for {
		for i, c := range s.data() {
			if !isSpace(c) && (c != ',' || !s.inArray) {
				s.drop(i)
				return c, true
			}
		}
		s.drop(len(s.data()))
		if !s.fill() {
			return 0, false
		}
	}
}

// finder finds the end of a record. It sees every byte once, in order, in pieces; end counts in the piece.
type finder interface {
	find(b []byte) (end int, ok bool)
}

// lineEnd finds the line end, which is not part of the record.
type lineEnd struct {
	worded bool // something else than white space was seen
}

func (l *lineEnd) find(b []byte) (end int, ok bool) {
	end = bytes.IndexByte(b, '\n')
	if ok = end >= 0; ok {
		b = b[:end]
	}
	l.worded = l.worded || nonSpace(b) >= 0
	return end, ok
}

// takeTorn is take for records that are not whole when the stream ends them.
func (s *splitter) takeTorn(f finder) piece {
	p := s.take(f)
	p.torn = p.atEnd
	return p
}

// take cuts the record that begins at data()[0] where f finds its end, or at the end of the stream.
func (s *splitter) take(f finder) piece {
	seen := 0
	for {
		end, ok := f.find(s.data()[seen:])
		if ok {
			return s.cut(seen + end)
		}
		seen = len(s.data())
		if seen > s.limit {
			return s.passOver(f)
		}
		if !s.fill() {
			p := s.cut(seen)
			p.atEnd = true
			return p
		}
	}
}

// cut makes a piece of the first n bytes of data.
func (s *splitter) cut(n int) piece {
	p := piece{offset: s.base, size: int64(n), value: s.data()[:n:n], tooLarge: n > s.limit}
	if p.tooLarge {
		p.value = p.value[:min(n, KeptBytes)]
	}
	s.drop(n)
	return p
}

// passOver reads a record that is too large to its end, and keeps its beginning only: memory stays as it is.
func (s *splitter) passOver(f finder) piece {
	p := piece{offset: s.base, tooLarge: true}
	s.kept = append(s.kept[:0], s.data()[:min(len(s.data()), KeptBytes)]...)
	p.value = s.kept
	s.drop(len(s.data()))
	for s.fill() {
		if end, ok := f.find(s.data()); ok {
			s.drop(end)
			p.size = s.base - p.offset
			return p
		}
		s.drop(len(s.data()))
	}
	p.size, p.atEnd = s.base-p.offset, true
	return p
}

// unclosed is whether a value begins with a bracket that nothing in b closes.
func unclosed(b []byte) bool {
	b = bytes.TrimPrefix(b, byteOrderMark)
	i := nonSpace(b)
	if i < 0 || b[i] != '{' && b[i] != '[' {
		return false
	}
	_, closed := new(brackets).find(b)
	return !closed
}

const whiteSpace = " \t\r\n"

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// nonSpace is the index of the first byte that JSON does not count as white space, −1 where there is none.
func nonSpace(b []byte) int {
	for i, c := range b {
		if !isSpace(c) {
			return i
		}
	}
	return -1
}
