package features

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Words of eight bytes: one in each, and the highest bit of each.
const (
	ones  = 0x0101010101010101
	high1 = 0x8080808080808080
)

// skipString moves from a quote to behind the closing one, and says whether there are escapes between.
func skipString(b []byte, i int) (end int, escaped bool) {
	for i++; ; {
		i = plainEnd(b, i)
		switch {
		case i == len(b):
			return ^i, false
		case b[i] == '"':
			return i + 1, escaped
		case b[i] == '\\':
			i, escaped = skipEscape(b, i), true
		case b[i] < ' ':
			return ^i, false
		default:
			i = skipRune(b, i)
		}
		if i < 0 {
			return i, false
		}
	}
}

// plainEnd finds the first byte of a string that is not plain: a quote, a backslash, a control character or a byte of a
// longer UTF-8 sequence. Eight bytes at a time; within a word only the lowest bit found counts, since the subtraction's
// borrow may set bits above it.
func plainEnd(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		v := binary.LittleEndian.Uint64(b[i:])
		quote, slash := v^(ones*'"'), v^(ones*'\\')
		m := (quote-ones)&^quote | (slash-ones)&^slash | (v-ones*' ')&^v | v
		if m &= high1; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' ' && b[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// skipEscape moves over a backslash and what belongs to it. Whether two \u make a letter is for the reader of a text to
// ask: as JSON a lone surrogate is as good as any.
func skipEscape(b []byte, i int) int {
	if i++; i == len(b) {
		return ^i
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		for j := i + 1; j <= i+4; j++ {
			if j == len(b) || hexValue(b[j]) > 15 {
				return ^j
			}
		}
		return i + 5
	}
	return ^i
}

// skipRune moves over one well-formed UTF-8 sequence.
func skipRune(b []byte, i int) int {
	r, size := utf8.DecodeRune(b[i:])
	if r == utf8.RuneError && size == 1 {
		return ^i
	}
	return i + size
}

// hexValue is the value of a hexadecimal digit, 255 of anything else.
func hexValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}
