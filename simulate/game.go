package simulate

import (
	"math/bits"
	"strconv"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// game is one game in progress. Before a pitch it has 0–3 balls, 0–2 strikes and 0–2 outs, as in the rules.
type game struct {
	number int // counted from 0
	day    int
	pk     []byte
	date   string
	venue  string
	typed  bool // pitch types are named
	teams  [2]*team
	rng    source
	stress source
	calls  *callBook
	s      *Simulator

	clock   schemas.TimeMS // of the next pitch
	inning  int            // 1 and up
	half    int            // 0: the visitors bat
	balls   int
	strikes int
	outs    int
	bases   uint8    // bit 0: a runner on first, bit 1: second, bit 2: third
	spot    [2]int   // next at bat
	line    [][2]int // runs by inning and team
	last    *pitch   // thrown, not yet played
	over    bool

	atBats int // that have ended
	thrown int // pitches of the present at-bat; pickoffs are none
}

const (
	onFirst  = 1 << 0
	onSecond = 1 << 1
	onThird  = 1 << 2

	regulation = 9
	// lastInning ends a game that is still tied, as a tie.
	lastInning = 20
)

// laneDelay is how much later each game of a day begins.
const laneDelay = 5 * time.Minute

func newGame(s *Simulator, number int) *game {
	lane, day := number%s.o.Parallel, number/s.o.Parallel
	start := s.o.Start.AddDate(0, 0, day).Add(time.Duration(lane) * laneDelay)
	g := &game{
		number: number, day: day, s: s,
		pk:    strconv.AppendInt(nil, s.o.FirstGamePK+int64(number), 10),
		date:  start.UTC().Format("2006-01-02"),
		typed: number%typedGames == 0,
		rng:   newSource(s.o.Seed, gameStream(number)), stress: newSource(s.o.Seed, stressStream(number)),
		clock:  schemas.TimeMSOf(start),
		inning: 1, line: [][2]int{{}},
	}
	if g.calls = leagueCalls; s.o.Core == 1 {
		g.calls = realCalls
	}
	g.teams[0], g.teams[1] = s.league.pair(lane, day)
	g.venue = g.teams[1].venue
	return g
}

func (g *game) batting() *team  { return g.teams[g.half] }
func (g *game) batter() player  { return g.batting().batters[g.spot[g.half]] }
func (g *game) pitcher() player { return g.teams[1-g.half].pitcher(g.day, g.inning) }

// call draws the result of the next pitch.
func (g *game) call() call {
	switch {
	case g.bases&onFirst != 0 && g.rng.chance(pickoffFirst),
		g.bases&(onFirst|onSecond) == onSecond && g.rng.chance(pickoffSecond):
		return pickoff
	}
	return call(pick(g.rng, g.calls.weights[g.strikes/2]))
}

// play counts the pitch that was thrown last and prepares the next.
func (g *game) play() {
	p := g.last.play
	g.line[g.inning-1][g.half] += p.runs
	g.bases, g.outs = p.bases, g.outs+p.outs
	g.clock += schemas.TimeMS(g.rng.between(betweenPitchesMS[0], betweenPitchesMS[1]))
	if g.balls, g.strikes = g.balls+p.balls, g.strikes+p.strikes; p.ends {
		g.balls, g.strikes = 0, 0
		g.spot[g.half] = (g.spot[g.half] + 1) % battersPerTeam
		g.clock += betweenBattersMS
		g.endAtBat()
	}
	if g.outs >= 3 || g.walkOff() {
		g.endHalf()
	}
}

// endAtBat begins the next at-bat, also where a runner's out ended the half inning.
func (g *game) endAtBat() {
	if g.thrown > 0 {
		g.atBats++
	}
	g.thrown = 0
}

// Game time: 20–25 s between pitches, more between batters and half innings.
var betweenPitchesMS = [2]float64{20_000, 25_000}

const (
	betweenBattersMS = 12_000
	betweenHalvesMS  = 130_000
)

// score returns the runs of both teams, visitors first.
func (g *game) score() (runs [2]int) {
	for _, inning := range g.line {
		runs[0] += inning[0]
		runs[1] += inning[1]
	}
	return runs
}

// walkOff reports whether the home team, batting last, leads.
func (g *game) walkOff() bool {
	runs := g.score()
	return g.inning >= regulation && g.half == 1 && runs[1] > runs[0]
}

func (g *game) endHalf() {
	g.endAtBat()
	runs := g.score()
	late := g.inning >= regulation
	switch {
	case late && g.half == 0 && runs[1] > runs[0], // the home team need not bat
		late && g.half == 1 && runs[0] != runs[1],
		g.half == 1 && g.inning == lastInning:
		g.over = true
		return
	case g.half == 0:
		g.half = 1
	default:
		g.half, g.inning = 0, g.inning+1
		g.line = append(g.line, [2]int{})
	}
	g.balls, g.strikes, g.outs, g.bases = 0, 0, 0, 0
	if g.inning > regulation {
		g.bases = onSecond // the rule of extra innings
	}
	g.clock += betweenHalvesMS
}

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

// bias returns by how many mph bats are measured too fast in a game.
func (g *game) bias() (mph float64) {
	for _, b := range g.s.o.Biases {
		if b.Venue == g.venue && b.From <= g.date {
			mph += b.MPH
		}
	}
	return mph
}
