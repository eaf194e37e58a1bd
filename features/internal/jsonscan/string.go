package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// Masks for words of eight bytes: the lowest and the highest bit of each byte.
const (
	ones  = 0x0101010101010101
	high1 = 0x8080808080808080
)

// MaxEscapeBytes is the most bytes of JSON that one byte of text can take: A may be written \u0041.
const MaxEscapeBytes = 6

// SkipString moves from a quote to behind the closing one. escaped reports whether there are escapes between
// them; if not, b[i+1:end-1] is the text itself.
func SkipString(b []byte, i int) (end int, escaped bool) {
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

// plainEnd finds the first byte of a string that is not plain: a quote, a backslash, a control character, or
// a byte of a longer UTF-8 sequence. It tests eight bytes at a time. x−1 borrows from the highest bit of a
// byte only where x is 0, and x is 0 where the byte equals the wanted character. Only the lowest bit found in
// a word is right, because a borrow may run on into the bytes above it.
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

// skipEscape moves over a backslash and the characters that belong to it. A lone surrogate passes, because
// JSON's grammar allows it; AppendUnescaped refuses it.
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

// hexValue returns the value of a hexadecimal digit, 255 for any other character.
func hexValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}

// AppendUnescaped appends the text that raw, the inside of a JSON string, stands for. raw must have passed
// SkipString.
//
// ok is false if no store could keep the text: it holds U+0000, which Postgres refuses, or a lone surrogate,
// which has no UTF-8. JSON allows both, so the record around it may be valid.
func AppendUnescaped(dst, raw []byte) (text []byte, ok bool) {
	for i := 0; i < len(raw); {
		n := bytes.IndexByte(raw[i:], '\\')
		if n < 0 {
			return append(dst, raw[i:]...), true
		}
		dst = append(dst, raw[i:i+n]...)
		i += n
		if raw[i+1] != 'u' {
			dst = append(dst, unescapedByte(raw[i+1]))
			i += 2
			continue
		}
		// A zero is U+0000, a negative rune a lone surrogate.
		r, size := unescapedRune(raw[i:])
		if r <= 0 {
			return dst, false
		}
		dst = utf8.AppendRune(dst, r)
		i += size
	}
	return dst, true
}

// unescapedByte returns the character that a backslash and c stand for. SkipString has refused any other c.
func unescapedByte(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c // a quote, a backslash or a slash stands for itself
}

// unescapedRune reads \uXXXX, or two of them that form a surrogate pair. It returns −1 for a lone surrogate.
func unescapedRune(raw []byte) (r rune, size int) {
	r = hex4(raw[2:])
	// Runes beyond U+FFFF are written as two escapes, a surrogate pair.
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(raw) < 12 || raw[6] != '\\' || raw[7] != 'u' {
		return -1, 6
	}
	if r = utf16.DecodeRune(r, hex4(raw[8:])); r == utf8.RuneError {
		return -1, 6
	}
	return r, 12
}

// hex4 reads the four hexadecimal digits of a \u escape.
func hex4(b []byte) rune {
	return rune(hexValue(b[0]))<<12 | rune(hexValue(b[1]))<<8 | rune(hexValue(b[2]))<<4 | rune(hexValue(b[3]))
}
