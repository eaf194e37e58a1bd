package quality

import "github.com/pitchstream/pitchstream/schemas"

// column is a numeric column that is judged.
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

// merge returns the summary of the values of both (T. F. Chan, G. H. Golub, R. J. LeVeque, Algorithms for
// Computing the Sample Variance, 1983).
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
