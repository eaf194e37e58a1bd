package simulate

import (
	"iter"
	"math"
)

// batLength is from the tip to the middle of the hands in every real sample of a bat: 0.83 m.
const batLength = 2.7230971128608923

const (
	batFrame = 1. / 300 // the bat is sampled at 300 Hz
	// framesBefore is how many frames before contact a swing begins: 247 to 255 in the records.
	framesBefore = 251
	// sweetSpot is the distance of the sweet spot from the head, ft.
	sweetSpot = 0.5
)

// swing is one turn of a bat through the hitting zone, and what it was made to show.
type swing struct {
	contactAt float64 // s after the release
	contact   vec     // the ball, at contact or at its nearest
	headFPS   float64 // the head's greatest speed, ft/s
	attackDeg float64 // the direction of the head at its greatest speed, up from level
	lost      bool    // head and handle are one point in every frame, and the Hit is thrown out of order
	samples   int     // in all, with the Hit
	path      batMotion
	meeting   meeting   // only with core 2
	turn      *turnPath // what the bat did, whatever the cameras saw of it; only with core 2
	step      float64   // s between two samples
	clock     float64   // s; the sensors' own time of the release, which their times are differences from
	hitGap    float64   // s from the frame before the Hit, 0.05–3.28 ms
	lostGap   float64   // s that a lost Hit lies before the first frame
}

// batMotion is where a bat is, t seconds from contact.
type batMotion interface {
	at(t float64) (head, handle vec)
}

// batSpeedMPH is about what the sweet spot reaches: the bat turns about the hands, which have nearly stopped
// by then.
func (s *swing) batSpeedMPH() float64 {
	return s.headFPS * (batLength - sweetSpot) / batLength / fpsPerMPH
}

// fastest returns about what the first core finds: the attack angle where the head is fastest over the
// ground, and the greatest speed of the sweet spot over three frames.
func (s *swing) fastest() (attackDeg, mph float64) {
	if s.meeting == (meeting{}) {
		return s.attackDeg, s.batSpeedMPH()
	}
	// Bats are fastest within some hundredths of a second around contact.
	const around = 12
	var spots []vec
	var last vec
	most := 0.0
	for i := -around; i <= around; i++ {
		head, handle := s.path.at(-s.hitGap + float64(i)*s.step)
		spots = append(spots, head.toward(handle, sweetSpot/batLength))
		if n := len(spots); n > 3 {
			mph = max(mph, spots[n-1].minus(spots[n-4]).length()/(3*s.step*fpsPerMPH))
		}
		move := head.minus(last)
		if ground := math.Hypot(move.x, move.y); i > -around && ground > most {
			most, attackDeg = ground, math.Atan2(move.z, ground)*180/math.Pi
		}
		last = head
	}
	return attackDeg, mph
}

// drawSwing draws how the batter swings at a flight; zBat is how fast, as a standard normal; the
// cameras measure it faster by a bias.
func drawSwing(r source, p *pitch, f flight, zBat, biasMPH float64) swing {
	figures := callTable[p.call]
	speeds := &swingHeadFPS
	if figures.swings < 1 && p.call != inPlay {
		speeds = &checkHeadFPS
	}
	s := swing{
		headFPS:   speeds.at(level(zBat)),
		attackDeg: r.clipped(attackMeanDeg, attackSDDeg, attackMinDeg, attackMaxDeg),
		lost:      r.chance(figures.lost),
		contactAt: f.timeAt(r.clipped(1.5, 0.7, -0.5, 3.5)),
		samples:   int(batSampleCounts.at(r.Float64())),
		clock:     seconds(r.between(2, 9)),
		hitGap:    r.between(0.00005, batFrame-0.00005),
		lostGap:   r.between(2.14, 2.27),
		step:      batFrame,
	}
	s.contact = f.at(s.contactAt).pos
	// The error of the cameras is at the sweet spot. The speed never becomes negative.
	s.headFPS = max(s.headFPS+biasMPH*fpsPerMPH*batLength/(batLength-sweetSpot), 1)
	path := newBatPath(r, &s, p.batter.left, p.call == inPlay || p.call == foul || p.call == foulTip)
	s.path = &path
	return s
}

// batSample is one sample of the bat, as written.
type batSample struct {
	time         float64
	event        string // "" on most
	head, handle vec
}

// stroke is the name of the sample at contact, or at the nearest point of a swing that met nothing.
func stroke(hit bool) string {
	if hit {
		return "Hit"
	}
	return "Nearest"
}

// seen gives the samples in their order: the frames, and between two of them the stroke; before them all, and
// all zeros, when the bat was lost.
func (s *swing) seen(hit bool) iter.Seq[batSample] {
	frames, before, first := s.frames()
	return func(yield func(batSample) bool) {
		if s.lost && !yield(batSample{time: s.stamp(first - s.lostGap), event: stroke(hit)}) {
			return
		}
		for i := range frames {
			b := s.frame(first + float64(i)*s.step)
			switch i {
			case 0:
				b.event = "First"
			case frames - 1:
				b.event = "Last"
			}
			if !yield(b) {
				return
			}
			if i == before-1 && !s.lost && !yield(s.atContact(hit)) {
				return
			}
		}
	}
}

// frames returns how many frames there are, how many of them are before contact, and when the first one is,
// in s from contact.
func (s *swing) frames() (n, before int, first float64) {
	n, before = s.samples-1, s.count(framesBefore)
	if n < s.count(300) { // lost sight of the bat, early and late
		before = n * 2 / 3
	}
	return n, before, -s.hitGap - float64(before-1)*s.step
}

// count is how many samples at the swing's own rate take the time of so many at 300 Hz.
func (s *swing) count(samples int) int { return int(math.Round(float64(samples) * batFrame / s.step)) }

// frame is the sample t seconds from contact.
func (s *swing) frame(t float64) (b batSample) {
	b.time = s.stamp(t)
	b.head, b.handle = s.path.at(t)
	if s.lost {
		b.handle = b.head
	}
	return b
}

// atContact is the sample at contact: its time is interpolated, with all the digits that a division gives.
func (s *swing) atContact(hit bool) (b batSample) {
	b.time, b.event = s.contactAt, stroke(hit)
	if _, seam := s.path.(*cameras); !seam {
		b.head, b.handle = s.path.at(0)
		return b
	}
	// The two tracks do not meet at contact, so the system has drawn a line from the one to the other.
	before, after, share := s.frame(-s.hitGap), s.frame(s.step-s.hitGap), s.hitGap/s.step
	b.head, b.handle = before.head.toward(after.head, share), before.handle.toward(after.handle, share)
	return b
}

// stamp is a frame's time as the records have it: the difference of two times in tenths of a microsecond.
func (s *swing) stamp(fromContact float64) float64 {
	return seconds(s.clock+s.contactAt+fromContact) - s.clock
}
