package simulate

import (
	"math"
)

// mostSamples is how long a track may be for another hop or throw to follow: the longest of the records has
// 279.
const mostSamples = 190

// throws are up to four throws between fielders, the last to the pitcher.
func (k *track) throws(r source, t float64, from vec) {
	from.x, from.y = min(max(from.x, -250), 250), min(max(from.y, 0), 350)
	for n := r.IntN(5); n > 0 && len(k.samples) < mostSamples; n-- {
		to := vec{r.between(-70, 70), r.between(20, 125), r.between(3, 6.5)}
		if n == 1 {
			to = moundTarget(r)
		}
		t += r.between(0.7, 4)
		from.z = r.between(4.5, 6.5)
		t = k.throw(r, t, from, to, r.between(35, 70))
		from = to
	}
}

func moundTarget(r source) vec { return vec{r.normal(0, 1.2), r.normal(57.5, 1), r.normal(6, 1)} }

// thrownBack is the catcher's throw to the pitcher.
func (k *track) thrownBack(r source, t float64) {
	t += r.between(2.2, 3.2)
	k.throw(r, t, vec{r.normal(0.6, 0.6), r.normal(-0.8, 1.2), r.normal(6.1, 0.25)}, moundTarget(r),
		r.normal(40, 3))
}

// pickoff is a throw from the mound to a base.
func (k *track) pickoff(r source, base uint8) {
	to := vec{62, 62, 3}
	if base == onSecond {
		to = vec{0, 125, 3}
	}
	t := r.between(0.004, 0.04)
	k.throw(r, t, vec{r.normal(0, 0.5), 59, r.normal(5.5, 0.4)}, to, r.normal(72, 5))
}

// throw records a throw from one place to another at this speed along the ground and returns when it arrives.
func (k *track) throw(r source, t float64, from, to vec, mph float64) float64 {
	way := to.minus(from)
	ground := math.Sqrt(way.x*way.x + way.y*way.y)
	air := ground / (mph * fpsPerMPH)
	acc := drag(vec{way.x, way.y, 0}.times(mph / max(ground, 1))).plus(vec{z: -gravity + 2})
	vel := way.times(1 / (fpsPerMPH * air)).minus(acc.times(air / 2))
	end := k.arc(t, t+air, motion{from, vel}, acc)
	k.arrive(r, t+air, end, acc)
	return t + air
}

// arrive ends a throw: in the glove, which some records state twice.
func (k *track) arrive(r source, t float64, m motion, acc vec) {
	k.samples = append(k.samples, ballSample{time: seconds(t), motion: m, bare: true})
	switch x := r.Float64(); {
	case x < restatedEnd:
		k.add(t, m, acc)
	case x < restatedEnd+unorderedEnd:
		k.add(t-1e-7, m, acc)
	}
}
