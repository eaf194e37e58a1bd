package quality

import (
	"math"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// A misreading is a unit in which a producer may send a column, and the factor by which its values are then
// greater.
type misreading struct {
	unit   string // the column's own
	factor float64
	looks  string
}

// radian is a degree in radians.
const radian = math.Pi / 180

var misreadings = []misreading{
	{"mph", 1.609344, "kilometres an hour"},
	{"mph", 0.44704, "metres a second"},
	{"mph", 1 / 0.44704, "miles an hour converted from metres a second twice"},
	{"degree", radian, "radians"},
	{"degree", 1 / radian, "degrees converted from radians twice"},
}

// ranges are those of the columns that have two limits, by name.
var ranges = rangesOf(schemas.RowColumns)

func rangesOf(columns []schemas.Column) map[string][2]float64 {
	found := map[string][2]float64{}
	for _, c := range columns {
		if least, most := c.Limits(); least != nil && most != nil {
			found[c.Name] = [2]float64{*least, *most}
		}
	}
	return found
}

const (
	// likeMean is how far a mean of speeds may be from what a misreading makes of it, as a share of it.
	// likeSpread is that of the deviation of angles, which is compared because their mean may be near zero.
	likeMean, likeSpread = 0.06, 0.35
)

// looksLike returns the misreading that makes today's values of the baseline's, nil if none does. Values that
// it moves out of the column's range are missing, so the rest of a normal distribution is compared.
func looksLike(c column, today, base schemas.QualityColumn) *misreading {
	r := ranges[c.name]
	for i := range misreadings {
		m := &misreadings[i]
		mean, deviation := kept(base.Mean, spreadOf(base), r[0]/m.factor, r[1]/m.factor)
		is, want, by := today.Mean, mean*m.factor, likeMean
		if m.unit == "degree" {
			is, want, by = spreadOf(today), deviation*m.factor, likeSpread
		}
		// guard: quality: a value that never changes has no unit | want > 0 && ->
		if m.unit == c.unit && want > 0 && math.Abs(is-want) <= by*want {
			return m
		}
	}
	return nil
}

func spreadOf(c schemas.QualityColumn) float64 { return math.Sqrt(c.Squares / float64(max(c.N, 1))) }

// kept returns the mean and the deviation of the part of a normal distribution from low to high.
func kept(mean, deviation, low, high float64) (keptMean, keptDeviation float64) {
	if !(deviation > 0) {
		return mean, deviation
	}
	density := func(z float64) float64 { return math.Exp(-z*z/2) / math.Sqrt(2*math.Pi) }
	below := func(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }
	from, to := (low-mean)/deviation, (high-mean)/deviation
	share := below(to) - below(from)
	if share < 1e-3 {
		return mean, deviation // next to nothing is left to compare
	}
	off := (density(from) - density(to)) / share
	variance := 1 + (from*density(from)-to*density(to))/share - off*off
	return mean + off*deviation, deviation * math.Sqrt(max(variance, 0))
}

// flightColumns are missing where the ball does not come from the mound to the plate.
var flightColumns = []string{
	"release_speed_mph", "plate_speed_mph", "plate_time_s", "plate_x_ft", "plate_z_ft",
}

// whyMissing returns what else to look at where a column lost its values.
func whyMissing(column string) string {
	// guard: quality: a ball that flies sideways is named
	if slices.Contains(flightColumns, column) {
		return ": the ball does not fly from the mound to the plate, " +
			"as when axes are swapped or lengths are not in feet"
	}
	return ""
}
