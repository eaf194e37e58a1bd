package features

import (
	"math"
	"math/bits"
)

// A decimal number of the record becomes the double nearest to it (of two equally near ones the even one), as
// strconv.ParseFloat has it and the tests hold it to. The records' numbers have 16 or 17 digits, which is often one too
// many for exact arithmetic in doubles; those take the way of Eisel and Lemire (D. Lemire, Number Parsing at a Gigabyte
// per Second, 2021): multiply by a 128-bit power of ten, keep 54 bits, round.

// The exponents for which there is a power. No mantissa of 64 bits leaves the range of normal doubles with them.
const (
	minPower = -64
	maxPower = 64
)

// maxDigits is how many decimal digits fit into 64 bits, whatever they are.
const maxDigits = 19

// toFloat gives the double nearest to mantissa × 10^exponent, of a mantissa that is not 0, under the sign in the highest
// bit of sign; ok is false for an exponent without a power.
func toFloat(mantissa uint64, exponent int, sign uint64) (f float64, ok bool) {
	if exponent < minPower || exponent > maxPower {
		return 0, false
	}
	power := &powersOfTen[exponent-minPower]
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
	// Halfway between two doubles, exactly: round to even. It can only be where the power is exact.
	if low <= 1 && exponent >= -4 && exponent <= 23 && kept&3 == 1 && kept<<cut == high {
		kept &^= 1
	}
	kept = (kept + kept&1) >> 1
	if kept == 1<<53 {
		kept >>= 1
		binary++
	}
	return math.Float64frombits(sign | uint64(binary)<<52 | kept&(1<<52-1)), true
}
