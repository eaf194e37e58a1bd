// Package recommend ranks the types that a pitcher throws, against a batter in a count. Its functions are
// pure.
//
// A type is good if it brings called strikes and whiffs, and bad if it is hit hard. Both shares are estimated
// by empirical Bayes, because a batter sees few pitches of one type in one count:
//
//	league   type × count         shrunk to what its type and its count say apart
//	batter   all his pitches      shrunk to what the league makes of the same pitches
//	type     of the batter        shrunk to the batter
//	cell     type × count of him  shrunk to his type
//	pitcher  type                 shrunk to the pitcher, and he to the league; moves the cell's odds
//
// Each step is a beta-binomial. How strongly it shrinks is estimated from all players, by maximum likelihood.
// A step never sees the pitches of the step below it, so no pitch counts twice in an interval.
//
//	recommend.go   pitches → counts → ranked types
//	estimate.go    one player's estimates
//	strength.go    how strongly a step shrinks
package recommend

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// Below these a type is not ranked: pitches of the type to the batter, of the pitcher, and of all in the
// count.
const (
	LeastOfBatter  = 20
	LeastOfPitcher = 20
	LeastOfLeague  = 100
)

const (
	// normal is the standard normal quantile of an interval that holds the truth nine times of ten.
	normal = 1.645
	// mixPitches is how many pitches in all counts weigh as much as those of the count, for a pitcher's mix.
	mixPitches = 10
)

// The two outcomes that are estimated.
const (
	strike = iota
	hard
	outcomes
)

// tally counts pitches and their outcomes.
type tally struct {
	n float64
	y [outcomes]float64
}

func (t tally) plus(o tally) tally {
	t.n += o.n
	for k := range t.y {
		t.y[k] += o.y[k]
	}
	return t
}

// cell is a type in a count.
type cell struct {
	pitchType      string
	balls, strikes int16
}

func (c cell) compare(o cell) int {
	return cmp.Or(cmp.Compare(c.pitchType, o.pitchType), cmp.Compare(c.balls, o.balls),
		cmp.Compare(c.strikes, o.strikes))
}

// player counts the pitches of a batter or of a pitcher.
type player struct {
	all   tally
	types map[string]tally
	cells map[cell]tally
	order []cell // the cells, sorted, after finish
}

func newPlayer() *player {
	return &player{types: map[string]tally{}, cells: map[cell]tally{}}
}

func (p *player) add(at cell, t tally) {
	p.all = p.all.plus(t)
	p.types[at.pitchType] = p.types[at.pitchType].plus(t)
	p.cells[at] = p.cells[at].plus(t)
}

// finish sorts the cells, so that sums do not depend on the order of the pitches.
func (p *player) finish() {
	p.order = make([]cell, 0, len(p.cells))
	for c := range p.cells {
		p.order = append(p.order, c)
	}
	slices.SortFunc(p.order, cell.compare)
}

func (p *player) sortedTypes() []string {
	all := make([]string, 0, len(p.types))
	for t := range p.types {
		all = append(all, t)
	}
	slices.Sort(all)
	return all
}

// mostTypes bounds the types that are kept apart: those with the most pitches.
const mostTypes = 64

// typesOf returns the types with the most pitches.
func typesOf(pitches []schemas.AdvicePitch) map[string]bool {
	counts := map[string]int{}
	for i := range pitches {
		counts[pitches[i].PitchType]++
	}
	delete(counts, "")
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	known := map[string]bool{}
	// guard: recommend: types are bounded | min(len(names), mostTypes) -> len(names)
	for _, name := range names[:min(len(names), mostTypes)] {
		known[name] = true
	}
	return known
}

// count counts the pitches that are in the zone.
func count(pitches []schemas.AdvicePitch, zone schemas.AdviceZone) *player {
	p, known := newPlayer(), typesOf(pitches)
	for i := range pitches {
		if at, t, ok := read(&pitches[i], zone); ok && known[at.pitchType] {
			p.add(at, t)
		}
	}
	p.finish()
	return p
}

// read returns the cell and the outcome of a pitch, if it is in the zone.
func read(p *schemas.AdvicePitch, zone schemas.AdviceZone) (at cell, t tally, ok bool) {
	isIn := zone == schemas.ZoneAny || p.InZone.Present && p.InZone.Value == (zone == schemas.ZoneIn)
	if !isIn {
		return at, t, false
	}
	t.n = 1
	switch p.Outcome {
	case schemas.OutcomeStrike:
		t.y[strike] = 1
	case schemas.OutcomeHard:
		t.y[hard] = 1
	case schemas.OutcomeOther:
	}
	return cell{p.PitchType, p.Balls, p.Strikes}, t, true
}

// Rank ranks the types of a pitcher against a batter. The pitches are those of each of the two.
func (l *League) Rank(batter, pitcher []schemas.AdvicePitch, q schemas.AdviceQuery) schemas.Advice {
	prior := l.zones[q.Zone]()
	b, p := count(batter, q.Zone), count(pitcher, q.Zone)
	a := schemas.Advice{
		Choices: []schemas.AdviceChoice{}, LeaguePitches: int64(prior.all.all.n),
		BatterPitches: int64(b.all.n), PitcherPitches: int64(p.all.n),
	}
	for _, pitches := range [][]schemas.AdvicePitch{batter, pitcher} {
		for i := range pitches {
			a.AsOf = schemas.Some(max(a.AsOf.Value, pitches[i].EventTime))
			a.ProcessedAt = schemas.Some(max(a.ProcessedAt.Value, pitches[i].ProcessedAt))
		}
	}
	var all []choice
	for _, t := range p.sortedTypes() {
		all = append(all, prior.choose(b, p, cell{t, q.Balls, q.Strikes}))
	}
	slices.SortStableFunc(all, func(a, b choice) int {
		if a.answer.IsEnough != b.answer.IsEnough {
			return map[bool]int{true: -1, false: 1}[a.answer.IsEnough]
		}
		return cmp.Compare(b.advantage.mean, a.advantage.mean)
	})
	conclude(&a, all)
	return a
}

// choice is a type with its estimates as shares, not yet in percent.
type choice struct {
	answer    schemas.AdviceChoice
	advantage estimate
	share     float64
}

// choose estimates one type of a pitcher.
func (f *prior) choose(b, p *player, at cell) choice {
	c := schemas.AdviceChoice{
		PitchType: at.pitchType, BatterPitches: int64(b.cells[at].n), BatterType: int64(b.types[at.pitchType].n),
		PitcherType: int64(p.types[at.pitchType].n), LeaguePitches: int64(f.all.cells[at].n),
	}
	switch {
	// guard: recommend: a type that the batter hardly saw is not recommended
	case c.BatterType < LeastOfBatter:
		c.Why = tooFew("to the batter", c.BatterType, LeastOfBatter)
	// guard: recommend: a type that the pitcher hardly throws is not recommended
	case c.PitcherType < LeastOfPitcher:
		c.Why = tooFew("of the pitcher", c.PitcherType, LeastOfPitcher)
	case c.LeaguePitches < LeastOfLeague:
		c.Why = tooFew("of all players in this count", c.LeaguePitches, LeastOfLeague)
	default:
		c.IsEnough = true
	}
	of := [outcomes]estimate{f.pair(strike, b, p, at), f.pair(hard, b, p, at)}
	advantage, share := difference(of[strike], of[hard]), shareIn(p, at)
	c.Strike, c.HardContact, c.Advantage = of[strike].share(), of[hard].share(), advantage.straight()
	c.SharePct = rounded(share)
	return choice{c, advantage, share}
}

func tooFew(of string, n, least int64) string {
	return fmt.Sprintf("not enough data: %d pitches of this type %s, %d are needed", n, of, least)
}

// shareIn returns how often a pitcher throws a type in a count, drawn toward how often he throws it at all.
func shareIn(p *player, at cell) float64 {
	inCount := 0.0
	for c, t := range p.cells {
		if c.balls == at.balls && c.strikes == at.strikes {
			inCount += t.n // whole numbers: in any order the sum is the same
		}
	}
	always := p.types[at.pitchType].n / p.all.n
	return (p.cells[at].n + mixPitches*always) / (inCount + mixPitches)
}

// conclude ranks the choices, which are in their order, and compares the first with the pitcher's own mix.
func conclude(a *schemas.Advice, all []choice) {
	var mix estimate
	var shares float64
	for i := range all {
		if c := &all[i]; c.answer.IsEnough {
			c.answer.Rank = schemas.Some(int64(i + 1))
			shares += c.share
			mix.mean += c.share * c.advantage.mean
			mix.variance += c.share * c.share * c.advantage.variance
		}
		a.Choices = append(a.Choices, all[i].answer)
	}
	switch {
	case shares > 0:
		a.IsEnough = true
		mix.mean, mix.variance = mix.mean/shares, mix.variance/(shares*shares)
		a.OwnMix = mix.straight()
		a.GainPoints = schemas.Some(rounded(all[0].advantage.mean - mix.mean))
	case len(all) == 0:
		a.Why = "not enough data: no pitch of this pitcher with a known type and count"
	default:
		a.Why = "not enough data: see each type"
	}
}

// rounded returns a share in percent, to two decimals.
func rounded(share float64) float64 { return math.Round(share*1e4) / 100 }
