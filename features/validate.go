package features

import (
	"fmt"

	"github.com/pitchstream/pitchstream/schemas"
)

// validate clears the measures that no pitch, ball or bat can have, and adds an issue for each. Bounds are
// inclusive. They are what instruments can see of what people can do, with room to spare, so a value outside
// of them is a tracking fault. Values computed from a cleared one (contact, whiff, confidences) stay (section
// 4 of the specification, features).
func validate(row *schemas.Row, issues *issueSet) {
	// Slower than 50 mph is a lob or a fault of tracking; no pitcher has thrown 110 mph.
	within(&row.PitchSpeedMPH, 50, 110, pitchSpeedRange, issues)
	// A knuckleball spins slowest; 4000 rpm is beyond any breaking ball.
	within(&row.SpinRateRPM, 500, 4000, spinRateRange, issues)
	// The hardest batted balls are near 122 mph.
	within(&row.ExitVelocityMPH, 0, 125, exitVelocityRange, issues)
	within(&row.HitSpinRPM, 0, 10000, hitSpinRange, issues)
	// Angles are bounded by geometry: straight down to straight up, and once around the field.
	within(&row.LaunchAngleDeg, -90, 90, launchAngleRange, issues)
	within(&row.SprayAngleDeg, -180, 180, sprayAngleRange, issues)
	// A bat's head cannot rise or fall more steeply than 45° where it is fastest, nor move at 120 mph.
	within(&row.AttackAngleDeg, -45, 45, attackAngleRange, issues)
	within(&row.BatSpeedMPH, 0, 120, batSpeedRange, issues)
}

// checkFlight clears what no pitch does.
func checkFlight(b *rowBuilder) {
	row, issues := b.row, &b.issues
	within(&row.ReleaseSpeedMPH, 0, 125, releaseSpeedRange, issues)
	within(&row.PlateSpeedMPH, 0, 125, plateSpeedRange, issues)
	within(&row.VerticalApproachDeg, -90, 90, verticalApproachRange, issues)
	within(&row.HorizontalApproachDeg, -90, 90, horizontalApproachRange, issues)
	within(&row.HorizontalBreakIn, -40, 40, horizontalBreakRange, issues)
	within(&row.InducedVerticalBreakIn, -40, 40, inducedVerticalBreakRange, issues)
}

// checkContact clears what no bat does at contact. Without a flight of the pitch the track is noise from end
// to end, and the issues stay those of the record's own values.
func checkContact(b *rowBuilder, f *flight) {
	row, issues := b.row, &b.issues
	if !f.isFit {
		issues = new(issueSet)
	}
	within(&row.ContactBatSpeedMPH, 0, 125, contactBatSpeedRange, issues)
	within(&row.ContactAttackAngleDeg, -90, 90, contactAttackAngleRange, issues)
	within(&row.ContactAttackDirectionDeg, -180, 180, contactAttackDirectionRange, issues)
	within(&row.ContactAttackDirectionPullDeg, -180, 180, contactAttackDirectionPullRange, issues)
	within(&row.SwingLengthFT, 0, 20, swingLengthRange, issues)
	within(&row.InterceptXFT, -10, 10, interceptXRange, issues)
	within(&row.InterceptYFT, -10, 10, interceptYRange, issues)
	within(&row.InterceptZFT, -10, 10, interceptZRange, issues)
	within(&row.MissDistanceIn, 0, 60, missDistanceRange, issues)
	within(&row.SquaredUpPct, 0, 150, squaredUpRange, issues)
}

// within clears a value outside of low–high. It also turns −0 into 0: the two are equal, but people and
// stores show them differently.
func within(column *schemas.Opt[float64], low, high float64, outside issue, issues *issueSet) {
	column.Value += 0
	if column.Present && !(low <= column.Value && column.Value <= high) {
		*column = schemas.Opt[float64]{}
		issues.add(outside)
	}
}

// check rejects JSON that is no readable pitch, in the order of the specification (section 5, what is not a
// row). Anything else that may be wrong with a record is an issue of its row, never a reason to drop a pitch.
func (r *record) check() *Rejection {
	if !r.isObject {
		return reject(schemas.CodeNotAPitch, "", "the record is not an object")
	}
	if r.values[pitchObject].kind != object {
		return reject(schemas.CodeNotAPitch, "summary_acts.pitch", "it is missing, empty or not an object")
	}
	if rej := r.samplesBat.check("samples_bat"); rej != nil {
		return rej
	}
	if rej := r.samplesBall.check("samples_ball"); rej != nil {
		return rej
	}
	if rej := r.events.check("events"); rej != nil {
		return rej
	}
	if rej := checkUnit("units.length", r.values[unitsLength], "foot"); rej != nil {
		return rej
	}
	return checkUnit("units.velocity", r.values[unitsVelocity], "mph")
}

// objects reports whether a member of the record is valid: missing, or an array of objects.
type objects struct {
	wrong bool
	// at is the first element that is no object, −1 if the member is no array. It counts only if wrong is set.
	at int
	// place is where the array is in the value; zero for anything else.
	place Place
}

// check returns the rejection of an invalid member, nil for a valid one.
func (o objects) check(name string) *Rejection {
	switch {
	case !o.wrong:
		return nil
	case o.at < 0:
		return violation(name, "it is there and not an array of objects")
	}
	return violation(fmt.Sprintf("%s[%d]", name, o.at), "it is not an object")
}

// checkUnit rejects a unit that is there and is not the wanted one. Converting units would be a guess about
// the samples too, whose unit the record does not repeat.
func checkUnit(path string, v value, want string) *Rejection {
	if v.kind == missing || v.is(want) {
		return nil
	}
	return reject(schemas.CodeUnsupportedUnits, path, "it is not %q, the only unit that is read", want)
}
