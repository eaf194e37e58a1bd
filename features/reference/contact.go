package reference

// The aggregates from the columns of the second version of the core: at which pitches a batter swings, how
// the bat moves at contact, and how the ball leaves it.
//
// The problem is the competitive swings, because whether a swing is one depends on the batter's other swings.
// A correction of one swing may move the limit for all of them. Here the set is built anew from all rows. The
// stores keep sums over all swings that may be in the set, and subtract the slow ones.
//
// A value that is missing is neither in the numerator nor in the denominator of a rate. So a pitch without a
// track through the zone is no pitch outside it, and lowers no batter's chase rate.

import (
	"math"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// rate returns the share in percent of those of the rows for which isWhole is true that isPart is true for
// too.
func rate(rows []schemas.StoredRow, isWhole, isPart func(*schemas.StoredRow) bool) schemas.Opt[float64] {
	var part, whole int64
	for i := range rows {
		if isWhole(&rows[i]) {
			whole++
			part += count(isPart(&rows[i]))
		}
	}
	return schemas.RatePct(part, whole)
}

// average returns the mean of the values that are there.
func average(
	rows []schemas.StoredRow, value func(*schemas.StoredRow) schemas.Opt[float64],
) schemas.Opt[float64] {
	return mean(present(rows, value))
}

// present returns the values that are there, in the order of the rows.
func present(
	rows []schemas.StoredRow, value func(*schemas.StoredRow) schemas.Opt[float64],
) (values []float64) {
	for i := range rows {
		if v := value(&rows[i]); v.Present {
			values = append(values, v.Value)
		}
	}
	return values
}

// fillDiscipline computes at which pitches the batter swings, and how often he meets those in the zone. A
// pitch that he was hit by or that was a pickoff counts like any other if its track reaches the zone.
func fillDiscipline(s *schemas.Stats, rows []schemas.StoredRow) {
	isOutside := func(r *schemas.StoredRow) bool { return r.InZone == schemas.Some(false) }
	isInside := func(r *schemas.StoredRow) bool { return r.InZone == schemas.Some(true) }
	isChase := func(r *schemas.StoredRow) bool { return r.IsChase == schemas.Some(true) }
	isSwing := func(r *schemas.StoredRow) bool { return r.IsSwing }
	isZoneSwing := func(r *schemas.StoredRow) bool { return isInside(r) && r.IsSwing }
	isContact := func(r *schemas.StoredRow) bool { return r.IsContact }
	s.ChaseRatePct = rate(rows, isOutside, isChase)
	s.ZoneSwingRatePct = rate(rows, isInside, isSwing)
	s.ZoneContactRatePct = rate(rows, isZoneSwing, isContact)
}

// competitive returns the rows with a competitive swing. One that hit the ball hard is competitive, unless it
// was slower than a hard hit can be. Its doubts do not matter, because the ball shows that it was real. A
// reliable swing is competitive if it is among the fastest 90 % of the reliable swings of these rows. That
// is: it is not below their 10th percentile.
//
// The rows of one game have a percentile of their own. Otherwise each pitch could change the aggregates of
// all games of a career.
func competitive(rows []schemas.StoredRow) (swings []schemas.StoredRow) {
	isReliable := func(r schemas.StoredRow) bool {
		return r.ContactBatSpeedMPH.Present && r.ContactConfidence == schemas.SpeedReliable
	}
	var speeds []float64
	for _, r := range rows {
		if isReliable(r) {
			speeds = append(speeds, r.ContactBatSpeedMPH.Value)
		}
	}
	slices.Sort(speeds)
	for _, r := range rows {
		hard := r.ContactBatSpeedMPH.Present && r.ContactBatSpeedMPH.Value >= schemas.CompetitiveMPH &&
			r.ExitVelocityMPH.Present && r.ExitVelocityMPH.Value >= schemas.CompetitiveExitMPH
		if hard || isReliable(r) && r.ContactBatSpeedMPH.Value >= percentile(speeds, 0.1) {
			swings = append(swings, r)
		}
	}
	return swings
}

// fillSwords counts the swings that were cut short and are not above the 10th percentile of the reliable
// swings of these rows. A sword's own speed may be doubted, because a bat that stops bends its track.
func fillSwords(s *schemas.Stats, rows []schemas.StoredRow) {
	var speeds []float64
	for _, r := range rows {
		if r.ContactBatSpeedMPH.Present && r.ContactConfidence == schemas.SpeedReliable {
			speeds = append(speeds, r.ContactBatSpeedMPH.Value)
		}
	}
	if len(speeds) == 0 {
		return
	}
	slices.Sort(speeds)
	for _, r := range rows {
		isSlow := r.ContactBatSpeedMPH.Present && r.ContactBatSpeedMPH.Value <= percentile(speeds, 0.1)
		s.SwordCount += count(isSlow && r.IsCutShort == schemas.Some(true))
	}
}

// percentile returns what PERCENTILE_CONT does, of values in ascending order.
func percentile(sorted []float64, fraction float64) float64 {
	at := fraction * float64(len(sorted)-1)
	low, high := sorted[int(math.Floor(at))], sorted[int(math.Ceil(at))]
	return low + (at-math.Floor(at))*(high-low)
}

// fillContact computes how the batter swings, over competitive swings. Slow swings are mostly checked ones
// and bunts, which say nothing about that.
func fillContact(s *schemas.Stats, swings []schemas.StoredRow) {
	isSwing := func(*schemas.StoredRow) bool { return true }
	isFast := func(r *schemas.StoredRow) bool { return r.ContactBatSpeedMPH.Value >= schemas.FastSwingMPH }
	hasAngle := func(r *schemas.StoredRow) bool { return r.ContactAttackAngleDeg.Present }
	isIdeal := func(r *schemas.StoredRow) bool {
		angle := r.ContactAttackAngleDeg.Value
		return schemas.IdealAttackLowDeg <= angle && angle <= schemas.IdealAttackHighDeg
	}
	isHit := func(r *schemas.StoredRow) bool { return r.IsSquaredUp.Present }
	isSquaredUp := func(r *schemas.StoredRow) bool { return r.IsSquaredUp == schemas.Some(true) }
	isBlast := func(r *schemas.StoredRow) bool { return r.IsBlast == schemas.Some(true) }
	s.CompetitiveSwings = int64(len(swings))
	s.AvgContactBatSpeedMPH = average(swings, func(r *schemas.StoredRow) schemas.Opt[float64] {
		return r.ContactBatSpeedMPH
	})
	s.FastSwingRatePct = rate(swings, isSwing, isFast)
	s.AvgSwingLengthFT = average(swings, func(r *schemas.StoredRow) schemas.Opt[float64] {
		return r.SwingLengthFT
	})
	s.AvgContactAttackAngleDeg = average(swings, func(r *schemas.StoredRow) schemas.Opt[float64] {
		return r.ContactAttackAngleDeg
	})
	s.IdealAttackAngleRatePct = rate(swings, hasAngle, isIdeal)
	s.SquaredUpRatePct = rate(swings, isSwing, isSquaredUp)
	s.SquaredUpContactRatePct = rate(swings, isHit, isSquaredUp)
	s.BlastRatePct = rate(swings, isSwing, isBlast)
	speeds := present(swings, func(r *schemas.StoredRow) schemas.Opt[float64] { return r.ContactBatSpeedMPH })
	if slices.Sort(speeds); len(speeds) > 0 {
		s.P10ContactBatSpeedMPH = schemas.Some(percentile(speeds, 0.1))
		s.P90ContactBatSpeedMPH = schemas.Some(percentile(speeds, 0.9))
	}
}

// fillBattedBalls computes how the ball left the bat. A batted ball whose exit velocity or launch angle was
// not tracked is not known to be a barrel or none.
func fillBattedBalls(s *schemas.Stats, rows []schemas.StoredRow) {
	isBattedBall := func(r *schemas.StoredRow) bool { return r.IsBarrel.Present }
	isBarrel := func(r *schemas.StoredRow) bool { return r.IsBarrel == schemas.Some(true) }
	hasLaunchAngle := func(r *schemas.StoredRow) bool { return r.LaunchAngleDeg.Present }
	isSweet := func(r *schemas.StoredRow) bool {
		angle := r.LaunchAngleDeg.Value
		return schemas.SweetSpotLowDeg <= angle && angle <= schemas.SweetSpotHighDeg
	}
	s.BarrelRatePct = rate(rows, isBattedBall, isBarrel)
	s.SweetSpotRatePct = rate(rows, hasLaunchAngle, isSweet)
	exits := present(rows, func(r *schemas.StoredRow) schemas.Opt[float64] { return r.ExitVelocityMPH })
	if slices.Sort(exits); len(exits) > 0 {
		s.P90ExitVelocityMPH = schemas.Some(percentile(exits, 0.9))
		s.AvgEV50MPH = mean(exits[len(exits)/2:])
	}
}
