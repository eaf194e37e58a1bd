package recommend

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/pitchstream/pitchstream/schemas"
)

// The sides and the steps of which strengths are estimated.
const (
	batters = iota
	pitchers
	sides
)

const (
	ofPlayer = iota
	ofType
	ofCell
	steps
)

// mostUnits is how many players, types or cells a strength is estimated from: those with the most pitches.
const mostUnits = 1000

// League is what is known of all players. It is safe for use by several goroutines.
type League struct {
	zones map[schemas.AdviceZone]func() *prior
}

// NewLeague learns from the pitches of all players when it is first asked, zone by zone. Their order does not
// matter. The league keeps them.
func NewLeague(pitches []schemas.AdvicePitch) *League {
	l := &League{zones: map[schemas.AdviceZone]func() *prior{}}
	for _, zone := range []schemas.AdviceZone{schemas.ZoneAny, schemas.ZoneIn, schemas.ZoneOut} {
		l.zones[zone] = sync.OnceValue(func() *prior { return newPrior(pitches, zone) })
	}
	return l
}

// prior is what is known of all players in one zone.
type prior struct {
	all       *player
	league    [outcomes]map[cell]estimate
	strengths [outcomes][sides][steps]float64
}

func newPrior(pitches []schemas.AdvicePitch, zone schemas.AdviceZone) *prior {
	f, types := &prior{all: newPlayer()}, typesOf(pitches)
	var known [sides]map[int64]*player
	for side := range known {
		known[side] = map[int64]*player{}
	}
	for i := range pitches {
		at, t, ok := read(&pitches[i], zone)
		if !ok || !types[at.pitchType] {
			continue
		}
		f.all.add(at, t)
		for side, id := range [sides]int64{pitches[i].BatterID, pitches[i].PitcherID} {
			if id == 0 {
				continue
			}
			if known[side][id] == nil {
				known[side][id] = newPlayer()
			}
			known[side][id].add(at, t)
		}
	}
	f.all.finish()
	for k := range outcomes {
		f.learnLeague(k)
		for side := range known {
			f.learnSide(k, side, sorted(known[side]))
		}
	}
	return f
}

// sorted returns the players by id.
func sorted(known map[int64]*player) []*player {
	ids := make([]int64, 0, len(known))
	for id := range known {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return schemas.Map(ids, func(id int64) *player {
		known[id].finish()
		return known[id]
	})
}

// mean returns the share of all pitches.
func (f *prior) mean(k int) float64 {
	if f.all.all.n == 0 {
		return 0.5
	}
	return within(f.all.all.y[k] / f.all.all.n)
}

// learnLeague estimates each type and count.
func (f *prior) learnLeague(k int) {
	counts := map[cell]tally{}
	for _, c := range f.all.order {
		counts[cell{"", c.balls, c.strikes}] = counts[cell{"", c.balls, c.strikes}].plus(f.all.cells[c])
	}
	f.league[k] = map[cell]estimate{}
	var units []unit
	for _, c := range f.all.order {
		toward := f.additive(k, f.all.types[c.pitchType], counts[cell{"", c.balls, c.strikes}])
		units = append(units, unit{f.all.cells[c].y[k], f.all.cells[c].n, toward})
	}
	strength := strengthOf(units)
	for i, c := range f.all.order {
		u := units[i]
		f.league[k][c] = posterior(u.y, u.n, estimate{u.mean, 0}, strength)
	}
}

// additive returns what a type and a count say apart, as a sum of log odds.
func (f *prior) additive(k int, ofType, ofCount tally) float64 {
	all := logit(f.mean(k))
	share := func(t tally) float64 { return logit(within((t.y[k] + f.mean(k)) / (t.n + 1))) }
	return within(expit(share(ofType) + share(ofCount) - all))
}

// leagueAt returns the estimate of a type and count; of one that was never seen, that of all pitches.
func (f *prior) leagueAt(k int, at cell) estimate {
	if e, ok := f.league[k][at]; ok {
		return e
	}
	mean := f.mean(k)
	return estimate{mean, slope(mean) * slope(mean)}
}

// learnSide estimates how strongly the steps of a side shrink, the highest step first.
func (f *prior) learnSide(k, side int, known []*player) {
	strengths := &f.strengths[k][side]
	strengths[ofPlayer] = f.strengthAt(known, func(p *player) []candidate {
		return []candidate{{p, cell{}, p.all.n}}
	}, func(c candidate) unit {
		toward, t := f.expected(k, c.of, func(cell) bool { return true }, estimate{})
		return unit{t.y[k], t.n, toward.mean}
	})
	strengths[ofType] = f.strengthAt(known, func(p *player) (all []candidate) {
		for _, name := range p.sortedTypes() {
			all = append(all, candidate{p, cell{pitchType: name}, p.types[name].n})
		}
		return all
	}, func(c candidate) unit {
		by := f.ofPlayer(k, side, c.of, c.at.pitchType)
		toward, t := f.expected(k, c.of, func(o cell) bool { return o.pitchType == c.at.pitchType }, by)
		return unit{t.y[k], t.n, toward.mean}
	})
	if side == pitchers {
		return // a pitcher's counts are not kept apart
	}
	strengths[ofCell] = f.strengthAt(known, func(p *player) (all []candidate) {
		for _, at := range p.order {
			all = append(all, candidate{p, at, p.cells[at].n})
		}
		return all
	}, func(c candidate) unit {
		toward := f.league[k][c.at].move(f.ofType(k, side, c.of, c.at.pitchType, c.at))
		return unit{c.of.cells[c.at].y[k], c.n, toward.mean}
	})
}

// candidate is a player, a type or a cell of his, with its pitches.
type candidate struct {
	of *player
	at cell
	n  float64
}

// strengthAt estimates a strength from those candidates that have the most pitches.
func (f *prior) strengthAt(
	known []*player, of func(*player) []candidate, unitOf func(candidate) unit,
) float64 {
	var all []candidate
	for _, p := range known {
		all = append(all, of(p)...)
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.n, a.n) })
	return strengthOf(schemas.Map(all[:min(len(all), mostUnits)], unitOf))
}

// unit is y of n where mean was expected.
type unit struct{ y, n, mean float64 }

// Strengths are searched between these.
const (
	leastStrength = 5
	mostStrength  = 20_000
)

// strengthOf returns the strength of a beta-binomial under which the units are most likely.
func strengthOf(units []unit) float64 {
	likelihood := func(logStrength float64) (sum float64) {
		s := math.Exp(logStrength)
		for _, u := range units {
			sum += betaRatio(s*u.mean, u.y) + betaRatio(s*(1-u.mean), u.n-u.y) - betaRatio(s, u.n)
		}
		return sum
	}
	// A golden-section search: the likelihood has one peak in the logarithm.
	ratio := (math.Sqrt(5) - 1) / 2
	low, high := math.Log(leastStrength), math.Log(mostStrength)
	a, b := high-ratio*(high-low), low+ratio*(high-low)
	atA, atB := likelihood(a), likelihood(b)
	for high-low > 0.02 {
		if atA >= atB {
			high, b, atB = b, a, atA
			a = high - ratio*(high-low)
			atA = likelihood(a)
		} else {
			low, a, atA = a, b, atB
			b = low + ratio*(high-low)
			atB = likelihood(b)
		}
	}
	return math.Exp((low + high) / 2)
}

// betaRatio returns log Γ(a+n) − log Γ(a).
func betaRatio(a, n float64) float64 {
	above, _ := math.Lgamma(a + n)
	below, _ := math.Lgamma(a)
	return above - below
}
