package features

import (
	"cmp"
	"slices"

	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
)

// This file reads and keeps the tracks of bat and ball. They are nearly all of a record: 370 samples of the
// bat, 300 times a second, and some hundred of the ball. Trackers write samples like these:
//
//	{"time": 0.0206462, "pos": […], "vel": […], "acc": […]}   the time is read
//	{"event": "Hit", "time": -0.4059311, "head": {"pos": [x, y, z]}, "handle": {"pos": [x, y, z]}}
//
// The first sample of a track is read member by member, which takes any order of members and any white space.
// Nearly all others have the same layout and are read by its shape (jsonscan.Shape), several times faster.

// readSamplesBat reads the bat's track. A repeated track replaces the earlier one.
func (d *decoder) readSamplesBat(i int) int {
	d.bat.reset(i)
	d.shape.Forget()
	return d.readObjects(&d.samplesBat, i, (*decoder).readBatSample)
}

// readSamplesBall reads the ball's track. A repeated track replaces the earlier one.
func (d *decoder) readSamplesBall(i int) int {
	d.ball.reset()
	d.shape.Forget()
	return d.readObjects(&d.samplesBall, i, (*decoder).readBallSample)
}

// Places in wanted of the numbers that are read of a sample: its time, and of the bat x, y and z of both
// ends.
const (
	slotTime   = 0
	slotHead   = 1
	slotHandle = 4
)

// readBatSample reads a sample of the bat: by the shape of the one before it, or member by member if that
// does not fit.
func (d *decoder) readBatSample(i, _ int) int {
	// Room is made before reading, in proportion to the rest of the record.
	if len(d.bat.samples) == cap(d.bat.samples) {
		d.bat.makeRoom(i-d.bat.from, len(d.b)-i)
	}
	var n jsonscan.Numbers
	end := d.shape.Read(d.b, i, &n)
	if end == 0 {
		return d.readBatMembers(i)
	}
	d.bat.add(batSample{
		timeS: n[slotTime], head: point{n[1], n[2], n[3]}, handle: point{n[4], n[5], n[6]},
		hasHead: d.last.hasHead, hasHandle: d.last.hasHandle, isMark: d.last.isMark,
		// The event "No" counts in the first sample only, and that one is never read by shape.
	}, d.last.timed, false) // an event "No" counts in the first sample only, and that has none before it
	return end
}

// lastSample is what the last sample read member by member shares with all samples of its shape.
type lastSample struct{ timed, hasHead, hasHandle, isMark bool }

// readBatMembers reads any sample of the bat, and learns its shape for the next one.
func (d *decoder) readBatMembers(i int) int {
	var (
		s         batSample
		timed, no bool
		at        jsonscan.Offsets
		name      []byte
	)
	start := i
	for i = jsonscan.FirstMember(d.b, i); i >= 0 && d.b[i] != '}'; i = jsonscan.NextMember(d.b, i) {
		if name, i = d.member(i); i < 0 {
			return i
		}
		switch string(name) {
		case "time":
			at[slotTime] = i
			s.timeS, i, timed = readNumberIf(d.b, i, 3)
		case "head":
			s.head, i, s.hasHead = d.readEnd(i, (*[3]int)(at[slotHead:]))
		case "handle":
			s.handle, i, s.hasHandle = d.readEnd(i, (*[3]int)(at[slotHandle:]))
		case "event":
			var v value
			v, i = readValue(d.b, i, 3)
			no, s.isMark = v.is("No"), v.is("Hit") || v.is("Nearest")
		default:
			i = jsonscan.SkipValue(d.b, i, 3)
		}
	}
	if i < 0 {
		return i
	}
	d.bat.add(s, timed, no)
	// The next sample of this shape has a time, a head, a handle and this event exactly if this one has.
	d.last = lastSample{timed, s.hasHead, s.hasHandle, s.isMark}
	d.shape.Learn(d.b, start, i+1, &at)
	return i + 1
}

// readEnd reads the head or the handle of a sample, an object with a member pos, and notes in at where its
// three numbers are. It clears at first: of a repeated head the last one counts, whole, even if it has no
// position.
func (d *decoder) readEnd(i int, at *[3]int) (p point, next int, ok bool) {
	*at = [3]int{}
	if d.b[i] != '{' {
		return p, jsonscan.SkipValue(d.b, i, 3), false
	}
	var name []byte
	for i = jsonscan.FirstMember(d.b, i); i >= 0 && d.b[i] != '}'; i = jsonscan.NextMember(d.b, i) {
		if name, i = d.member(i); i < 0 {
			return p, i, false
		}
		if string(name) == "pos" {
			p, i, ok = readPoint(d.b, i, at)
		} else {
			i = jsonscan.SkipValue(d.b, i, 4)
		}
	}
	return p, jsonscan.AfterBracket(i), ok
}

// readPoint reads a position: an array of exactly three numbers. at receives their offsets, or zeros if it is
// no position.
func readPoint(b []byte, i int, at *[3]int) (p point, next int, ok bool) {
	*at = [3]int{}
	if b[i] != '[' {
		return p, jsonscan.SkipValue(b, i, 4), false
	}
	var c [3]float64
	var offsets [3]int
	n, numbers := 0, true
	for i = jsonscan.FirstElement(b, i); i >= 0 && b[i] != ']'; i = jsonscan.NextElement(b, i) {
		f, next, ok := readNumberIf(b, i, 5)
		if n < 3 {
			c[n], offsets[n] = f, i
		}
		numbers = numbers && ok
		n++
		i = next
	}
	if ok = numbers && n == 3; ok {
		p, *at = point{c[0], c[1], c[2]}, offsets
	}
	return p, jsonscan.AfterBracket(i), ok
}

// readBallSample reads a sample of the ball: by the shape of the one before it, or member by member if that
// does not fit.
func (d *decoder) readBallSample(i, _ int) int {
	var n jsonscan.Numbers
	end := d.shape.Read(d.b, i, &n)
	if end == 0 {
		return d.readBallMembers(i)
	}
	d.ball.add(ballSample{n[slotTime], i}, d.last.timed)
	return end
}

// readBallMembers reads any sample of the ball, and learns its shape for the next one.
func (d *decoder) readBallMembers(i int) int {
	var (
		timeS float64
		timed bool
		at    jsonscan.Offsets
		name  []byte
	)
	start := i
	for i = jsonscan.FirstMember(d.b, i); i >= 0 && d.b[i] != '}'; i = jsonscan.NextMember(d.b, i) {
		if name, i = d.member(i); i < 0 {
			return i
		}
		if string(name) == "time" {
			at[slotTime] = i
			timeS, i, timed = readNumberIf(d.b, i, 3)
		} else {
			i = jsonscan.SkipValue(d.b, i, 3)
		}
	}
	if i < 0 {
		return i
	}
	d.ball.add(ballSample{timeS, start}, timed)
	d.last = lastSample{timed: timed}
	d.shape.Learn(d.b, start, i+1, &at)
	return i + 1
}

// readNumberIf reads the value at i if it is a number, and skips it if not.
func readNumberIf(b []byte, i, depth int) (f float64, next int, ok bool) {
	if c := b[i]; c == '-' || c-'0' <= 9 {
		return jsonscan.ReadNumber(b, i)
	}
	return 0, jsonscan.SkipValue(b, i, depth), false
}

// Real tracks repeat their first samples, and have a Hit that was inserted between two frames or far out of
// order. settle sorts a track and drops its duplicates:
//
//	time   −0.409  −0.406  −0.402  −2.528  −0.406        −2.528  −0.409  −0.406  −0.402
//	seq     0       1       2       3       4       ─▶    3       0       1       2        and one duplicate

// point is a position in feet: x across the plate (right positive from the catcher's view), y toward the
// pitcher, z up.
type point struct{ x, y, z float64 }

// batSample is a sample of the bat that has a time. An unknown end is at zero, so that samples can be
// compared.
type batSample struct {
	// timeS is in seconds since the ball's release.
	timeS        float64
	head, handle point
	// seq is the sample's place among those with a time, in record order.
	seq                int32
	hasHead, hasHandle bool
	// isMark reports that the event is "Hit" or "Nearest": an interpolated moment between two frames.
	isMark bool
}

// batSampleBytes is the size of a batSample, for bounding the scratch.
const batSampleBytes = 64

// batTrack is the array samples_bat. A sample without a numeric time takes no part in kinematics and is never
// a duplicate. It is counted, and it may be evidence of a swing, but it is not kept.
type batTrack struct {
	// samples are those with a time: in record order, and after settle by time, each time once.
	samples []batSample
	// from is the offset in the record at which the track begins.
	from int

	// total counts all samples, after settle without duplicates; duplicates counts those that settle dropped.
	total      int
	duplicates int
	// conflict reports that a dropped sample had an end elsewhere than the one that stays.
	conflict bool
	// noSwing reports that the event of the first sample is "No".
	noSwing bool
	// looseEnd reports that a sample without a time has a head or a handle.
	looseEnd bool
	// unordered reports that times do not strictly increase, so that settle has to sort.
	unordered bool
}

// reset makes the track empty. from is the offset in the record at which it begins.
func (t *batTrack) reset(from int) { *t = batTrack{samples: t.samples[:0], from: from} }

// add appends the next sample of the array. timed reports whether it has a time, no whether its event is
// "No".
func (t *batTrack) add(s batSample, timed, no bool) {
	if t.total == 0 {
		t.noSwing = no
	}
	t.total++
	if !timed {
		t.looseEnd = t.looseEnd || s.hasHead || s.hasHandle
		return
	}
	n := len(t.samples)
	if n > 0 && s.timeS <= t.samples[n-1].timeS {
		t.unordered = true
	}
	s.seq = int32(n)
	t.samples = append(t.samples, s)
}

// usualSamples has room for the samples of a swing, about 370, with some to spare.
const usualSamples = 512

// makeRoom grows a full slice so that it fits as many samples as the rest of the record can hold, at the rate
// of those read so far. Doubling it step by step would allocate several times as much for a record of nothing
// but samples.
func (t *batTrack) makeRoom(readBytes, restBytes int) {
	more := usualSamples
	if n := len(t.samples); n > 0 {
		more = 1 + n*restBytes/readBytes
		more += more / 16 // an estimate that is a little short would cost as much again
	}
	t.samples = slices.Grow(t.samples, more)
}

// settle sorts the samples by time and drops duplicates: of samples with the same time, the first in the
// record stays (section 2 of the specification, duplicates). It does nothing if times increase already, as in
// most records.
func (t *batTrack) settle() {
	if !t.unordered {
		return
	}
	// Among samples of the same time the sort keeps the order of the record, so the first of them stays.
	slices.SortFunc(t.samples, batSample.compare)
	all, kept := t.samples, t.samples[:1]
	for _, s := range all[1:] {
		if first := kept[len(kept)-1]; s.timeS == first.timeS {
			t.conflict = t.conflict || s.differs(first)
		} else {
			kept = append(kept, s)
		}
	}
	t.samples, t.unordered = kept, false
	t.duplicates = len(all) - len(kept)
	t.total -= t.duplicates
}

// compare orders samples by time, and those of the same time by their place in the record.
func (s batSample) compare(other batSample) int {
	switch {
	case s.timeS < other.timeS:
		return -1
	case s.timeS > other.timeS:
		return 1
	}
	return int(s.seq) - int(other.seq)
}

// differs reports whether an end is at another position, or is known in only one of the two samples.
func (s batSample) differs(other batSample) bool {
	return s.head != other.head || s.hasHead != other.hasHead ||
		s.handle != other.handle || s.hasHandle != other.hasHandle
}

// ballSample is a sample of the ball that has a time. Its position and velocity are read when they are needed
// (flight.go), because only some 20 of up to 280 samples are the pitch.
type ballSample struct {
	timeS float64
	// at is the offset of the sample in the record.
	at int
}

// ballSampleBytes is the size of a ballSample, for bounding the scratch.
const ballSampleBytes = 16

// ballTrack is the array samples_ball.
type ballTrack struct {
	// samples are those with a time: in record order, and after settle by time, each time once.
	samples []ballSample
	// total counts all samples, after settle without duplicates.
	total      int
	duplicates int
	unordered  bool // times do not strictly increase
}

// reset makes the track empty.
func (t *ballTrack) reset() { *t = ballTrack{samples: t.samples[:0]} }

// add appends the next sample of the array. timed reports whether it has a time.
func (t *ballTrack) add(s ballSample, timed bool) {
	t.total++
	if !timed {
		return
	}
	if n := len(t.samples); n > 0 && s.timeS <= t.samples[n-1].timeS {
		t.unordered = true
	}
	t.samples = append(t.samples, s)
}

// settle sorts the samples by time and drops duplicates: of samples with the same time, the first in the
// record stays.
func (t *ballTrack) settle() {
	if !t.unordered {
		return
	}
	slices.SortFunc(t.samples, func(a, b ballSample) int {
		return cmp.Or(cmp.Compare(a.timeS, b.timeS), a.at-b.at)
	})
	all := len(t.samples)
	t.samples = slices.CompactFunc(t.samples, func(a, b ballSample) bool { return a.timeS == b.timeS })
	t.unordered, t.duplicates = false, all-len(t.samples)
	t.total -= t.duplicates
}
