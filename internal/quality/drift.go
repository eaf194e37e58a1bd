package quality

import (
	"cmp"
	"math"
	"slices"
)

// Swings are one batter's full swings with a reliable speed in one game, in their order.
type Swings struct {
	Day    string // YYYY-MM-DD
	Venue  string
	Batter int64
	MPH    []float64
}

// Drift is what a venue's newest swings say about its bat speeds.
type Drift struct {
	Venue   string
	MPH     float64 // estimated bias
	Error   float64 // its standard error, mph, with the uncertainty of baselines and of days
	Score   float64 // MPH / Error, brought to one limit: flagged beyond ±DriftLimit
	Swings  int     // that the estimate is about
	Days    int     // over which they are
	Flagged bool
}

// The limits were tuned on seeds of the simulator below 1,000, and twice again after they had failed on 7001 to 7101 and
// on 9001 to 9020; TestABiasOfOneVenueIsFlagged judges them by others.
const (
	// DriftLimit is the score from which on a venue is flagged.
	DriftLimit = 2.6
	// driftSwings is how many swings the test is laid out for. With fewer, the limit rises as √(driftSwings/n): the
	// boundary of P. C. O'Brien and T. R. Fleming (A Multiple Testing Procedure for Clinical Trials, Biometrics 35,
	// 1979), under which looking again with every swing costs little: early looks need overwhelming evidence.
	driftSwings = 300
	// driftLeastMPH is the least bias worth a person's time, however certain.
	driftLeastMPH = 0.95
	// driftLeastSwings is from where on the test says anything.
	driftLeastSwings = 60
	// driftMostDays is how far back the newest swings may reach.
	driftMostDays = 7
	// ownBaseline is from how many swings elsewhere a batter's baseline is made of these alone.
	ownBaseline = 20
	// leastBaseline is from how many swings on a batter has a baseline of his own at all; the others are no witnesses.
	leastBaseline = 10
)

// Drifts tests every venue that has swings on the day. The swings are those of some 30 days up to it.
//
// Each batter's baseline are his swings at other venues; where he has few, also those before the newest ones here. A
// baseline is drawn toward the league's mean as far as its own uncertainty asks for (empirical Bayes), and what remains
// uncertain goes into the error: so do days on which a batter, or a venue, is a little off without any fault.
// The test is a generalised likelihood ratio over where the bias may have begun: the last day, the last two, … up to
// driftSwings swings.
func Drifts(swings []Swings, day string) []Drift {
	m := fit(swings)
	var out []Drift
	for _, v := range m.venues {
		if days := m.days[v]; len(days) > 0 && days[len(days)-1] == day {
			out = append(out, m.test(v))
		}
	}
	slices.SortStableFunc(out, func(a, b Drift) int { return cmp.Compare(math.Abs(b.Score), math.Abs(a.Score)) })
	return out
}

// model is what all swings say about swings.
type model struct {
	swings    []Swings
	byBatter  map[int64][]int             // into swings
	byVenue   map[string]map[string][]int // venue, day, into swings
	venues    []string
	days      map[string][]string // of a venue, in order
	scale     float64             // of a swing about its batter's middle, mph
	slope     float64             // mean of ψ': what a shift of one scale moves ψ by
	swing     float64             // deviation of one swing, as ψ sees it, mph
	league    float64             // mean of batters, mph
	between   float64             // variance between batters, mph²
	form      float64             // variance of a batter from game to game, mph²
	venueDays float64             // variance of venues from day to day, mph²
}

func fit(swings []Swings) *model {
	m := &model{swings: swings, byBatter: map[int64][]int{}, byVenue: map[string]map[string][]int{}, days: map[string][]string{}}
	for i, s := range swings {
		m.byBatter[s.Batter] = append(m.byBatter[s.Batter], i)
		if m.byVenue[s.Venue] == nil {
			m.byVenue[s.Venue] = map[string][]int{}
			m.venues = append(m.venues, s.Venue)
		}
		if m.byVenue[s.Venue][s.Day] == nil {
			m.days[s.Venue] = append(m.days[s.Venue], s.Day)
		}
		m.byVenue[s.Venue][s.Day] = append(m.byVenue[s.Venue][s.Day], i)
	}
	slices.Sort(m.venues)
	for _, days := range m.days {
		slices.Sort(days)
	}
	m.fitSwings()
	m.fitBatters()
	m.fitVenueDays()
	return m
}

// of are all speeds of a batter that pass.
func (m *model) of(batter int64, pass func(s *Swings) bool) (mph []float64) {
	for _, i := range m.byBatter[batter] {
		if s := &m.swings[i]; pass(s) {
			mph = append(mph, s.MPH...)
		}
	}
	return mph
}

func all(*Swings) bool { return true }

// fitSwings finds how far swings are from their batters' middles.
func (m *model) fitSwings() {
	var residuals []float64
	for b := range m.byBatter {
		if mph := m.of(b, all); len(mph) >= 5 {
			middle := median(mph)
			grow := math.Sqrt(float64(len(mph)) / float64(len(mph)-1))
			for _, v := range mph {
				residuals = append(residuals, (v-middle)*grow)
			}
		}
	}
	if m.scale = spread(residuals); !(m.scale > 0.1) {
		m.scale = 5 // nothing to learn from: what is published of swings
	}
	var square, inside float64
	for _, r := range residuals {
		u := r / m.scale
		square += psi(u) * psi(u)
		if math.Abs(u) < huberC {
			inside++
		}
	}
	n := max(float64(len(residuals)), 1)
	m.slope = max(inside/n, 0.3)
	m.swing = max(m.scale*math.Sqrt(square/n)/m.slope, 0.5)
}

// fitBatters finds how far batters are from each other, and from themselves from game to game.
func (m *model) fitBatters() {
	var middles, errors []float64
	var square, sampling, weight float64
	for b, cells := range m.byBatter {
		mph := m.of(b, all)
		n := float64(len(mph))
		if n < 10 {
			continue
		}
		middle := location(mph, m.scale)
		middles, errors = append(middles, middle), append(errors, m.swing*m.swing/n)
		for _, i := range cells {
			k := float64(len(m.swings[i].MPH))
			off := m.off(m.swings[i].MPH, middle)
			square, sampling, weight = square+k*off*off, sampling+m.swing*m.swing*(1-k/n), weight+k*(1-k/n)
		}
	}
	if len(middles) == 0 {
		return
	}
	m.league = location(middles, 3)
	var all, noise float64
	for i, v := range middles {
		all, noise = all+min((v-m.league)*(v-m.league), 100), noise+errors[i]
	}
	m.between = max(all/float64(len(middles))-noise/float64(len(middles)), 0.05)
	m.form = max((square-sampling)/max(weight, 1), 0)
}

// off is how far swings are from a middle on the whole, mph.
func (m *model) off(mph []float64, middle float64) float64 {
	var sum float64
	for _, v := range mph {
		sum += psi((v - middle) / m.scale)
	}
	return sum / float64(len(mph)) * m.scale / m.slope
}

// baseline is a batter's middle apart from a venue's newest days, and its variance; infinite where he has none.
func (m *model) baseline(batter int64, venue, from string) (middle, variance float64) {
	// guard: quality: a batter's baseline is apart from the venue | s.Venue != venue -> s.Venue != ""
	mph := m.of(batter, func(s *Swings) bool { return s.Venue != venue })
	if len(mph) < ownBaseline {
		mph = append(mph, m.of(batter, func(s *Swings) bool { return s.Venue == venue && s.Day < from })...)
	}
	if len(mph) < leastBaseline {
		return m.league, math.Inf(1)
	}
	sampling := m.swing * m.swing / float64(len(mph))
	own := m.between / (m.between + sampling)
	return own*location(mph, m.scale) + (1-own)*m.league, own * sampling
}

// estimate is the bias of a venue over some of its days, by inverse variance over the batters.
func (m *model) estimate(venue string, days []string, baselines map[int64][2]float64) (mph, variance float64, n int) {
	type seen struct{ sum, weight float64 }
	batters := map[int64]seen{}
	var order []int64
	for _, day := range days {
		for _, i := range m.byVenue[venue][day] {
			s := &m.swings[i]
			if len(s.MPH) == 0 {
				continue
			}
			base, known := baselines[s.Batter]
			if !known {
				base[0], base[1] = m.baseline(s.Batter, venue, days[0])
				baselines[s.Batter] = base
			}
			if math.IsInf(base[1], 1) {
				continue
			}
			n += len(s.MPH)
			w := 1 / (m.swing*m.swing/float64(len(s.MPH)) + m.form)
			b, met := batters[s.Batter]
			if !met {
				order = append(order, s.Batter)
			}
			batters[s.Batter] = seen{b.sum + w*m.off(s.MPH, base[0]), b.weight + w}
		}
	}
	var sum, weight float64
	for _, id := range order {
		b := batters[id]
		w := 1 / (1/b.weight + baselines[id][1])
		sum, weight = sum+w*b.sum/b.weight, weight+w
	}
	if weight == 0 {
		return 0, math.Inf(1), n
	}
	return sum / weight, 1 / weight, n
}

// fitVenueDays finds how far venues are off from day to day beyond what chance explains. A day that is far off may be
// the fault that is looked for, and counts as no more than 4 deviations.
func (m *model) fitVenueDays() {
	var excess, weights float64
	for _, v := range m.venues {
		days := m.days[v]
		if len(days) < 2 {
			continue
		}
		baselines := map[int64][2]float64{}
		for _, day := range days[:len(days)-1] {
			mph, variance, n := m.estimate(v, []string{day}, baselines)
			if n < driftLeastSwings {
				continue
			}
			w := 1 / (variance * variance)
			excess, weights = excess+w*(min(mph*mph, 16*variance)-variance), weights+w
		}
	}
	if weights > 0 {
		m.venueDays = max(excess/weights, 0)
	}
}

// test takes the newest swings of a venue back to each day on which a bias may have begun.
func (m *model) test(venue string) Drift {
	d := Drift{Venue: venue}
	days := m.days[venue]
	for back := 1; back <= min(len(days), driftMostDays); back++ {
		newest := days[len(days)-back:]
		mph, variance, n := m.estimate(venue, newest, map[int64][2]float64{})
		if n < driftLeastSwings {
			continue
		}
		e := math.Sqrt(variance + m.venueDays/float64(back))
		// guard: quality: early looks need more | * math.Sqrt(min(float64(n)/driftSwings, 1)) ->
		score := mph / e * math.Sqrt(min(float64(n)/driftSwings, 1))
		if d.Swings == 0 || math.Abs(score) > math.Abs(d.Score) {
			d.MPH, d.Error, d.Score, d.Swings, d.Days = mph, e, score, n, back
		}
		if n >= driftSwings {
			break
		}
	}
	d.Flagged = math.Abs(d.Score) >= DriftLimit && math.Abs(d.MPH) >= driftLeastMPH
	return d
}
