package fileinput

import (
	"encoding/binary"
	"math/bits"
)

// brackets finds the end of one JSON value by its brackets and quotes alone. It checks neither the JSON nor
// which kind of bracket closes which, so that a broken record still ends where its brackets do. The struct
// holds the state between two pieces of the value. Its zero value is the state before an object or an array.
type brackets struct {
	depth    int  // open brackets, ≥ 0
	inString bool // between two quotes
	escaped  bool // inString, and the byte before was a backslash that escapes
	// bare means an array element that is neither object nor array. It ends before the comma or closing
	// bracket that follows it.
	bare bool
}

// find returns the index after the value, or false if b ends before it. It must see every byte of a value
// once, in order.
func (s *brackets) find(b []byte) (end int, ok bool) {
	for i := 0; i < len(b); {
		if s.inString {
			i = s.skipString(b, i)
			continue
		}
		if !s.bare {
			i = nextStructural(b, i)
		}
		if i == len(b) {
			break
		}
		switch c := b[i]; {
		case c == '"':
			s.inString = true
		case c == '{' || c == '[':
			s.depth++
		case s.bare && s.depth == 0 && (c == ',' || c == ']'):
			return i, true
		case c == '}' || c == ']':
			if s.depth = max(0, s.depth-1); s.depth == 0 && !s.bare {
				return i + 1, true
			}
		}
		i++
	}
	return 0, false
}

// skipString returns the index after the closing quote, or len(b).
func (s *brackets) skipString(b []byte, i int) int {
	for ; i < len(b); i++ {
		switch {
		case s.escaped:
			s.escaped = false
		case b[i] == '\\':
			s.escaped = true
		case b[i] == '"':
			s.inString = false
			return i + 1
		}
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// nextStructural returns the index of the first quote or bracket in b from i on, or len(b). It looks at eight
// bytes at a time, because numbers are most of a tracking record. [ and { differ only in bit 0x20, as do ]
// and }.
func nextStructural(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		low := w | 0x20*ones
		hit := zeroBytes(low^'{'*ones) | zeroBytes(low^'}'*ones) | zeroBytes(w^'"'*ones)
		if hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(b); i++ {
		switch b[i] {
		case '"', '{', '}', '[', ']':
			return i
		}
	}
	return i
}

// zeroBytes sets the high bit of the lowest byte of w that is zero. The bytes above that one have no meaning.
func zeroBytes(w uint64) uint64 { return (w - ones) &^ w & highs }
