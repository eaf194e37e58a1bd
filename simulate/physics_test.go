package simulate

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// pitches throws the pitches and shows each before the next one takes its memory.
func pitches(t testing.TB, o Options, look func(g *game, p *pitch)) {
	t.Helper()
	s, err := New(o)
	require.NoError(t, err)
	for range o.Pitches {
		g := s.nextGame()
		look(g, g.throw())
		g.play()
	}
}

func TestABatKeepsItsLength(t *testing.T) {
	for _, core := range []int{1, 2} {
		swings := 0
		pitches(t, Options{Seed: 4, Pitches: 400, Core: core}, func(_ *game, p *pitch) {
			if !p.hasSwing {
				return
			}
			swings++
			for s := range p.swing.seen(true) {
				length := s.head.minus(s.handle).length()
				switch {
				case p.swing.lost:
					require.Zero(t, length)
				case core == 1 || s.event == "" || s.event == "First" || s.event == "Last":
					require.InDelta(t, batLength, length, 1e-12)
				default: // between two tracks
					require.InDelta(t, batLength, length, 0.5)
				}
			}
		})
		assert.Greater(t, swings, 100)
	}
}

func TestABatMovesWithoutJumps(t *testing.T) {
	pitches(t, Options{Seed: 5, Pitches: 150, Core: 1}, func(_ *game, p *pitch) {
		if p.call == pickoff {
			return
		}
		top := 0.0
		for at := -0.8; at < 0.4; at += 0.001 {
			head, handle := p.swing.path.at(at)
			next, nextHandle := p.swing.path.at(at + 0.001)
			top = max(top, next.minus(head).length()/0.001)
			require.Less(t, nextHandle.minus(handle).length()/0.001, 90.0, "hands, ft/s")
		}
		require.InDelta(t, p.swing.headFPS, top, 0.15*p.swing.headFPS+25, "head, ft/s") // hands that move add to it
	})
}

// A bat meets the ball: the hit lies on it, but for a miss of inches.
func TestTheBarrelIsAtTheBall(t *testing.T) {
	pitches(t, Options{Seed: 6, Pitches: 400, Core: 1}, func(_ *game, p *pitch) {
		if p.call != inPlay && p.call != foul {
			return
		}
		head, handle := p.swing.path.at(0)
		along := head.minus(handle).times(1 / batLength)
		off := p.swing.contact.minus(handle)
		reach := off.x*along.x + off.y*along.y + off.z*along.z
		assert.InDelta(t, 0.78*batLength, reach, 1.4, "from the hands, ft")
		assert.Less(t, off.minus(along.times(reach)).length(), 0.5, "beside the bat, ft")
	})
}

func TestSwingSamplesStandAsInTheRecords(t *testing.T) {
	pitches(t, Options{Seed: 7, Pitches: 300}, func(_ *game, p *pitch) {
		if !p.hasSwing {
			return
		}
		var all []batSample
		for s := range p.swing.seen(true) {
			all = append(all, s)
		}
		require.Len(t, all, p.swing.samples)
		for i := 1; i < len(all); i++ {
			dt := all[i].time - all[i-1].time
			switch {
			case all[i-1].event == "Hit" && p.swing.lost:
				require.Equal(t, 1, i)
				require.Equal(t, batSample{time: all[0].time, event: "Hit"}, all[0])
				require.InDelta(t, 2.2, dt, 0.08)
				require.InDelta(t, -2.6, all[0].time, 0.3)
			case all[i].event == "Hit" || all[i-1].event == "Hit":
				require.True(t, dt > 0.00004 && dt < 0.0033, "%v s beside the Hit", dt)
			default:
				require.InDelta(t, batFrame, dt, 2e-7)
			}
		}
		assert.Equal(t, "Last", all[len(all)-1].event)
	})
}

// Under a constant acceleration the samples lie on one parabola, which has a closed form.
func TestAPitchIsAParabolaThroughItsTarget(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newSource(rapid.Uint64().Draw(rt, "seed"), 0)
		kind := pitchTypes[r.IntN(len(pitchTypes))]
		x, z := r.normal(0, 1), r.between(0, 5)
		f := throwPitch(r, kind, r.chance(0.5), x, z)
		at := f.at(f.timeAt(plateY))
		assert.InDelta(rt, x, at.pos.x, 1e-9)
		assert.InDelta(rt, plateY, at.pos.y, 1e-9)
		assert.InDelta(rt, z, at.pos.z, 1e-9)
		assert.InDelta(rt, kind.mph, f.speedMPH(), 5*kind.mphSD+1)
		assert.Less(rt, at.vel.length(), f.speedMPH(), "air slows it")
	})
}

// Without air a batted ball would fly v²·sin(2a)/g; with it about six tenths of that at 100 mph and 28°.
func TestABattedBallFliesAsFarAsReal(t *testing.T) {
	b := batted{exitMPH: 100, launchDeg: 28, spinRPM: 2200}
	sin, cos := math.Sincos(radians(b.launchDeg))
	s := newSpinning(b)
	m := motion{vec{0, 2, 3}, vec{0, b.exitMPH * cos, b.exitMPH * sin}}
	seconds := 0.0
	for ; m.pos.z > groundZ; seconds += 0.01 {
		m = s.step(m, 0.01)
	}
	assert.InDelta(t, 390, m.pos.y, 25, "ft")
	assert.InDelta(t, 5, seconds, 0.7, "s")
}

func TestStepsOfAFlightConverge(t *testing.T) {
	s := newSpinning(batted{exitMPH: 95, launchDeg: 25, sprayDeg: 20, spinRPM: 2500})
	coarse := motion{vec{0, 2, 3}, vec{30, 80, 40}}
	fine := coarse
	for range 90 {
		coarse = s.step(coarse, frame)
		for range 20 {
			fine = s.step(fine, frame/20)
		}
	}
	assert.Less(t, coarse.pos.minus(fine.pos).length(), 0.05, "ft after three seconds")
}

func TestBallTimesRiseButForTheFaults(t *testing.T) {
	doubled := 0
	pitches(t, Options{Seed: 8, Pitches: 500}, func(_ *game, p *pitch) {
		samples := p.ball.samples
		require.NotEmpty(t, samples)
		require.Less(t, len(samples), 600)
		for i := 1; i < len(samples); i++ {
			require.Greater(t, samples[i].time, samples[i-1].time-2e-7)
			require.Greater(t, samples[i].pos.z, -2.0, "not far under the ground")
		}
		doubled += p.ball.duplicates()
	})
	assert.Greater(t, doubled, 500, "every release stands at least twice")
}
