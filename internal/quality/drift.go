package quality

import (
	"cmp"
	"math"
	"slices"
)

// Swings has the full swings of one batter in one game that have a reliable speed, in their order.
type Swings struct {
	Day    string // YYYY-MM-DD
	Venue  string
	Batter int64
	MPH    []float64
}

// Drift is the bias of the bat speeds at one venue, estimated from its newest swings.
type Drift struct {
	Venue   string
	MPH     float64 // estimated bias
	Error   float64 // its standard error, mph, with the uncertainty of baselines and of days
	Score   float64 // MPH / Error, scaled so that a venue is flagged beyond ±DriftLimit
	Swings  int     // in the estimate
	Days    int     // on which they were
	Flagged bool
}

// robust.go has the statistics of this file: psi (ψ), location, spread and median.

// The limits were tuned on simulator seeds below 1,000, and again after failures on the seeds 7001 to 7101
// and 9001 to 9020. TestABiasOfOneVenueIsFlagged judges them by other seeds.
const (
	// DriftLimit is the absolute score from which a venue is flagged.
	DriftLimit = 2.6
	// driftSwings is the number of swings for which the test is designed. With fewer swings the limit rises by
	// √(driftSwings/n), the boundary of P. C. O'Brien and T. R. Fleming (A Multiple Testing Procedure for
	// Clinical Trials, Biometrics 35, 1979). Therefore the test can be repeated after every swing at little
	// cost.
	driftSwings = 300
	// driftLeastMPH is the smallest bias that is flagged, because a smaller one is not worth a person's time.
	driftLeastMPH = 0.95
	// driftLeastSwings is the smallest number of swings that is tested.
	driftLeastSwings = 60
	// driftMostDays bounds the age of the newest swings.
	driftMostDays = 7
	// ownBaseline is the number of swings at other venues from which a batter's baseline uses these alone.
	ownBaseline = 20
	// leastBaseline is the smallest number of swings for a baseline. Batters with fewer are ignored.
	leastBaseline = 10
)

// Drifts tests every venue that has swings on the day. The swings must be those of about 30 days up to it.
// The baseline of a batter is made of his swings at other venues and, if these are few, of his older swings
// at this venue. A baseline is pulled toward the mean of the league according to its uncertainty (empirical
// Bayes). The remaining uncertainty is part of the error, and so are the differences between days of a batter
// and of a venue without any fault. The test is a generalized likelihood ratio over the day on which the bias
// may have begun: the last day, the last two, and so on, up to driftSwings swings.
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

// model has the parameters that are estimated from all swings.
type model struct {
	swings    []Swings
	byBatter  map[int64][]int             // into swings
	byVenue   map[string]map[string][]int // venue, day, into swings
	venues    []string
	days      map[string][]string // of a venue, in order
	scale     float64             // of a swing about its batter's middle, mph
	slope     float64             // mean of ψ': what a shift of one scale moves ψ by; ψ clips outliers
	swing     float64             // standard deviation of one swing once ψ has clipped it, mph
	league    float64             // mean of batters, mph
	between   float64             // variance between batters, mph²
	form      float64             // variance of a batter from game to game, mph²
	venueDays float64             // variance of venues from day to day, mph²
}

func fit(swings []Swings) *model {
	m := &model{
		swings: swings, byBatter: map[int64][]int{}, byVenue: map[string]map[string][]int{},
		days: map[string][]string{},
	}
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

// speeds returns all speeds of a batter, in mph, whose games pass the filter.
func (m *model) speeds(batter int64, pass func(s *Swings) bool) (mph []float64) {
	for _, i := range m.byBatter[batter] {
		if s := &m.swings[i]; pass(s) {
			mph = append(mph, s.MPH...)
		}
	}
	return mph
}

func anyGame(*Swings) bool { return true }

// fitSwings estimates how much swings deviate from the middle of their batter.
func (m *model) fitSwings() {
	var residuals []float64
	for b := range m.byBatter {
		if mph := m.speeds(b, anyGame); len(mph) >= 5 {
			middle := median(mph)
			// The middle was estimated from these swings, so they are closer to it than to the true one.
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

// fitBatters estimates how much batters differ from each other, and each one from game to game.
func (m *model) fitBatters() {
	var middles, variances []float64 // of batters, and of the errors of these middles
	var square, sampling, weight float64
	for b, cells := range m.byBatter {
		mph := m.speeds(b, anyGame)
		n := float64(len(mph))
		if n < 10 {
			continue
		}
		middle := location(mph, m.scale)
		middles, variances = append(middles, middle), append(variances, m.swing*m.swing/n)
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
	var all, noise float64 // squares about the league, one batter at most 10 mph; and what sampling adds to them
	for i, v := range middles {
		all, noise = all+min((v-m.league)*(v-m.league), 100), noise+variances[i]
	}
	m.between = max(all/float64(len(middles))-noise/float64(len(middles)), 0.05)
	m.form = max((square-sampling)/max(weight, 1), 0)
}

// off returns how far swings are from a middle on average, in mph.
func (m *model) off(mph []float64, middle float64) float64 {
	var sum float64
	for _, v := range mph {
		sum += psi((v - middle) / m.scale)
	}
	return sum / float64(len(mph)) * m.scale / m.slope
}

// baseline returns a batter's middle without the newest days of a venue, and its variance, which is infinite
// if he has no baseline.
func (m *model) baseline(batter int64, venue, from string) (middle, variance float64) {
	// guard: quality: a batter's baseline is apart from the venue | s.Venue != venue -> s.Venue != ""
	mph := m.speeds(batter, func(s *Swings) bool { return s.Venue != venue })
	if len(mph) < ownBaseline {
		mph = append(mph, m.speeds(batter, func(s *Swings) bool { return s.Venue == venue && s.Day < from })...)
	}
	if len(mph) < leastBaseline {
		return m.league, math.Inf(1)
	}
	sampling := m.swing * m.swing / float64(len(mph))
	own := m.between / (m.between + sampling)
	return own*location(mph, m.scale) + (1-own)*m.league, own * sampling
}

// estimate returns the bias of a venue over some of its days, its variance, and the number of swings. It
// weights the batters by their inverse variance. baselines keeps middle and variance of each batter's
// baseline for the next call of the same venue.
func (m *model) estimate(
	venue string, days []string, baselines map[int64][2]float64,
) (mph, variance float64, n int) {
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

// fitVenueDays estimates how much venues differ from day to day beyond chance. It clips a day at 4
// deviations, because a day that is far off may be the fault to be found.
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

// test tests the newest swings of a venue from each day on which a bias may have begun.
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
