package simulate

import "math"

// Axes: x across the plate (catcher's view, right positive), y toward the pitcher, z up. Positions in feet,
// velocities in mph and accelerations in mph/s, as the records have them; time in seconds from the release.

const (
	fpsPerMPH  = 22. / 15
	gravity    = 32.174 / fpsPerMPH // 21.94 mph/s
	frame      = 1. / 30            // the ball is sampled at 30 Hz
	plateY     = 17. / 12           // the plate's front
	releaseY   = 54.1               // where the records' pitches are at time 0
	groundZ    = 0.12               // a ball's radius
	ballRadius = 0.1204             // the same, ft, for spin at its surface
	dragPerMPH = 0.0024             // mph/s of drag per mph²: 20.5 mph/s at 92.5 mph in the records
	battedDrag = 0.0031             // the same of batted balls: 0.0027 to 0.0036 in the records
	// mph/s per mph² and unit of lift coefficient: ρA/2m of a baseball at sea level
	liftPerMPH  = 0.00786
	bounceUp    = 0.5 // of the vertical speed that is left after a bounce
	bounceAlong = 0.7 // of the horizontal one
)

type vec struct{ x, y, z float64 }

func (a vec) plus(b vec) vec      { return vec{a.x + b.x, a.y + b.y, a.z + b.z} }
func (a vec) minus(b vec) vec     { return vec{a.x - b.x, a.y - b.y, a.z - b.z} }
func (a vec) times(f float64) vec { return vec{a.x * f, a.y * f, a.z * f} }
func (a vec) length() float64     { return math.Sqrt(a.x*a.x + a.y*a.y + a.z*a.z) }
func (a vec) cross(b vec) vec {
	return vec{a.y*b.z - a.z*b.y, a.z*b.x - a.x*b.z, a.x*b.y - a.y*b.x}
}
func (a vec) toward(b vec, f float64) vec { return a.plus(b.minus(a).times(f)) }

// motion is where a ball is and how fast it goes.
type motion struct{ pos, vel vec }

// after is the motion dt seconds later under a constant acceleration.
func (m motion) after(dt float64, acc vec) motion {
	mean := m.vel.plus(acc.times(dt / 2))
	return motion{m.pos.plus(mean.times(fpsPerMPH * dt)), m.vel.plus(acc.times(dt))}
}

// drag is the deceleration by air of a pitch or a throw, mph/s.
func drag(vel vec) vec { return vel.times(-dragPerMPH * vel.length()) }

// flight is a pitch: a constant acceleration from its release, as the tracking system fits it.
type flight struct {
	motion
	acc vec
}

// throwPitch aims a pitch of type t at (x, z) on the plate's front.
func throwPitch(r source, t pitchType, left bool, x, z float64) flight {
	side := 1.0
	if left {
		side = -1
	}
	speed := r.clipped(t.mph, t.mphSD, 68, 102)
	f := flight{motion: motion{pos: vec{side * r.normal(-2, 0.6), releaseY, r.clipped(5.5, 0.45, 3.2, 6.8)}}}
	f.acc = vec{
		side * r.normal(t.sideMPHPS, t.movementSDOfMPHPS),
		dragPerMPH * speed * speed * r.between(0.9, 1.1),
		-gravity + r.normal(t.liftMPHPS, t.movementSDOfMPHPS),
	}
	f.vel.y = -0.9985 * speed
	at := f.timeAt(plateY)
	f.vel.x = (x-f.pos.x)/(fpsPerMPH*at) - f.acc.x*at/2
	f.vel.z = (z-f.pos.z)/(fpsPerMPH*at) - f.acc.z*at/2
	return f
}

func (f flight) speedMPH() float64 { return f.vel.length() }

// timeAt is when the pitch is y feet in front of the plate's back: the first root of y's parabola.
func (f flight) timeAt(y float64) float64 {
	a, b, c := f.acc.y/2, f.vel.y, (f.pos.y-y)/fpsPerMPH
	return (-b - math.Sqrt(b*b-4*a*c)) / (2 * a)
}

func (f flight) at(t float64) motion { return f.after(t, f.acc) }

// spinning is a batted ball: drag, and the Magnus force of its spin.
type spinning struct {
	axis    vec     // of unit length
	surface float64 // speed of the ball's surface, mph
}

// newSpinning gives backspin to what was hit upward, topspin to what was hit down, and some sidespin to both.
func newSpinning(b batted) spinning {
	sin, cos := math.Sincos(radians(b.sprayDeg))
	back := min(max((b.launchDeg-5)/25, -1), 1)
	aside := 0.3 * min(max(b.sprayDeg/45, -1), 1)
	up := math.Sqrt(back*back + aside*aside)
	if up == 0 {
		up = 1
	}
	surface := float64(b.spinRPM) / 60 * 2 * math.Pi * ballRadius / fpsPerMPH
	return spinning{vec{cos * back, -sin * back, -aside}.times(1 / up), surface}
}

// acceleration of the ball at this velocity, mph/s. The lift coefficient is Nathan's fit, S/(0.4 + 2.32 S).
func (s spinning) acceleration(vel vec) vec {
	v := vel.length()
	if v < 1 {
		return vec{z: -gravity}
	}
	ratio := s.surface / v
	lift := liftPerMPH * v * ratio / (0.4 + 2.32*ratio)
	acc := vel.times(-battedDrag * v).plus(s.axis.cross(vel).times(lift))
	acc.z -= gravity
	return acc
}

// step is the motion dt seconds later, by the midpoint rule.
func (s spinning) step(m motion, dt float64) motion {
	middle := m.after(dt/2, s.acceleration(m.vel))
	return m.after(dt, s.acceleration(middle.vel))
}

func radians(deg float64) float64 { return deg * (math.Pi / 180) }
