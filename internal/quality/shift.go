package quality

import (
	"fmt"
	"math"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

const (
	// shiftSigmas is from how many standard errors on a mean has shifted: eight columns, every day; venueShiftSigmas of one
	// venue among many.
	shiftSigmas, venueShiftSigmas = 4.5, 5.0
	// shiftLeast is the least shift worth a look, in deviations of the column's values.
	shiftLeast = 0.2
	// shiftLeastDays is the least baseline that is held against.
	shiftLeastDays = 3
	// shiftLeastRows is from how many values on a mean is judged; one venue has fewer of a day.
	shiftLeastRows, venueShiftLeastRows = 50, 25
	// shiftDayRows is from how many values on a day tells how days differ.
	shiftDayRows = 10
)

// means are what is known of a column at a place: of the day, and of each game day of its baseline.
type means struct {
	today, base schemas.QualityColumn
	days        []schemas.QualityColumn
}

// columnShifts holds each column's mean against its baseline, and that of each venue against the venue's own: a camera
// that is off in one place moves the mean of all places little. How much days differ without any fault is learned from
// the days of the baselines, of the venues from all of them together, and counts into the error.
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

// venueDays are the newest game days of a venue before the day.
func (j *judge) venueDays(venue string) (days []string) {
	for day, p := range j.days {
		if day < j.day && len(p.venueColumns[venue]) > 0 {
			days = append(days, day)
		}
	}
	slices.Sort(days)
	return days[max(len(days)-baselineDays, 0):]
}

func (j *judge) meansOf(column, venue string, days []string) means {
	m := means{today: j.today.columnsAt(venue)[column]}
	for _, day := range days {
		if c := j.days[day].columnsAt(venue)[column]; c.N > 0 {
			m.base, m.days = merge(m.base, c), append(m.days, c)
		}
	}
	return m
}

// daily is the variance of means from day to day beyond chance, put together over places. A day that is far off may be
// the fault that is looked for, and counts as no more than three deviations.
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

// columnShift judges one column of one place.
func (j *judge) columnShift(c column, venue string, m means, between, sigmas float64, least int64) []schemas.QualityFinding {
	if m.today.N == 0 {
		return nil
	}
	f := schemas.QualityFinding{
		Check: ColumnShift, Venue: venue, Item: c.name, Unit: c.unit, Value: m.today.Mean, Of: m.today.N,
		Limit: fmt.Sprintf("%.1f standard errors and %.1f of a deviation", sigmas, shiftLeast),
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
		f.Games = j.gamesWhere(func(g *schemas.QualityFacts) bool {
			v := g.Columns[c.name]
			return f.Abnormal && v.N > 0 && math.Abs(v.Mean-m.base.Mean) >= enough && (venue == everywhere || venueName(g) == venue)
		})
	}
	if f.Abnormal {
		f.Do = "look at the records: other units, a camera that was moved, or one kind of pitch missing"
	}
	return []schemas.QualityFinding{f}
}
