package quality

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// ballparks is how many venues the made-up league has, each with a game every second day.
const ballparks = 30

// made plays days of a league of which only the columns are made up: venues differ, and so do their days, by
// what pitchers throw there. off is what a venue's cameras add to a column on a day.
func made(
	seed uint64, days int, off func(venue, day int, column string) float64,
) (facts []schemas.QualityFacts) {
	r := rand.New(rand.NewPCG(seed, 11))
	usual := map[string]float64{}
	for day := range days {
		for venue := day % 2; venue < ballparks; venue += 2 {
			f := schemas.QualityFacts{
				GamePK: schemas.Text(fmt.Sprint(day, "-", venue)), Day: dayName(day), Venue: schemas.Text(fmt.Sprint("park ", venue)), Pitches: 290,
				Columns: map[string]schemas.QualityColumn{},
			}
			for _, c := range columns {
				at := fmt.Sprint(venue, c.name)
				if _, known := usual[at]; !known {
					usual[at] = r.NormFloat64()
				}
				n := int64(60 + r.IntN(200))
				mean := 80 + usual[at] + 0.6*r.NormFloat64() + off(venue, day, c.name) +
					6*r.NormFloat64()/math.Sqrt(float64(n))
				f.Columns[c.name] = schemas.QualityColumn{
					N: n, Mean: mean, Squares: 36 * float64(n-1), Min: mean - 20, Max: mean + 20,
				}
			}
			facts = append(facts, f)
		}
	}
	return facts
}

func shifted(r schemas.QualityReport) (found []string) {
	for _, f := range r.Findings {
		if f.Check == ColumnShift && f.Abnormal {
			found = append(found, f.Venue+"/"+f.Item)
		}
	}
	return found
}

// Venues whose days differ have not shifted: of 9,600 means one may be taken for it. The seeds were not
// looked at while the limits were set.
// guard: quality: venues' days differ without a fault
func TestVenuesThatDifferHaveNotShifted(t *testing.T) {
	flags, judged := 0, 0
	for seed := uint64(5001); seed <= 5008; seed++ {
		facts := made(seed, 20, func(int, int, string) float64 { return 0 })
		for day := 10; day < 20; day++ {
			r := Judge(facts, dayName(day))
			flags += len(shifted(r))
			for _, f := range r.Findings {
				if f.Check == ColumnShift && f.Venue != everywhere && f.Score.Present {
					judged++
				}
			}
		}
	}
	t.Logf("%d of %d", flags, judged)
	require.Equal(t, 8*10*ballparks/2*len(columns), judged)
	require.LessOrEqual(t, flags, 1)
}

// One camera of thirty that is off by as much as pitches differ is named on its first day, and no other is.
// The figures of all venues together do not show it. A first trial, with seeds 6001 to 6020 and 5 rpm, found
// 17 of 20.
// guard: quality: a venue is held against its own days
func TestOneVenueThatShiftsIsNamed(t *testing.T) {
	found := 0
	for seed := uint64(6101); seed <= 6120; seed++ {
		venue := int(seed) % ballparks
		day := 12 + venue%2
		r := Judge(made(seed, day+1, func(v, d int, column string) float64 {
			if v == venue && d == day && column == "spin_rate_rpm" {
				return -6
			}
			return 0
		}), "")
		for _, name := range shifted(r) {
			require.Equal(t, fmt.Sprintf("park %d/spin_rate_rpm", venue), name)
			found++
		}
		if f := judged(r, ColumnShift, fmt.Sprint("park ", venue), "spin_rate_rpm"); f.Abnormal {
			require.EqualValues(t, 1, f.Games)
			require.InDelta(t, -6, f.Value-f.Baseline.Value, 3)
		}
	}
	t.Logf("%d of 20", found)
	require.GreaterOrEqual(t, found, 18)
}

// A venue that was off for days and is well again does not hide one that is off now.
// guard: quality: a fault of last week hides none of today
func TestAFaultOfTheBaselineHidesNoOther(t *testing.T) {
	r := Judge(made(7001, 14, func(v, d int, column string) float64 {
		switch {
		case column != "pitch_speed_mph":
			return 0
		case v == 3 && d >= 9 && d < 12:
			return 48 // kilometres an hour
		case v == 5 && d == 13:
			return 6
		}
		return 0
	}), "")
	require.Contains(t, shifted(r), "park 5/pitch_speed_mph")
}

// Played games, of which one ballpark's radar is off: it is named, and no other.
// guard: quality: a venue is held against its own days
func TestARadarOfOneVenueIsNamed(t *testing.T) {
	games := week(t, 10, 15, simulate.Options{Seed: 32, BatterSpread: 0.5})
	clean := Judge(factsOfAll(games), "")
	require.Empty(t, shifted(clean))
	venue := clean.Venues[0].Venue
	newest(games, func(_ int, r *schemas.StoredRow) {
		if string(r.Venue) == venue {
			r.SpinRateRPM.Value *= 0.9
		}
	})
	for _, name := range shifted(Judge(factsOfAll(games), "")) {
		require.Contains(t, []string{"all/spin_rate_rpm", venue + "/spin_rate_rpm"}, name)
	}
	require.Contains(t, shifted(Judge(factsOfAll(games), "")), venue+"/spin_rate_rpm")
}

// A header that says "all" is a venue, and not all of them.
// guard: quality: a venue that is called all is one
func TestAVenueThatIsCalledAll(t *testing.T) {
	games := week(t, 1, 2, simulate.Options{Seed: 58})
	for i := range games["778001"] {
		games["778001"][i].Venue = "all"
	}
	seen := map[string]int{}
	for _, f := range Judge(factsOfAll(games), "").Findings {
		seen[f.Check+"/"+f.Venue+"/"+f.Item]++
	}
	for name, n := range seen {
		require.Equal(t, 1, n, name)
	}
	require.Contains(t, seen, "untracked_swings/venue all/")
}
