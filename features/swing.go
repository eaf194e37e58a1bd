package features

import (
	"math"

	"github.com/pitchstream/pitchstream/schemas"
)

// This file computes the features of a swing (section 4 of the specification, features). Its input is the
// track of the bat: the positions of its head and its handle, in feet, some 300 times a second. Tracks are
// noisy and some are wrong, so each feature has limits within which a sample or a speed is believed. A
// changed limit or formula gives other rows for the same bytes: it needs a new CoreVersion.
//
//	head ●━━━0.5 ft━━━○━━━━━━━━━━━━━━━━━━━━━● handle
//	              sweet spot

const (
	// sweetSpotFT is how far the sweet spot lies from the head, toward the handle.
	sweetSpotFT = 0.5
	// minBatFT and maxBatFT bound the distance of head and handle. Outside of them the tracker has lost one
	// end: it reports both at the same place, or one of them far off.
	minBatFT = 1.5
	maxBatFT = 4.0
	// windowFrames is the length of a window, in steps from one sweet spot to the next. It is about 10 ms at
	// 300 Hz, long enough to average out the noise of a frame, short enough to catch the peak.
	windowFrames = 3
	// minWindowS and maxWindowS bound the duration of a window. A longer one misses frames; in a shorter one
	// a sample was inserted between two frames.
	minWindowS = 0.008
	maxWindowS = 0.015
	// maxWindowFT bounds the distance within a window. Farther than that the sweet spot jumped.
	maxWindowFT = 2.0
	// mphPerFTPerS converts feet per second to miles per hour: 3600 / 5280, rounded as docs/DATA.md has it.
	// The exact quotient would change speeds that are stored.
	mphPerFTPerS = 0.681818
	// minHeads is how many samples must have a head for a swing to have an attack angle.
	minHeads = 3
	// minSpots is how many samples must have a sweet spot for a swing to have a bat speed.
	minSpots = 10
	// A speed is reliable if at least minWindows windows were accepted, at most the share maxRejected of all
	// windows was rejected, and it is at most maxReliable mph. minWindows matters only if minSpots or
	// maxRejected change: 10 spots are 7 windows, of which at most 1 may be rejected.
	minWindows  = 5
	maxRejected = 0.2
	maxReliable = 95
)

// derive computes the columns that follow from the record without being in it: swing, contact and whiff, the
// confidence in the swing, and the bat's movement.
//
// A contact is a present exit velocity or the action Foul; a whiff is a swing without contact. derive reads
// the exit velocity before its range is checked, because any ball that left the bat was hit. A swing is
// confirmed if the play agrees with it: the action is Swinging or Foul, or the result HitIntoPlay. Otherwise
// the batter may have moved the bat without offering at the pitch.
func (b *rowBuilder) derive(e *Explanation) {
	d, row := b.d, b.row
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
	angle, speed := e.seeSwing()
	row.AttackAngleDeg = attackAngle(d.bat.samples, angle)
	row.BatSpeedMPH, row.SpeedConfidence = batSpeed(d.bat.samples, speed)
}

// isSwing reports whether the bat was tracked anywhere: some sample has a head or a handle. The single sample
// {"event":"No"} is how trackers report that there was no swing.
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

// attackAngle returns the vertical angle of the head's path where the head moved fastest over the ground, in
// degrees, upward positive. That is atan2(dz, hypot(dx, dy)) of the segment with the greatest hypot(dx,
// dy)/dt. A segment runs from one sample with a head to the next. If several are equally fast, the first one
// counts.
//
// samples must be sorted by time, each time once. The angle is missing with fewer than three heads, and if
// the head never moved horizontally. view observes the computation for Explain; the stream passes nil.
func attackAngle(samples []batSample, view *AttackAngleView) (angleDeg schemas.Opt[float64]) {
	heads, fastest := 0, 0.0
	var rise, run float64 // of the fastest segment, in feet
	var last *batSample
	for i := range samples {
		s := &samples[i]
		if !s.hasHead {
			continue
		}
		if heads++; heads > 1 {
			ground := length2(s.head.x-last.head.x, s.head.y-last.head.y)
			if speed := ground / (s.timeS - last.timeS); speed > fastest {
				fastest, rise, run = speed, s.head.z-last.head.z, ground
				if view != nil {
					view.seeSegment(last, s, speed)
				}
			}
		}
		last = s
	}
	if heads >= minHeads && fastest > 0 {
		angleDeg = schemas.Some(math.Atan2(rise, run) * (180 / math.Pi))
	}
	view.conclude(heads, angleDeg)
	return angleDeg
}

// spot is the sweet spot of the bat at one time: seconds since the ball's release, and a position in feet.
type spot struct {
	timeS   float64
	x, y, z float64 // feet
}

// batSpeed returns the greatest speed of the sweet spot over a window of three frames, in mph, and whether it
// can be trusted. Windows run from each sample with a sweet spot to the third one after it. With fewer than
// minSpots sweet spots, or without an accepted window, the speed is missing and the confidence questionable.
// samples must be sorted by time, each time once. view is that of attackAngle.
func batSpeed(
	samples []batSample, view *BatSpeedView,
) (speedMPH schemas.Opt[float64], confidence schemas.Text) {
	var (
		recent             [windowFrames + 1]spot
		spots              int
		accepted, rejected int
		fastest            float64
	)
	// recent is a ring of the last four sweet spots, so that a window needs no slice of all of them.
	for i := range samples {
		s, ok := sweetSpot(&samples[i])
		if !ok {
			if view != nil {
				view.seeNoSpot(&samples[i])
			}
			continue
		}
		recent[spots%len(recent)] = s
		if spots++; spots <= windowFrames {
			continue
		}
		from := recent[spots%len(recent)]
		speed, ok := windowSpeed(from, s)
		if ok {
			fastest = max(fastest, speed)
			accepted++
		} else {
			rejected++
		}
		if view != nil {
			view.seeWindow(from, s, speed, ok)
		}
	}
	confidence = schemas.SpeedQuestionable
	if spots >= minSpots && accepted > 0 {
		speedMPH = schemas.Some(fastest)
		// The share counts all windows, because a track with many bad windows is doubtful in its good ones
		// too.
		few := float64(rejected)/float64(accepted+rejected) <= maxRejected
		if accepted >= minWindows && few && fastest <= maxReliable {
			confidence = schemas.SpeedReliable
		}
	}
	view.conclude(spots, speedMPH, confidence)
	return speedMPH, confidence
}

// sweetSpot returns the point half a foot from the head toward the handle. It returns false if an end is
// missing, or if the two are not 1.5–4.0 ft apart.
func sweetSpot(s *batSample) (spot, bool) {
	if !s.hasHead || !s.hasHandle {
		return spot{}, false
	}
	dx, dy, dz := s.handle.x-s.head.x, s.handle.y-s.head.y, s.handle.z-s.head.z
	length := length3(dx, dy, dz)
	if !(minBatFT <= length && length <= maxBatFT) {
		return spot{}, false
	}
	// float64 keeps a compiler from fusing product and sum: see length3.
	return spot{
		s.timeS,
		s.head.x + float64(dx/length*sweetSpotFT),
		s.head.y + float64(dy/length*sweetSpotFT),
		s.head.z + float64(dz/length*sweetSpotFT),
	}, true
}

// windowSpeed returns the mean speed between two sweet spots in mph. It returns false for a window that is
// rejected, because frames are missing in it or the spot jumped.
func windowSpeed(from, to spot) (mph float64, ok bool) {
	dt, ft := to.timeS-from.timeS, length3(to.x-from.x, to.y-from.y, to.z-from.z)
	if !(minWindowS <= dt && dt <= maxWindowS) || ft > maxWindowFT {
		return 0, false
	}
	return ft / dt * mphPerFTPerS, true
}

// length3 returns the length of (x, y, z). If a square leaves the range of a double the result is +Inf or 0.
// That lies on the same side of every limit here as the right length.
//
// The conversions to float64 in this file keep a compiler from fusing a product and a sum, which rounds
// differently. On another processor, another window or segment could then be the fastest. The arc tangent of
// the standard library may still differ in the last bit.
func length3(x, y, z float64) float64 {
	return math.Sqrt(float64(x*x) + float64(y*y) + float64(z*z))
}

// length2 returns the length of (x, y), also if a square would leave the range of a double.
func length2(x, y float64) float64 {
	switch m := max(math.Abs(x), math.Abs(y)); {
	case m > math.MaxFloat64:
		return m
	// Outside of these bounds a square overflows or vanishes, so the components are scaled first.
	case m > 0x1p500:
		return length2(x*0x1p-600, y*0x1p-600) * 0x1p600
	case m < 0x1p-500 && m > 0:
		return length2(x*0x1p600, y*0x1p600) * 0x1p-600
	}
	return math.Sqrt(float64(x*x) + float64(y*y))
}
