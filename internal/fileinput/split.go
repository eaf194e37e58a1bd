package fileinput

import (
	"bytes"
	"io"
	"slices"
	"strings"
)

// KeptBytes is how much of a record that is too large is kept, to show it.
const KeptBytes = 64 << 10

// splitter cuts a stream into records. Every byte is in exactly one record, except white space and byte order
// marks between records, and the punctuation of an array around them. Except in the layout lines, a record
// that never closes its brackets includes everything after it.
type splitter struct {
	window
	layout  layout
	inArray bool // between the brackets of an array of records
	marked  bool // a byte order mark was passed over since the last record
	kept    []byte
}

// begin detects the layout of a new stream, which begins at byte base of its file.
func (s *splitter) begin(r io.Reader, base int64) {
	s.reset(r)
	s.base, s.inArray, s.marked = base, false, false
	s.layout = s.detect()
}

// next returns the next record without its File and number. ok is false at the end of the stream; err is
// io.EOF if that end is normal.
func (s *splitter) next() (p Item, ok bool) {
	if s.layout == lines {
		return s.nextLine()
	}
	return s.nextValue()
}

// nextLine returns the next line that is not blank, without its line end (\n or \r\n).
func (s *splitter) nextLine() (Item, bool) {
	for {
		var line lineEnd
		s.skipMarks()
		p := s.take(&line)
		if !p.atEnd {
			s.drop(1)
		}
		if !line.worded {
			if p.atEnd {
				return Item{}, false
			}
			continue
		}
		if !p.TooLarge {
			s.cutAtMark(&p)
			p.Value = bytes.TrimSuffix(p.Value, []byte{'\r'})
			p.SizeBytes = int64(len(p.Value))
			p.Torn = p.atEnd && unclosed(p.Value)
		}
		return p, true
	}
}

// skipMarks drops the byte order marks at the place of reading, which cat puts between two files.
func (s *splitter) skipMarks() {
	for bytes.HasPrefix(s.head(1), byteOrderMark[:1]) && bytes.Equal(s.head(len(byteOrderMark)), byteOrderMark) {
		s.drop(len(byteOrderMark))
		s.marked = true
	}
}

// cutAtMark ends the record of a line before a byte order mark, if the first object of the line ends there.
// cat makes such lines of a file whose last line has no end. The rest is given back.
func (s *splitter) cutAtMark(p *Item) {
	i := bytes.Index(p.Value, markedObject)
	if i <= 0 {
		return
	}
	if end, ok := new(brackets).find(p.Value[:i]); !ok || nonSpace(p.Value[end:i]) >= 0 {
		return
	}
	s.drop(i - int(s.base-p.ByteOffset))
	p.Value, p.atEnd = p.Value[:i], false
}

// nextValue returns the next value, in the layout arrays the next element of an array.
func (s *splitter) nextValue() (Item, bool) {
	for {
		c, ok := s.nextToken()
		switch {
		case !ok:
			return Item{}, false
		case s.inArray && c == ']':
			s.inArray = false
			s.drop(1)
		case !s.inArray && s.layout == arrays && c == '[':
			s.inArray = true
			s.drop(1)
		case s.inArray || c == '{' || c == '[':
			p := s.take(&brackets{bare: s.inArray && c != '{' && c != '['})
			p.Torn = p.atEnd
			if s.inArray && !p.TooLarge {
				p.Value = bytes.TrimRight(p.Value, whiteSpace)
				p.SizeBytes = int64(len(p.Value))
			}
			return p, true
		default: // no value begins like this, so the rest of the line is one broken record
			return s.take(&lineEnd{}), true
		}
	}
}

// nextToken drops the bytes between records and returns the byte after them.
func (s *splitter) nextToken() (c byte, ok bool) {
	separators := whiteSpace
	if s.inArray {
		separators += ","
	}
	for {
		rest := bytes.TrimLeft(s.data(), separators)
		s.drop(len(s.data()) - len(rest))
		s.skipMarks()
		if len(s.data()) == 0 {
			return 0, false
		}
		if c := s.data()[0]; strings.IndexByte(separators, c) < 0 {
			return c, true
		}
	}
}

// finder finds the end of a record. It sees every byte once, in order, in pieces; end counts in the piece.
type finder interface {
	find(b []byte) (end int, ok bool)
}

// lineEnd finds the end of a line, which is not part of the record.
type lineEnd struct {
	worded bool // the line is not blank
}

func (l *lineEnd) find(b []byte) (end int, ok bool) {
	end = bytes.IndexByte(b, '\n')
	if ok = end >= 0; ok {
		b = b[:end]
	}
	l.worded = l.worded || nonSpace(b) >= 0
	return end, ok
}

// take cuts the record at data()[0] where f finds its end, or at the end of the stream.
func (s *splitter) take(f finder) Item {
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

// cut returns the first n bytes of data as a record.
func (s *splitter) cut(n int) Item {
	p := Item{ByteOffset: s.base, SizeBytes: int64(n), Value: s.data()[:n:n], TooLarge: n > s.limit}
	if p.TooLarge {
		p.Value = p.Value[:min(n, KeptBytes)]
	}
	s.drop(n)
	return p
}

// passOver reads a record that is too large to its end. It keeps only the beginning, so that memory does not
// grow.
func (s *splitter) passOver(f finder) Item {
	p := Item{ByteOffset: s.base, TooLarge: true}
	s.kept = append(s.kept[:0], s.data()[:min(len(s.data()), KeptBytes)]...)
	p.Value = s.kept
	s.drop(len(s.data()))
	for s.fill() {
		if end, ok := f.find(s.data()); ok {
			s.drop(end)
			p.SizeBytes = s.base - p.ByteOffset
			return p
		}
		s.drop(len(s.data()))
	}
	p.SizeBytes, p.atEnd = s.base-p.ByteOffset, true
	return p
}

// unclosed reports whether a value begins with a bracket that nothing in b closes.
func unclosed(b []byte) bool {
	i := nonSpace(b)
	if i < 0 || b[i] != '{' && b[i] != '[' {
		return false
	}
	_, closed := new(brackets).find(b)
	return !closed
}

const whiteSpace = " \t\r\n"

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// nonSpace returns the index of the first byte that is not JSON white space, or −1.
func nonSpace(b []byte) int { return slices.IndexFunc(b, func(c byte) bool { return !isSpace(c) }) }

const (
	firstBufferBytes = 512 << 10
	minReadBytes     = 64 << 10
)

// window is the part of a stream in memory: buf[lo:hi], which begins at byte base of the stream. The buffer
// grows to the largest record seen and is used again for the next stream.
type window struct {
	r      io.Reader
	buf    []byte // at most limit + firstBufferBytes
	lo, hi int    // 0 ≤ lo ≤ hi ≤ len(buf)
	base   int64  // bytes of the stream before buf[lo]
	err    error  // the last error of r, kept; io.EOF at a normal end
	limit  int    // bytes that a caller may hold when it calls fill
}

// reset begins a new stream with the same buffer.
func (w *window) reset(r io.Reader) { *w = window{r: r, buf: w.buf, limit: w.limit} }

// data returns the bytes in memory, valid until the next fill.
func (w *window) data() []byte { return w.buf[w.lo:w.hi] }

// drop removes the first n bytes of data.
func (w *window) drop(n int) {
	w.lo += n
	w.base += int64(n)
}

// fill reads once more after the bytes in memory, which it may move. It returns false if nothing was read;
// w.err has the reason.
func (w *window) fill() bool {
	if w.err != nil {
		return false
	}
	w.makeRoom()
	for range 100 { // bounded, because a broken reader may return (0, nil) for ever
		n, err := w.r.Read(w.buf[w.hi:])
		w.hi += n
		if w.err = err; n > 0 || err != nil {
			return n > 0
		}
	}
	w.err = io.ErrNoProgress
	return false
}

// makeRoom frees minReadBytes after hi: by moving the bytes if that frees half of the buffer, otherwise by
// doubling it.
func (w *window) makeRoom() {
	if len(w.buf)-w.hi >= minReadBytes {
		return
	}
	held, most := w.data(), w.limit+firstBufferBytes
	if len(w.buf) == 0 || (len(held) > len(w.buf)/2 && len(w.buf) < most) {
		w.buf = make([]byte, min(most, max(firstBufferBytes, 2*len(w.buf))))
	}
	w.lo, w.hi = 0, copy(w.buf, held)
}
