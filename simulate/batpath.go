package simulate

import "math"

// batPath is the motion of a bat. The hands go from the stance to the contact and on to the finish, and the
// bat turns about them in a tilted plane. All values are for a batter who bats right; mirror turns x around
// for one who bats left.
//
// The turning speed rises and falls as sech²: the hands drive it up within 0.07 s, and it runs out over the
// 0.1 s after its peak, about 3 and 5 radians. So the angle is a tanh, and no step is integrated.
type batPath struct {
	mirror                  float64
	stance, contact, finish vec     // of the hands, ft
	tilt                    float64 // of the swing plane, rad
	yaw                     float64 // where the plane is lowest, rad
	cock                    float64 // how much steeper the bat is held before the swing, rad
	peakAngle               float64 // in the plane, from its lowest point, rad
	peakTurn                float64 // rad/s
	peakAt                  float64 // s from contact, a little before
	waggle                  float64 // phase of the hands' idle motion, rad
}

const (
	driveUp, runOut = 0.066, 0.1 // s
	handsStart      = -0.17      // s from contact
	handsLead       = 0.012      // s that they stop before the turning peaks: the bat whips around them
	handsEnd        = 0.38
	fullSwingFPS    = 100 // of the head, ft/s: below it a swing that met nothing was held back
)

// newBatPath makes the path of a swing; meets says that it gets to the ball, as slow as it may be.
func newBatPath(r source, s *swing, left, meets bool) batPath {
	p := batPath{
		mirror:   1,
		stance:   vec{r.normal(-1.62, 0.3), r.normal(-1.9, 0.45), r.clipped(4.7, 0.4, 3.5, 5.7)},
		finish:   vec{r.normal(-3.5, 0.6), r.normal(-0.7, 0.9), r.clipped(4.2, 0.6, 2, 5.8)},
		cock:     radians(r.clipped(10, 14, -20, 45)),
		peakTurn: s.headFPS / batLength,
		peakAt:   -r.between(0.001, 0.012),
		waggle:   r.between(0, 2*math.Pi),
	}
	ball := s.contact
	if left {
		p.mirror, ball.x = -1, -ball.x
	}
	// A plane tilted by T shows an angle of attack a where sin(angle) = sin a / sin T; a steeper attack tilts it
	// more.
	sinAttack := math.Sin(radians(s.attackDeg))
	p.tilt = max(radians(r.clipped(27, 5, 15, 40)), math.Asin(min(math.Abs(sinAttack)/0.9, 1)))
	p.peakAngle = p.peakFor(radians(s.attackDeg))
	effort := 1.0
	if !meets {
		effort = min(s.headFPS/fullSwingFPS, 1)
	}
	p.aim(r, ball, effort)
	return p
}

// peakFor is the angle in the plane at which the turning must peak so that the head, when it is fastest over
// the ground, goes up at the attack angle. That is not the peak itself: a rising head loses ground speed as
// it rises more. With the ground speed v·cos a, v as sech²(x/T), it is where −2/T·tanh(x/T) = tan a · da/dt.
func (p *batPath) peakFor(attack float64) float64 {
	there := math.Asin(math.Sin(attack) / math.Sin(p.tilt))
	steepens := math.Sin(p.tilt) * math.Cos(there) / math.Cos(attack) * p.peakTurn // da/dt
	span := driveUp
	if attack < 0 {
		span = runOut
	}
	x := -min(max(math.Tan(attack)*steepens*span/2, -0.7), 0.7) // tanh(x/T)
	return there - p.peakTurn*span*x
}

// aim turns the plane so that the bat meets the ball (points across the plate, 7° forward, ±28°), and puts
// the hands where the barrel is at the ball. A check swing (effort below 1) starts from where bats are held
// and gets nowhere near.
func (p *batPath) aim(r source, ball vec, effort float64) {
	p.yaw = radians(r.normal(7, 28)) - p.angle(0)
	if effort < 1 {
		p.yaw = radians(150) - (p.peakAngle - p.peakTurn*driveUp)
	}
	reach := batLength * r.clipped(0.78, 0.1, 0.4, 1)
	p.contact = ball.minus(p.direction(0).times(reach))
	p.contact.z += r.normal(0, 0.08)
	p.contact = p.stance.toward(p.contact, effort)
	p.finish = p.contact.toward(p.finish, effort)
}

// angle in the swing plane at t seconds from contact.
func (p *batPath) angle(t float64) float64 {
	x, span := t-p.peakAt, driveUp
	if x > 0 {
		span = runOut
	}
	return p.peakAngle + p.peakTurn*span*math.Tanh(x/span)
}

// direction is the unit vector from the hands to the head.
func (p *batPath) direction(t float64) vec {
	tilt := p.tilt + p.cock*(1-smooth((t-handsStart)/0.12))
	sinT, cosT := math.Sincos(tilt)
	sinY, cosY := math.Sincos(p.yaw)
	sinA, cosA := math.Sincos(p.angle(t))
	return vec{cosA*cosY*cosT - sinA*sinY, cosA*sinY*cosT + sinA*cosY, -cosA * sinT}
}

// hands are the position of the handle: two smooth moves, the first bowed over the plate.
func (p *batPath) hands(t float64) vec {
	stop := p.peakAt - handsLead
	if t > stop {
		return p.contact.toward(p.finish, smooth((t-stop)/handsEnd))
	}
	way := smooth((t - handsStart) / (stop - handsStart))
	at := p.stance.toward(p.contact, way)
	idle := 0.15 * (1 - way)
	sin, cos := math.Sincos(5*t + p.waggle)
	return at.plus(vec{idle*cos + 2.4*way*(1-way), idle * sin, -0.5 * idle * sin})
}

// smooth goes from 0 to 1 as its argument does, without a jerk at either end.
func smooth(f float64) float64 {
	f = min(max(f, 0), 1)
	return f * f * f * (10 + f*(6*f-15))
}

// at is the bat t seconds from contact.
func (p *batPath) at(t float64) (head, handle vec) {
	handle = p.hands(t)
	head = handle.plus(p.direction(t).times(batLength))
	handle.x, head.x = handle.x*p.mirror, head.x*p.mirror
	return head, handle
}
