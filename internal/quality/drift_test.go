package quality

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/simulate"
)

// before is how many days of all 15 games are known when the test of a day begins.
const before = 10

// oneSwing is a full swing of a simulated league, in the order of time.
type oneSwing struct {
	day, venue, game string
	batter           int64
	mph              float64
}

// season plays days of 15 games with these options and gives their full swings with a reliable speed.
func season(t testing.TB, days int, o simulate.Options) (swings []oneSwing) {
	t.Helper()
	o.Games, o.Parallel, o.FeedIDs = 15*days, 15, true
	s, err := simulate.New(o)
	require.NoError(t, err)
	for r, ok := s.NextRow(); ok; r, ok = s.NextRow() {
		if isFullSwing(&r.Row) && r.SpeedConfidence == "reliable" {
			swings = append(swings, oneSwing{
				DayOf(&r), string(r.Venue), string(r.GamePK), r.BatterID.Value, r.BatSpeedMPH.Value,
			})
		}
	}
	return swings
}

func dayName(n int) string {
	return time.Date(2025, 4, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n).Format(time.DateOnly)
}

// book gathers swings as the facts of games do.
type book struct {
	cells []Swings
	at    map[string]int
}

func (b *book) add(s oneSwing) {
	if b.at == nil {
		b.at = map[string]int{}
	}
	key := fmt.Sprint(s.game, "/", s.batter)
	i, met := b.at[key]
	if !met {
		i = len(b.cells)
		b.at[key] = i
		b.cells = append(b.cells, Swings{Day: s.day, Venue: s.venue, Batter: s.batter})
	}
	b.cells[i].MPH = append(b.cells[i].MPH, s.mph)
}

func (b *book) flagged(day string) (venues []string) {
	for _, d := range Drifts(b.cells, day) {
		if d.Flagged {
			venues = append(venues, d.Venue)
		}
	}
	return venues
}

// The limits were set over leagues of core 1, whose swings differ by ±5.8 mph within batters. A clean venue
// must not be flagged in leagues of core 2 either, whose bats differ more.

// flaggedWithin says at which of the venue's swings since the bias began it was flagged; 0: not within 300.
func flaggedWithin(t testing.TB, seed uint64, mph, spread float64) int {
	venue := simulate.Venues()[seed%6]
	swings := season(t, before+2, simulate.Options{
		Seed: seed, Core: 1, BatterSpread: spread,
		Biases: []simulate.Bias{{Venue: venue, MPH: mph, From: dayName(before)}},
	})
	var b book
	n := 0
	for _, s := range swings {
		b.add(s)
		if s.venue != venue || s.day < dayName(before) {
			continue
		}
		if n++; n > driftSwings {
			return 0
		}
		if n%20 == 0 {
			for _, v := range b.flagged(s.day) {
				if v == venue {
					return n
				}
			}
		}
	}
	return 0
}

// falseFlags counts the venue-days of a clean league that were flagged at any look, of 6 venues a day.
func falseFlags(t testing.TB, seed uint64, days int, spread float64) (flags, venueDays int) {
	swings := season(t, before+days, simulate.Options{Seed: seed, BatterSpread: spread})
	var b book
	flagged, seen := map[string]bool{}, map[string]bool{}
	for i, s := range swings {
		b.add(s)
		if s.day < dayName(before) {
			continue
		}
		seen[s.day+s.venue] = true
		if i%100 == 0 || i+1 == len(swings) || swings[i+1].day != s.day {
			for _, v := range b.flagged(s.day) {
				flagged[s.day+v] = true
			}
		}
	}
	return len(flagged), len(seen)
}

// The seeds of these two tests were not looked at while the limits were set (see drift.go).
func TestABiasOfOneVenueIsFlagged(t *testing.T) {
	found, swings := 0, 0
	for seed := uint64(8001); seed <= 8020; seed++ {
		if n := flaggedWithin(t, seed, 1.5, 0.5); n > 0 {
			found, swings = found+1, swings+n
		}
	}
	t.Logf("flagged in %d of 20, after %d swings on average", found, swings/max(found, 1))
	require.GreaterOrEqual(t, found, 18)
}

// guard: quality: early looks need more
func TestACleanVenueIsNotFlagged(t *testing.T) {
	flags, venueDays := falseFlags(t, 8101, 10, 0.5)
	t.Logf("%d of %d clean venue-days flagged", flags, venueDays)
	require.EqualValues(t, 30, venueDays)
	require.LessOrEqual(t, flags, 1)
}

// Batters and venues whose days differ are not reported as biased, because the error includes the noise that
// is known.
func TestDaysThatDifferAreNoBias(t *testing.T) {
	flags, venueDays := 0, 0
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 7))
		var b book
		venueOff, form := map[string]float64{}, map[string]float64{}
		draw := func(m map[string]float64, key string, sd float64) float64 {
			if _, ok := m[key]; !ok {
				m[key] = sd * r.NormFloat64()
			}
			return m[key]
		}
		for d := range before + 6 {
			day := dayName(d)
			for team := range 30 {
				venue := fmt.Sprint("park ", (team+d)%15)
				for batter := range 9 {
					id := int64(team*100 + batter)
					for range 8 {
						mph := 70 + float64(id%7-3) + draw(form, fmt.Sprint(id, day), 1) +
							draw(venueOff, venue+day, 0.5) + 5*r.NormFloat64()
						b.add(oneSwing{day, venue, venue + day, id, mph})
					}
				}
			}
			if d >= before {
				flags, venueDays = flags+len(b.flagged(day)), venueDays+15
			}
		}
	}
	t.Logf("%d of %d", flags, venueDays)
	require.LessOrEqual(t, flags, venueDays/30)
}

func TestLittleIsNotJudged(t *testing.T) {
	require.Empty(t, Drifts(nil, "2025-04-01"))
	few := []Swings{{Day: "2025-04-01", Venue: "A", Batter: 1, MPH: []float64{90, 91, 92}}, {Day: "2025-04-01", Venue: "B", Batter: 1, MPH: []float64{60}}}
	for _, d := range Drifts(few, "2025-04-01") {
		require.False(t, d.Flagged)
		require.False(t, math.IsNaN(d.MPH) || math.IsNaN(d.Score), "%+v", d)
	}
}

// The baseline that a venue is compared with excludes the measurements of that venue.
// guard: quality: a batter's baseline is apart from the venue
func TestABaselineIsApartFromTheVenue(t *testing.T) {
	var b book
	for batter := range int64(30) {
		for i := range 30 {
			usual := 60 + float64(batter) + float64(i%5-2)
			b.add(oneSwing{"2025-04-01", "there", "1", batter, usual})
			b.add(oneSwing{"2025-04-01", "here", "2", batter, usual + 5})
		}
	}
	middle, _ := fit(b.cells).baseline(10, "here", "2025-04-02")
	require.InDelta(t, 70, middle, 1)
}
