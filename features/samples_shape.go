package features

import (
	"encoding/binary"

	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
)

// shape reads samples at speed. A track is hundreds of samples that differ in their numbers only. Such pieces
// of JSON have the same members in the same order and the same white space, so they mean the same but for
// their numbers. The shape of one sample, learned after it was read member by member, reads the next one by
// comparing bytes and reading numbers, in a fraction of the time:
//
//	{"time": N, "head": {"pos": [N, N, N]}, "handle": {"pos": [N, N, N]}}
//	└──────┘ └┬───────────────┘ └┘ └┘ └┬──────────────────┘ └┘ └┘ └─┬─┘    bytes that must be the same again
//
// A sample that does not fit is read member by member, from its beginning, so a shape never rejects a record.
// A shape consists of offsets into the record and must be forgotten when another array begins.
type shape struct {
	parts [maxParts]part
	// count is the number of parts; 0 means that no shape is known.
	count int
	// from and to bound the bytes behind the last number.
	from, to int
}

// part is a number, and the bytes b[from:to] before it.
type part struct {
	from, to int
	// slot is the number's place in wanted, or unwanted.
	slot int8
}

// maxParts bounds the numbers of a sample: one of the ball has 10, one of the bat 7.
const (
	maxParts = 32
	unwanted = -1
)

// wanted holds the numbers that are wanted of a sample, each in its slot.
type wanted [8]float64

// wantedAt holds the offsets of the wanted numbers. 0 means none, because no sample begins a record.
type wantedAt [8]int

// forget makes the next sample be read member by member.
func (s *shape) forget() { s.count = 0 }

// learn takes the shape of the sample b[from:to], an object just read. A number outside of the range of a
// double teaches nothing, because it is a value of another kind than the numbers in its place in later
// samples.
func (s *shape) learn(b []byte, from, to int, at *wantedAt) {
	s.count, s.from, s.to = 0, from, to
	for i := from; i < to; {
		switch c := b[i]; {
		case c == '"':
			i, _ = jsonscan.SkipString(b, i)
		case c == '-' || c-'0' <= 9:
			_, end, ok := jsonscan.ReadNumber(b, i)
			if !ok || s.count == maxParts {
				s.forget()
				return
			}
			s.parts[s.count] = part{s.from, i, at.slot(i)}
			s.count++
			i, s.from = end, end
		default:
			i++
		}
	}
}

// slot returns which of the wanted numbers is at offset.
func (at *wantedAt) slot(offset int) int8 {
	for slot := range at {
		if at[slot] == offset {
			return int8(slot)
		}
	}
	return unwanted
}

// read reads the sample at i and returns the cursor behind it, or 0 if the sample does not have this shape.
func (s *shape) read(b []byte, i int, numbers *wanted) int {
	if s.count == 0 {
		return 0
	}
	for k := range s.parts[:s.count] {
		p := &s.parts[k]
		if i = follow(b, i, p.from, p.to); i == 0 || i == len(b) {
			return 0
		}
		if p.slot == unwanted {
			i = jsonscan.SkipNumber(b, i)
		} else {
			f, end, ok := jsonscan.ReadNumber(b, i)
			if !ok {
				return 0
			}
			numbers[p.slot&7] = f
			i = end
		}
		if i < 0 {
			return 0
		}
	}
	return follow(b, i, s.from, s.to)
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
