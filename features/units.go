package features

import (
	"math"

	"github.com/pitchstream/pitchstream/schemas"
)

// This file compares the units in which a record says its values. A record has each speed in miles an hour,
// in kilometres an hour and in metres a second. A producer that sends another unit in the member for miles
// often still sends the others beside it, and then the column would be wrong by a factor.
//
// Only what such a mistake looks like is an issue. The members are not asked to agree, because the vectors of
// the specification have rows whose three speeds do not, and whose column is the mph as it is written.

const (
	// roundedBy is by how much a member is rounded: trackers write whole numbers.
	roundedBy = 0.5
	// leastUnitSpeed is the smallest speed that is compared. Slower ones are the same whole number in two units.
	leastUnitSpeed = 10
	// kphPerMPH and kphPerMPS convert speeds.
	kphPerMPH = 1.609344
	kphPerMPS = 3.6
)

// checkUnits clears a speed whose mph is what the record itself says in another unit. It runs before the
// ranges are checked, so that such a speed has the one issue that names its fault.
func checkUnits(b *rowBuilder) {
	checkSpeedUnit(b, &b.row.PitchSpeedMPH, pitchSpeedKPH, pitchSpeedMPS, pitchSpeedUnit)
	checkSpeedUnit(b, &b.row.ExitVelocityMPH, hitSpeedKPH, hitSpeedMPS, exitVelocityUnit)
}

// checkSpeedUnit clears one speed, if it is in the unit of one of the two members beside it.
func checkSpeedUnit(b *rowBuilder, column *schemas.Opt[float64], kphSlot, mpsSlot slot, unit issue) {
	if column.Present && isOtherUnit(column.Value, &b.d.values[kphSlot], &b.d.values[mpsSlot]) {
		*column = schemas.Opt[float64]{}
		b.issues.add(unit)
	}
}

// isOtherUnit reports whether a speed in mph is its kph or its mps, or changed places with its kph.
func isOtherUnit(mph float64, kph, mps *value) bool {
	// guard: units: slow speeds are the same number in two units | mph < leastUnitSpeed -> false
	if mph < leastUnitSpeed {
		return false
	}
	isKPH, isMPS := kph.kind == number, mps.kind == number
	switch {
	// guard: units: kilometres sent as miles are missing | isKPH && math.Abs(mph-kph.num) <= roundedBy -> false
	case isKPH && math.Abs(mph-kph.num) <= roundedBy:
		return true
	// guard: units: metres sent as miles are missing | isMPS && math.Abs(mph-mps.num) <= roundedBy -> false
	case isMPS && math.Abs(mph-mps.num) <= roundedBy:
		return true
	}
	// guard: units: miles and kilometres that changed places are missing | isKPH && isMPS && -> false &&
	return isKPH && isMPS && math.Abs(kph.num-mph/kphPerMPH) <= roundedBy+roundedBy/kphPerMPH &&
		math.Abs(mps.num-mph/kphPerMPS) <= roundedBy+roundedBy/kphPerMPS
}
