package features

import (
	"sync"

	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
)

// decoder reads one record in one pass: it validates all bytes and keeps the few values that the features
// need. The result equals decoding the record into maps and walking those. A member is known by its exact
// name after unescaping. If a member is repeated, the last one counts, whole, because readNode clears the
// slots of a member before it reads it.
//
// Some 60 KB of the 110 KB of a swing are read: the positions of the bat, all times, and a few hundred bytes
// of summary. The ball of the pitch itself is read afterwards, once its samples are in order. The rest is
// validated and skipped.
//
// One goroutine uses a decoder at a time. While it works it aliases the record; release drops every reference
// to the record before the decoder goes back to its pool.
type decoder struct {
	b []byte

	record
	bat  batTrack
	ball ballTrack
	// flight holds the samples of the pitch's flight.
	flight []motion

	// shape is the layout of the sample read last, and last what all samples of that layout have in common.
	shape jsonscan.Shape
	last  lastSample

	// name holds a member's name that had escapes, until the next member is read.
	name []byte
	// scratch holds bytes for the length of one function.
	scratch []byte
	// texts gathers the row's texts until they are copied to one string.
	texts texts
}

// record is the decoded record: the scalars, and for each array whether it is one of objects.
type record struct {
	// isObject reports whether the whole value is a JSON object.
	isObject bool
	values   [slotCount]value

	events, samplesBall, samplesBat objects
}

// decoders keeps decoders with their scratch, because allocating 30 KB for each record would double its cost.
var decoders = sync.Pool{New: func() any { return new(decoder) }}

// release gives the decoder back to the pool, without any reference to the record.
func (d *decoder) release() {
	d.forget()
	decoders.Put(d)
}

// maxKeptBytes bounds the scratch of a pooled decoder. A real record needs about 30 KB; the scratch of a huge
// one is left to the garbage collector, because it would otherwise stay allocated forever.
const maxKeptBytes = 1 << 20

// forget clears everything but the scratch, and the scratch too if it is large.
func (d *decoder) forget() {
	d.b, d.record = nil, record{}
	d.bat.reset(0)
	d.ball.reset()
	d.texts.reset()
	if d.scratchBytes() > maxKeptBytes {
		*d = decoder{}
	}
}

// scratchBytes returns how much memory the decoder keeps for the next record.
func (d *decoder) scratchBytes() int {
	return cap(d.name) + cap(d.scratch) + cap(d.texts.buf) +
		cap(d.bat.samples)*batSampleBytes + cap(d.ball.samples)*ballSampleBytes +
		cap(d.flight)*motionBytes
}

// decode reads the record's value. It rejects only what is not JSON; check judges the rest.
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
	// Only white space may follow the value.
	if i = jsonscan.Blanks(b, i); i < len(b) {
		return malformed(b, i)
	}
	return nil
}

// readRecord reads the outermost object. All objects are read by a loop like this one. FirstMember and
// NextMember stop at a name's quote, at the closing bracket, or at an error. d.member moves from the name to
// the value, and the body of the loop reads or skips the value. The depth passed along with a cursor is the
// number of brackets open around the value there.
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

// readEvents reads the first event, because the batter, the team and the launch angle of an at-bat are those
// of its first event. It checks that the others are objects.
func (d *decoder) readEvents(i int) int {
	clear(d.values[firstEvent.from:firstEvent.to])
	return d.readObjects(&d.events, i, func(d *decoder, i, n int) int {
		if n == 0 {
			return d.readNode(firstEvent, i, 2)
		}
		return jsonscan.SkipObject(d.b, i, 3)
	})
}

// readObjects reads a member that should be an array of objects, calling read for each of them with its index
// n. It notes in o where the member is something else. A missing member is not wrong: {}, [], null and ""
// count as missing.
func (d *decoder) readObjects(o *objects, i int, read func(d *decoder, i, n int) int) int {
	*o = objects{}
	if d.b[i] != '[' {
		v, end := readValue(d.b, i, 1)
		*o = objects{wrong: v.kind != missing, at: -1}
		return end
	}
	n := 0
	o.place.From = i
	for i = jsonscan.FirstElement(d.b, i); i >= 0 && d.b[i] != ']'; i = jsonscan.NextElement(d.b, i) {
		switch {
		case d.b[i] == '{':
			i = read(d, i, n)
		default:
			if !o.wrong {
				o.wrong, o.at = true, n
			}
			i = jsonscan.SkipValue(d.b, i, 2)
		}
		n++
	}
	o.place.To = jsonscan.AfterBracket(i)
	return o.place.To
}

// member moves from a name's quote to the member's value. The name is valid until the next call.
func (d *decoder) member(i int) (name []byte, next int) {
	end, escaped := jsonscan.SkipString(d.b, i)
	if end < 0 {
		return nil, end
	}
	name = d.b[i+1 : end-1]
	if escaped {
		// No path has a name with a lone surrogate, so that name must match none, not even by its beginning.
		var ok bool
		if d.name, ok = jsonscan.AppendUnescaped(d.name[:0], name); !ok {
			d.name = d.name[:0]
		}
		name = d.name
	}
	return name, jsonscan.AfterName(d.b, end)
}
