package simulate

import "math"

// turnPath is the motion of a bat that is like the game at contact. The hands go around the body and the bat
// turns about the hands, both in one tilted plane, so speed, attack, direction and tilt at contact have
// closed forms. It is for a batter who bats right; mirror turns x around for one who bats left.
//
// The turning of either rises and falls as sech². The hands peak before the contact and the bat after it.
// Within the plane an angle of 0 points where the plane goes down, and π/2 level, the way the bat goes.
type turnPath struct {
	mirror      float64
	down, level vec     // unit vectors that span the plane
	yaw, tilt   float64 // of the plane: the way in which it goes down, from +x; and by how much; rad
	body        vec     // the point that the hands go around, ft
	hands, bat  turning
	cock        float64 // how much steeper the bat is held before the swing, rad
	waggle      float64 // phase of the hands' idle motion, rad
}

// turning is an angle in the plane that rises fastest at peakAt.
type turning struct {
	atContact float64 // rad
	peak      float64 // rad/s
	peakAt    float64 // s from contact
	rise      float64 // s; how soon the turning gets fast before its peak
	fall      float64 // and slow after it
}

const (
	// armLength is the distance of the hands from the point that they go around, ft.
	armLength = 2.0
	// quietFrom and quietTo are between which times, from contact, the idle motions fade away.
	quietFrom, quietTo = -0.19, -0.07
	fullTiltShare      = 0.9 // of the tilt's sine: the steepest attack in a plane
)

// newTurning returns a turning that has a speed (rad/s) and an angle at contact.
func newTurning(speed, atContact, peakAt, rise, fall float64) turning {
	n := turning{atContact: atContact, peakAt: peakAt, rise: rise, fall: fall}
	cosh := math.Cosh(peakAt / n.span(0))
	n.peak = speed * cosh * cosh
	return n
}

func (n *turning) span(t float64) float64 {
	if t > n.peakAt {
		return n.fall
	}
	return n.rise
}

// fromPeak is the angle gone since the peak.
func (n *turning) fromPeak(t float64) float64 {
	span := n.span(t)
	return n.peak * span * math.Tanh((t-n.peakAt)/span)
}

// at is the angle t seconds from contact.
func (n *turning) at(t float64) float64 { return n.atContact + n.fromPeak(t) - n.fromPeak(0) }

// newTurnPath makes the path of a bat that has the motion m at contact. ball is where the ball is then.
func newTurnPath(r source, m *meeting, ball vec) *turnPath {
	p := &turnPath{
		mirror: 1, tilt: m.tilt,
		cock:   radians(r.clipped(10, 14, -20, 45)),
		waggle: r.between(0, 2*math.Pi),
	}
	if m.left {
		p.mirror, ball.x = -1, -ball.x
	}
	// Up the plane by the angle climb from level, the spot goes up by the attack angle.
	climb := math.Asin(math.Sin(m.attack) / math.Sin(m.tilt))
	p.yaw = m.pull - math.Atan2(math.Sin(climb)*math.Cos(m.tilt), math.Cos(climb))
	sinYaw, cosYaw := math.Sincos(p.yaw)
	p.down = vec{cosYaw * math.Cos(m.tilt), sinYaw * math.Cos(m.tilt), -math.Sin(m.tilt)}
	p.level = vec{-sinYaw, cosYaw, 0}

	// The spot's velocity is that of the hands and that of the turning together. The hands are ahead of the
	// bat by an angle, and the turning gives the rest of the speed.
	speed := m.mph * fpsPerMPH
	handsFPS, ahead := speed*r.clipped(0.17, 0.03, 0.08, 0.26), radians(r.clipped(25, 8, 0, 50))
	sinAhead, cosAhead := math.Sincos(ahead)
	turnFPS := math.Sqrt(speed*speed-handsFPS*handsFPS*sinAhead*sinAhead) - handsFPS*cosAhead
	angle := climb - math.Atan2(handsFPS*sinAhead, handsFPS*cosAhead+turnFPS)
	// Who swings faster gets there sooner, on a way that is hardly longer.
	rise := r.clipped(0.089, 0.004, 0.077, 0.101) * math.Pow(min(72/m.mph, 2), 0.8)
	p.bat = newTurning(turnFPS/spotFromHandle, angle, r.between(0, 0.008), rise, 0.1)
	p.hands = newTurning(handsFPS/armLength, angle+ahead, -0.045, r.clipped(0.05, 0.003, 0.04, 0.06), 0.06)

	// The ball is beside the axis, ahead of the bat and above or below it.
	normal := p.down.cross(p.level)
	sin, cos := math.Sincos(m.under)
	beside := p.along(angle + math.Pi/2).times(cos).plus(normal.times(sin)).times(m.missIn / 12)
	handle := ball.minus(beside).minus(p.along(angle).times(batLength - m.fromHeadIn/12))
	p.body = handle.minus(p.along(p.hands.atContact).times(armLength))
	return p
}

// stop makes the bat stop soon after its turning peaked, as a batter does who sees that he is fooled. The
// motion until then stays.
func (p *turnPath) stop() { p.bat.fall = stoppedTurn / p.bat.peak }

// spotFromHandle is the distance of the sweet spot from the middle of the hands, ft.
const spotFromHandle = batLength - sweetSpot

// along is the unit vector at an angle in the plane.
func (p *turnPath) along(angle float64) vec {
	sin, cos := math.Sincos(angle)
	return p.down.times(cos).plus(p.level.times(sin))
}

// at is the bat t seconds from contact.
func (p *turnPath) at(t float64) (head, handle vec) { return p.turned(t, 0, 0) }

// turned is the bat t seconds from contact, turned by further angles in the plane and out of it.
func (p *turnPath) turned(t, further, steeper float64) (head, handle vec) {
	handle = p.body.plus(p.along(p.hands.at(t)).times(armLength))
	tilt := p.tilt + steeper
	if idle := 1 - smooth((t-quietFrom)/(quietTo-quietFrom)); idle > 0 {
		tilt += p.cock * idle
		sin, cos := math.Sincos(5*t + p.waggle)
		handle = handle.plus(vec{cos, sin, -0.5 * sin}.times(0.15 * idle))
	}
	sinT, cosT := math.Sincos(tilt)
	sinY, cosY := math.Sincos(p.yaw)
	sinA, cosA := math.Sincos(p.bat.at(t) + further)
	bat := vec{cosA*cosY*cosT - sinA*sinY, cosA*sinY*cosT + sinA*cosY, -cosA * sinT}
	head = handle.plus(bat.times(batLength))
	handle.x, head.x = handle.x*p.mirror, head.x*p.mirror
	return head, handle
}

// way returns the length of the head's path from the start of the swing to contact, and how long it takes.
// The swing starts at the end of the last hundredth of a second in which the head was slower than 30 mph.
func (p *turnPath) way() (lengthFT, timeS float64) {
	const (
		step   = 0.001
		window = 10 // steps
		slowFT = 30 * fpsPerMPH * window * step
	)
	var heads [window + 1]vec
	behind := 0.0 // how far the window one step later was above the limit
	for i := range int(-quietFrom*1.5/step) + window {
		heads[i%len(heads)], _ = p.at(-float64(i) * step)
		if i < window {
			continue
		}
		start := i - window
		over := heads[start%len(heads)].minus(heads[i%len(heads)]).length() - slowFT
		if over < 0 {
			share := 0.0
			if start > 0 {
				share = over / (over - behind)
			}
			return p.lengthFrom(-float64(start)*step + share*step), float64(start)*step - share*step
		}
		behind = over
	}
	return 0, 0
}

// speedMPH is the mean speed of the sweet spot between two times, in s from contact.
func (p *turnPath) speedMPH(from, to float64) float64 {
	const share = sweetSpot / batLength
	head, handle := p.at(from)
	then := head.toward(handle, share)
	head, handle = p.at(to)
	return head.toward(handle, share).minus(then).length() / ((to - from) * fpsPerMPH)
}

// lengthFrom is the length of the head's path from t to contact.
func (p *turnPath) lengthFrom(t float64) (ft float64) {
	const step = 0.002
	steps := max(int(math.Ceil(-t/step)), 1)
	last, _ := p.at(t)
	for i := range steps {
		next, _ := p.at(t - t*float64(i+1)/float64(steps))
		ft += next.minus(last).length()
		last = next
	}
	return ft
}
