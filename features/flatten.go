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
func (b *rowBuilder) flatten() {
	b.flattenPitch()
	b.flattenHit()
	b.flattenScore()
	b.flattenHeaders()
	b.row.BatSamples, b.row.BallSamples = int32(b.d.bat.total), int32(b.d.ball.total)
	b.row.DuplicateSamples = int32(b.d.bat.duplicates + b.d.ball.duplicates)
	if b.d.bat.conflict {
		b.issues.add(batSamplesConflict)
	}
}

// flattenPitch copies the pitch, summary_acts.pitch: its type, action and result, its speed in mph and its
// spin in rpm.
func (b *rowBuilder) flattenPitch() {
	b.textColumn(&b.row.PitchType, pitchType, pitchTypeType)
	b.textColumn(&b.row.PitchAction, pitchAction, pitchActionType)
	b.resultColumn()
	b.row.PitchSpeedMPH = b.numberColumn(pitchSpeed, pitchSpeedType)
	b.row.SpinRateRPM = b.numberColumn(pitchSpin, spinRateType)
}

// flattenHit copies the batted ball: exit velocity (mph) and spin (rpm) from summary_acts.hit, and spray and
// launch angle (degrees) from the first event's start.angle. That array is missing only as a whole. If it is
// there and is not an array of two, both columns get an issue.
func (b *rowBuilder) flattenHit() {
	b.row.ExitVelocityMPH = b.numberColumn(hitSpeed, exitVelocityType)
	b.row.HitSpinRPM = b.numberColumn(hitSpin, hitSpinType)
	// The order in the record is [spray, launch]; the columns are in the order of their use.
	switch pair := b.d.values[eventAngle]; {
	case pair.kind == missing:
	case pair.kind == array && pair.count == 2:
		b.row.SprayAngleDeg = b.angleColumn(eventSpray, sprayAngleType, sprayAngleUnit)
		b.row.LaunchAngleDeg = b.angleColumn(eventLaunch, launchAngleType, launchAngleUnit)
	default:
		b.issues.add(sprayAngleType)
		b.issues.add(launchAngleType)
	}
}

// flattenScore copies the state of the game, summary_score. The inning is the number of innings in the line
// score, 1–50.
func (b *rowBuilder) flattenScore() {
	switch v := b.d.values[scoreInnings]; {
	case v.kind == missing:
	case v.kind != array:
		b.issues.add(inningType)
	case v.count > 50:
		b.issues.add(inningRange)
	default:
		b.row.Inning = schemas.Some(int16(v.count))
	}
	b.row.Balls = b.countColumn(scoreBalls, 4, ballsType, ballsRange)
	b.row.Strikes = b.countColumn(scoreStrikes, 3, strikesType, strikesRange)
	b.row.Outs = b.countColumn(scoreOuts, 3, outsType, outsRange)
}

// flattenHeaders copies the columns that the producer names in headers: date, venue and identifiers. Batter
// and team fall back to the first event of the record, which names them only if the ball was hit.
func (b *rowBuilder) flattenHeaders() {
	if len(b.h.gameDate) > 0 && !isGameDate(b.h.gameDate) {
		b.issues.add(gameDateType)
	} else {
		b.d.texts.add(&b.row.GameDate, b.h.gameDate)
	}
	if len(b.h.venue) > 0 && !isVenue(b.h.venue) {
		b.issues.add(venueType)
	} else {
		b.d.texts.add(&b.row.Venue, b.h.venue)
	}
	b.row.BatterID = b.identifierColumn(b.h.batterID, b.d.values[eventBatter], batterIDType)
	b.row.PitcherID = b.identifierColumn(b.h.pitcherID, value{}, pitcherIDType)
	b.row.TeamID = b.identifierColumn(b.h.teamID, b.d.values[eventTeam], teamIDType)
}

// textColumn copies a text that a column can hold.
func (b *rowBuilder) textColumn(column *schemas.Text, s slot, typ issue) {
	v := b.d.values[s]
	if v.kind == missing {
		return
	}
	if !b.d.texts.addValue(column, v) {
		b.issues.add(typ)
	}
}

// resultColumn copies one of the four results. Any other text leaves the column missing with the issue
// pitch_result:unknown, so that a new word shows up among the issues instead of in every query that groups by
// result.
func (b *rowBuilder) resultColumn() {
	v := b.d.values[pitchResult]
	for _, result := range [...]schemas.Text{
		schemas.ResultStrike, schemas.ResultBall, schemas.ResultHitIntoPlay, schemas.ResultPickoff,
	} {
		if v.is(string(result)) {
			b.row.PitchResult = result
			return
		}
	}
	if v.kind == missing {
		return
	}
	// A text that a column could hold is an unknown word; anything else is not of the column's type.
	var storable bool
	if b.d.scratch, storable = v.appendColumnText(b.d.scratch[:0]); storable {
		b.issues.add(pitchResultUnknown)
	} else {
		b.issues.add(pitchResultType)
	}
}

// numberColumn returns a measure, missing if the value is no number.
func (b *rowBuilder) numberColumn(s slot, typ issue) schemas.Opt[float64] {
	switch v := b.d.values[s]; v.kind {
	case number:
		return schemas.Some(v.num)
	case missing:
	default:
		b.issues.add(typ)
	}
	return schemas.Opt[float64]{}
}

// angleColumn returns one of the two angles of a batted ball. Within the pair no element counts as missing:
// null is of the wrong type, like anything else that is no number. A record that names another unit than the
// degree has its angles missing: radians are numbers that degrees could be.
func (b *rowBuilder) angleColumn(s slot, typ, unit issue) schemas.Opt[float64] {
	v, in := b.d.values[s], b.d.values[unitsAngle]
	switch {
	case v.kind != number:
		b.issues.add(typ)
	// guard: units: angles in another unit are missing | !in.is("degree") -> in.kind == missing
	case in.kind != missing && !in.is("degree"):
		b.issues.add(unit)
	default:
		return schemas.Some(v.num)
	}
	return schemas.Opt[float64]{}
}

// countColumn returns an integral number from 0 to most. 3.0 is integral, 3.5 is of the wrong type.
func (b *rowBuilder) countColumn(s slot, most float64, typ, outside issue) schemas.Opt[int16] {
	switch v := b.d.values[s]; {
	case v.kind == missing:
	case v.kind != number || v.num != math.Trunc(v.num):
		b.issues.add(typ)
	case v.num < 0 || v.num > most:
		b.issues.add(outside)
	default:
		return schemas.Some(int16(v.num))
	}
	return schemas.Opt[int16]{}
}

// identifierColumn returns the header's identifier, else the record's. A source that is there but holds no
// identifier adds the issue.
func (b *rowBuilder) identifierColumn(header []byte, v value, typ issue) schemas.Opt[int64] {
	if len(header) > 0 {
		if id := identifierText(header); id.Present {
			return id
		}
		b.issues.add(typ)
	}
	id := v.identifier()
	if !id.Present && v.kind != missing {
		b.issues.add(typ)
	}
	return id
}
