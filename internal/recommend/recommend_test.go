package recommend

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// league is a simulated one whose truth is known: each share is a sum of log odds.
type league struct {
	rng      *rand.Rand
	types    []string
	base     [outcomes]map[cell]float64
	batters  [outcomes]map[int64]map[cell]float64
	pitchers [outcomes]map[int64]map[string]float64
	mixes    map[int64][]float64
	pitches  []schemas.AdvicePitch
}

var typeNames = []string{"FourSeamFastball", "Slider", "Curveball", "Changeup", "Sinker", "Cutter"}

func newSimulated(seed uint64, batters, pitchers, games int) *league {
	l := &league{rng: rand.New(rand.NewPCG(seed, 1)), types: typeNames, mixes: map[int64][]float64{}}
	ratings := [outcomes]float64{0.30, 0.07}
	deviations := [outcomes][3]float64{{0.25, 0.25, 0.15}, {0.35, 0.3, 0.15}} // batter, his type, his cell
	ofPitcher := [outcomes][2]float64{{0.2, 0.25}, {0.15, 0.2}}               // pitcher, his type
	for k := range outcomes {
		l.base[k], l.batters[k] = map[cell]float64{}, map[int64]map[cell]float64{}
		l.pitchers[k] = map[int64]map[string]float64{}
		for _, t := range l.types {
			ofType := l.rng.NormFloat64() * 0.2
			for c := range 12 {
				at := cell{t, int16(c / 3), int16(c % 3)}
				l.base[k][at] = logit(ratings[k]) + ofType + 0.1*float64(c%3) + 0.1*l.rng.NormFloat64()
			}
		}
		for b := range int64(batters) {
			l.batters[k][b+1] = map[cell]float64{}
			own := l.rng.NormFloat64() * deviations[k][0]
			for _, t := range l.types {
				ofType := own + l.rng.NormFloat64()*deviations[k][1]
				for c := range 12 {
					at := cell{t, int16(c / 3), int16(c % 3)}
					l.batters[k][b+1][at] = ofType + l.rng.NormFloat64()*deviations[k][2]
				}
			}
		}
		for p := range int64(pitchers) {
			l.pitchers[k][p+1] = map[string]float64{}
			own := l.rng.NormFloat64() * ofPitcher[k][0]
			for _, t := range l.types {
				l.pitchers[k][p+1][t] = own + l.rng.NormFloat64()*ofPitcher[k][1]
			}
		}
	}
	for p := range int64(pitchers) {
		mix := make([]float64, len(l.types))
		for i := range mix {
			mix[i] = max(0, l.rng.ExpFloat64()-0.2)
		}
		mix[0] += 1
		l.mixes[p+1] = mix
	}
	for range games {
		b, p := l.rng.Int64N(int64(batters))+1, l.rng.Int64N(int64(pitchers))+1
		l.atBat(b, p)
	}
	return l
}

func (l *league) truth(k int, b, p int64, at cell) float64 {
	return expit(l.base[k][at] + l.batters[k][b][at] + l.pitchers[k][p][at.pitchType])
}

func (l *league) advantage(b, p int64, at cell) float64 {
	return l.truth(strike, b, p, at) - l.truth(hard, b, p, at)
}

// atBat throws some pitches of random counts.
func (l *league) atBat(b, p int64) {
	for range 4 {
		at := cell{l.pick(p), int16(l.rng.IntN(4)), int16(l.rng.IntN(3))}
		pitch := schemas.AdvicePitch{
			BatterID: b, PitcherID: p, PitchType: at.pitchType, Balls: at.balls, Strikes: at.strikes,
			InZone: schemas.Some(l.rng.IntN(2) == 0), EventTime: schemas.TimeMS(len(l.pitches) + 1),
		}
		switch u := l.rng.Float64(); {
		case u < l.truth(strike, b, p, at):
			pitch.Outcome = schemas.OutcomeStrike
		case u < l.truth(strike, b, p, at)+l.truth(hard, b, p, at):
			pitch.Outcome = schemas.OutcomeHard
		}
		l.pitches = append(l.pitches, pitch)
	}
}

func (l *league) pick(p int64) string {
	sum := 0.0
	for _, w := range l.mixes[p] {
		sum += w
	}
	u := l.rng.Float64() * sum
	for i, w := range l.mixes[p] {
		if u -= w; u < 0 {
			return l.types[i]
		}
	}
	return l.types[0]
}

func of(pitches []schemas.AdvicePitch, isHis func(*schemas.AdvicePitch) bool) (own []schemas.AdvicePitch) {
	for i := range pitches {
		if isHis(&pitches[i]) {
			own = append(own, pitches[i])
		}
	}
	return own
}

func batterIs(id int64) func(*schemas.AdvicePitch) bool {
	return func(p *schemas.AdvicePitch) bool { return p.BatterID == id }
}

func pitcherIs(id int64) func(*schemas.AdvicePitch) bool {
	return func(p *schemas.AdvicePitch) bool { return p.PitcherID == id }
}

// On 200 pairs of each of three leagues the intervals hold the truth in 85 to 97 %, and following the first
// recommendation beats the pitcher's own mix.
func TestRecommendationsHoldInSimulatedLeagues(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			l := newSimulated(100+seed, 200, 120, 25_000)
			start := time.Now()
			known := NewLeague(l.pitches)
			t.Logf("strengths %.0f", known.zones[schemas.ZoneAny]().strengths)
			t.Logf("learned from %d pitches in %v", len(l.pitches), time.Since(start))
			var held [3]int
			var all, better, pairs int
			var gain, promised, best float64
			for range 200 {
				b, p := l.rng.Int64N(200)+1, l.rng.Int64N(120)+1
				q := schemas.AdviceQuery{
					BatterID: b, PitcherID: p, Balls: int16(l.rng.IntN(4)), Strikes: int16(l.rng.IntN(3)),
					Zone: schemas.ZoneAny,
				}
				a := known.Rank(of(l.pitches, batterIs(b)), of(l.pitches, pitcherIs(p)), q)
				var own, shares float64
				top := -1.0
				for _, c := range a.Choices {
					if !c.IsEnough {
						continue
					}
					at := cell{c.PitchType, q.Balls, q.Strikes}
					all++
					for i, e := range []struct {
						truth float64
						e     schemas.AdviceEstimate
					}{
						{l.truth(strike, b, p, at), c.Strike}, {l.truth(hard, b, p, at), c.HardContact},
						{l.advantage(b, p, at), c.Advantage},
					} {
						if e.truth*100 >= e.e.LowPct && e.truth*100 <= e.e.HighPct {
							held[i]++
						}
					}
					weight := l.mixes[p][slices.Index(l.types, c.PitchType)]
					own, shares = own+weight*l.advantage(b, p, at), shares+weight
					top = max(top, l.advantage(b, p, at))
				}
				if !a.IsEnough {
					continue
				}
				pairs++
				first := l.advantage(b, p, cell{a.Choices[0].PitchType, q.Balls, q.Strikes})
				gain, promised, best = gain+first-own/shares, promised+a.GainPoints.Value/100, best+top-own/shares
				if first >= own/shares {
					better++
				}
			}
			require.Greater(t, pairs, 190)
			for i, what := range []string{"strike", "hard contact", "advantage"} {
				share := float64(held[i]) / float64(all)
				t.Logf("%s: %.1f %% of %d intervals hold the truth", what, 100*share, all)
				require.True(t, share >= 0.85 && share <= 0.97, "%s: %v", what, share)
			}
			t.Logf("the first beats the mix in %d of %d pairs, by %.1f points on average (best possible %.1f, promised %.1f)",
				better, pairs, 100*gain/float64(pairs), 100*best/float64(pairs), 100*promised/float64(pairs))
			require.Greater(t, gain/float64(pairs), 0.02)
			require.Greater(t, better*10, pairs*7)
		})
	}
}

// guard: recommend: a type that the batter hardly saw is not recommended
// guard: recommend: a type that the pitcher hardly throws is not recommended
func TestTooFewPitchesAreSaidToBeTooFew(t *testing.T) {
	l := newSimulated(7, 40, 20, 6000)
	known := NewLeague(l.pitches)
	his := of(l.pitches, pitcherIs(1))
	q := schemas.AdviceQuery{BatterID: 999, PitcherID: 1, Balls: 1, Strikes: 2, Zone: schemas.ZoneAny}
	a := known.Rank(nil, his, q)
	require.False(t, a.IsEnough)
	require.Equal(t, "not enough data: see each type", a.Why)
	require.False(t, a.GainPoints.Present)
	require.NotEmpty(t, a.Choices)
	for _, c := range a.Choices {
		require.False(t, c.Rank.Present)
		require.Equal(t, "not enough data: 0 pitches of this type to the batter, 20 are needed", c.Why)
		require.Less(t, c.Strike.LowPct, c.Strike.Pct)
		require.Greater(t, c.Strike.HighPct, c.Strike.Pct)
	}
	// The second half of what he throws is 19 sliders.
	some := of(his, func(p *schemas.AdvicePitch) bool { return p.PitchType != "Slider" })
	for range 19 {
		some = append(some, schemas.AdvicePitch{PitcherID: 1, PitchType: "Slider", Balls: 1, Strikes: 2})
	}
	a = known.Rank(of(l.pitches, batterIs(1)), some, q)
	require.True(t, a.IsEnough)
	at := slices.IndexFunc(a.Choices, func(c schemas.AdviceChoice) bool { return c.PitchType == "Slider" })
	require.Equal(t, "not enough data: 19 pitches of this type of the pitcher, 20 are needed", a.Choices[at].Why)
	require.Equal(t, len(a.Choices)-1, at, "behind those with enough")

	a = known.Rank(nil, nil, q)
	require.Equal(t, "not enough data: no pitch of this pitcher with a known type and count", a.Why)
	empty := NewLeague(nil).Rank(nil, his, q)
	require.False(t, empty.IsEnough)
}

// A batter who saw none of a type has wider intervals than one who saw many.
func TestIntervalsNarrowWithPitches(t *testing.T) {
	l := newSimulated(8, 40, 20, 6000)
	known := NewLeague(l.pitches)
	q := schemas.AdviceQuery{Balls: 1, Strikes: 2, Zone: schemas.ZoneAny}
	width := func(batter []schemas.AdvicePitch) float64 {
		a := known.Rank(batter, of(l.pitches, pitcherIs(1)), q)
		i := slices.IndexFunc(a.Choices, func(c schemas.AdviceChoice) bool { return c.PitchType == typeNames[0] })
		return a.Choices[i].Strike.HighPct - a.Choices[i].Strike.LowPct
	}
	his := of(l.pitches, batterIs(1))
	none, few, all := width(nil), width(his[:len(his)/8]), width(his)
	require.Greater(t, none, few)
	require.Greater(t, few, all)
}

// The answer depends on the pitches, not on the order in which they came.
func TestTheOrderOfPitchesDoesNotMatter(t *testing.T) {
	l := newSimulated(9, 40, 20, 5000)
	shuffled := slices.Clone(l.pitches)
	l.rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, zone := range []schemas.AdviceZone{schemas.ZoneAny, schemas.ZoneIn, schemas.ZoneOut} {
		q := schemas.AdviceQuery{BatterID: 1, PitcherID: 1, Balls: 0, Strikes: 1, Zone: zone}
		one := NewLeague(l.pitches).Rank(of(l.pitches, batterIs(1)), of(l.pitches, pitcherIs(1)), q)
		two := NewLeague(shuffled).Rank(of(shuffled, batterIs(1)), of(shuffled, pitcherIs(1)), q)
		require.Equal(t, one, two)
		require.True(t, slices.IsSortedFunc(one.Choices, func(a, b schemas.AdviceChoice) int {
			return cmp.Compare(b.Advantage.Pct, a.Advantage.Pct)
		}) || !one.Choices[len(one.Choices)-1].IsEnough)
		in := one.BatterPitches
		if zone != schemas.ZoneAny {
			require.Less(t, in, int64(len(of(l.pitches, batterIs(1)))))
		}
	}
}

// guard: recommend: types are bounded
func TestTypesAreBounded(t *testing.T) {
	l := newSimulated(10, 20, 20, 2000)
	words := make([]schemas.AdvicePitch, 100_000)
	for i := range words {
		words[i] = schemas.AdvicePitch{BatterID: 1, PitcherID: 1, PitchType: fmt.Sprint(i), Balls: int16(i % 4)}
	}
	words = append(words, l.pitches...)
	q := schemas.AdviceQuery{BatterID: 1, PitcherID: 1, Zone: schemas.ZoneAny}
	a := NewLeague(words).Rank(of(words, batterIs(1)), of(words, pitcherIs(1)), q)
	require.Len(t, a.Choices, mostTypes)
	require.True(t, a.IsEnough)
	require.Contains(t, typeNames, a.Choices[0].PitchType)
}
