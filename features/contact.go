package features

import (
	"math"
	"slices"
	"sort"

	"github.com/pitchstream/pitchstream/schemas"
)

// This file finds the contact of bat and ball, and how the bat moved there (section 2 of the specification,
// contact). A track of the bat is smooth before the contact and smooth after it. But the tracker fits the two
// apart, and they do not meet: the speed jumps by 30 mph within a frame. So everything here looks only at
// samples before the contact. The sample that the tracker names Hit or Nearest is interpolated over that
// seam. Its time is that of the contact, but its positions are not those of the bat.
//
//	mph   80 ┤          ┄┄┄●●●● fitted here
//	         │      ●●●●       │
//	      45 ┤  ●●●            │●●●
//	         └─────────────────┴───── s
//	                        contact

const (
	// Contact lies at least leadInS after the first sweet spot and leadOutS before the last one.
	leadInS  = 0.05
	leadOutS = 0.02
	// nearPlateS is how far from the front of the plate, in time, a contact may be.
	nearPlateS = 0.06
	// Speed and direction at contact come from the last speedFrames frames of the last speedSpanS.
	speedFrames = 6
	speedSpanS  = 0.035
	// nowS is the slack with which a sample at the contact itself counts as before it.
	nowS = 1e-9
	// Positions at contact come from positionSpanS, with at least minPositions samples.
	positionSpanS = 0.020
	minPositions  = 4
	// minCubicSpots is how many sweet spots the speed by a cubic needs.
	minCubicSpots = 6
	// departureSteps divides the gap between the last sample of the pitch and the first one off the bat.
	departureSteps = 200
)

// contact is how the bat met the ball, or missed it.
type contact struct {
	// loS and hiS are between which times the contact may be; 0 if there are too few sweet spots.
	loS, hiS float64
	timeS    float64
	source   schemas.Text
	// frames are the speeds (mph) that were fitted, with their times.
	frames [speedFrames]frame
	// speedMPH is the speed at contact by the fit, lateMPH the mean of the last three frames, and cubicMPH the
	// speed by a cubic through the positions.
	speedMPH, lateMPH float64
	cubicMPH          schemas.Opt[float64]
	errorMPH          float64
	// attackDeg and directionDeg are those of the sweet spot's path.
	attackDeg, directionDeg float64
	// head and handle are where the ends of the bat were at contact, if both are known.
	head, handle point
	hasEnds      bool
	doubts       doubtSet
}

// frame is the movement of the sweet spot between two samples.
// Angles are those of the columns of the same names.
type frame struct{ timeS, speedMPH, attackDeg, directionDeg float64 }

// contactColumns fills the columns of the contact. It drops the marks from the bat's track, so it comes after
// everything that counts or shows them.
func contactColumns(b *rowBuilder, f *flight) (c contact) {
	if !b.row.IsSwing {
		return c
	}
	if !c.window(b.d.bat.samples) {
		return c
	}
	c.find(&b.d.bat, f)
	if c.source == "" {
		return c
	}
	b.row.ContactTimeS, b.row.ContactSource = schemas.Some(c.timeS), c.source
	endColumns(b, &c)
	if c.measure(b.d.bat.samples) {
		motionColumns(b, &c)
		bodyColumns(b, &c, f)
		qualityColumns(b, &c)
		doubtColumns(b, &c)
		checkContact(b, f)
	}
	return c
}

// window sets between which times contact may be. It returns false with too few sweet spots.
func (c *contact) window(samples []batSample) bool {
	spots, lo, hi := 0, 0.0, 0.0
	for i := range samples {
		if s, ok := sweetSpot(&samples[i]); ok && !samples[i].isMark {
			if spots++; spots == 1 {
				lo = s.timeS + leadInS
			}
			hi = s.timeS - leadOutS
		}
	}
	if spots < minSpots {
		return false
	}
	c.loS, c.hiS = lo, hi
	return true
}

// find sets the time of the contact, by the first of three sources that serves. These are the mark of the
// tracker, the turn of the ball's path, and the moment at which the bat was nearest to the ball. It drops the
// marks from the track.
func (c *contact) find(t *batTrack, f *flight) {
	// Where the ball crossed the plate is known for nearly every pitch, and no bat meets it far from there.
	near := func(timeS float64) bool {
		return c.loS <= timeS && timeS <= c.hiS && (!f.hasPlate || math.Abs(timeS-f.plateS) <= nearPlateS)
	}
	first := int32(math.MaxInt32)
	for i := range t.samples {
		// The first mark in the order of the record counts. A tracker that lost the bat writes one seconds away.
		if s := &t.samples[i]; s.isMark && s.seq < first && near(s.timeS) {
			first, c.timeS, c.source = s.seq, s.timeS, schemas.ContactByEvent
		}
	}
	t.samples = slices.DeleteFunc(t.samples, func(s batSample) bool { return s.isMark })
	if c.source != "" || !f.isFit {
		return
	}
	if f.departs {
		if turn := f.turns(); c.loS <= turn && turn <= c.hiS {
			c.timeS, c.source = turn, schemas.ContactByBall
			return
		}
	}
	// Without a mark and a departure nothing is known but the two paths: the ball's and the bat's.
	nearest := math.Inf(1)
	for i := range t.samples {
		s := &t.samples[i]
		if !s.hasHead || !s.hasHandle || !near(s.timeS) {
			continue
		}
		if d, _ := fromBat(f.at(s.timeS), s.head, s.handle); d < nearest {
			nearest, c.timeS, c.source = d, s.timeS, schemas.ContactByNearest
		}
	}
}

// turns returns when the pitch turned into the batted ball. It tries times between the last sample of the one
// and the first of the other, and returns the one at which their paths are closest, the first of equals.
func (f *flight) turns() (timeS float64) {
	closest := math.Inf(1)
	for step := range departureSteps + 1 {
		at := f.lastS + (f.departure.timeS-f.lastS)*float64(step)/departureSteps
		off := f.departure.pos.plus(f.departure.vel.times(fpsPerMPH * (at - f.departure.timeS)))
		if d := off.distance(f.at(at)); d < closest {
			closest, timeS = d, at
		}
	}
	return timeS
}

// span returns the samples from one time to another, both inclusive.
func span(samples []batSample, fromS, toS float64) []batSample {
	from := sort.Search(len(samples), func(i int) bool { return samples[i].timeS >= fromS })
	to := sort.Search(len(samples), func(i int) bool { return samples[i].timeS > toS })
	return samples[from:max(from, to)]
}

// fromBat returns how far a point is from the segment head–handle, and how far from the head along the bat it
// is nearest, which may be beyond an end.
func fromBat(p, head, handle point) (distanceFT, alongFT float64) {
	bat := handle.minus(head)
	length := bat.dot(bat)
	if length == 0 {
		return p.distance(head), 0
	}
	share := p.minus(head).dot(bat) / length
	return p.distance(head.plus(bat.times(min(max(share, 0), 1)))), share * math.Sqrt(length)
}

// measure reads the speed and the direction of the sweet spot at contact from the frames before it. It
// returns false if there are too few.
func (c *contact) measure(samples []batSample) bool {
	var last [speedFrames + 1]spot
	n := 0
	// The newest samples count, so the search goes backward from the contact.
	before := span(samples, c.timeS-speedSpanS, c.timeS+nowS)
	for i := len(before) - 1; i >= 0 && n < len(last); i-- {
		if s, ok := sweetSpot(&before[i]); ok {
			n++
			last[len(last)-n] = s
		}
	}
	if n < len(last) {
		return false
	}
	quadratic := fit{degree: 2}
	for i := range c.frames {
		c.frames[i] = frameOf(last[i], last[i+1])
		now := &c.frames[i]
		if i > 0 {
			// The direction goes on beyond ±180° instead of jumping, because the fit needs a smooth course.
			turn := now.directionDeg - c.frames[i-1].directionDeg
			now.directionDeg -= 360 * math.Round(turn/360)
		}
		// Read at 0, the contact, the polynomials extend the last frame by half its length.
		u := (now.timeS - c.timeS) / positionSpanS
		quadratic.add(u, point{now.speedMPH, now.attackDeg, now.directionDeg})
	}
	of, constant := quadratic.solve()
	c.speedMPH, c.attackDeg, c.directionDeg = of[0][0], of[1][0], math.Remainder(of[2][0], 360)
	sum := 0.0
	for i := range c.frames {
		off := c.frames[i].speedMPH - of[0].at((c.frames[i].timeS-c.timeS)/positionSpanS)
		sum += off * off
	}
	// Six frames less three coefficients leave three degrees of freedom.
	c.errorMPH = math.Sqrt(sum/(speedFrames-3)) * math.Sqrt(constant)
	c.lateMPH = (c.frames[speedFrames-3].speedMPH + c.frames[speedFrames-2].speedMPH +
		c.frames[speedFrames-1].speedMPH) / 3
	c.cubicMPH = c.speedByCubic(samples)
	return true
}

// frameOf returns the movement from one sweet spot to the next.
func frameOf(from, to spot) frame {
	dt := to.timeS - from.timeS
	v := point{to.x - from.x, to.y - from.y, to.z - from.z}.times(1 / (dt * fpsPerMPH))
	return frame{
		timeS: (from.timeS + to.timeS) / 2, speedMPH: v.length(),
		attackDeg:    math.Atan2(v.z, length2(v.x, v.y)) * degrees,
		directionDeg: math.Atan2(v.x, v.y) * degrees,
	}
}

// speedByCubic returns the speed at contact by a cubic through the positions of the sweet spot. It reads too
// much or too little where the track bends late, so its distance from the other speeds shows a doubtful one.
func (c *contact) speedByCubic(samples []batSample) (mph schemas.Opt[float64]) {
	cubic := fit{degree: 3}
	for _, s := range span(samples, c.timeS-positionSpanS, c.timeS) {
		if s, ok := sweetSpot(&s); ok {
			cubic.add((s.timeS-c.timeS)/positionSpanS, point{s.x, s.y, s.z})
		}
	}
	if cubic.samples < minCubicSpots {
		return mph
	}
	// The slopes at 0 are the velocity there, in spans of positionSpanS.
	of, _ := cubic.solve()
	v := point{of[0][1], of[1][1], of[2][1]}
	return finite(v.length() / (positionSpanS * fpsPerMPH))
}

// motionColumns fills the columns about the speed and the direction.
func motionColumns(b *rowBuilder, c *contact) {
	row := b.row
	// The ranges are checked at the end, because the other columns use the values as they were measured.
	row.ContactBatSpeedMPH = schemas.Some(c.speedMPH)
	row.ContactBatSpeedErrorMPH = finite(c.errorMPH)
	most, least := max(c.speedMPH, c.lateMPH), min(c.speedMPH, c.lateMPH)
	if c.cubicMPH.Present {
		most, least = max(most, c.cubicMPH.Value), min(least, c.cubicMPH.Value)
	}
	row.ContactBatSpeedSpreadMPH = finite(most - least)
	row.ContactAttackAngleDeg = schemas.Some(c.attackDeg)
	row.ContactAttackDirectionDeg = schemas.Some(c.directionDeg)
}
