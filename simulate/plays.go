package simulate

import (
	"math/bits"
)

// play is the outcome of a pitch: known when it is thrown, counted by game.play.
type play struct {
	balls, strikes, outs, runs int
	bases                      uint8 // after it
	ends                       bool  // the plate appearance
}

// decide returns the outcome of a call by the rules.
func (g *game) decide(c call, launchDeg, exitMPH float64) play {
	f, p := callTable[c], play{bases: g.bases}
	switch {
	case c == pickoff:
		if g.rng.chance(pickoffOutShare) {
			p.outs, p.bases = 1, g.bases&^g.pickedFrom()
		}
	case c == inPlay:
		g.decideInPlay(&p, launchDeg, exitMPH)
	case f.ball:
		p.balls = 1
		if c == hitByPitch || g.balls == 3 {
			p.ends = true
			p.bases, p.runs = walk(g.bases)
		}
	case c == foul && g.strikes == 2: // adds nothing
	default:
		p.strikes = 1
		if g.strikes == 2 {
			p.ends, p.outs = true, 1
		}
	}
	return p
}

// pickedFrom returns the base that a pickoff throws to: first if a runner is on it.
func (g *game) pickedFrom() uint8 {
	if g.bases&onFirst != 0 {
		return onFirst
	}
	return onSecond
}

// homeRunMPH and the angles below carry a ball about 390 feet and more.
const homeRunMPH, homeRunMinDeg, homeRunMaxDeg = 98, 22, 38

func (g *game) decideInPlay(p *play, launchDeg, exitMPH float64) {
	p.ends = true
	switch {
	case exitMPH >= homeRunMPH && launchDeg >= homeRunMinDeg && launchDeg <= homeRunMaxDeg && g.rng.chance(0.6):
		p.bases, p.runs = advance(g.bases, 4)
	case g.rng.chance(onBase(launchDeg)):
		p.bases, p.runs = advance(g.bases, 1+pick(g.rng, []float64{0.74, 0.23, 0.03}))
	case g.bases&onFirst != 0 && g.outs < 2 && launchDeg < 10 && g.rng.chance(doublePlayShare):
		p.outs, p.bases = 2, g.bases&^onFirst
	default:
		p.outs = 1
		if g.bases&onThird != 0 && g.outs < 2 && launchDeg >= 25 && g.rng.chance(0.5) { // a sacrifice fly
			p.bases, p.runs = g.bases&^onThird, 1
		}
	}
}

// walk puts the batter on first; runners move only when forced.
func walk(bases uint8) (after uint8, runs int) {
	switch {
	case bases&onFirst == 0:
		return bases | onFirst, 0
	case bases&onSecond == 0:
		return bases | onSecond, 0
	case bases&onThird == 0:
		return bases | onThird, 0
	}
	return bases, 1
}

// advance moves the batter and every runner by n bases.
func advance(bases uint8, n int) (after uint8, runs int) {
	moved := (uint(bases)<<1 | 1) << (n - 1) // bit 0 is now first base, bits 3 and up are home
	return uint8(moved & 7), bits.OnesCount(moved >> 3)
}
