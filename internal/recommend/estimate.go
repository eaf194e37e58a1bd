package recommend

import (
	"math"

	"github.com/pitchstream/pitchstream/schemas"
)

// estimate is a share with its variance; or an offset of log odds with its variance.
type estimate struct{ mean, variance float64 }

// difference returns a − b of two outcomes of the same pitches, of which a pitch has one at most.
func difference(a, b estimate) estimate {
	together := math.Sqrt(a.mean * b.mean / ((1 - a.mean) * (1 - b.mean))) // what one gains the other loses
	covariance := -together * math.Sqrt(a.variance*b.variance)
	return estimate{a.mean - b.mean, a.variance + b.variance - 2*covariance}
}

// straight returns an interval that may be below zero.
func (e estimate) straight() schemas.AdviceEstimate {
	off := normal * math.Sqrt(e.variance)
	return schemas.AdviceEstimate{
		Pct: rounded(e.mean), LowPct: rounded(max(e.mean-off, -1)), HighPct: rounded(min(e.mean+off, 1)),
	}
}

// share returns an interval within 0 and 100 %: it is symmetric in the log odds.
func (e estimate) share() schemas.AdviceEstimate {
	at, off := logit(e.mean), normal*math.Sqrt(e.variance)/slope(e.mean)
	return schemas.AdviceEstimate{
		Pct: rounded(e.mean), LowPct: rounded(expit(at - off)), HighPct: rounded(expit(at + off)),
	}
}

// least keeps shares away from 0 and 1, where log odds have no end.
const least = 1e-4

func logit(p float64) float64 { return math.Log(p / (1 - p)) }
func expit(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
func slope(p float64) float64 { return p * (1 - p) } // of a share by its log odds
func within(p float64) float64 {
	return max(least, min(p, 1-least))
}

// posterior draws y of n toward a share that is known with a variance, as strongly as strength pitches do.
func posterior(y, n float64, toward estimate, strength float64) estimate {
	all := strength + n
	mean := within((strength*toward.mean + y) / all)
	pull := strength / all
	return estimate{mean, slope(mean)/(all+1) + pull*pull*toward.variance}
}

// offset returns by how much the log odds of an estimate differ from those expected.
func (e estimate) offset(expected float64) estimate {
	s := slope(e.mean)
	return estimate{logit(e.mean) - logit(expected), e.variance / (s * s)}
}

// move moves a share by an offset of its log odds.
func (e estimate) move(by estimate) estimate {
	mean := within(expit(logit(e.mean) + by.mean))
	scale := slope(mean) / slope(e.mean)
	return estimate{mean, e.variance*scale*scale + by.variance*slope(mean)*slope(mean)}
}

// expected returns the share that the league would have on the pitches of some cells, moved by an offset.
func (f *prior) expected(k int, p *player, of func(cell) bool, by estimate) (estimate, tally) {
	var sum float64
	var t tally
	for _, c := range p.order {
		if !of(c) {
			continue
		}
		own := p.cells[c]
		t = t.plus(own)
		sum += own.n * expit(logit(f.leagueAt(k, c).mean)+by.mean)
	}
	if t.n == 0 {
		return estimate{}, t
	}
	mean := within(sum / t.n)
	return estimate{mean, by.variance * slope(mean) * slope(mean)}, t
}

// ofPlayer returns the offset of a player over all pitches but those of one type.
func (f *prior) ofPlayer(k, side int, p *player, but string) estimate {
	toward, t := f.expected(k, p, func(c cell) bool { return c.pitchType != but }, estimate{})
	if t.n == 0 {
		return f.unknown(k, f.strengths[k][side][ofPlayer])
	}
	return posterior(t.y[k], t.n, toward, f.strengths[k][side][ofPlayer]).offset(toward.mean)
}

// unknown is the offset of a player of whom nothing is known.
func (f *prior) unknown(k int, strength float64) estimate {
	mean := f.mean(k)
	return estimate{0, 1 / (slope(mean) * (strength + 1))}
}

// ofType returns the offset of a player's type, over all pitches of it but those of one cell.
func (f *prior) ofType(k, side int, p *player, pitchType string, but cell) estimate {
	player := f.ofPlayer(k, side, p, pitchType)
	of := func(c cell) bool { return c.pitchType == pitchType && c != but }
	toward, t := f.expected(k, p, of, player)
	strength := f.strengths[k][side][ofType]
	if t.n == 0 {
		more := f.unknown(k, strength)
		return estimate{player.mean, player.variance + more.variance}
	}
	league, _ := f.expected(k, p, of, estimate{})
	return posterior(t.y[k], t.n, toward, strength).offset(league.mean)
}

// pair estimates an outcome of a type and count, of a batter against a pitcher.
func (f *prior) pair(k int, b, p *player, at cell) estimate {
	league := f.leagueAt(k, at)
	toward := league.move(f.ofType(k, batters, b, at.pitchType, at))
	own := posterior(b.cells[at].y[k], b.cells[at].n, toward, f.strengths[k][batters][ofCell])
	return own.move(f.ofType(k, pitchers, p, at.pitchType, cell{}))
}
