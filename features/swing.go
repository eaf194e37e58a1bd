package features

import (
	"math"

	"github.com/pitchstream/pitchstream/schemas"
)

// A bat, and the limits within which a track of it is believed:
//
//	head ●━━━0.5 ft━━━○━━━━━━━━━━━━━━━━━━━━━● handle
//	              sweet spot

const (
	sweetSpotFT  = 0.5 // from the head toward the handle
	minBatFT     = 1.5 // a bat between head and handle; shorter or longer is a tracking fault
	maxBatFT     = 4.0
	windowFrames = 3 // about 10 ms at 300 Hz: long enough to drown the noise of a frame, short enough for a peak
	minWindowS   = 0.008
	maxWindowS   = 0.015
	maxWindowFT  = 2.0
	mphPerFTPerS = 0.681818
	minSpots     = 10
	minWindows   = 5   // accepted ones, for a speed to be reliable (implied by minSpots and maxRejected as they are)
	maxRejected  = 0.2 // of all windows, for a speed to be reliable
	maxReliable  = 95  // mph, for a speed to be reliable
)

// derive computes what is not in the record but follows from it: whether there was a swing, how sure that is, and how
// the bat moved. It reads exit velocity before its range is checked: a ball that left the bat was hit.
func (d *decoder) derive(row *schemas.Row) {
	foul := d.values[pitchAction].is("Foul")
	row.IsSwing = d.bat.isSwing()
	row.IsContact = row.ExitVelocityMPH.Present || foul
	row.IsWhiff = row.IsSwing && !row.IsContact
	if !row.IsSwing {
		return
	}
	row.SwingConfidence = schemas.SwingSuspected
	if foul || d.values[pitchAction].is("Swinging") || row.PitchResult == schemas.ResultHitIntoPlay {
		row.SwingConfidence = schemas.SwingConfirmed
	}
	row.AttackAngleDeg = attackAngle(d.bat.samples)
	row.BatSpeedMPH, row.SpeedConfidence = batSpeed(d.bat.samples)
}

// isSwing says that the bat was tracked somewhere: not an empty array, not the lone {"event":"No"}.
func (t *batTrack) isSwing() bool {
	if t.total == 1 && t.noSwing {
		return false
	}
	if t.looseEnd {
		return true
	}
	for i := range t.samples {
		if t.samples[i].hasHead || t.samples[i].hasHandle {
			return true
		}
	}
	return false
}

// attackAngle is the angle in degrees, upward positive, at which the bat's head moved in the segment in which it moved
// fastest over the ground; the first of equally fast ones. samples are sorted by time, each time once. Missing with
// fewer than three heads, and where the head moved only up and down or not at all.
func attackAngle(samples []batSample) (angleDeg schemas.Opt[float64]) {
	heads, fastest := 0, 0.0
	var last *batSample
	for i := range samples {
		s := &samples[i]
		if !s.hasHead {
			continue
		}
		if heads++; heads > 1 {
			ground := length2(s.head.x-last.head.x, s.head.y-last.head.y)
			if speed := ground / (s.timeS - last.timeS); speed > fastest {
				fastest = speed
				angleDeg = schemas.Some(math.Atan2(s.head.z-last.head.z, ground) * (180 / math.Pi))
			}
		}
		last = s
	}
	if heads < 3 {
		return schemas.Opt[float64]{}
	}
	return angleDeg
}

// spot is the sweet spot of the bat at one time.
type spot struct {
	timeS   float64
	x, y, z float64 // feet
}

// batSpeed is the greatest speed of the sweet spot over a window of three frames, in mph, and how far it can be trusted.
func batSpeed(samples []batSample) (speedMPH schemas.Opt[float64], confidence schemas.Text) {
	var (
		recent             [windowFrames + 1]spot
		spots              int
		accepted, rejected int
		fastest            float64
	)
	for i := range samples {
		s, ok := sweetSpot(&samples[i])
		if !ok {
			continue
		}
		recent[spots%len(recent)] = s
		if spots++; spots <= windowFrames {
			continue
		}
		if speed, ok := windowSpeed(recent[spots%len(recent)], s); ok {
			fastest = max(fastest, speed)
			accepted++
		} else {
			rejected++
		}
	}
	if spots < minSpots || accepted == 0 {
		return schemas.Opt[float64]{}, schemas.SpeedQuestionable
	}
	few := float64(rejected)/float64(accepted+rejected) <= maxRejected
	if accepted >= minWindows && few && fastest <= maxReliable {
		return schemas.Some(fastest), schemas.SpeedReliable
	}
	return schemas.Some(fastest), schemas.SpeedQuestionable
}

// sweetSpot is half a foot from the head toward the handle, where the bat's length can be one. (A tracker that has lost
// one end reports both at the same place, or one far away.)
func sweetSpot(s *batSample) (spot, bool) {
	if !s.hasHead || !s.hasHandle {
		return spot{}, false
	}
	dx, dy, dz := s.handle.x-s.head.x, s.handle.y-s.head.y, s.handle.z-s.head.z
	length := length3(dx, dy, dz)
	if !(minBatFT <= length && length <= maxBatFT) {
		return spot{}, false
	}
	return spot{
		s.timeS,
		s.head.x + float64(dx/length*sweetSpotFT),
		s.head.y + float64(dy/length*sweetSpotFT),
		s.head.z + float64(dz/length*sweetSpotFT),
	}, true
}

// windowSpeed is the mean speed between two sweet spots in mph, unless frames are missing between them or the spot
// jumped.
func windowSpeed(from, to spot) (mph float64, ok bool) {
	dt, ft := to.timeS-from.timeS, length3(to.x-from.x, to.y-from.y, to.z-from.z)
	if !(minWindowS <= dt && dt <= maxWindowS) || ft > maxWindowFT {
		return 0, false
	}
	return ft / dt * mphPerFTPerS, true
}

// The conversions to float64, here and above, keep a compiler from fusing a product and a sum, which other machines
// would round differently: which window and which segment win is the same everywhere. (The standard library's arc
// tangent may still differ in the last bit.)

// length3 is the length of (x, y, z). Where a square leaves the range of a double it is +Inf or 0, which is on the same
// side of every limit here as the right length.
func length3(x, y, z float64) float64 {
	return math.Sqrt(float64(x*x) + float64(y*y) + float64(z*z))
}

// length2 is the length of (x, y), also where a square would leave the range of a double.
func length2(x, y float64) float64 {
	switch m := max(math.Abs(x), math.Abs(y)); {
	case m > math.MaxFloat64:
		return m
	case m > 0x1p500:
		return length2(x*0x1p-600, y*0x1p-600) * 0x1p600
	case m < 0x1p-500 && m > 0:
		return length2(x*0x1p600, y*0x1p600) * 0x1p-600
	}
	return math.Sqrt(float64(x*x) + float64(y*y))
}
