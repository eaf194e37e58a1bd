package features

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
)

// window is how many bytes the quick way looks at without asking for the end at each.
const window = 32

// readNumber reads the number at i, correctly rounded; ok is false where it is out of the range of a double.
//
// The digits before and behind the point are one whole number, and the exponent says where the point was:
//
//	-3.578308446024905,    the sign, one to three digits, the point, then words of eight digits, the last of which
//	   └─eight┘└─eight┘    ends before the first character that is none: −3578308446024905 × 10^−15
//
// This quick way is for what trackers write, with up to 18 digits behind the point. What surprises it, errors too, it
// leaves to readAnyNumber.
func readNumber(b []byte, i int) (f float64, end int, ok bool) {
	if i+window > len(b) {
		return readAnyNumber(b, i)
	}
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
	k++
	point := k // ≤ 5
	eight, others := digitsIn(binary.LittleEndian.Uint64(p[k:]))
	for others == 0 && k < 16 {
		mantissa = mantissa*1e8 + eightDigits(eight)
		k += 8
		eight, others = digitsIn(binary.LittleEndian.Uint64(p[k:]))
	}
	// The digits before the first other character, moved to the end of the word, stand behind zeros.
	last := bits.TrailingZeros64(others | 1<<63) // 8 × how many, and 7
	mantissa = mantissa*smallPowers[last>>3&7] + eightDigits(eight<<(uint(63-last)&63)<<8)
	k += last >> 3
	if k == point || k-first > maxDigits+1 || p[k&(window-1)]|0x20 == 'e' {
		return readAnyNumber(b, i)
	}
	sign := uint64(first) << 63
	if mantissa < 1<<53 { // a double exactly, as the power is: the quotient is rounded once, as it should be
		f = float64(int64(mantissa)) / exactPowers[(k-point)&31]
		return math.Float64frombits(math.Float64bits(f) | sign), i + k, true
	}
	f, ok = toFloat(mantissa, point-k, sign)
	return f, i + k, ok
}

// smallPowers are the powers of ten by which digits move that come in less than eight.
var smallPowers = [8]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7}

// exactPowers are the powers of ten that are doubles, up to 10^22.
var exactPowers = [32]float64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// eightDigits is the number of eight digits, one a byte, the first in the lowest: neighbours are added to pairs, pairs to
// fours, fours to eight.
func eightDigits(v uint64) uint64 {
	v = v*10 + v>>8
	v = v & 0x00ff00ff00ff00ff * (100<<16 + 1) >> 16
	return v & 0x0000ffff0000ffff * (10000<<32 + 1) >> 32
}

// readAnyNumber reads the number at i in whatever form it comes.
func readAnyNumber(b []byte, i int) (f float64, end int, ok bool) {
	n, end := scanDecimal(b, i)
	if end < 0 {
		return 0, end, false
	}
	f, ok = n.float()
	return f, end, ok
}

// decimal is a number as it is written: digits × 10^exponent, where a point somewhere in digits does not count.
type decimal struct {
	negative int    // 1 or 0
	digits   []byte // from the first that is not 0 on; empty of zero
	count    int    // of the digits
	exponent int
}

// scanDecimal takes a number apart.
func scanDecimal(b []byte, i int) (n decimal, end int) {
	end, fraction := skipMantissa(b, i)
	if end < 0 {
		return n, end
	}
	n.negative = minus(b[i])
	n.digits, n.exponent = b[i+n.negative:end], -fraction
	n.count = len(n.digits)
	if fraction > 0 {
		n.count-- // the point
	}
	for len(n.digits) > 0 && (n.digits[0] == '0' || n.digits[0] == '.') {
		if n.digits[0] == '0' {
			n.count--
		}
		n.digits = n.digits[1:]
	}
	if end < len(b) && b[end]|0x20 == 'e' {
		from := end + 1
		if end = skipExponent(b, end); end < 0 {
			return n, end
		}
		n.exponent += boundedExponent(b[from:end])
	}
	return n, end
}

// boundedExponent reads [+-]?[0-9]+ as far as it matters: beyond 10^8 it is some number beyond 10^8.
func boundedExponent(b []byte) (e int) {
	for _, c := range b {
		if c >= '0' && e < 1e8 {
			e = e*10 + int(c-'0')
		}
	}
	if b[0] == '-' {
		return -e
	}
	return e
}

// maxMagnitude is the greatest n for which some number of 10^(n−1) ≤ |x| < 10^n is within the range of a double. (strconv
// would tell too, but with an error that it allocates.)
const maxMagnitude = 309

// float is the double nearest to the number; ok is false where it is out of the range of a double.
func (n decimal) float() (f float64, ok bool) {
	sign := uint64(n.negative) << 63
	if n.count == 0 {
		return math.Float64frombits(sign), true
	}
	if n.exponent+n.count > maxMagnitude {
		return 0, false
	}
	whole, rest := n.leading()
	low, ok := toFloat(whole, n.exponent+rest, sign)
	if ok && rest > 0 { // the number is between its first digits and one more: if both are the same double, it is that
		high, _ := toFloat(whole+1, n.exponent+rest, sign)
		ok = low == high
	}
	if !ok {
		return n.parseFloat()
	}
	return low, true
}

// parseFloat is for what the quick ways cannot tell: numbers of many digits that are all but halfway between two doubles,
// and very large or small ones. The point is moved behind the first digit, since strconv (as of Go 1.26) loses its place
// where more than 800 digits stand before it.
func (n decimal) parseFloat() (f float64, ok bool) {
	var room [64]byte
	b := append(room[:0], n.digits[0], '.')
	for _, c := range n.digits[1:] {
		if c != '.' {
			b = append(b, c)
		}
	}
	b = append(b, 'e')
	b = strconv.AppendInt(b, int64(n.exponent+n.count-1), 10)
	f, err := strconv.ParseFloat(string(b), 64)
	if n.negative == 1 {
		f = -f
	}
	return f, err == nil
}

// leading is the number's first maxDigits digits, and how many more there are.
func (n decimal) leading() (whole uint64, rest int) {
	taken := 0
	for _, c := range n.digits {
		if taken == maxDigits {
			break
		}
		if c != '.' {
			whole = whole*10 + uint64(c-'0')
			taken++
		}
	}
	return whole, n.count - taken
}
