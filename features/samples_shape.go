package features

import (
	"encoding/binary"

	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
)

// A track is hundreds of samples that differ in their numbers only. Two pieces of JSON with the same bytes but for their
// numbers mean the same but for their numbers: same members in the same order, same repetitions, same white space. So the
// shape of one sample, learned after it was read member by member, reads the next one by comparing bytes and reading
// numbers, in a fraction of the time:
//
//	{"time": N, "head": {"pos": [N, N, N]}, "handle": {"pos": [N, N, N]}}
//	└──────┘ └┬───────────────┘ └┘ └┘ └┬──────────────────┘ └┘ └┘ └─┬─┘    bytes that must be the same again
//
// What does not fit is read member by member, from its beginning: a shape never refuses anything. A shape is offsets
// into the record, no bytes of its own, and is forgotten where an array begins.
type shape struct {
	parts    [maxParts]part
	count    int // of parts; 0 is no shape
	from, to int // the bytes behind the last number
}

// part is a number and the bytes before it.
type part struct {
	from, to int
	slot     int8 // which of the wanted numbers it is, or unwanted
}

const (
	maxParts = 32 // a sample of the ball has 10 numbers, one of the bat 7
	unwanted = -1
)

// wanted are the numbers that are wanted of a sample, each in its slot.
type wanted [8]float64

// wantedAt are the offsets of the wanted numbers; 0 (no sample begins a record) where there is none.
type wantedAt [8]int

func (s *shape) forget() { s.count = 0 }

// learn takes the shape of the sample b[from:to], an object just read. A number out of range is a value of another kind
// than the numbers that will stand in its place: there is nothing to learn from that.
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

// slot is which of the wanted numbers stands at offset.
func (at *wantedAt) slot(offset int) int8 {
	for slot := range at {
		if at[slot] == offset {
			return int8(slot)
		}
	}
	return unwanted
}

// read reads the sample at i and returns the cursor behind it, or 0 if it is not of this shape.
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

// follow moves over bytes at i that are the same as those from … to, and returns 0 if they are not.
func follow(b []byte, i, from, to int) int {
	n := to - from
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
