package features

import (
	"math"

	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
	"github.com/pitchstream/pitchstream/schemas"
)

// This file computes where the pitch went (section 1 of the specification, contact). The ball's track holds
// the pitch, the batted ball and the throws after it, one behind the other. The flight is its first part:
// toward the plate, smooth, less than a second long. A parabola through it gives the speeds, and where the
// ball crosses the front of the plate, even when it was hit before.

const (
	// fpsPerMPH converts miles per hour to feet per second.
	fpsPerMPH = 22. / 15
	// gravityFPS2 is the acceleration of a falling ball, ft/s².
	gravityFPS2 = 32.174
	// plateFrontFT is the front edge of the plate, and releaseFT where a release speed is read.
	plateFrontFT = 17. / 12
	releaseFT    = 50
	// ballRadiusFT is the radius of a ball.
	ballRadiusFT = 1.45 / 12
	// halfPlateFT is half the width of the plate, which is 17 inches wide.
	halfPlateFT = 17. / 24
	// zoneTopFT and zoneBottomFT are the strike zone of a batter of whom no header says more.
	zoneTopFT    = 3.5
	zoneBottomFT = 1.5

	// maxTurnMPH is how much the measured velocity (motion.vel) may change from one sample of a flight to the
	// next.
	maxTurnMPH = 15
	// behindPlateFT is how far behind the plate's tip a flight may go: the catcher has the ball there.
	behindPlateFT = -1
	// maxFlightTimeS bounds a flight.
	maxFlightTimeS = 1
	// maxDepartureS is how soon after the flight's last sample the ball must be seen again off the bat.
	maxDepartureS = 0.05
	// minFlightSamples is how many samples a parabola must have, and maxFlightRMSFT how far they may be from it.
	minFlightSamples = 6
	maxFlightRMSFT   = 0.05
)

const degrees = 180 / math.Pi

// motion is a sample of the ball that has a position and a velocity (mph). The velocity only shows where the
// flight ends, because it turns when the ball meets bat, glove or ground. Speeds are read from the fit, whose
// error is smaller than that of one velocity.
type motion struct {
	timeS    float64
	pos, vel point
}

// motionBytes is the size of a motion, for bounding the scratch.
const motionBytes = 56

// flight is the pitch as a parabola. The zero flight is none.
//
// Drag and the force of the spin change little over the half second of a pitch, so a constant acceleration
// describes it to a quarter of an inch. Its second coefficients are the acceleration that the pitch had on
// the way, from which the breaks are computed. Where the samples do not fit, rmsFT says so, and nothing else
// is reported.
type flight struct {
	samples int
	rmsFT   float64
	// isFit reports that the parabola describes the samples, and hasPlate that it comes from the mound to the
	// plate in less than a second.
	isFit, hasPlate bool
	// path is x, y and z in feet, by seconds since fromS.
	path         [3]polynomial
	fromS, lastS float64
	// releaseS and plateS are when the ball is at 50 ft and at the front of the plate, in seconds on the clock
	// of the record, as fromS and lastS.
	releaseS, plateS float64
	// topFT and bottomFT are the strike zone.
	topFT, bottomFT float64
	// departs reports that the ball was seen leaving the bat, as departure has it.
	departs   bool
	departure motion
}

// at returns where the ball is at a time.
func (f *flight) at(timeS float64) point {
	u := timeS - f.fromS
	return point{f.path[0].at(u), f.path[1].at(u), f.path[2].at(u)}
}

// velocity returns how fast the ball is at a time, in ft/s.
func (f *flight) velocity(timeS float64) point {
	u := timeS - f.fromS
	return point{f.path[0].slope(u), f.path[1].slope(u), f.path[2].slope(u)}
}

// followPitch finds the flight in the track of the ball, which settle has sorted, and fits the parabola. Its
// samples stay in d.flight until the next record.
func followPitch(d *decoder) (f flight) {
	f.findSamples(d)
	if f.samples = len(d.flight); f.samples < minFlightSamples {
		return f
	}
	f.fromS, f.lastS = d.flight[0].timeS, d.flight[f.samples-1].timeS
	parabola := fit{degree: 2}
	for i := range d.flight {
		parabola.add(d.flight[i].timeS-f.fromS, d.flight[i].pos)
	}
	f.path, _ = parabola.solve()
	// The residuals need the samples once more, because their squares would drown in those of the positions.
	sum := 0.0
	for i := range d.flight {
		off := d.flight[i].pos.minus(f.at(d.flight[i].timeS))
		sum += off.dot(off)
	}
	// A parabola has three coefficients an axis, so three samples of each axis have no residual.
	f.rmsFT = math.Sqrt(sum / (3 * max(float64(f.samples)-3, 1)))
	if f.isFit = f.rmsFT <= maxFlightRMSFT; f.isFit {
		f.releaseS, f.plateS = f.passes(releaseFT), f.passes(plateFrontFT)
		took := f.plateS - f.releaseS
		f.hasPlate = 0 < took && took < maxFlightTimeS
	}
	return f
}

// findSamples keeps the samples of the flight in d.flight, and the one at which the ball left the bat.
func (f *flight) findSamples(d *decoder) {
	d.flight = d.flight[:0]
	for _, sample := range d.ball.samples {
		s, ok := readMotion(d, sample)
		if !ok {
			continue
		}
		n := len(d.flight)
		if n == 0 {
			if s.vel.y < 0 {
				d.flight = append(d.flight, s)
			}
			continue
		}
		// A jump of the velocity is the bat, or the glove.
		last := &d.flight[n-1]
		turn := s.vel.minus(last.vel).length()
		comesIn := s.vel.y < 0 && s.pos.y > behindPlateFT
		if comesIn && s.timeS-d.flight[0].timeS < maxFlightTimeS && turn <= maxTurnMPH {
			d.flight = append(d.flight, s)
			continue
		}
		if f.departs = turn > maxTurnMPH && s.timeS-last.timeS < maxDepartureS; f.departs {
			f.departure = s
		}
		return
	}
}

// readMotion reads the position and the velocity of a sample; false if it does not have both.
func readMotion(d *decoder, sample ballSample) (s motion, ok bool) {
	var (
		at             [3]int
		name           []byte
		hasPos, hasVel bool
	)
	s.timeS = sample.timeS
	i := sample.at
	for i = jsonscan.FirstMember(d.b, i); i >= 0 && d.b[i] != '}'; i = jsonscan.NextMember(d.b, i) {
		if name, i = d.member(i); i < 0 {
			return s, false
		}
		switch string(name) {
		case "pos":
			s.pos, i, hasPos = readPoint(d.b, i, &at)
		case "vel":
			s.vel, i, hasVel = readPoint(d.b, i, &at)
		default:
			i = jsonscan.SkipValue(d.b, i, 3)
		}
	}
	return s, hasPos && hasVel
}

// passes returns when the ball comes past a distance y from the plate's tip, which may be before or after the
// track. The parabola is there twice; this is the time at which the ball comes in.
func (f *flight) passes(y float64) float64 {
	c, b, a := f.path[1][0]-y, f.path[1][1], f.path[1][2]
	root := math.Sqrt(b*b - 4*a*c)
	// Each of the two forms of the root loses digits where the other does not.
	if b < 0 {
		return f.fromS + 2*c/(root-b)
	}
	return f.fromS + (-b-root)/(2*a)
}

// flightColumns fills the columns of the pitch's flight.
func flightColumns(b *rowBuilder, f *flight) {
	row := b.row
	f.topFT, f.bottomFT = strikeZone(b)
	if f.samples < minFlightSamples {
		return
	}
	row.FlightRMSFT = finite(f.rmsFT)
	if !f.hasPlate {
		return
	}
	v, at := f.velocity(f.plateS), f.at(f.plateS)
	row.ReleaseSpeedMPH = schemas.Some(f.velocity(f.releaseS).length() / fpsPerMPH)
	row.PlateSpeedMPH = schemas.Some(v.length() / fpsPerMPH)
	row.PlateTimeS, row.PlateXFT, row.PlateZFT = finite(f.plateS), finite(at.x), finite(at.z)
	row.VerticalApproachDeg = schemas.Some(math.Atan2(v.z, -v.y) * degrees)
	row.HorizontalApproachDeg = schemas.Some(math.Atan2(v.x, -v.y) * degrees)
	// vy is negative on the way in, so the angles are those to the line toward the catcher.
	// Without spin and gravity the ball would be here less half its acceleration times the time squared.
	took := f.plateS - f.releaseS
	inches := 12 * took * took / 2
	// The acceleration is twice the second coefficient.
	row.HorizontalBreakIn = schemas.Some(2 * f.path[0][2] * inches)
	row.InducedVerticalBreakIn = schemas.Some((2*f.path[2][2] + gravityFPS2) * inches)
	// A pitch that touches the zone with its edge is in it, so the zone is wider by the radius of the ball.
	in := math.Abs(at.x) <= halfPlateFT+ballRadiusFT &&
		f.bottomFT-ballRadiusFT <= at.z && at.z <= f.topFT+ballRadiusFT
	row.InZone = schemas.Some(in)
	if row.IsSwing {
		row.IsChase = schemas.Some(!in)
	}
}

// strikeZone returns the strike zone of the headers, if they name a possible one, else that of an average
// batter. A header that names none adds an issue.
func strikeZone(b *rowBuilder) (topFT, bottomFT float64) {
	top, bottom := zoneEdge(b.h.zoneTop), zoneEdge(b.h.zoneBottom)
	if top > bottom && bottom > 0 {
		return top, bottom
	}
	if top < 0 || bottom < 0 || top > 0 && bottom > 0 {
		b.issues.add(inZoneType)
	}
	return zoneTopFT, zoneBottomFT
}

// zoneEdge returns an edge of the zone in feet: 0 if there is no header, −1 if it is no number from 0.5 to 6.
func zoneEdge(header []byte) float64 {
	if len(header) == 0 {
		return 0
	}
	if c := header[0]; c == '-' || c-'0' <= 9 {
		if f, end, ok := jsonscan.ReadNumber(header, 0); ok && end == len(header) && 0.5 <= f && f <= 6 {
			return f
		}
	}
	return -1
}

// finite returns a present value, or a missing one for NaN and infinity. Adding 0 makes a negative zero
// positive.
func finite(f float64) schemas.Opt[float64] {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return schemas.Opt[float64]{}
	}
	return schemas.Some(f + 0)
}

// minus returns the way from q to p.
func (p point) minus(q point) point { return point{p.x - q.x, p.y - q.y, p.z - q.z} }

// plus returns p moved by q.
func (p point) plus(q point) point { return point{p.x + q.x, p.y + q.y, p.z + q.z} }

// times returns p, made longer by a factor.
func (p point) times(f float64) point { return point{p.x * f, p.y * f, p.z * f} }

// dot returns the scalar product.
func (p point) dot(q point) float64 { return p.x*q.x + p.y*q.y + p.z*q.z }

// length returns the distance from the origin.
func (p point) length() float64 { return length3(p.x, p.y, p.z) }

// distance returns the distance of two points.
func (p point) distance(q point) float64 { return p.minus(q).length() }

// cross returns the vector product, as long as the area that the two span.
func (p point) cross(q point) point {
	return point{p.y*q.z - p.z*q.y, p.z*q.x - p.x*q.z, p.x*q.y - p.y*q.x}
}
