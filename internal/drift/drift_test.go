package drift

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// arm throws like a starting pitcher: his days differ, his types differ, and each pitch does.
type arm struct {
	rng     *rand.Rand
	pitches []schemas.DriftPitch
	at      schemas.TimeMS
}

func newArm(seed uint64) *arm {
	return &arm{rng: rand.New(rand.NewPCG(seed, 7)), at: 1_743_465_600_000}
}

// throw throws a game of n pitches; off moves the i-th one.
func (a *arm) throw(n int, off func(i int) float64) {
	day := a.rng.NormFloat64() * 0.4
	game := string(rune('a' + len(a.pitches)%26))
	game += time.UnixMilli(int64(a.at)).UTC().Format(time.DateOnly)
	for i := range n {
		a.add(game, n, day+off(i))
	}
	a.at += schemas.TimeMS((5*24*time.Hour - time.Duration(n)*20*time.Second).Milliseconds())
}

func (a *arm) add(game string, _ int, off float64) {
	a.at += 20_000
	means := []float64{94.5, 94.5, 94.5, 86, 79}
	k := a.rng.IntN(len(means))
	p := schemas.DriftPitch{EventTime: a.at, GamePK: game, PitchType: []string{"FourSeamFastball", "FourSeamFastball", "FourSeamFastball", "Slider", "Curveball"}[k]}
	binary.BigEndian.PutUint64(p.PitchID[:], uint64(len(a.pitches)))
	p.Values = []schemas.Opt[float64]{schemas.Some(means[k] + off + 0.9*a.rng.NormFloat64())}
	a.pitches = append(a.pitches, p)
}

func steady(int) float64 { return 0 }

// history throws some games without a change.
func history(seed uint64, games int) *arm {
	a := newArm(seed)
	for range games {
		a.throw(90, steady)
	}
	return a
}

// found reports whether a change of the newest game is found when the last n pitches are not there yet.
func found(a *arm, without int) bool {
	d := Find(a.pitches[:len(a.pitches)-without], schemas.Pitcher)
	return slices.ContainsFunc(d.Changes, func(c schemas.DriftChange) bool { return c.Scope == "game" })
}

// firstFound returns after how many pitches of a game's last 25 a change of it is found first; 0: after none.
func firstFound(a *arm) int {
	for n := 1; n <= 25; n++ {
		if found(a, 25-n) {
			return n
		}
	}
	return 0
}

// A feed may name no games. Its days are kept apart, so that a loss is found, and a day that is off is no
// change within a game.
// guard: drift: pitches without a game are kept apart by day
func TestPitchesWithoutAGameAreKeptApartByDay(t *testing.T) {
	a := history(31, 8)
	a.throw(80, func(i int) float64 { return map[bool]float64{true: -2.5}[i >= 55] })
	named := Find(a.pitches, schemas.Pitcher)
	require.NotEmpty(t, named.Changes)
	for i := range a.pitches {
		a.pitches[i].GamePK = ""
	}
	got := Find(a.pitches, schemas.Pitcher)
	require.Equal(t, named.Changes, got.Changes)
	require.Equal(t, named.GamePitches, got.GamePitches)
}

// A pitcher loses 1.5 mph at once: within 20 pitches it is found in nine of ten games.
func TestALossAtOnceIsFoundWithinTwentyPitches(t *testing.T) {
	const games = 100
	within := 0
	for seed := range uint64(games) {
		a := history(1000+seed, 5)
		before := 40 + a.rng.IntN(30)
		a.throw(before+25, func(i int) float64 {
			if i >= before {
				return -1.5
			}
			return 0
		})
		if n := firstFound(a); n > 0 && n <= 20 {
			within++
		}
	}
	t.Logf("1.5 mph at once: found within 20 pitches in %d of %d games", within, games)
	require.GreaterOrEqual(t, within, games*9/10)
}

// A pitcher loses 1.5 mph bit by bit over 25 pitches: after 20 of them 0.6 mph on average. Therefore even
// a test that knows where it begins, and looks once, finds fewer than nine of ten such games.
func TestALossBitByBitIsFoundInAThirdOfGamesWithinTwentyPitches(t *testing.T) {
	const games, falseAlarms = 100, 2.054 // of a normal value, one in fifty is above it
	within20, within25, informed := 0, 0, 0
	for seed := range uint64(games) {
		a := history(70_000+seed, 5)
		before := 40 + a.rng.IntN(30)
		a.throw(before+25, func(i int) float64 { return -1.5 * max(0, float64(i-before+1)) / 25 })
		switch n := firstFound(a); {
		case n == 0:
		case n <= 20:
			within20++
			fallthrough
		default:
			within25++
		}
		if slope(a, before, 20) < -falseAlarms {
			informed++
		}
	}
	t.Logf("1.5 mph over 25 pitches: found within 20 of them in %d of %d games, within 25 in %d; "+
		"told where it begins, %d within 20", within20, games, within25, informed)
	require.GreaterOrEqual(t, within20, games/4)
	require.GreaterOrEqual(t, within25, games*6/10)
	require.Less(t, informed, games*9/10)
}

// slope returns how many standard errors the n pitches since a place of the newest game sink away from the
// mean before. It knows the means and the deviations of the arm.
func slope(a *arm, before, n int) float64 {
	game := a.pitches[len(a.pitches)-before-25:]
	means := map[string]float64{"FourSeamFastball": 94.5, "Slider": 86, "Curveball": 79}
	off := func(i int) float64 { return game[i].Values[0].Value - means[game[i].PitchType] }
	start, days := 0.0, 0.9*0.9/(0.4*0.4)
	for i := range before {
		start += off(i) / (float64(before) + days)
	}
	var product, weights, squares float64
	for i := range n {
		w := float64(i + 1)
		product, weights, squares = product+w*(off(before+i)-start), weights+w, squares+w*w
	}
	return product / (0.9 * math.Sqrt(squares+weights*weights/(float64(before)+days)))
}

// At most one in fifty games in which he loses nothing has a change, looked at after each pitch.
func TestSteadyGamesHaveNoChange(t *testing.T) {
	const games = 100
	wrong, days := 0, 0
	for seed := range uint64(games) {
		a := history(5000+seed, 6)
		for without := range 75 {
			if found(a, without) {
				wrong++
				break
			}
		}
		d := Find(a.pitches, schemas.Pitcher)
		if slices.ContainsFunc(d.Changes, func(c schemas.DriftChange) bool { return c.Scope == "days" }) {
			days++
		}
	}
	t.Logf("of %d steady games %d have a change, looked at after each pitch; %d pitchers over days", games, wrong, days)
	require.LessOrEqual(t, wrong, games/50)
	require.LessOrEqual(t, days, games/50)
}

// swings returns steady games of a batter, of ten swings each.
func swings(seed uint64, games int) (pitches []schemas.DriftPitch) {
	rng := rand.New(rand.NewPCG(seed, 11))
	at := schemas.TimeMS(1_743_465_600_000)
	for g := range games {
		speed, angle := rng.NormFloat64()*0.8, rng.NormFloat64()*1.2
		for i := range 10 {
			at += 300_000
			p := schemas.DriftPitch{EventTime: at, GamePK: string(rune('a' + g))}
			binary.BigEndian.PutUint64(p.PitchID[:], uint64(g*10+i))
			p.Values = []schemas.Opt[float64]{
				schemas.Some(72 + speed + 5*rng.NormFloat64()), schemas.Some(9 + angle + 8*rng.NormFloat64()),
			}
			pitches = append(pitches, p)
		}
		at += schemas.TimeMS((24 * time.Hour).Milliseconds())
	}
	return pitches
}

// At most one in fifty batters who change nothing has a change, looked at after each of his last 20 games.
func TestSteadyBattersHaveNoChange(t *testing.T) {
	const batters = 100
	wrong := 0
	for seed := range uint64(batters) {
		all := swings(seed, 40)
		for games := 21; games <= 40; games++ {
			if len(Find(all[:games*10], schemas.Batter).Changes) > 0 {
				wrong++
				break
			}
		}
	}
	t.Logf("of %d steady batters %d have a change, looked at after each of 20 games", batters, wrong)
	require.LessOrEqual(t, wrong, batters/50)
}

// A pitcher who lost 1.5 mph between two games is found over the days, not within the game.
func TestAChangeOverDaysIsFound(t *testing.T) {
	foundDays, inGame := 0, 0
	for seed := range uint64(40) {
		a := history(9000+seed, 6)
		for range 3 {
			a.throw(90, func(int) float64 { return -1.5 })
		}
		d := Find(a.pitches, schemas.Pitcher)
		for _, c := range d.Changes {
			if c.Scope == "game" {
				inGame++
				continue
			}
			foundDays++
			require.Equal(t, schemas.Text("FourSeamFastball"), c.PitchType)
			require.InDelta(t, -1.5, c.Change, 0.9)
			require.InDelta(t, 94.5, c.Before, 0.9)
			require.InDelta(t, c.Before+c.Change, c.After, 0.02)
			require.Greater(t, c.NBefore, c.N)
		}
	}
	t.Logf("of 40: %d found over days, %d within the game", foundDays, inGame)
	require.GreaterOrEqual(t, foundDays, 30)
	require.LessOrEqual(t, inGame, 2)
}

// guard: drift: one wrong value is no change
func TestWrongValuesAreNoChange(t *testing.T) {
	for seed := range uint64(20) {
		a := history(20_000+seed, 5)
		a.throw(60, steady)
		last := a.pitches[len(a.pitches)-3:]
		last[0].Values = []schemas.Opt[float64]{schemas.Some(55.0)} // of another ball
		require.False(t, found(a, 0), seed)
	}
}

// The pitches count, and not the order in which they came.
func TestTheOrderOfArrivalDoesNotMatter(t *testing.T) {
	a := history(3, 5)
	a.throw(70, func(i int) float64 { return -0.05 * float64(i) })
	want := Find(a.pitches, schemas.Pitcher)
	require.NotEmpty(t, want.Changes)
	require.True(t, want.IsEnough)
	a.rng.Shuffle(len(a.pitches), func(i, j int) { a.pitches[i], a.pitches[j] = a.pitches[j], a.pitches[i] })
	require.Equal(t, want, Find(a.pitches, schemas.Pitcher))
}

func TestTooFewPitchesHaveNoChange(t *testing.T) {
	for _, pitches := range [][]schemas.DriftPitch{nil, history(1, 1).pitches, history(1, 1).pitches[:3]} {
		d := Find(pitches, schemas.Pitcher)
		require.False(t, d.IsEnough)
		require.Contains(t, d.Why, "not enough data")
		require.Empty(t, d.Changes)
	}
	batter := []schemas.DriftPitch{{GamePK: "g", EventTime: 5, Values: make([]schemas.Opt[float64], 2)}}
	require.Equal(t, schemas.Some[schemas.TimeMS](5), Find(batter, schemas.Batter).AsOf)
}
