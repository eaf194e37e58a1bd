package simulate_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// TestBatsAreLikeTheGameAtContact holds the league's figures of 2025, in what the core makes of the records.
func TestBatsAreLikeTheGameAtContact(t *testing.T) {
	s, err := simulate.New(simulate.Options{Seed: 51, Pitches: 12_000, Parallel: 15, FeedIDs: true})
	require.NoError(t, err)
	var rows, swings []schemas.Row
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		rec := schemas.Record{Key: m.Key, Headers: m.Headers, Value: m.Value}
		c, rejected := features.Transform(rec, features.Limits{})
		require.Nil(t, rejected)
		if rows = append(rows, *c.Row); c.Row.IsSwing {
			swings = append(swings, *c.Row)
		}
	}
	best := competitive(swings)
	t.Logf("%d pitches, %d swings, %d competitive", len(rows), len(swings), len(best))

	column := func(rows []schemas.Row, of func(*schemas.Row) schemas.Opt[float64]) (values []float64) {
		for i := range rows {
			if v := of(&rows[i]); v.Present {
				values = append(values, v.Value)
			}
		}
		return values
	}
	holds := func(what string, want, delta, got float64) {
		t.Logf("%-40s %8.3f, figure %g ± %g", what, got, want, delta)
		assert.InDelta(t, want, got, delta, what)
	}
	moments := func(
		what string, of func(*schemas.Row) schemas.Opt[float64], mean, meanDelta, sd, sdDelta float64,
	) {
		gotMean, gotSD := meanAndSD(column(best, of))
		holds(what+", mean", mean, meanDelta, gotMean)
		holds(what+", deviation", sd, sdDelta, gotSD)
	}
	within, between := components(best)
	mean, _ := meanAndSD(column(best, func(r *schemas.Row) schemas.Opt[float64] { return r.ContactBatSpeedMPH }))
	holds("contact bat speed, mph", 72, 0.5, mean)
	holds("contact bat speed within batters, mph", 7, 0.5, within)
	holds("contact bat speed between batters, mph", 2.7, 0.5, between)
	moments("attack angle, degrees",
		func(r *schemas.Row) schemas.Opt[float64] { return r.ContactAttackAngleDeg }, 8, 1, 11, 1)
	moments("tilt, degrees", func(r *schemas.Row) schemas.Opt[float64] { return r.SwingPathTiltDeg }, 32, 1, 7, 0.7)
	moments("length, ft", func(r *schemas.Row) schemas.Opt[float64] { return r.SwingLengthFT }, 7.3, 0.15, 0.6, 0.15)

	times := column(best, func(r *schemas.Row) schemas.Opt[float64] { return r.TimeToContactS })
	slices.Sort(times)
	holds("time to contact, s, of 95 %", 0.09, 0.02, times[len(times)/40])
	holds("time to contact, s, of 95 %", 0.09, 0.02, times[len(times)*39/40])
	var missed []float64
	for i := range best {
		if best[i].IsContact && best[i].MissDistanceIn.Present {
			missed = append(missed, best[i].MissDistanceIn.Value)
		}
	}
	mean, sd := meanAndSD(missed)
	holds("ball beside the axis, inches", 2.6, 0.02, mean)
	holds("ball beside the axis, deviation", 0.1, 0.05, sd)

	share := func(rows []schemas.Row, of, is func(*schemas.Row) bool) float64 {
		n, all := 0, 0
		for i := range rows {
			if of(&rows[i]) {
				if all++; is(&rows[i]) {
					n++
				}
			}
		}
		return 100 * float64(n) / float64(all)
	}
	every := func(*schemas.Row) bool { return true }
	yes := func(o schemas.Opt[bool]) bool { return o.Present && o.Value }
	no := func(o schemas.Opt[bool]) bool { return o.Present && !o.Value }
	in := func(r *schemas.Row) bool { return yes(r.InZone) }
	out := func(r *schemas.Row) bool { return no(r.InZone) }
	whiff := func(r *schemas.Row) bool { return r.IsWhiff }
	holds("squared up, % of swings", 26, 2, share(best, every, func(r *schemas.Row) bool { return yes(r.IsSquaredUp) }))
	holds("blasts, % of swings", 12, 1.5, share(best, every, func(r *schemas.Row) bool { return yes(r.IsBlast) }))
	holds("whiffs in the zone, % of swings", 15, 2, share(swings, in, whiff))
	holds("whiffs outside, % of swings", 43, 3, share(swings, out, whiff))
	holds("chases, % of pitches outside", 28, 2, share(rows, out, func(r *schemas.Row) bool { return yes(r.IsChase) }))

	depth := func(r *schemas.Row) float64 { return 12 * r.InterceptYFT.Value }
	holds("attack an inch of depth, degrees", 0.80, 0.08,
		slope(best, depth, func(r *schemas.Row) float64 { return r.ContactAttackAngleDeg.Value }))
	holds("pull an inch of depth, degrees", 1.46, 0.08,
		slope(best, depth, func(r *schemas.Row) float64 { return r.ContactAttackDirectionPullDeg.Value }))
	holds("tilt a zone height, degrees", -9.4, 0.9,
		slope(best, func(r *schemas.Row) float64 { return r.InterceptZFT.Value / 2 },
			func(r *schemas.Row) float64 { return r.SwingPathTiltDeg.Value }))
	for strikes, mph := range []float64{72.6, 72.0, 70.7} {
		var speeds []float64
		for i := range best {
			if int(best[i].Strikes.Value) == strikes {
				speeds = append(speeds, best[i].ContactBatSpeedMPH.Value)
			}
		}
		mean, _ := meanAndSD(speeds)
		holds("contact bat speed by strikes, mph", mph, 0.6, mean)
	}
}

// TestSomeSwingsAreStoppedTooLate plays swords, which the core finds: about two of a hundred misses.
func TestSomeSwingsAreStoppedTooLate(t *testing.T) {
	s, err := simulate.New(simulate.Options{Seed: 52, Pitches: 8000, Parallel: 15})
	require.NoError(t, err)
	misses, stopped, found, wrong := 0, 0, 0, 0
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		want := m.Want.Row
		if !want.IsWhiff || want.PitchResult != schemas.ResultStrike {
			require.False(t, want.IsCutShort.Value)
			continue
		}
		misses++
		rec := schemas.Record{Key: m.Key, Headers: m.Headers, Value: m.Value}
		c, rejected := features.Transform(rec, features.Limits{})
		require.Nil(t, rejected)
		isFound := c.Row.IsCutShort.Value
		if isFound && !want.IsCutShort.Value {
			wrong++
		}
		if want.IsCutShort.Value && want.ContactBatSpeedMPH.Value <= 48 {
			if stopped++; isFound {
				found++
			}
		}
	}
	t.Logf("of %d misses %d were stopped, and %d of these found; %d others", misses, stopped, found, wrong)
	assert.InDelta(t, 0.018, float64(stopped)/float64(misses), 0.01)
	assert.Greater(t, found, stopped*8/10)
	assert.LessOrEqual(t, wrong, 2)
}

// competitive are the reliable swings of at least 60 mph with an exit velocity of 90 mph, and those among the
// fastest 90 % of their batter.
func competitive(swings []schemas.Row) (best []schemas.Row) {
	of := map[int64][]schemas.Row{}
	for _, r := range swings {
		if r.ContactConfidence == schemas.SpeedReliable {
			of[r.BatterID.Value] = append(of[r.BatterID.Value], r)
		}
	}
	for _, own := range of {
		slices.SortFunc(own, func(a, b schemas.Row) int {
			return int(math.Copysign(1, a.ContactBatSpeedMPH.Value-b.ContactBatSpeedMPH.Value))
		})
		for i, r := range own {
			if i >= len(own)/10 || r.ContactBatSpeedMPH.Value >= 60 && r.ExitVelocityMPH.Value >= 90 {
				best = append(best, r)
			}
		}
	}
	return best
}

// components are the deviations of contact bat speeds within batters, and of the batters' own speeds.
func components(rows []schemas.Row) (within, between float64) {
	of := map[int64][]float64{}
	for _, r := range rows {
		of[r.BatterID.Value] = append(of[r.BatterID.Value], r.ContactBatSpeedMPH.Value)
	}
	var inside, n, inverse float64
	var means []float64
	for _, own := range of {
		if len(own) < 5 {
			continue
		}
		mean, sd := meanAndSD(own)
		means = append(means, mean)
		inside, n = inside+sd*sd*float64(len(own)-1), n+float64(len(own)-1)
		inverse += 1 / float64(len(own))
	}
	inside /= n
	_, sd := meanAndSD(means)
	// The mean of a batter's few swings varies by chance, too.
	return math.Sqrt(inside), math.Sqrt(max(sd*sd-inside*inverse/float64(len(means)), 0))
}

func meanAndSD(x []float64) (mean, sd float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		sd += (v - mean) * (v - mean) / float64(len(x)-1)
	}
	return mean, math.Sqrt(sd)
}

// slope is that of the line through y by x.
func slope(rows []schemas.Row, x, y func(*schemas.Row) float64) float64 {
	var n, sx, sy, sxx, sxy float64
	for i := range rows {
		a, b := x(&rows[i]), y(&rows[i])
		n, sx, sy, sxx, sxy = n+1, sx+a, sy+b, sxx+a*a, sxy+a*b
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}
