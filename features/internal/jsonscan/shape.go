package jsonscan

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Shape reads objects at speed that differ in their numbers only. Such pieces of JSON have the same members
// in the same order and the same white space, so they mean the same but for their numbers. The shape of one
// object, learned after it was read member by member, reads the next one by comparing bytes and reading
// numbers, in a fraction of the time:
//
//	{"time": N, "head": {"pos": [N, N, N]}, "handle": {"pos": [N, N, N]}}
//	└──────┘ └┬───────────────┘ └┘ └┘ └┬──────────────────┘ └┘ └┘ └─┬─┘    bytes that must be the same again
//
// An object that does not fit has to be read member by member, from its beginning, so a shape never rejects
// anything. A shape consists of offsets into the record and must be forgotten when another array begins.
//
// Read spends nearly all of its time in quickly, which calls nothing, and which finds the end of a number
// before it knows anything else of it. So the processor reads several numbers at once: the next one need not
// wait until this one is converted, nor does it matter how many digits each has.
type Shape struct {
	parts [maxParts]part
	// bytes are the bytes b[from:to] before each number.
	bytes [maxParts]struct{ from, to int }
	// count is the number of parts; 0 means that no shape is known.
	count int
	// quick is how many parts quickly may read: all, or none if the bytes before one are more than maxText.
	quick int
	// from and to bound the bytes behind the last number.
	from, to int
}

// part is the bytes before a number, as words, and the number. It has 64 bytes, so that a shift finds it.
type part struct {
	// text are the bytes, and mask has the bits of those that count.
	text, mask [maxText / 8]uint64
	// size is how many bytes count.
	size int
	// slot is the number's place in Numbers, or unwanted.
	slot int
}

const (
	// maxParts bounds the numbers of an object: a sample of the ball has 10, one of the bat 7.
	maxParts = 32
	unwanted = -1
	// maxText bounds the bytes before a number that quickly compares: ]}, "handle": {"pos": [ has 23.
	maxText = 24
	// shapeWindow is how many bytes quickly looks at for a part: a text and a window.
	shapeWindow = 64
)

// Numbers holds the numbers that are wanted of an object, each in its slot.
type Numbers [8]float64

// Offsets holds the offsets of the wanted numbers. 0 means none, because no sample begins a record.
type Offsets [8]int

// Forget makes the next object not fit.
func (s *Shape) Forget() { s.count, s.quick = 0, 0 }

// Count returns how many numbers the shape has, 0 if none is known.
func (s *Shape) Count() int { return s.count }

// Learn takes the shape of b[from:to], an object just read. A number outside of the range of a double teaches
// nothing, because it is a value of another kind than the numbers in its place in later objects.
func (s *Shape) Learn(b []byte, from, to int, at *Offsets) {
	s.Forget()
	s.from, s.to = from, to
	isQuick := true
	for i := from; i < to; {
		switch c := b[i]; {
		case c == '"':
			i, _ = SkipString(b, i)
		case c == '-' || c-'0' <= 9:
			_, end, ok := ReadNumber(b, i)
			if !ok || s.count == maxParts {
				s.Forget()
				return
			}
			s.bytes[s.count].from, s.bytes[s.count].to = s.from, i
			s.parts[s.count].learn(b[s.from:i], at.slot(i))
			isQuick = isQuick && i-s.from <= maxText
			s.count++
			i, s.from = end, end
		default:
			i++
		}
	}
	if isQuick {
		s.quick = s.count
	}
}

// learn sets the part to a text before a number, and to the slot of the number. It keeps the first maxText
// bytes of a longer text, which quickly never reads.
func (p *part) learn(text []byte, slot int) {
	*p = part{size: len(text), slot: slot}
	for k := range min(len(text), maxText) {
		p.text[k/8] |= uint64(text[k]) << (k % 8 * 8)
		p.mask[k/8] |= 0xff << (k % 8 * 8)
	}
}

// slot returns which of the wanted numbers is at offset.
func (at *Offsets) slot(offset int) int {
	for slot := range at {
		if at[slot] == offset {
			return slot
		}
	}
	return unwanted
}

// Read reads the object at i and returns the cursor behind it, or 0 if the object does not have this shape.
func (s *Shape) Read(b []byte, i int, numbers *Numbers) int {
	if s.count == 0 {
		return 0
	}
	for k := 0; ; k++ {
		if k, i = s.quickly(b, i, k, numbers); k == s.count {
			return follow(b, i, s.from, s.to)
		}
		// A number that is written unusually, and whatever is near the end of the input.
		if i = follow(b, i, s.bytes[k].from, s.bytes[k].to); i == 0 || i == len(b) {
			return 0
		}
		if slot := s.parts[k].slot; slot == unwanted {
			i = SkipNumber(b, i)
		} else {
			f, end, ok := ReadNumber(b, i)
			if !ok {
				return 0
			}
			numbers[slot&7], i = f, end
		}
		if i < 0 {
			return 0
		}
	}
}

// quickly reads parts from k on, as long as their texts fit and their numbers are usual ones. These have one
// to three digits before a point, at most sixteen behind it, eight characters or more, and no exponent. It
// returns the first part that it did not read, and the cursor before that.
func (s *Shape) quickly(b []byte, i, k int, numbers *Numbers) (next, cursor int) {
	for ; k < s.quick && i+shapeWindow <= len(b); k++ {
		p := &s.parts[k&(maxParts-1)]
		w := (*[shapeWindow]byte)(b[i:])
		if (binary.LittleEndian.Uint64(w[:])^p.text[0])&p.mask[0] != 0 {
			return k, i
		}
		if p.size > 8 && (binary.LittleEndian.Uint64(w[8:])^p.text[1])&p.mask[1]|
			(binary.LittleEndian.Uint64(w[16:])^p.text[2])&p.mask[2] != 0 {
			return k, i
		}
		v := (*[window]byte)(w[p.size&(window-1):])
		first := minus(v[0])
		// Among the first eight characters only the sign and the point may be no digits.
		others := othersIn(binary.LittleEndian.Uint64(v[:])) &^ (uint64(first) << 7)
		point := bits.TrailingZeros64(others) >> 3
		if v[point] != '.' || others&(others-1) != 0 {
			return k, i
		}
		// The number ends before the next character that is no digit.
		size := 8
		_, others = digitsIn(binary.LittleEndian.Uint64(v[8:]))
		if others == 0 {
			size = 16
			_, others = digitsIn(binary.LittleEndian.Uint64(v[16:]))
		}
		size += bits.TrailingZeros64(others) >> 3
		whole := uint64(v[first] - '0')
		if point != first+1 {
			// guard: shapes: no number begins with a zero before another digit | whole == 0 -> false
			if whole == 0 || uint(point-first-2) > 1 {
				return k, i
			}
			whole = whole*10 + uint64(v[first+1]-'0')
			if point == first+3 {
				whole = whole*10 + uint64(v[first+2]-'0')
			}
		}
		// No end is in sight, or there is an exponent.
		if others == 0 || v[size&(window-1)]|0x20 == 'e' {
			return k, i
		}
		if p.slot != unwanted {
			n := size - point - 1
			if n > 16 {
				return k, i
			}
			// The digits behind the point, as if zeros followed up to the sixteenth.
			q := (*[16]byte)(v[(point+1)&7:])
			high := (binary.LittleEndian.Uint64(q[:]) - ones*'0') & firstBytes[n&31][0]
			low := (binary.LittleEndian.Uint64(q[8:]) - ones*'0') & firstBytes[n&31][1]
			mantissa := whole*1e16 + eightDigits(high)*1e8 + eightDigits(low)
			if mantissa == 0 {
				return k, i
			}
			lead := bits.LeadingZeros64(mantissa)
			product := sixteenths(mantissa << (uint(lead) & 63))
			numbers[p.slot&7] = roundSixteenths(product, lead, uint64(first)<<63)
		}
		i += p.size + size
	}
	return k, i
}

// firstBytes[n] are the masks of the first n of sixteen bytes, as two words.
var firstBytes = func() (masks [32][2]uint64) {
	for n := range masks {
		for k := range min(n, 16) {
			masks[n][k/8] |= 0xff << (k % 8 * 8)
		}
	}
	return masks
}()

// tenToMinus16 is the exponent of all numbers that quickly reads, and its power of ten. toFloat does the same
// for any exponent, with branches that the processor cannot predict. No such number is halfway between two
// doubles: it would be a multiple of 2^−17 with 54 significant bits, so the mantissa one of 5^16, too large.
var tenToMinus16 = powersOfTen[-16-minPower]

// sixteenths returns the highest 64 bits of mantissa × 10^−16. The highest bit of the mantissa must be set.
func sixteenths(mantissa uint64) uint64 {
	high, low := bits.Mul64(mantissa, tenToMinus16[0])
	if high&0x1ff == 0x1ff { // as in toFloat
		more, _ := bits.Mul64(mantissa, tenToMinus16[1])
		_, carry := bits.Add64(low, more, 0)
		high += carry
	}
	return high
}

// roundSixteenths returns what sixteenths returned as a double. The mantissa was shifted by lead.
func roundSixteenths(high uint64, lead int, sign uint64) float64 {
	const base = 217706*-16>>16 + 1086 // as in toFloat
	top := int(high >> 63)
	kept := high >> (uint(top+9) & 63)
	// The highest of the 53 bits adds one to the exponent, which is therefore one less. So does a carry of the
	// rounding into a 54th bit, as it must.
	return math.Float64frombits(sign | (uint64(base-1+top-lead)<<52 + (kept+kept&1)>>1))
}

// othersIn has the high bit set of each byte that is no digit, of all eight bytes.
func othersIn(chars uint64) uint64 {
	digits := chars ^ ones*'0'
	return (digits&^uint64(high1) + ones*(0x7f-9) | digits) & high1
}

// follow moves over bytes at i that equal b[from:to]. It returns 0 if they differ. Up to eight bytes are
// compared as one word.
func follow(b []byte, i, from, to int) int {
	n := to - from
	// Shifting the difference to the left drops the bytes beyond n.
	if n <= 8 && i+8 <= len(b) {
		here, there := binary.LittleEndian.Uint64(b[i:]), binary.LittleEndian.Uint64(b[from:])
		if (here^there)<<(64-8*uint(n)) != 0 {
			return 0
		}
		return i + n
	}
	if i+n > len(b) || string(b[i:i+n]) != string(b[from:to]) {
		return 0
	}
	return i + n
}
