package features

import (
	"math"

	"github.com/pitchstream/pitchstream/schemas"
)

// flatten copies the record's scalars and counts to the columns of their names (section 3 of the
// specification, columns). A missing value leaves its column missing, without an issue, because trackers
// often have nothing to report. A value that is not of its column's type leaves it missing with the issue
// <column>:type.
//
// Measures are copied without a check of their range: the features are computed from them first, and validate
// checks them afterwards. The counts of the score feed no feature and are checked here, because 1e300 balls
// would not fit into a smallint.
func (d *decoder) flatten(h *headers, row *schemas.Row, issues *issueSet) {
	d.flattenPitch(row, issues)
	d.flattenHit(row, issues)
	d.flattenScore(row, issues)
	d.flattenHeaders(h, row, issues)
	row.BatSamples, row.BallSamples = int32(d.bat.total), int32(d.ball.total)
	row.DuplicateSamples = int32(d.bat.duplicates + d.ball.duplicates)
	if d.bat.conflict {
		issues.add(batSamplesConflict)
	}
}

// flattenPitch copies the pitch, summary_acts.pitch: its type, action and result, its speed in mph and its
// spin in rpm.
func (d *decoder) flattenPitch(row *schemas.Row, issues *issueSet) {
	d.textColumn(&row.PitchType, pitchType, pitchTypeType, issues)
	d.textColumn(&row.PitchAction, pitchAction, pitchActionType, issues)
	d.resultColumn(row, issues)
	row.PitchSpeedMPH = d.numberColumn(pitchSpeed, pitchSpeedType, issues)
	row.SpinRateRPM = d.numberColumn(pitchSpin, spinRateType, issues)
}

// flattenHit copies the batted ball: exit velocity (mph) and spin (rpm) from summary_acts.hit, and spray and
// launch angle (degrees) from the first event's start.angle. That array is missing only as a whole. If it is
// there and is not an array of two, both columns get an issue.
func (d *decoder) flattenHit(row *schemas.Row, issues *issueSet) {
	row.ExitVelocityMPH = d.numberColumn(hitSpeed, exitVelocityType, issues)
	row.HitSpinRPM = d.numberColumn(hitSpin, hitSpinType, issues)
	switch pair := d.values[eventAngle]; {
	case pair.kind == missing:
	case pair.kind == array && pair.count == 2:
		row.SprayAngleDeg = d.angleColumn(eventSpray, sprayAngleType, issues)
		row.LaunchAngleDeg = d.angleColumn(eventLaunch, launchAngleType, issues)
	default:
		issues.add(sprayAngleType)
		issues.add(launchAngleType)
	}
}

// flattenScore copies the state of the game, summary_score. The inning is the number of innings in the line
// score, 1–50.
func (d *decoder) flattenScore(row *schemas.Row, issues *issueSet) {
	switch v := d.values[scoreInnings]; {
	case v.kind == missing:
	case v.kind != array:
		issues.add(inningType)
	case v.count > 50:
		issues.add(inningRange)
	default:
		row.Inning = schemas.Some(int16(v.count))
	}
	row.Balls = d.countColumn(scoreBalls, 4, ballsType, ballsRange, issues)
	row.Strikes = d.countColumn(scoreStrikes, 3, strikesType, strikesRange, issues)
	row.Outs = d.countColumn(scoreOuts, 3, outsType, outsRange, issues)
}

// flattenHeaders copies the columns that the producer names in headers: date, venue and identifiers. Batter
// and team fall back to the first event of the record, which names them only if the ball was hit.
func (d *decoder) flattenHeaders(h *headers, row *schemas.Row, issues *issueSet) {
	if len(h.gameDate) > 0 && !isGameDate(h.gameDate) {
		issues.add(gameDateType)
	} else {
		d.texts.add(&row.GameDate, h.gameDate)
	}
	if len(h.venue) > 0 && !isVenue(h.venue) {
		issues.add(venueType)
	} else {
		d.texts.add(&row.Venue, h.venue)
	}
	row.BatterID = identifierColumn(h.batterID, d.values[eventBatter], batterIDType, issues)
	row.PitcherID = identifierColumn(h.pitcherID, value{}, pitcherIDType, issues)
	row.TeamID = identifierColumn(h.teamID, d.values[eventTeam], teamIDType, issues)
}

// textColumn copies a text that a column can hold.
func (d *decoder) textColumn(column *schemas.Text, s slot, typ issue, issues *issueSet) {
	v := d.values[s]
	if v.kind == missing {
		return
	}
	if !d.texts.addValue(column, v) {
		issues.add(typ)
	}
}

// resultColumn copies one of the four results. Any other text leaves the column missing with the issue
// pitch_result:unknown, so that a new word shows up among the issues instead of in every query that groups by
// result.
func (d *decoder) resultColumn(row *schemas.Row, issues *issueSet) {
	v := d.values[pitchResult]
	for _, result := range [...]schemas.Text{
		schemas.ResultStrike, schemas.ResultBall, schemas.ResultHitIntoPlay, schemas.ResultPickoff,
	} {
		if v.is(string(result)) {
			row.PitchResult = result
			return
		}
	}
	if v.kind == missing {
		return
	}
	var storable bool
	if d.scratch, storable = v.appendColumnText(d.scratch[:0]); storable {
		issues.add(pitchResultUnknown)
	} else {
		issues.add(pitchResultType)
	}
}

// numberColumn returns a measure, missing if the value is no number.
func (d *decoder) numberColumn(s slot, typ issue, issues *issueSet) schemas.Opt[float64] {
	switch v := d.values[s]; v.kind {
	case number:
		return schemas.Some(v.num)
	case missing:
	default:
		issues.add(typ)
	}
	return schemas.Opt[float64]{}
}

// angleColumn returns one of the two angles of a batted ball. Within the pair no element counts as missing:
// null is of the wrong type, like anything else that is no number.
func (d *decoder) angleColumn(s slot, typ issue, issues *issueSet) schemas.Opt[float64] {
	if v := d.values[s]; v.kind == number {
		return schemas.Some(v.num)
	}
	issues.add(typ)
	return schemas.Opt[float64]{}
}

// countColumn returns an integral number from 0 to most. 3.0 is integral, 3.5 is of the wrong type.
func (d *decoder) countColumn(s slot, most float64, typ, outside issue, issues *issueSet) schemas.Opt[int16] {
	switch v := d.values[s]; {
	case v.kind == missing:
	case v.kind != number || v.num != math.Trunc(v.num):
		issues.add(typ)
	case v.num < 0 || v.num > most:
		issues.add(outside)
	default:
		return schemas.Some(int16(v.num))
	}
	return schemas.Opt[int16]{}
}

// identifierColumn returns the header's identifier, else the record's. A source that is there but holds no
// identifier adds the issue.
func identifierColumn(header []byte, v value, typ issue, issues *issueSet) schemas.Opt[int64] {
	if len(header) > 0 {
		if id := identifierText(header); id.Present {
			return id
		}
		issues.add(typ)
	}
	id := v.identifier()
	if !id.Present && v.kind != missing {
		issues.add(typ)
	}
	return id
}
