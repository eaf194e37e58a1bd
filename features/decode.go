package features

import (
	"sync"

	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
)

// decoder reads one record in one pass: it validates all of the bytes and keeps what the features need. It equals
// decoding the whole into maps and walking those: a member is known by its exact name after unescaping, and of a repeated
// member the last counts, whole, because whoever reads one first forgets what an earlier one left.
//
// Of the 110 KB of a swing some 60 KB are read (the bat's positions, all times, a few hundred bytes of summary); the rest
// is validated and skipped.
//
// A decoder is scratch: it is used by one goroutine at a time, aliases the record while it is at work, and goes back to
// its pool without it.
type decoder struct {
	b []byte

	record
	bat  batTrack
	ball ballTrack

	shape shape // of the samples being read
	last  lastSample

	name    []byte // a name that had escapes
	scratch []byte // of whoever needs some bytes for a moment
	texts   texts  // the row's texts, on their way into one string
}

// record is the decoded record: scalars as they stand there, and for arrays what is asked of them.
type record struct {
	isObject bool // the whole value is an object
	values   [slotCount]value

	events, samplesBall, samplesBat objects
}

// decoders keeps decoders with their scratch, so that a record allocates next to nothing.
var decoders = sync.Pool{New: func() any { return new(decoder) }}

// release gives the decoder back, without the record.
func (d *decoder) release() {
	d.forget()
	decoders.Put(d)
}

// maxKeptBytes bounds the scratch that a decoder takes back to the pool with it: a real record needs about 30 KB.
const maxKeptBytes = 1 << 20

// forget makes the decoder as new but for its scratch; and if that is large, as new.
func (d *decoder) forget() {
	d.b, d.record = nil, record{}
	d.bat.reset(0)
	d.ball.reset()
	d.texts.reset()
	if d.scratchBytes() > maxKeptBytes {
		*d = decoder{}
	}
}

func (d *decoder) scratchBytes() int {
	return cap(d.name) + cap(d.scratch) + cap(d.texts.buf) + cap(d.bat.samples)*batSampleBytes + cap(d.ball.times)*8
}

// decode reads the record's value. What it finds wrong is the syntax only.
func (d *decoder) decode(b []byte) *Rejection {
	d.b = b
	i := jsonscan.Blanks(b, 0)
	if i == len(b) {
		return malformed(b, i)
	}
	if d.isObject = b[i] == '{'; d.isObject {
		i = d.readRecord(i)
	} else {
		i = jsonscan.SkipValue(b, i, 0)
	}
	if i < 0 {
		return malformed(b, ^i)
	}
	if i = jsonscan.Blanks(b, i); i < len(b) {
		return malformed(b, i)
	}
	return nil
}

// readRecord reads the object that a record is. Its loop is the one in which every object here is read: firstMember and
// nextMember stand at a name's quote, at the closing bracket, or fail; d.member leads from the name to the value; someone
// reads or skips the value and returns the cursor behind it. The number handed down with a cursor says how many brackets
// are open around the value that it stands at.
func (d *decoder) readRecord(i int) int {
	var name []byte
	for i = jsonscan.FirstMember(d.b, i); i >= 0 && d.b[i] != '}'; i = jsonscan.NextMember(d.b, i) {
		if name, i = d.member(i); i < 0 {
			return i
		}
		switch string(name) {
		case "samples_bat":
			i = d.readSamplesBat(i)
		case "samples_ball":
			i = d.readSamplesBall(i)
		case "events":
			i = d.readEvents(i)
		default:
			i = d.readNode(root.member(name), i, 1)
		}
	}
	return jsonscan.AfterBracket(i)
}

// readEvents reads the first event and of the others only that they are objects.
func (d *decoder) readEvents(i int) int {
	clear(d.values[firstEvent.from:firstEvent.to])
	return d.readObjects(&d.events, i, func(d *decoder, i, n int) int {
		if n == 0 {
			return d.readNode(firstEvent, i, 2)
		}
		return jsonscan.SkipObject(d.b, i, 3)
	})
}

// readObjects reads a member of the record that must be an array of objects, each by read. What is missing is no array
// and not wrong either.
func (d *decoder) readObjects(o *objects, i int, read func(d *decoder, i, n int) int) int {
	*o = objects{}
	if d.b[i] != '[' {
		v, end := readValue(d.b, i, 1)
		*o = objects{wrong: v.kind != missing, at: -1}
		return end
	}
	n := 0
	for i = jsonscan.FirstElement(d.b, i); i >= 0 && d.b[i] != ']'; i = jsonscan.NextElement(d.b, i) {
		switch {
		case d.b[i] == '{':
			i = read(d, i, n)
		default:
			if !o.wrong {
				*o = objects{wrong: true, at: n}
			}
			i = jsonscan.SkipValue(d.b, i, 2)
		}
		n++
	}
	return jsonscan.AfterBracket(i)
}

// member moves from a name's quote to the member's value. The name is good until the next call.
func (d *decoder) member(i int) (name []byte, next int) {
	end, escaped := jsonscan.SkipString(d.b, i)
	if end < 0 {
		return nil, end
	}
	name = d.b[i+1 : end-1]
	if escaped {
		// A name with a lone surrogate is none of ours, whatever comes before it.
		var ok bool
		if d.name, ok = jsonscan.AppendUnescaped(d.name[:0], name); !ok {
			d.name = d.name[:0]
		}
		name = d.name
	}
	return name, jsonscan.AfterName(d.b, end)
}
