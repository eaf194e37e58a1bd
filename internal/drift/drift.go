// Package drift finds where a player's mechanics changed: a pitcher who tires, a batter whose bat is slower
// than it was two weeks ago. Its functions are pure, and read the rows in the order of their event times.
// Therefore a correction that comes late changes what is found as if it had been there from the start.
//
// A value is compared with the player's own of the same pitch type on other days, because types differ by far
// more than fatigue takes. All that remains of a day may have one offset, which is no change. So within a
// game the pitches since a place are compared with those before it, and a bit with the other days. The place
// counts at which the difference is the most standard errors (a generalized likelihood ratio for a step,
// two-sided). Its limit is set by simulated games without a change.
package drift

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// Measures are the columns of a side, in the order of a DriftPitch's values.
func Measures(side schemas.Side) []string {
	if side == schemas.Pitcher {
		return []string{"release_speed_mph"}
	}
	return []string{"contact_bat_speed_mph", "contact_attack_angle_deg"}
}

// typical are the deviations within a day and between days, of a player of whom little is known.
type typical struct{ within, between float64 }

var typicals = map[string]typical{
	"release_speed_mph":        {1.0, 0.4},
	"contact_bat_speed_mph":    {5.0, 0.8},
	"contact_attack_angle_deg": {8.0, 1.2},
}

const (
	// GameLimit is the standard errors from which a change in a game is reported.
	GameLimit = 4.0
	// DaysLimit is that of a change over days. It is higher, because the spread of games is known from few.
	DaysLimit = 4.5
	// A change has at least leastAfter pitches, and at most mostAfter, behind it.
	leastAfter, mostAfter = 6, 40
	// leastBefore are the pitches of a game before a change.
	leastBefore = 10
	// A type is compared if the other days have so many of it.
	leastOfType = 8
	// believed is how many pitches the typical deviation counts as.
	believed = 20
	// clip is the number of deviations at which values are cut, so that one wrong value is no change.
	clip = 2.5
	// MostPitches bounds the rows of a player that a search reads, the newest ones.
	MostPitches = 5000
	// Recent is what a change over days is looked for in.
	Recent = 14 * 24 * time.Hour
	// leastGames are needed before such a change and after it.
	leastGames = 2
)

var limits = map[string]float64{"game": GameLimit, "days": DaysLimit}

// Find returns what changed in a player's newest game and over his last days. The order of pitches does not
// matter.
func Find(pitches []schemas.DriftPitch, side schemas.Side) schemas.Drift {
	pitches = slices.Clone(pitches)
	slices.SortFunc(pitches, func(a, b schemas.DriftPitch) int {
		return cmp.Or(cmp.Compare(a.EventTime, b.EventTime), slices.Compare(a.PitchID[:], b.PitchID[:]))
	})
	d := schemas.Drift{
		Measures: Measures(side), Changes: []schemas.DriftChange{}, Pitches: int64(len(pitches)),
		Why: "not enough data: a change needs a game of 16 pitches, and days before it",
	}
	for i := range pitches {
		d.ProcessedAt = schemas.Some(max(d.ProcessedAt.Value, pitches[i].ProcessedAt))
	}
	if len(pitches) == 0 {
		return d
	}
	last := pitches[len(pitches)-1]
	d.AsOf, d.GamePK = schemas.Some(last.EventTime), schemas.Text(last.GamePK)
	for i, name := range d.Measures {
		s := seriesOf(pitches, i, name)
		if i == 0 {
			d.GamePitches = int64(len(s.games[len(s.games)-1].values))
		}
		for _, find := range []func() (schemas.DriftChange, bool){s.inGame, s.overDays} {
			c, ok := find()
			if !ok {
				continue
			}
			d.IsEnough, d.Why = true, ""
			if math.Abs(c.Score) >= limits[c.Scope] {
				d.Changes = append(d.Changes, c)
			}
		}
	}
	slices.SortStableFunc(d.Changes, func(a, b schemas.DriftChange) int { return cmp.Compare(b.Scope, a.Scope) })
	return d
}
