package simulate

import "math"

// ballSample is one sample of the ball: seconds after the release, feet, mph, and mph a second. A bare one is
// written with time and place only: where a ball lands.
type ballSample struct {
	time float64
	motion
	acc  vec
	bare bool
}

// track is the ball as the tracking system records it. It has samples at the frames of the system's clock,
// more at releases, contacts, apexes and ends, and none while a player holds the ball.
type track struct {
	samples []ballSample
	phase   float64 // time of the first frame after the release
}

func (k *track) begin(r source) { k.phase = r.between(0, frame) }

// seconds rounds a time to tenths of a microsecond, as the records have it.
func seconds(t float64) float64 { return math.Round(t*1e7) / 1e7 }

func (k *track) add(t float64, m motion, acc vec) {
	k.samples = append(k.samples, ballSample{time: seconds(t), motion: m, acc: acc})
}

// again repeats the last sample as it is.
func (k *track) again() { k.samples = append(k.samples, k.samples[len(k.samples)-1]) }

// nextFrame returns the first frame that is more than 0.1 ms after t. One nearer is t's own frame, which
// rounding has moved.
func (k *track) nextFrame(t float64) float64 {
	n := math.Floor((t-k.phase)/frame) + 1
	if at := k.phase + n*frame; at > t+1e-4 {
		return at
	}
	return k.phase + (n+1)*frame
}

// arc records a flight under a constant acceleration from t0 to just before t1, and returns the motion at t1.
// Its apex is recorded if a frame follows it.
func (k *track) arc(t0, t1 float64, m motion, acc vec) motion {
	k.add(t0, m, acc)
	k.framesOf(t0, t0, t1, m, acc)
	return m.after(t1-t0, acc)
}

// framesOf records the frames between after and t1 of an arc that began at t0, and its apex if a frame
// follows.
func (k *track) framesOf(t0, after, t1 float64, m motion, acc vec) {
	apex := t0 - m.vel.z/acc.z
	for t := k.nextFrame(after); t < t1; t = k.nextFrame(t) {
		if after < apex && apex < t {
			k.add(apex, m.after(apex-t0, acc), acc)
		}
		k.add(t, m.after(t-t0, acc), acc)
		after = t
	}
}

// pitch records a pitch until t1. The system sees the ball up to 40 ms after its release, and writes its
// first sample twice, at times thrice.
func (k *track) pitch(r source, f flight, t1 float64) {
	seen := r.between(0.004, 0.04)
	k.add(seen, f.at(seen), f.acc)
	k.again()
	if r.chance(tripledRelease) {
		k.again()
	}
	k.framesOf(0, seen, t1, f.motion, f.acc)
}

// batted records a ball off the bat, or off a batter, from about time t on. It ends where the ball is out of
// sight or has bounced; the throws of a ball in play follow.
func (k *track) batted(r source, t float64, at vec, b batted, c call) {
	sinL, cosL := math.Sincos(radians(b.launchDeg))
	sinS, cosS := math.Sincos(radians(b.sprayDeg))
	t += r.between(0.0003, 0.006)
	m := motion{at, vec{b.exitMPH * cosL * sinS, b.exitMPH * cosL * cosS, b.exitMPH * sinL}}
	first := len(k.samples)
	seen := t + r.between(4, 7)
	if c != inPlay { // out of sight sooner: the stands, the screen
		seen = t + r.between(0.4, 4)
	}
	t, m = k.fly(r, newSpinning(b), t, m, seen)
	if len(k.samples) < mostSamples && r.chance(doubledTrack) {
		k.doubled(r, first)
	}
	if t, m = k.bounces(r, t, m, c); c == inPlay {
		k.throws(r, t, m.pos)
	}
}

// fly records a spinning ball until it lands, or until the first frame from t1 on, and returns where it is
// then.
func (k *track) fly(r source, s spinning, t float64, m motion, t1 float64) (float64, motion) {
	k.add(t, m, s.acceleration(m.vel))
	if r.chance(doubledContact) {
		k.again()
	}
	for t < t1 {
		next := k.nextFrame(t)
		n := s.step(m, next-t)
		if n.pos.z < groundZ {
			f := (m.pos.z - groundZ) / (m.pos.z - n.pos.z)
			landed := s.step(m, f*(next-t))
			landed.pos.z = groundZ
			return t + f*(next-t), landed
		}
		if f := m.vel.z / (m.vel.z - n.vel.z); m.vel.z > 0 && n.vel.z < 0 {
			top := s.step(m, f*(next-t))
			k.add(t+f*(next-t), top, s.acceleration(top.vel))
		}
		t, m = next, n
		k.add(t, m, s.acceleration(m.vel))
	}
	return t, m
}

// end records where a flight ends, with time and place only.
func (k *track) end(r source, t float64, m motion) {
	k.samples = append(k.samples, ballSample{time: seconds(t), motion: m, bare: true})
	if r.chance(doubledLanding) {
		k.again()
	}
}

// doubled writes each sample of the second half of a flight twice, the second time by another estimate. The
// flight begins at sample first.
func (k *track) doubled(r source, first int) {
	from := first + (len(k.samples)-first)/2
	rest := append([]ballSample(nil), k.samples[from:]...)
	off := vec{r.normal(0, 0.05), r.normal(0, 0.05), r.normal(0, 0.05)}
	k.samples = k.samples[:from]
	for _, s := range rest {
		k.samples = append(k.samples, s)
		if !s.bare {
			s.pos, s.vel = s.pos.plus(off), s.vel.plus(off)
			k.samples = append(k.samples, s)
		}
	}
}

// bounces records at most three hops of a ball that landed at t. It records nothing of one that was lost in
// the air.
func (k *track) bounces(r source, t float64, m motion, c call) (float64, motion) {
	hops := r.IntN(4) // drawn in any case, so that a seed plays the same game
	if c == hitByPitch {
		hops = 0
	}
	for ; hops > 0 && len(k.samples) < mostSamples && m.pos.z <= groundZ && m.vel.z < -4; hops-- {
		m.vel = vec{m.vel.x * bounceAlong, m.vel.y * bounceAlong, -m.vel.z * bounceUp}
		acc := drag(m.vel)
		acc.z -= gravity
		air := -2 * m.vel.z / acc.z
		m = k.arc(t, t+air, m, acc)
		t += air
		m.pos.z = groundZ
	}
	if m.pos.z <= groundZ {
		k.end(r, t, m)
	}
	return t, m
}

// duplicates counts the samples with the time of the one before: equal times stand side by side.
func (k *track) duplicates() (n int) {
	for i := 1; i < len(k.samples); i++ {
		if k.samples[i].time == k.samples[i-1].time {
			n++
		}
	}
	return n
}
