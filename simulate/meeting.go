package simulate

import "math"

// The figures of this file are those of the major leagues in 2025: what a bat does when it meets a ball.

// meeting is the motion of a bat at contact, or where it was nearest: the truth that the core should find.
type meeting struct {
	left bool
	mph  float64 // of the sweet spot
	// The sweet spot goes up by attack, and to the batter's pull side by pull; tilt is that of the swing's
	// plane; rad.
	attack, pull, tilt float64
	fromHeadIn         float64 // along the bat, of the point nearest the ball
	missIn             float64 // from the axis to the ball's centre
	under              float64 // how far the ball is above the axis, as an angle around it, rad
	lengthFT, timeS    float64 // of the way to contact
}

const (
	// touchIn is how far the centre of the ball is from the axis when they touch: both radii.
	touchIn, touchSDIn = 2.6, 0.05
	// How fast bats are, by the count's strikes, and how much of it is the batter's own.
	fullSwingSDMPH    = 8.4
	ownShareOfSwing   = 0.34
	meanDepthFT       = 1.5
	depthSDFT         = 0.6
	attackPerInch     = 0.88 // degrees an inch of depth
	pullPerInch       = 1.46
	tiltPerZoneHeight = -9.4
	// zoneTopFT and zoneBottomFT are the strike zone of a record that does not say more.
	zoneTopFT, zoneBottomFT = 3.5, 1.5
)

var fullSwingMPH = [3]float64{72.1, 71.0, 69.6}

// drawMPH draws how fast the sweet spot is at contact; zBat is the batter's share of it and chance's.
func drawMPH(p *pitch, zBat float64) float64 {
	if figures := leagueCalls.figures[p.call]; figures.swings < 1 && p.call != inPlay {
		return checkHeadFPS.at(level(zBat)) * spotFromHandle / batLength / fpsPerMPH
	}
	return max(fullSwingMPH[p.score.strikes]+fullSwingSDMPH*zBat, 20)
}

// drawMeeting draws how a bat of this speed meets the ball of a flight.
func drawMeeting(r source, p *pitch, ball vec, mph float64) meeting {
	inches := 12 * (ball.y - meanDepthFT)
	zoneHeights := (ball.z - (zoneTopFT+zoneBottomFT)/2) / (zoneTopFT - zoneBottomFT)
	m := meeting{left: p.batter.left, mph: mph, fromHeadIn: r.clipped(6.5, 2.2, 0.5, 16)}
	m.tilt = radians(r.clipped(32+tiltPerZoneHeight*zoneHeights, 6.2, 14, 52))
	m.attack = radians(r.normal(8+attackPerInch*inches, 10))
	steepest := math.Asin(fullTiltShare * math.Sin(m.tilt))
	m.attack = min(max(m.attack, -steepest), steepest)
	m.pull = radians(r.normal(2+pullPerInch*inches, 9))
	switch {
	case p.call == inPlay || p.call == foul || p.batted.tracked:
		m.missIn = r.normal(touchIn, touchSDIn)
		// A ball that leaves steeply was met below its middle.
		m.under = min(max(radians(p.batted.launchDeg)-m.attack, -1), 1)
	case p.call == foulTip:
		m.missIn, m.under = r.clipped(2.9, 0.1, 2.7, 3.2), r.between(1, 1.5)
	case mph < heldBackMPH: // held back
		m.missIn, m.under = r.clipped(20, 8, 6, 45), r.normal(0, 0.5)
	default:
		m.missIn, m.under = r.clipped(5.5, 2.2, 3, 14), r.between(0.8, 1.5)
		if r.chance(0.4) {
			m.under = -m.under
		}
	}
	return m
}

// swordShare is the share of the swings and misses that the batter stops in front of the plate, too late. The
// league counts some two of a hundred.
const (
	swordShare = 4. / 256
	// The sweet spot of a bat that is stopped has a speed between these, and the bat turns by stoppedTurn, in
	// rad, after its peak.
	stoppedFromMPH, stoppedToMPH = 24, 48
	stoppedTurn                  = 0.9
)

// isStopped reports whether the batter stops his swing. The bits of the pitch's identity decide, so that all
// other pitches of a seed are the same with and without.
func isStopped(p *pitch) bool {
	missed := p.call == swingingStrike || p.call == blocked
	return missed && !p.batted.tracked && float64(p.id[0]) < swordShare*256
}

// heldBackMPH is the speed below which a swing that met nothing was held back.
const heldBackMPH = 52

// drawLeagueSwing draws a swing at a flight, and what the cameras make of it. The cameras measure all bats of
// a venue faster by a bias.
func (g *game) drawLeagueSwing(p *pitch, f flight, mph float64) swing {
	r, figures := g.rng, leagueCalls.figures[p.call]
	s := swing{
		lost:      r.chance(figures.lost) && !g.s.o.Clean,
		contactAt: f.timeAt(r.clipped(meanDepthFT, depthSDFT, -0.4, 3.3)),
		samples:   int(batSampleCounts.at(r.Float64())),
		clock:     seconds(r.between(2, 9)),
		lostGap:   r.between(2.14, 2.27),
		step:      g.s.o.batStep(),
	}
	s.samples = s.count(s.samples)
	s.hitGap = r.between(0.00005, s.step-0.00005)
	s.contact = f.at(s.contactAt).pos
	s.meeting = drawMeeting(r, p, s.contact, mph)
	stops := isStopped(p)
	if stops {
		s.meeting.mph = stoppedFromMPH + (stoppedToMPH-stoppedFromMPH)*float64(p.id[1])/255
	}
	measured := s.meeting
	measured.mph = max(measured.mph+g.bias(), 1)
	path := newTurnPath(r, &measured, s.contact)
	if stops {
		path.stop()
	}
	s.meeting.lengthFT, s.meeting.timeS = path.way()
	s.turn = path
	cameras := drawCameras(r, path, &s.meeting, p.batted.tracked || p.call == inPlay || p.call == foul)
	if s.path = cameras; g.s.o.Clean {
		s.path = path
	}
	return s
}

// drawLeagueBatted draws a batted ball that a bat of this speed can give to a pitch of this speed.
func (g *game) drawLeagueBatted(p *pitch, zBat, batMPH, pitchMPH float64) (b batted) {
	b = g.drawBatted(p.call, zBat)
	// The distribution of exit velocities is that of a mean bat and a mean pitch.
	const meanBatMPH, meanPitchMPH = 74, 84
	squared := min(b.exitMPH/greatestExit(meanBatMPH, meanPitchMPH), 1)
	b.exitMPH = min(squared*greatestExit(batMPH, pitchMPH), mostExitMPH)
	return b
}

const mostExitMPH = 121

// greatestExit is the exit velocity of a ball that is hit squarely.
func greatestExit(batMPH, pitchMPH float64) float64 { return 1.23*batMPH + 0.23*pitchMPH }

// drawLeagueTarget draws where the pitch crosses the plate: as often in the zone as those of its call are.
func drawLeagueTarget(r source, p *pitch) (x, z float64) {
	share := leagueCalls.inZone[p.call]
	if share < 0 {
		return drawTarget(r, p)
	}
	for in := r.chance(share); ; {
		x, z = r.normal(0, 0.72), r.normal(2.5, 0.85)
		swungAt := math.Abs(x) < 1.5 && 0.7 < z && z < 4.3
		if in == inZone(x, z) && (swungAt || p.call == calledBall && z > 0.3) {
			return x, z
		}
	}
}

// inZone reports whether a ball that crosses the plate's front here touches the zone.
func inZone(x, z float64) bool {
	const radius = 1.45 / 12
	return math.Abs(x) <= 17./24+radius && zoneBottomFT-radius <= z && z <= zoneTopFT+radius
}
