package quality

import (
	"fmt"
	"math"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

const (
	// shiftSigmas is the number of standard errors from which a mean has shifted. It is high, because eight
	// columns are judged every day. venueShiftSigmas is the one for a single venue among many.
	shiftSigmas, venueShiftSigmas = 4.5, 5.0
	// shiftLeast is the smallest shift that is flagged, in standard deviations of the column.
	shiftLeast = 0.2
	// shiftLeastDays is the smallest number of days in a baseline.
	shiftLeastDays = 3
	// shiftLeastRows is the smallest number of values that is judged. It is lower for one venue, which has fewer
	// in a day.
	shiftLeastRows, venueShiftLeastRows = 50, 25
	// shiftDayRows is the smallest number of values with which a day counts for the difference between days.
	shiftDayRows = 10
)

// means has the summaries of a column at one venue, or all: of the day, and of the game days of its baseline.
type means struct {
	today, base schemas.QualityColumn
	days        []schemas.QualityColumn
}

// columnShifts compares the mean of each column with its baseline. It compares each venue with its own
// baseline too, because a wrong camera at one venue moves the mean of all venues little. The error includes
// how much days differ without any fault, which is estimated from the baselines; for venues from those of all
// venues together.
func (j *judge) columnShifts() (out []schemas.QualityFinding) {
	for _, c := range columns {
		all := j.meansOf(c.name, everywhere, j.baseDays)
		out = append(out, j.columnShift(c, everywhere, all, daily([]means{all}), shiftSigmas, shiftLeastRows)...)
		var places []means
		for _, v := range j.venues {
			// guard: quality: a venue is held against its own days | j.meansOf(c.name, v, j.venueDays(v)) -> means{today: j.meansOf(c.name, v, nil).today, base: all.base, days: all.days}
			places = append(places, j.meansOf(c.name, v, j.venueDays(v)))
		}
		between := daily(places)
		for i, v := range j.venues {
			if v != unknownVenue {
				out = append(out, j.columnShift(c, v, places[i], between, venueShiftSigmas, venueShiftLeastRows)...)
			}
		}
	}
	return out
}

// venueDays returns the newest game days of a venue before the day.
func (j *judge) venueDays(venue string) (days []string) {
	for day, p := range j.days {
		hasValues := func(c column) bool { return p.columns[at{venue, c.name}].N > 0 }
		if day < j.day && slices.ContainsFunc(columns, hasValues) {
			days = append(days, day)
		}
	}
	slices.Sort(days)
	return days[max(len(days)-baselineDays, 0):]
}

func (j *judge) meansOf(column, venue string, days []string) means {
	m := means{today: j.today.columns[at{venue, column}]}
	for _, day := range days {
		if c := j.days[day].columns[at{venue, column}]; c.N > 0 {
			m.base, m.days = merge(m.base, c), append(m.days, c)
		}
	}
	return m
}

// daily returns the variance of means from day to day beyond chance, over all places. It clips a day at three
// deviations, because a day that is far off may be the fault to be found.
func daily(places []means) float64 {
	var offs, chances []float64
	for _, m := range places {
		k := 0.0
		for _, c := range m.days {
			if c.N >= shiftDayRows {
				k++
			}
		}
		for _, c := range m.days {
			if c.N >= shiftDayRows && k > 1 {
				offs = append(offs, (c.Mean-m.base.Mean)*math.Sqrt(k/(k-1)))
				chances = append(chances, m.base.Squares/float64(m.base.N)/float64(c.N))
			}
		}
	}
	if len(offs) < 2 {
		return 0
	}
	most := 3 * spread(offs)
	var excess float64
	for i, off := range offs {
		// guard: quality: a fault of last week hides none of today | excess += min(off*off, most*most) - chances[i] -> excess += off*off - chances[i] + 0*most
		excess += min(off*off, most*most) - chances[i]
	}
	// guard: quality: venues' days differ without a fault | max(excess/float64(len(offs)), 0) -> 0
	return max(excess/float64(len(offs)), 0)
}

// columnShift judges one column of one venue, or of all.
func (j *judge) columnShift(
	c column, venue string, m means, between, sigmas float64, least int64,
) []schemas.QualityFinding {
	if m.today.N == 0 {
		return nil
	}
	f := schemas.QualityFinding{
		Check: ColumnShift, Venue: venue, Item: c.name, Unit: c.unit, Value: m.today.Mean, Of: m.today.N,
		Limit: fmt.Sprintf("%.1f standard errors and %.1f standard deviations from before", sigmas, shiftLeast),
		What:  "the mean of " + c.name,
	}
	if m.base.N > 0 {
		f.Baseline = schemas.Some(m.base.Mean)
	}
	if m.base.N >= least && m.today.N >= least && len(m.days) >= shiftLeastDays {
		variance := m.base.Squares / float64(m.base.N)
		enough := shiftLeast * math.Sqrt(variance)
		chance := variance/float64(m.today.N) + variance/float64(m.base.N)
		off := m.today.Mean - m.base.Mean
		f.Score = schemas.Some(off / max(math.Sqrt(chance+between*(1+1/float64(len(m.days)))), 1e-9))
		f.Abnormal = math.Abs(f.Score.Value) >= sigmas && math.Abs(off) >= enough
		like := looksLike(c, m.today, m.base)
		// The mean of angles may be near zero in every unit, but no day has a 57th of their usual deviation.
		// guard: quality: angles in radians are found by their deviation | like.factor == radian -> false
		f.Abnormal = f.Abnormal || like != nil && like.factor == radian
		// guard: quality: the unit that a column looks like is named
		if f.Abnormal && like != nil {
			f.What += ", whose values look like " + like.looks
		}
		f.Games = j.gamesWhere(func(g *schemas.QualityFacts) bool {
			v := g.Columns[c.name]
			isOff := math.Abs(v.Mean-m.base.Mean) >= enough || like != nil && looksLike(c, v, m.base) == like
			return f.Abnormal && v.N > 0 && isOff &&
				(venue == everywhere || venueName(g) == venue)
		})
	}
	if f.Abnormal {
		f.Do = "look at the records: other units, a camera that was moved, or one kind of pitch missing"
	}
	return []schemas.QualityFinding{f}
}
