package quality

import (
	"fmt"
	"math"

	"pitchstream/schemas"
)

// column is a numeric column that is watched.
type column struct {
	name, unit string
	of         func(r *schemas.Row) schemas.Opt[float64]
}

var columns = []column{
	{"pitch_speed_mph", "mph", func(r *schemas.Row) schemas.Opt[float64] { return r.PitchSpeedMPH }},
	{"spin_rate_rpm", "rpm", func(r *schemas.Row) schemas.Opt[float64] { return r.SpinRateRPM }},
	{"exit_velocity_mph", "mph", func(r *schemas.Row) schemas.Opt[float64] { return r.ExitVelocityMPH }},
	{"hit_spin_rpm", "rpm", func(r *schemas.Row) schemas.Opt[float64] { return r.HitSpinRPM }},
	{"launch_angle_deg", "degree", func(r *schemas.Row) schemas.Opt[float64] { return r.LaunchAngleDeg }},
	{"spray_angle_deg", "degree", func(r *schemas.Row) schemas.Opt[float64] { return r.SprayAngleDeg }},
	{"attack_angle_deg", "degree", func(r *schemas.Row) schemas.Opt[float64] { return r.AttackAngleDeg }},
	{"bat_speed_mph", "mph", func(r *schemas.Row) schemas.Opt[float64] { return r.BatSpeedMPH }},
}

func columnsOf(rows []*schemas.StoredRow) map[string]schemas.QualityColumn {
	out := map[string]schemas.QualityColumn{}
	for _, c := range columns {
		var sum schemas.QualityColumn
		for _, r := range rows {
			if v := c.of(&r.Row); v.Present {
				sum = merge(sum, schemas.QualityColumn{N: 1, Mean: v.Value, Min: v.Value, Max: v.Value})
			}
		}
		if sum.N > 0 {
			out[c.name] = sum
		}
	}
	return out
}

// merge is the summary of both (T. F. Chan, G. H. Golub, R. J. LeVeque, Algorithms for Computing the Sample Variance,
// 1983).
func merge(a, b schemas.QualityColumn) schemas.QualityColumn {
	if a.N == 0 || b.N == 0 {
		if a.N == 0 {
			return b
		}
		return a
	}
	n, off := float64(a.N+b.N), b.Mean-a.Mean
	return schemas.QualityColumn{
		N: a.N + b.N, Mean: a.Mean + off*float64(b.N)/n,
		Squares: a.Squares + b.Squares + off*off*float64(a.N)*float64(b.N)/n,
		Min:     min(a.Min, b.Min), Max: max(a.Max, b.Max),
	}
}

const (
	// shiftSigmas is from how many standard errors on a mean has shifted: eight columns, every day.
	shiftSigmas = 4.5
	// shiftLeast is the least shift worth a look, in deviations of the column's values.
	shiftLeast = 0.2
	// shiftLeastDays is the least baseline from which one learns how days differ.
	shiftLeastDays = 3
	shiftLeastRows = 50
)

// columnShifts holds each column's mean against its baseline. How much days differ without any fault is learned from the
// baseline's days, and counts into the error.
func (j *judge) columnShifts() (out []schemas.QualityFinding) {
	for _, c := range columns {
		today := j.today.columns[c.name]
		if today.N == 0 {
			continue
		}
		f := schemas.QualityFinding{
			Check: ColumnShift, Venue: everywhere, Item: c.name, Unit: c.unit, Value: today.Mean, Of: today.N,
			Limit: fmt.Sprintf("%.1f standard errors and %.1f of a deviation", shiftSigmas, shiftLeast),
			What:  "the mean of " + c.name,
		}
		base := j.base.columns[c.name]
		if base.N > 0 {
			f.Baseline = schemas.Some(base.Mean)
		}
		if base.N >= shiftLeastRows && today.N >= shiftLeastRows && len(j.baseDays) >= shiftLeastDays {
			deviation := math.Sqrt(base.Squares / float64(base.N))
			off := today.Mean - base.Mean
			f.Score = schemas.Some(off / max(j.shiftError(c.name, base, today), 1e-9))
			f.Abnormal = math.Abs(f.Score.Value) >= shiftSigmas && math.Abs(off) >= shiftLeast*deviation
			f.Games = j.gamesWhere(func(g *schemas.QualityFacts) bool {
				v := g.Columns[c.name]
				return f.Abnormal && v.N > 0 && math.Abs(v.Mean-base.Mean) >= shiftLeast*deviation
			})
		}
		if f.Abnormal {
			f.Do = "look at the records: other units, a camera that was moved, or one kind of pitch missing"
		}
		out = append(out, f)
	}
	return out
}

// shiftError is the standard error of the difference of the means.
func (j *judge) shiftError(name string, base, today schemas.QualityColumn) float64 {
	variance := base.Squares / float64(base.N)
	var between, sampling, n float64
	for _, day := range j.baseDays {
		if c := j.days[day].columns[name]; c.N >= shiftLeastRows/5 {
			between += (c.Mean - base.Mean) * (c.Mean - base.Mean)
			sampling += variance / float64(c.N)
			n++
		}
	}
	daily := 0.0
	if n > 1 {
		daily = max((between-sampling)/(n-1), 0)
	}
	return math.Sqrt(variance/float64(today.N) + variance/float64(base.N) + daily*(1+1/max(n, 1)))
}
