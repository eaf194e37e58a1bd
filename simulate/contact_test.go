package simulate

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// leagueSwings shows the tracked swings of core 2, with the path as the bat moved.
func leagueSwings(t *testing.T, seed uint64, n int, look func(p *pitch, path *turnPath, c *cameras)) {
	t.Helper()
	pitches(t, Options{Seed: seed, Pitches: n}, func(_ *game, p *pitch) {
		if c, tracked := p.swing.path.(*cameras); tracked && p.hasSwing {
			look(p, c.motion, c)
		}
	})
}

func spotAt(b batMotion, t float64) vec {
	head, handle := b.at(t)
	return head.toward(handle, sweetSpot/batLength)
}

// spotVelocity is the velocity of the sweet spot by two places a little before t and after it, mph.
func spotVelocity(b batMotion, t float64) vec {
	const h = 1e-5
	return spotAt(b, t+h).minus(spotAt(b, t-h)).times(1 / (2 * h * fpsPerMPH))
}

func TestABatHasAtContactTheMotionThatWasDrawn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newSource(rapid.Uint64().Draw(rt, "seed"), 0)
		m := meeting{
			left: r.chance(0.5), mph: r.between(20, 95), tilt: radians(r.between(15, 50)),
			pull: radians(r.between(-50, 50)), fromHeadIn: r.between(1, 15), missIn: r.between(2, 12),
			under: r.between(-1, 1),
		}
		m.attack = m.tilt * r.between(-0.8, 0.8)
		ball := vec{r.normal(0, 1), r.normal(1.5, 0.6), r.normal(2.5, 1)}
		path := newTurnPath(r, &m, ball)
		v := spotVelocity(path, 0)
		assert.InDelta(rt, m.mph, v.length(), 1e-4)
		assert.InDelta(rt, m.attack, math.Atan2(v.z, math.Hypot(v.x, v.y)), 1e-6)
		toRight := m.pull
		if !m.left {
			toRight = -m.pull
		}
		assert.InDelta(rt, toRight, math.Atan2(v.x, v.y), 1e-6)

		head, handle := path.at(0)
		bat, off := handle.minus(head).times(1/batLength), ball.minus(head)
		along := off.x*bat.x + off.y*bat.y + off.z*bat.z
		assert.InDelta(rt, m.fromHeadIn, 12*along, 1e-9)
		assert.InDelta(rt, m.missIn, 12*off.minus(bat.times(along)).length(), 1e-9)
		// The head stays in the plane of the swing for the last 40 ms.
		normal := path.down.cross(path.level)
		normal.x *= path.mirror
		assert.InDelta(rt, math.Cos(m.tilt), math.Abs(normal.z), 1e-12)
		for at := -0.04; at < 0; at += 0.002 {
			then, _ := path.at(at)
			way := then.minus(head)
			assert.InDelta(rt, 0, way.x*normal.x+way.y*normal.y+way.z*normal.z, 1e-9)
		}
	})
}

func TestTheWayOfASwingIsThatOfItsHead(t *testing.T) {
	leagueSwings(t, 61, 200, func(p *pitch, path *turnPath, _ *cameras) {
		m := &p.swing.meeting
		if p.swing.meeting.mph < 50 {
			return
		}
		const step = 1e-4
		start, length := 0.0, 0.0
		for at := 0.0; ; at -= step {
			a, _ := path.at(at)
			b, _ := path.at(at - step)
			tenBefore, _ := path.at(at - 0.01)
			if a.minus(tenBefore).length() < 30*fpsPerMPH*0.01 {
				start = at
				break
			}
			length += a.minus(b).length()
		}
		require.InDelta(t, -start, m.timeS, 2e-4)
		require.InDelta(t, length, m.lengthFT, 0.02)
	})
}

func TestTracksHaveTheFaultsOfRealOnes(t *testing.T) {
	var swings, late, impossible, lost int
	leagueSwings(t, 62, 3000, func(p *pitch, path *turnPath, c *cameras) {
		swings++
		_, before := c.at(-0.001)
		_, at := c.at(0)
		handleMPH := at.minus(before).length() / 0.001 / fpsPerMPH
		truth, tracked := spotVelocity(path, -1e-4), spotVelocity(c, -1e-4)
		off := tracked.length() - truth.length()
		switch p.fault() {
		case FaultLost:
			lost++
			return
		case FaultImpossible:
			impossible++
			require.Greater(t, handleMPH, 70.0)
			return
		case FaultLate:
			late++
			require.True(t, math.Abs(off) > 3 && math.Abs(off) < 22, "%v mph", off)
		default:
			require.InDelta(t, 0, off, 2, "mph")
		}
		early := spotAt(c, -0.02).minus(spotAt(path, -0.02)).length()
		require.Less(t, 12*early, 0.12, "inches off, 20 ms before contact")
		if p.batted.tracked && p.fault() == "" {
			lost := tracked.length() - spotVelocity(c, 0.001).length()
			require.Greater(t, lost/tracked.length(), 0.2, "a bat that meets a ball is slower")
		}
	})
	share := func(n int) float64 { return float64(n) / float64(swings) }
	assert.InDelta(t, lateShare, share(late), 0.03)
	assert.InDelta(t, impossibleShare, share(impossible), 0.008)
	assert.InDelta(t, 0.015, share(lost), 0.01)
}

// A clean track, other rates and biased cameras change what is seen of a swing, not the swing.
func TestCamerasChangeNoSwing(t *testing.T) {
	truths := func(o Options) (speeds []float64, samples int) {
		o.Seed, o.Pitches = 63, 150
		pitches(t, o, func(_ *game, p *pitch) {
			if p.call != pickoff {
				speeds = append(speeds, p.swing.meeting.mph, p.swing.meeting.attack, p.swing.contactAt)
				samples += p.swing.samples
			}
		})
		return speeds, samples
	}
	want, samples := truths(Options{})
	var biases []Bias
	for _, v := range Venues() {
		biases = append(biases, Bias{Venue: v, MPH: 4})
	}
	for name, o := range map[string]Options{
		"clean": {Clean: true}, "rate": {BatRate: 150}, "bias": {Biases: biases},
	} {
		got, n := truths(o)
		require.Equal(t, want, got, name)
		if o.BatRate > 0 {
			assert.InDelta(t, samples/2, n, float64(samples)/100)
		}
	}
}
