package simulate

import (
	"math"

	"github.com/pitchstream/pitchstream/schemas"
)

// pitch is what the sensors and the scorer know of one pitch, before it is written down.
type pitch struct {
	at       schemas.TimeMS
	id       schemas.PitchID // zero on pickoffs, which have no eventId
	hitID    schemas.PitchID // of a measured batted ball, else zero
	ids      schemas.Identifiers
	batter   player
	call     call
	thrownTo uint8 // the base, of a pickoff
	play     play
	score    score

	typeName string // "" where it is not named
	measured bool   // there is a speed and a spin: not on pickoffs
	speedMPH float64
	spinRPM  int
	batted   batted
	hasSwing bool // a bat was tracked
	swing    swing
	flight   flight // of the pitch; only with core 2
	ball     track

	value []byte // the record
	tail  []byte // its samples: the end of value, which a correction keeps
}

// score is the state of the game before the pitch.
type score struct {
	runs                         [2]int
	line                         [][2]int
	inning, balls, strikes, outs int
}

// batted is what the ball did off the bat. It moves so even where no sensor saw it (tracked false).
type batted struct {
	tracked             bool
	exitMPH             float64
	spinRPM             int
	sprayDeg, launchDeg float64
}

// pitch throws the next pitch of the game and writes its record. The pitch is the game's: valid until the
// next one.
func (g *game) pitch() *pitch {
	p := g.throw()
	g.s.scratch.write(p)
	return p
}

// throw draws all there is to know of the next pitch.
func (g *game) throw() *pitch {
	c := g.call()
	p := &g.s.scratch.pitch
	*p = pitch{
		at: g.clock, call: c, batter: g.batter(), ball: track{samples: p.ball.samples[:0]},
		score: score{line: p.score.line[:0]},
	}
	p.ids = schemas.Identifiers{
		BatterID: schemas.Some(g.batter().id), PitcherID: schemas.Some(g.pitcher().id),
		TeamID: schemas.Some(g.batting().id),
	}
	p.score = score{
		runs: g.score(), line: append(p.score.line, g.line...), inning: g.inning,
		balls: g.balls, strikes: g.strikes, outs: g.outs,
	}
	if c != pickoff {
		p.id = g.rng.uuid()
		g.thrown++
	}
	if g.s.o.Core != 1 { // the records of core 1 keep their bytes
		g.nameAtBat(p)
	}
	g.measure(p)
	g.last = p
	return p
}

// nameAtBat adds what the game feed says beside the ids.
func (g *game) nameAtBat(p *pitch) {
	p.ids.AtBatNumber = schemas.Some(int16(g.atBats + 1))
	if p.call != pickoff {
		p.ids.PitchNumber = schemas.Some(int16(g.thrown))
	}
	p.ids.BatterSide, p.ids.PitcherHand = schemas.BatsRight, schemas.ThrowsRight
	if p.batter.left {
		p.ids.BatterSide = schemas.BatsLeft
	}
	if g.pitcher().left {
		p.ids.PitcherHand = schemas.ThrowsLeft
	}
}

// measure draws the pitch itself: its flight, the swing, the batted ball and what follows.
func (g *game) measure(p *pitch) {
	zBat := g.rng.NormFloat64()
	if own := g.s.o.BatterSpread; own > 0 {
		zBat = own*p.batter.strength + math.Sqrt(1-own*own)*zBat
	}
	if g.s.o.Core == 1 {
		g.measureFirst(p, zBat)
		return
	}
	g.measureLeague(p, zBat)
}

// measureFirst draws a pitch for core 1, in the order that keeps the bytes of earlier streams.
func (g *game) measureFirst(p *pitch, zBat float64) {
	r, f := g.rng, callTable[p.call]
	p.batted = g.drawBatted(p.call, zBat)
	p.batted.tracked = r.chance(f.hits)
	if p.batted.tracked {
		p.hitID = r.uuid()
	}
	p.play = g.decide(p.call, p.batted.launchDeg, p.batted.exitMPH)
	p.ball.begin(r)
	if p.call == pickoff {
		p.thrownTo = g.pickedFrom()
		p.ball.pickoff(r, p.thrownTo)
		return
	}
	flight := g.throwAt(p, drawTarget)
	p.hasSwing = r.chance(f.swings)
	if share := g.s.o.Untracked; share > 0 && g.stress.chance(share) {
		p.hasSwing = false
	}
	p.swing = drawSwing(r, p, flight, zBat, g.bias())
	p.follow(r, flight)
}

// measureLeague draws a pitch that is like the game at contact. The bat comes first, because what the ball
// does depends on it.
func (g *game) measureLeague(p *pitch, zBat float64) {
	r, f := g.rng, g.calls.figures[p.call]
	p.ball.begin(r)
	if p.call == pickoff {
		p.play, p.thrownTo = g.decide(p.call, 0, 0), g.pickedFrom()
		p.ball.pickoff(r, p.thrownTo)
		return
	}
	p.flight = g.throwAt(p, drawLeagueTarget)
	mph := drawMPH(p, zBat)
	plateMPH := p.flight.at(p.flight.timeAt(plateY)).vel.length()
	p.batted = g.drawLeagueBatted(p, zBat, mph, plateMPH)
	if p.batted.tracked = r.chance(f.hits); p.batted.tracked {
		p.hitID = r.uuid()
	}
	p.play = g.decide(p.call, p.batted.launchDeg, p.batted.exitMPH)
	p.hasSwing = r.chance(f.swings)
	if share := g.s.o.Untracked; share > 0 && g.stress.chance(share) {
		p.hasSwing = false
	}
	p.swing = g.drawLeagueSwing(p, p.flight, mph)
	p.follow(r, p.flight)
}

// throwAt throws the pitch where draw aims it, and measures its speed and spin.
func (g *game) throwAt(p *pitch, draw func(source, *pitch) (x, z float64)) flight {
	r := g.rng
	t := pitchTypes[pick(r, pitchTypeWeights)]
	if g.typed {
		p.typeName = t.name
	}
	x, z := draw(r, p)
	f := throwPitch(r, t, g.pitcher().left, x, z)
	p.speedMPH, p.spinRPM, p.measured = f.speedMPH(), drawSpin(r, t), true
	return f
}

// drawSpin is the spin as the sensors give it, in steps of 10 rpm.
func drawSpin(r source, t pitchType) int {
	if r.chance(misreadSpin) {
		return 10 * int(r.between(2, 150))
	}
	return 10 * int(r.clipped(t.rpm, t.rpmSD, 1000, 3400)/10)
}

// drawBatted draws a batted ball that agrees with the bat's speed (zBat, a standard normal).
func (g *game) drawBatted(c call, zBat float64) (b batted) {
	r := g.rng
	launch, exit := &inPlayLaunchDeg, &inPlayExitMPH
	if c != inPlay {
		launch, exit = &foulLaunchDeg, &foulExitMPH
	}
	zLaunch := r.NormFloat64()
	b.launchDeg = launch.at(level(zLaunch))
	// |z − 0.33| has mean 0.84 and deviation 0.62; 0.33 is the level of a line drive (15°).
	solid := (0.84 - math.Abs(zLaunch-0.33)) / 0.62
	rest := math.Sqrt(1 - exitOfBat*exitOfBat - exitOfLaunch*exitOfLaunch)
	b.exitMPH = exit.at(level(exitOfBat*zBat + exitOfLaunch*solid + rest*r.NormFloat64()))
	// A line drive hardly spins; what is cut under or topped does (medians 1,160 rpm at 10–25°, 4,285 above
	// 45°).
	b.spinRPM = 10 * int(min(85*math.Abs(b.launchDeg-14)+math.Abs(r.normal(0, 900)), 7980)/10)
	if c == inPlay {
		b.sprayDeg = inPlaySprayDeg.at(r.Float64())
	} else if b.sprayDeg = foulSprayDeg.at(r.Float64()); r.chance(0.5) {
		b.sprayDeg = -b.sprayDeg
	}
	return b
}

// drawTarget draws where the pitch crosses the plate: x and z in feet.
func drawTarget(r source, p *pitch) (x, z float64) {
	// The batter's side of the plate is left (negative) for one who bats right.
	side := -1.0
	if p.batter.left {
		side = 1
	}
	switch p.call {
	case ballInDirt, blocked:
		return r.normal(0, 0.9), r.between(-0.6, 0.3)
	case hitByPitch:
		return side * r.between(1.6, 2.4), r.between(1, 5)
	case pitchout:
		return -side * r.between(2.5, 3.5), r.normal(4, 0.5)
	case calledBall:
		for {
			if x, z = r.normal(0, 1.1), r.normal(2.4, 1.1); math.Abs(x) > 0.83 || z < 1.5 || z > 3.5 {
				return x, max(z, 0.4)
			}
		}
	}
	return r.clipped(0, 0.5, -1.2, 1.2), r.clipped(2.5, 0.55, 1.2, 3.9)
}

// follow records the ball: the pitch, then what came of it.
func (p *pitch) follow(r source, f flight) {
	end := f.timeAt(plateY)
	hit := p.batted.tracked || p.call == inPlay || p.call == foul
	if hit {
		end = p.swing.contactAt
	}
	p.ball.pitch(r, f, end)
	switch {
	case p.batted.tracked:
		p.ball.batted(r, end, p.swing.contact, p.batted, p.call)
	case hit: // not seen again
	case p.call == ballInDirt && r.chance(0.5): // passed the catcher
	default:
		if r.chance(thrownBackSample) {
			p.ball.thrownBack(r, end)
		}
	}
}
