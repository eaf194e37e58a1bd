package features

import "github.com/pitchstream/pitchstream/schemas"

// The ranges are what instruments can see of what people can do, with room to spare; what is outside of them is a fault of
// tracking.

// validate takes out the measures that no pitch, ball or bat can have, and says so. What was concluded from them before
// (contact, whiff, confidences) stays. Bounds are inclusive.
func validate(row *schemas.Row, issues *issueSet) {
	within(&row.PitchSpeedMPH, 50, 110, pitchSpeedRange, issues)
	within(&row.SpinRateRPM, 500, 4000, spinRateRange, issues)
	within(&row.ExitVelocityMPH, 0, 125, exitVelocityRange, issues)
	within(&row.HitSpinRPM, 0, 10000, hitSpinRange, issues)
	within(&row.LaunchAngleDeg, -90, 90, launchAngleRange, issues)
	within(&row.SprayAngleDeg, -180, 180, sprayAngleRange, issues)
	within(&row.AttackAngleDeg, -45, 45, attackAngleRange, issues)
	within(&row.BatSpeedMPH, 0, 120, batSpeedRange, issues)
}

// within also makes minus zero zero: the two are equal, and people and stores show them differently.
func within(column *schemas.Opt[float64], low, high float64, outside issue, issues *issueSet) {
	column.Value += 0
	if column.Present && !(low <= column.Value && column.Value <= high) {
		*column = schemas.Opt[float64]{}
		issues.add(outside)
	}
}
