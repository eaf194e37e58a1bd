package simulate

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// source is one sequence of random numbers. Each game has one for its play and another for its stream, so
// that neither other games nor the stress options change a game.
type source struct{ *rand.Rand }

// newSource returns sequence number stream of a seed. Sequences of one seed are independent.
func newSource(seed, stream uint64) source {
	return source{rand.New(rand.NewPCG(seed, (stream+1)*0x9e3779b97f4a7c15))}
}

func (r source) chance(p float64) bool           { return r.Float64() < p }
func (r source) between(lo, hi float64) float64  { return lo + (hi-lo)*r.Float64() }
func (r source) normal(mean, sd float64) float64 { return mean + sd*r.NormFloat64() }

// clipped draws a normal value, limited to [lo, hi].
func (r source) clipped(mean, sd, lo, hi float64) float64 {
	return min(max(r.normal(mean, sd), lo), hi)
}

// pick draws an index with these weights.
func pick[T int | float64](r source, weights []T) int {
	var sum T
	for _, w := range weights {
		sum += w
	}
	x := r.Float64() * float64(sum)
	for i, w := range weights {
		if x -= float64(w); x < 0 {
			return i
		}
	}
	return len(weights) - 1
}

// uuid draws a random (version 4) UUID.
func (r source) uuid() (id schemas.PitchID) {
	binary.BigEndian.PutUint64(id[:8], r.Uint64())
	binary.BigEndian.PutUint64(id[8:], r.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// quantiles are the values of a measured distribution at quantileLevels.
type quantiles [15]float64

var quantileLevels = quantiles{0, .02, .05, .1, .2, .3, .4, .5, .6, .7, .8, .9, .95, .98, 1}

// at returns the value at level u, interpolated linearly between the quantiles.
func (q *quantiles) at(u float64) float64 {
	i := 1
	for i < len(q)-1 && u > quantileLevels[i] {
		i++
	}
	f := (u - quantileLevels[i-1]) / (quantileLevels[i] - quantileLevels[i-1])
	return q[i-1] + f*(q[i]-q[i-1])
}

// level returns the share of a standard normal below z, as the argument of at, so that draws may be
// correlated.
func level(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }
