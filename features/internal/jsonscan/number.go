package jsonscan

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// A number becomes the double nearest to it, bit for bit the one that strconv.ParseFloat returns. A record of
// a swing has some 8,000 numbers of 16 or 17 digits, and reading them is most of the work on it. So
// ReadNumber has a quick way for numbers as trackers write them: a sign, one to three digits, a point, up to
// 18 digits behind it, no exponent.
//
//	-3.578308446024905,    sign, digits, point, then words of eight digits, the last of which
//	   └─eight┘└─eight┘    ends before a character that is no digit: −3578308446024905 × 10^−15
//
// The digits before and behind the point are read as one integer, the mantissa; the place of the point gives
// the exponent. A mantissa below 2^53 and 10^18 or less are doubles exactly, so that one division gives the
// rounded result. Longer mantissas go to toFloat, everything unusual (errors too) to readAnyNumber.

// window is how many bytes the quick way looks at without testing for the end of the input at each.
const window = 32

// ReadNumber reads the number at i. ok is false if it is outside of the range of a double; end is valid even
// then.
func ReadNumber(b []byte, i int) (f float64, end int, ok bool) {
	if i+window > len(b) {
		return readAnyNumber(b, i)
	}
	// An array of a fixed size lets the compiler drop the bounds checks below.
	p := (*[window]byte)(b[i:])
	first := minus(p[0])
	mantissa := uint64(p[first] - '0')
	k := first + 1
	for k <= 3 && p[k]-'0' <= 9 {
		mantissa = mantissa*10 + uint64(p[k]-'0')
		k++
	}
	if p[first]-'0' > 9 || p[first] == '0' && k > first+1 || p[k] != '.' {
		return readAnyNumber(b, i)
	}
	// The digits behind the point, eight at a time, join the mantissa.
	k++
	point := k // ≤ 5
	eight, others := digitsIn(binary.LittleEndian.Uint64(p[k:]))
	for others == 0 && k < 16 {
		mantissa = mantissa*1e8 + eightDigits(eight)
		k += 8
		eight, others = digitsIn(binary.LittleEndian.Uint64(p[k:]))
	}
	// The last word has fewer than eight digits. Shifted to its end, they have zeros in front of them.
	last := bits.TrailingZeros64(others | 1<<63) // 8 × the number of digits, plus 7
	mantissa = mantissa*smallPowers[last>>3&7] + eightDigits(eight<<(uint(63-last)&63)<<8)
	k += last >> 3
	if k == point || k-first > maxDigits+1 || p[k&(window-1)]|0x20 == 'e' {
		return readAnyNumber(b, i)
	}
	sign := uint64(first) << 63
	if mantissa < 1<<53 { // dividend and divisor are exact, so the quotient is rounded once, correctly
		f = float64(int64(mantissa)) / exactPowers[(k-point)&31]
		return math.Float64frombits(math.Float64bits(f) | sign), i + k, true
	}
	f, ok = toFloat(mantissa, point-k, sign)
	return f, i + k, ok
}

// smallPowers are the powers of ten by which fewer than eight digits shift the mantissa.
var smallPowers = [8]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7}

// exactPowers are the powers of ten that are doubles exactly: up to 10^22. The rest of the array is never
// read; 32 entries let the compiler drop the bounds check.
var exactPowers = [32]float64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
	1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// digitsIn looks at eight characters. digits has the value of each as a digit; others has the high bit set of
// each byte that is no digit. Both hold up to the first other character; behind it a borrow of the
// subtraction may show.
func digitsIn(chars uint64) (digits, others uint64) {
	digits = chars - ones*'0'
	return digits, (digits | (chars + ones*(0x7f-'9'))) & high1
}

// eightDigits returns the number that eight digits form, one a byte, the first in the lowest byte. It adds
// neighbours to pairs, pairs to fours, and fours to eight.
func eightDigits(v uint64) uint64 {
	v = v*10 + v>>8
	v = v & 0x00ff00ff00ff00ff * (100<<16 + 1) >> 16
	return v & 0x0000ffff0000ffff * (10000<<32 + 1) >> 32
}

// minus returns 1 for a minus sign and 0 for anything else, without a branch, because the processor cannot
// predict the signs of coordinates.
func minus(c byte) int { return int((uint64(c^'-') - 1) >> 63) }

// SkipNumber moves over a number: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func SkipNumber(b []byte, i int) int {
	i, _ = skipMantissa(b, i)
	if i >= 0 && i < len(b) && b[i]|0x20 == 'e' {
		return skipExponent(b, i)
	}
	return i
}

// skipMantissa moves over a number up to its exponent. fraction is the number of digits behind the point.
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

// skipExponent moves over the rest of a number, from its e on.
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

// skipDigits moves over digits one by one, for places that have few.
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
