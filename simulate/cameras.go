package simulate

import "math"

// cameras is a bat as the tracking system sees it, with the faults that the real records show. The bat is
// rigid and its track smooth. But the system fits the track before contact and the one after it apart, and
// they do not meet.
type cameras struct {
	motion  *turnPath
	wobbles [5]wobble // of x, y and z, ft; and of the angles in the swing's plane and out of it, rad
	seam    vec       // how far apart the two tracks are at contact, ft
	slowed  float64   // share of the bat's speed that is left after contact
	late    vec       // what is too much of the speed at contact, ft/s; it grows over the last lateS
	turned  float64   // the same, rad/s, where the turning is wrong and not the place
	spin    float64   // rad/s at contact about the sweet spot, of a bat that no hands could turn
}

// wobble is a smooth error.
type wobble struct{ size, turn, phase float64 }

func (w *wobble) at(t float64) float64 { return w.size * math.Sin(w.turn*t+w.phase) }

const (
	// smoothFrom and smoothTo are the sizes of the smooth errors, ft: 0.006–0.04 inches.
	smoothFrom, smoothTo = 0.006 / 12, 0.04 / 12
	lateS                = 0.015
	lateShare            = 0.2
	impossibleShare      = 0.012
	impossibleS          = 0.03 // how long before contact an impossible bat begins to spin
)

// drawCameras draws what the cameras make of a path.
func drawCameras(r source, path *turnPath, m *meeting, meets bool) *cameras {
	c := &cameras{motion: path, slowed: 1}
	size := r.between(smoothFrom, smoothTo)
	for i := range c.wobbles {
		c.wobbles[i] = wobble{size, 2 * math.Pi * r.between(8, 30), r.between(0, 2*math.Pi)}
		if i >= 3 {
			c.wobbles[i].size /= batLength
		}
	}
	c.seam = vec{r.normal(0, 0.02), r.normal(0, 0.02), r.normal(0, 0.02)}
	if slowed := r.between(0.4, 0.68); meets {
		c.slowed = slowed
	}
	fps, turns := r.between(5, 20)*fpsPerMPH, r.chance(0.5)
	if r.chance(0.5) {
		fps = -fps
	}
	if fps = max(fps, -0.5*m.mph*fpsPerMPH); r.chance(lateShare) {
		if turns {
			c.turned = fps / spotFromHandle
		} else {
			head, handle := path.at(0)
			before, beforeHandle := path.at(-1e-4)
			share := sweetSpot / batLength
			way := head.toward(handle, share).minus(before.toward(beforeHandle, share))
			c.late = way.times(fps / max(way.length(), 1e-9))
		}
	}
	if spin := r.between(60, 80); r.chance(impossibleShare) {
		c.spin = spin
	}
	return c
}

// at is the bat as tracked t seconds from contact.
func (c *cameras) at(t float64) (head, handle vec) {
	if t <= 0 {
		return c.before(t)
	}
	return c.path(t*c.slowed, c.wobbles[3].at(t), c.place(t).plus(c.seam))
}

func (c *cameras) before(t float64) (head, handle vec) {
	further := c.wobbles[3].at(t)
	off := c.place(t)
	if since := t + lateS; since > 0 {
		// The speed is wrong by a growing share, so the place by its integral.
		grown := since * since * since / (3 * lateS * lateS)
		further += c.turned * grown
		off = off.plus(c.late.times(grown))
	}
	head, handle = c.path(t, further, off)
	if since := t + impossibleS; c.spin > 0 && since > 0 {
		spot := head.toward(handle, sweetSpot/batLength)
		head, handle = c.path(t, further+c.spin*since*since/(2*impossibleS), off)
		back := spot.minus(head.toward(handle, sweetSpot/batLength))
		head, handle = head.plus(back), handle.plus(back)
	}
	return head, handle
}

func (c *cameras) path(t, further float64, off vec) (head, handle vec) {
	head, handle = c.motion.turned(t, further, c.wobbles[4].at(t))
	return head.plus(off), handle.plus(off)
}

func (c *cameras) place(t float64) vec {
	return vec{c.wobbles[0].at(t), c.wobbles[1].at(t), c.wobbles[2].at(t)}
}
