package jsonscan

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"
)

// This file turns a decimal number into the nearest double where the quick way of ReadNumber does not apply.
// toFloat is the algorithm of Eisel and Lemire (D. Lemire, Number Parsing at a Gigabyte per Second, 2021):
// multiply the mantissa by a 128-bit power of ten, keep 54 bits of the product, round to 53. readAnyNumber
// takes any number, however it is written; the few that toFloat cannot decide go to strconv.

// Exponents for which there is a power of ten. With them no mantissa of 64 bits leaves the range of normal
// doubles.
const (
	minPower = -64
	maxPower = 64
)

// maxDigits is how many decimal digits fit into 64 bits, whatever they are.
const maxDigits = 19

// powersOfTen holds, for each exponent q, the highest 128 bits of 10^q, the high word first.
var powersOfTen = computePowers()

// computePowers computes the powers with big integers. The highest bits of 10^q are those of 5^q, because a
// factor of 2 only shifts them. A positive power is cut off after 128 bits. So is a negative one, 2^n divided
// by 5^−q; for −27 ≤ q one is added, because the proof of the algorithm asks for a reciprocal that is rounded
// up there.
func computePowers() (powers [maxPower - minPower + 1][2]uint64) {
	one := big.NewInt(1)
	for q := minPower; q <= maxPower; q++ {
		power := new(big.Int).Exp(big.NewInt(5), big.NewInt(int64(max(q, -q))), nil)
		if q < 0 {
			power.Div(new(big.Int).Lsh(one, 512), power)
		} else {
			power.Lsh(power, 128)
		}
		power.Rsh(power, uint(power.BitLen()-128))
		if -27 <= q && q < 0 {
			power.Add(power, one)
		}
		powers[q-minPower] = [2]uint64{new(big.Int).Rsh(power, 64).Uint64(), power.Uint64()}
	}
	return powers
}

// toFloat returns the double nearest to mantissa × 10^exponent; of two equally near ones, the even one. The
// mantissa must not be 0. The highest bit of sign becomes that of the result. ok is false for an exponent
// without a power.
func toFloat(mantissa uint64, exponent int, sign uint64) (f float64, ok bool) {
	if exponent < minPower || exponent > maxPower {
		return 0, false
	}
	power := &powersOfTen[exponent-minPower]
	// The mantissa is shifted to the left until its highest bit is set, so that the product has 127 or 128 bits.
	lead := bits.LeadingZeros64(mantissa)
	mantissa <<= uint(lead) & 63
	high, low := bits.Mul64(mantissa, power[0])
	if high&0x1ff == 0x1ff { // the bits below the 55 that count could still carry into them
		more, _ := bits.Mul64(mantissa, power[1])
		var carry uint64
		low, carry = bits.Add64(low, more, 0)
		high += carry
	}
	top := int(high >> 63) // the product has 128 or 127 bits
	cut := uint(top+9) & 63
	kept := high >> cut                                 // 54 bits, the last one for rounding
	binary := (217706*exponent)>>16 + 1086 + top - lead // floor(log2(10^exponent)), and the bias of doubles
	// Exactly halfway between two doubles: round to even. That is only possible where the power of ten is exact,
	// which it is for exponents from −4 to 23.
	if low <= 1 && exponent >= -4 && exponent <= 23 && kept&3 == 1 && kept<<cut == high {
		kept &^= 1
	}
	// Rounding up may carry into a 54th bit; then the exponent grows by one.
	kept = (kept + kept&1) >> 1
	if kept == 1<<53 {
		kept >>= 1
		binary++
	}
	return math.Float64frombits(sign | uint64(binary)<<52 | kept&(1<<52-1)), true
}

// readAnyNumber reads the number at i in whatever form it is written.
func readAnyNumber(b []byte, i int) (f float64, end int, ok bool) {
	n, end := scanDecimal(b, i)
	if end < 0 {
		return 0, end, false
	}
	f, ok = n.float()
	return f, end, ok
}

// decimal is a number as it is written: digits × 10^exponent. digits may contain the point, which does not
// count.
type decimal struct {
	negative int    // 1 or 0
	digits   []byte // from the first nonzero digit on; empty for zero
	count    int    // number of digits, without the point
	exponent int
}

// scanDecimal splits a number into sign, digits and exponent.
func scanDecimal(b []byte, i int) (n decimal, end int) {
	end, fraction := skipMantissa(b, i)
	if end < 0 {
		return n, end
	}
	// Leading zeros, before and behind the point, are no digits of the number.
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

// boundedExponent reads [+-]?[0-9]+. An exponent beyond 10^8 becomes some number beyond 10^8, which is far
// out of the range of a double and does not overflow.
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

// maxMagnitude is the greatest n for which some number of 10^(n−1) ≤ |x| < 10^n is within the range of a
// double. float checks it itself, because strconv allocates an error for a number that is out of range.
const maxMagnitude = 309

// float returns the double nearest to the number. ok is false if it is outside of the range of a double.
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
	if ok && rest > 0 {
		// The number lies between its leading digits and those plus one: if both are the same double, it is that
		// one.
		high, _ := toFloat(whole+1, n.exponent+rest, sign)
		ok = low == high
	}
	if !ok {
		return n.parseFloat()
	}
	return low, true
}

// leading returns the number's first maxDigits digits, and how many more there are.
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

// parseFloat leaves the rounding to strconv: for numbers of many digits that lie almost halfway between two
// doubles, and for very large and very small ones. It moves the point behind the first digit, because strconv
// (as of Go 1.26) returns a wrong result for more than 800 digits before the point.
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
