package features

// A sample as trackers write it, and what is wanted of it:
//
//	{"time": 0.0206462, "pos": […], "vel": […], "acc": […]}                                          the time
//	{"event": "Hit", "time": -0.4059311, "head": {"pos": [x, y, z]}, "handle": {"pos": [x, y, z]}}    all of it

func (d *decoder) readSamplesBat(i int) int {
	d.bat.reset(i)
	d.shape.forget()
	return d.readObjects(&d.samplesBat, i, (*decoder).readBatSample)
}

func (d *decoder) readSamplesBall(i int) int {
	d.ball.reset()
	d.shape.forget()
	return d.readObjects(&d.samplesBall, i, (*decoder).readBallSample)
}

// The wanted numbers of a sample: its time and, of the bat, x, y and z of its ends.
const (
	slotTime   = 0
	slotHead   = 1
	slotHandle = 4
)

// readBatSample reads a sample of the bat: by the shape of the one before it, else member by member.
func (d *decoder) readBatSample(i, _ int) int {
	if len(d.bat.samples) == cap(d.bat.samples) {
		d.bat.makeRoom(i-d.bat.from, len(d.b)-i)
	}
	var n wanted
	end := d.shape.read(d.b, i, &n)
	if end == 0 {
		return d.readBatMembers(i)
	}
	d.bat.add(batSample{
		timeS: n[slotTime], head: point{n[1], n[2], n[3]}, handle: point{n[4], n[5], n[6]},
		hasHead: d.last.hasHead, hasHandle: d.last.hasHandle,
	}, d.last.timed, false) // an event "No" counts in the first sample only, and that has none before it
	return end
}

// lastSample is what of the last sample that was read member by member holds for all of its shape.
type lastSample struct{ timed, hasHead, hasHandle bool }

// readBatMembers reads a sample of the bat whatever it looks like, and learns its shape for the next one.
func (d *decoder) readBatMembers(i int) int {
	var (
		s         batSample
		timed, no bool
		at        wantedAt
		name      []byte
	)
	start := i
	for i = firstMember(d.b, i); i >= 0 && d.b[i] != '}'; i = nextMember(d.b, i) {
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
			no = v.is("No")
		default:
			i = skipValue(d.b, i, 3)
		}
	}
	if i < 0 {
		return i
	}
	d.bat.add(s, timed, no)
	d.last = lastSample{timed, s.hasHead, s.hasHandle}
	d.shape.learn(d.b, start, i+1, &at)
	return i + 1
}

// readEnd reads the head or the handle of a sample, an object with a pos, and notes where the three numbers stand. What
// was noted is forgotten first: of a repeated head the last counts, whole, also where it has no position.
func (d *decoder) readEnd(i int, at *[3]int) (p point, next int, ok bool) {
	*at = [3]int{}
	if d.b[i] != '{' {
		return p, skipValue(d.b, i, 3), false
	}
	var name []byte
	for i = firstMember(d.b, i); i >= 0 && d.b[i] != '}'; i = nextMember(d.b, i) {
		if name, i = d.member(i); i < 0 {
			return p, i, false
		}
		if string(name) == "pos" {
			p, i, ok = readPoint(d.b, i, at)
		} else {
			i = skipValue(d.b, i, 4)
		}
	}
	return p, closed(i), ok
}

// readPoint reads a position: an array of exactly three numbers. at has their offsets, or zeros where it is none.
func readPoint(b []byte, i int, at *[3]int) (p point, next int, ok bool) {
	*at = [3]int{}
	if b[i] != '[' {
		return p, skipValue(b, i, 4), false
	}
	var c [3]float64
	var offsets [3]int
	n, numbers := 0, true
	for i = firstElement(b, i); i >= 0 && b[i] != ']'; i = nextElement(b, i) {
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
	return p, closed(i), ok
}

// readBallSample reads a sample of the ball: by the shape of the one before it, else member by member.
func (d *decoder) readBallSample(i, _ int) int {
	var n wanted
	end := d.shape.read(d.b, i, &n)
	if end == 0 {
		return d.readBallMembers(i)
	}
	d.ball.add(n[slotTime], d.last.timed)
	return end
}

// readBallMembers reads a sample of the ball whatever it looks like, and learns its shape for the next one.
func (d *decoder) readBallMembers(i int) int {
	var (
		timeS float64
		timed bool
		at    wantedAt
		name  []byte
	)
	start := i
	for i = firstMember(d.b, i); i >= 0 && d.b[i] != '}'; i = nextMember(d.b, i) {
		if name, i = d.member(i); i < 0 {
			return i
		}
		if string(name) == "time" {
			at[slotTime] = i
			timeS, i, timed = readNumberIf(d.b, i, 3)
		} else {
			i = skipValue(d.b, i, 3)
		}
	}
	if i < 0 {
		return i
	}
	d.ball.add(timeS, timed)
	d.last = lastSample{timed: timed}
	d.shape.learn(d.b, start, i+1, &at)
	return i + 1
}

// readNumberIf reads the value at i if it is a number, and skips it if not.
func readNumberIf(b []byte, i, depth int) (f float64, next int, ok bool) {
	if c := b[i]; c == '-' || c-'0' <= 9 {
		return readNumber(b, i)
	}
	return 0, skipValue(b, i, depth), false
}
