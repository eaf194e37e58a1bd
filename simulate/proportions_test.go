package simulate

import (
	"math"
	"sort"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/pitchstream/pitchstream/schemas"
)

// TestProportionsAreThoseOfTheRealSet compares 10,000 pitches of core 1 with the figures of the real 1,254.
// The tolerance is three standard errors of the real figure, the looser of the two.
func TestProportionsAreThoseOfTheRealSet(t *testing.T) {
	const n = 10_000
	counts := map[string]int{}
	var exits, speeds, launches, attacks, bats []float64
	pitches(t, Options{Seed: 21, Pitches: n, Core: 1}, func(g *game, p *pitch) {
		row := p.row(schemas.PitchID{}, g.pk, g, false)
		for name, is := range map[string]bool{
			"HitIntoPlay": p.call == inPlay, "Foul": p.call == foul, "ball Called": p.call == calledBall,
			"strike Called": p.call == calledStrike, "Pickoff": p.call == pickoff,
			"swing and miss": p.call == swingingStrike, "dirt": p.call == ballInDirt,
			"batter named": row.BatterID.Present, "swing": row.IsSwing,
			"0-0": g.balls == 0 && g.strikes == 0, "3-2": g.balls == 3 && g.strikes == 2,
			"two strikes": g.strikes == 2, "no outs": g.outs == 0,
			"out made": p.play.outs > 0, "low spin": p.measured && p.spinRPM < 1000,
		} {
			if is {
				counts[name]++
			}
		}
		if row.IsSwing && p.swing.lost {
			counts["bat lost"]++
		}
		if row.SpeedConfidence == schemas.SpeedReliable {
			counts["reliable"]++
			bats = append(bats, row.BatSpeedMPH.Value)
			attacks = append(attacks, row.AttackAngleDeg.Value)
		}
		if p.measured {
			speeds = append(speeds, p.speedMPH)
		}
		if p.call == inPlay && p.batted.tracked {
			exits, launches = append(exits, p.batted.exitMPH), append(launches, p.batted.launchDeg)
		}
	})
	for name, real := range map[string]float64{
		"HitIntoPlay": 184, "Foul": 194, "ball Called": 437, "strike Called": 220, "Pickoff": 20, "swing and miss": 142,
		"dirt": 25, "batter named": 326, "swing": 628, "0-0": 318, "3-2": 58, "two strikes": 373, "no outs": 430,
		"out made": 199, "bat lost": 58, "reliable": 562, "low spin": 34,
	} {
		share := real / 1254
		tolerance := 3 * math.Sqrt(share*(1-share)/1254)
		assert.InDelta(t, share, float64(counts[name])/n, tolerance, name)
	}
	assert.InDelta(t, 89, median(exits), 4, "exit velocity in play, mph")
	assert.InDelta(t, 7.8, median(launches), 4, "launch in play, degrees")
	assert.InDelta(t, 87, median(speeds), 3, "pitch speed, mph")
	assert.InDelta(t, 69, median(bats), 2, "bat speed, mph")
	assert.InDelta(t, attackMeanDeg, median(attacks), 1, "attack angle, degrees")
	assert.GreaterOrEqual(t, attacks[0], float64(attackMinDeg))
}

func median(x []float64) float64 {
	sort.Float64s(x)
	return x[len(x)/2]
}

// Three games of four name no pitch type, as 944 of 1,254 real pitches do not.
func TestTypesAreNamedInAQuarterOfTheGames(t *testing.T) {
	named, all := 0, 0
	for m := range each(t, Options{Seed: 2, Games: 4}) {
		if all++; m.Want.Row.PitchType != "" {
			named++
		}
	}
	assert.InDelta(t, 0.25, float64(named)/float64(all), 0.05)
	assert.InDelta(t, 313, float64(all)/4, 60, "pitches in a game")
}

func TestSizesAreThoseOfRealRecords(t *testing.T) {
	var takes, swings []float64
	for m := range each(t, Options{Seed: 2, Pitches: 500}) {
		if m.Want.Row.IsSwing {
			swings = append(swings, float64(len(m.Value)))
		} else {
			takes = append(takes, float64(len(m.Value)))
		}
	}
	assert.InDelta(t, 11_500, median(takes), 1_500)
	assert.InDelta(t, 85_000, median(swings), 8_000)
	assert.Greater(t, swings[len(swings)*9/10], 110_000.)
}

func TestQuantilesGoThroughTheirPoints(t *testing.T) {
	for i, u := range quantileLevels {
		assert.InDelta(t, inPlayExitMPH[i], inPlayExitMPH.at(u), 1e-9)
	}
	assert.InDelta(t, 71, checkHeadFPS.at(0.75), 8)
	assert.InDelta(t, 0.975, level(1.96), 1e-4)
}
