package features

import (
	"encoding/binary"
	"math/bits"
)

// skipNumber moves over a number: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func skipNumber(b []byte, i int) int {
	i, _ = skipMantissa(b, i)
	if i >= 0 && i < len(b) && b[i]|0x20 == 'e' {
		return skipExponent(b, i)
	}
	return i
}

// skipMantissa moves over a number up to its exponent. fraction is how many digits stand behind the point.
func skipMantissa(b []byte, i int) (end, fraction int) {
	first := i + minus(b[i])
	if i = skipDigits(b, first); i == first || b[first] == '0' && i > first+1 {
		return ^first, 0
	}
	if i == len(b) || b[i] != '.' {
		return i, 0
	}
	point := i + 1
	if i = skipManyDigits(b, point); i == point {
		return ^i, 0
	}
	return i, i - point
}

// skipExponent moves over the rest of a number from its e.
func skipExponent(b []byte, i int) int {
	if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
		i++
	}
	first := i
	if i = skipDigits(b, i); i == first {
		return ^i
	}
	return i
}

// skipDigits moves over digits, of which there are few.
func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// skipManyDigits moves over digits, eight at a time.
func skipManyDigits(b []byte, i int) int {
	for i+8 <= len(b) {
		_, others := digitsIn(binary.LittleEndian.Uint64(b[i:]))
		if others != 0 {
			return i + bits.TrailingZeros64(others)/8
		}
		i += 8
	}
	return skipDigits(b, i)
}

// digitsIn takes eight characters: digits has each one's value as a digit, and others the high bit of each byte that is
// none set. Both hold up to the first other character; behind it the subtraction's borrow may show.
func digitsIn(chars uint64) (digits, others uint64) {
	digits = chars - ones*'0'
	return digits, (digits | (chars + ones*(0x7f-'9'))) & high1
}

// minus is 1 for a minus sign, else 0, without a branch: signs are hard to foretell.
func minus(c byte) int { return int((uint64(c^'-') - 1) >> 63) }
