package features

import (
	"math"

	"github.com/pitchstream/pitchstream/schemas"
)

// This file computes where the bat was at contact, what it did on the way there, and how well it met the ball
// (section 2 of the specification, contact).

const (
	// tiltSpanS is the part of a swing whose plane is measured, of at least minTiltHeads positions.
	tiltSpanS    = 0.040
	minTiltHeads = 8
	// startMPH is the speed of the head below which the swing has not begun.
	startMPH = 30
	// A ball leaves the bat at most at batShare of the bat's speed and pitchShare of the pitch's.
	batShare, pitchShare = 1.23, 0.23
	// minSquaredMPH is the bat speed below which squared-up means nothing.
	minSquaredMPH = 30
	// squaredUpPct and blastSum are the limits of the public definitions.
	squaredUpPct = 80
	blastSum     = 164
)

// bodyColumns fills the columns about the places of bat and ball.
func bodyColumns(b *rowBuilder, c *contact, f *flight) {
	row, samples := b.row, b.d.bat.samples
	near := span(samples, c.timeS-positionSpanS, c.timeS)
	var hasHead, hasHandle bool
	c.head, hasHead = positionAt(near, c.timeS, func(s *batSample) (point, bool) { return s.head, s.hasHead })
	c.handle, hasHandle = positionAt(near, c.timeS, func(s *batSample) (point, bool) {
		return s.handle, s.hasHandle
	})
	c.hasEnds = hasHead && hasHandle
	sideColumns(b, near)
	row.SwingPathTiltDeg = pathTilt(span(samples, c.timeS-tiltSpanS, c.timeS))
	wayColumns(b, span(samples, math.Inf(-1), c.timeS), c.timeS)
	if !f.isFit {
		return
	}
	// The flight is extended to the contact, a few hundredths of a second behind its last sample.
	ball := f.at(c.timeS)
	row.InterceptXFT, row.InterceptYFT = schemas.Some(ball.x), schemas.Some(ball.y)
	row.InterceptZFT = schemas.Some(ball.z)
	if c.hasEnds {
		missFT, alongFT := fromBat(ball, c.head, c.handle)
		row.ContactFromHeadIn, row.MissDistanceIn = finite(12*alongFT), schemas.Some(12*missFT)
	}
}

// positionAt returns where an end of the bat was at contact, by a cubic through its samples before.
//
// The track of an end is read beyond its last sample, by less than a frame. A cubic follows the turning bat
// over 20 ms to some thousandths of an inch.
func positionAt(near []batSample, timeS float64, end func(*batSample) (point, bool)) (at point, ok bool) {
	cubic := fit{degree: 3}
	for i := range near {
		if p, ok := end(&near[i]); ok {
			cubic.add((near[i].timeS-timeS)/positionSpanS, p)
		}
	}
	if cubic.samples < minPositions {
		return at, false
	}
	of, _ := cubic.solve()
	return point{of[0][0], of[1][0], of[2][0]}, true
}

// sideColumns fills the batter's side of the plate, and the direction seen from there. One who bats right
// holds the handle left of the plate, as the catcher sees it. The head says nothing: on its way to the
// contact it may be on either side.
func sideColumns(b *rowBuilder, near []batSample) {
	sum, n := 0.0, 0
	for i := range near {
		if near[i].hasHandle {
			sum += near[i].handle.x
			n++
		}
	}
	if n == 0 {
		return
	}
	// A ball to the left of the mound is pulled by one who bats right, and the angle is negative there.
	row, direction := b.row, b.row.ContactAttackDirectionDeg.Value
	if row.BatSide = schemas.BatsLeft; sum/float64(n) < 0 {
		row.BatSide, direction = schemas.BatsRight, -direction
	}
	row.ContactAttackDirectionPullDeg = schemas.Some(direction)
}

// wayColumns fills the length and the time of the swing. It starts where the head was last slower than
// startMPH over three frames, or at its first sample.
func wayColumns(b *rowBuilder, before []batSample, contactS float64) {
	var recent [windowFrames + 1]*batSample
	lengthFT, startS, n := 0.0, 0.0, 0
	for i := range before {
		s := &before[i]
		if !s.hasHead {
			continue
		}
		recent[n%len(recent)] = s
		if n == 0 {
			startS = s.timeS
		} else {
			lengthFT += s.head.distance(recent[(n-1)%len(recent)].head)
		}
		if n++; n > windowFrames {
			from := recent[n%len(recent)]
			// A later slow window begins the swing anew: the batter had stopped.
			if s.head.distance(from.head)/(s.timeS-from.timeS)/fpsPerMPH < startMPH {
				lengthFT, startS = 0, s.timeS
			}
		}
	}
	if n > 0 {
		b.row.SwingLengthFT, b.row.TimeToContactS = schemas.Some(lengthFT), finite(contactS-startS)
	}
}

// pathTilt returns the angle between the ground and the plane through the head's positions, in degrees: 0 for
// a bat that turns level, 90 for one that goes straight down. It is missing with fewer than minTiltHeads
// positions, because a plane through few points leans with their noise.
func pathTilt(late []batSample) schemas.Opt[float64] {
	var mean point
	n := 0
	for i := range late {
		if late[i].hasHead {
			mean = mean.plus(late[i].head)
			n++
		}
	}
	if n < minTiltHeads {
		return schemas.Opt[float64]{}
	}
	// Around their mean the positions of a swing fill a plane, and its normal is where they spread least. So the
	// normal is the principal component of the smallest variance.
	mean = mean.times(1 / float64(n))
	var m [3][3]float64
	for i := range late {
		if !late[i].hasHead {
			continue
		}
		p := late[i].head.minus(mean)
		off := [3]float64{p.x, p.y, p.z}
		for r := range 3 {
			for c := range 3 {
				m[r][c] += off[r] * off[c]
			}
		}
	}
	normal := leastDirection(m)
	return finite(math.Acos(min(math.Abs(normal.z), 1)) * degrees)
}

// leastDirection returns the unit vector along which a symmetric matrix is least: that of its least
// eigenvalue, by Jacobi's rotations. Each rotation turns two axes so that the matrix has a zero between them.
// That disturbs the zeros made before, but less each time. A matrix of three rows is diagonal to the last bit
// after a few sweeps. Two equal eigenvalues leave the direction open; a swing's positions have none.
func leastDirection(m [3][3]float64) point {
	const sweeps = 12
	axes := [3][3]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}
	for range sweeps {
		for _, pair := range [3][2]int{{0, 1}, {0, 2}, {1, 2}} {
			p, q := pair[0], pair[1]
			if m[p][q] == 0 {
				continue
			}
			// The rotation by this angle makes the element between the two axes zero.
			sin, cos := math.Sincos(math.Atan2(2*m[p][q], m[q][q]-m[p][p]) / 2)
			for k := range 3 {
				m[k][p], m[k][q] = cos*m[k][p]-sin*m[k][q], sin*m[k][p]+cos*m[k][q]
				axes[k][p], axes[k][q] = cos*axes[k][p]-sin*axes[k][q], sin*axes[k][p]+cos*axes[k][q]
			}
			for k := range 3 {
				m[p][k], m[q][k] = cos*m[p][k]-sin*m[q][k], sin*m[p][k]+cos*m[q][k]
			}
		}
	}
	least := 0
	for k := range 3 {
		if m[k][k] < m[least][least] {
			least = k
		}
	}
	return point{axes[0][least], axes[1][least], axes[2][least]}
}

// qualityColumns fills how well the ball was met. validate has checked the ranges of the ball's own columns.
// The greatest exit velocity that this bat could give to this pitch is that of a head-on collision, and
// squared-up is the share of it that the batter got. A share over 100 % comes from an error of the speeds.
func qualityColumns(b *rowBuilder, c *contact) {
	row := b.row
	exit, launch, plate := row.ExitVelocityMPH, row.LaunchAngleDeg, row.PlateSpeedMPH
	if exit.Present && plate.Present && c.speedMPH >= minSquaredMPH {
		pct := 100 * exit.Value / (batShare*c.speedMPH + pitchShare*plate.Value)
		row.SquaredUpPct, row.IsSquaredUp = finite(pct), schemas.Some(pct >= squaredUpPct)
		row.IsBlast = schemas.Some(min(pct, 100)+c.speedMPH >= blastSum)
	}
	// The league's definition of a barrel needs the ball only. Its lines widen with the exit velocity.
	if exit.Present && launch.Present {
		ev, la := exit.Value, launch.Value
		row.IsBarrel = schemas.Some(ev >= 98 && la <= 50 && 1.5*ev-la >= 117 && ev+la >= 124)
	}
}
