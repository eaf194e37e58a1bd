package features

import (
	"slices"
	"strings"
	"testing"

	"github.com/pitchstream/pitchstream/schemas"
)

// A speed that is in another unit than its member's is missing, if the record itself says so beside it. Only
// that is judged: members that differ otherwise leave the column as the record's mph has it.
//
// guard: units: kilometres sent as miles are missing
// guard: units: metres sent as miles are missing
// guard: units: miles and kilometres that changed places are missing
// guard: units: slow speeds are the same number in two units
func TestASpeedInAnotherUnitIsMissing(t *testing.T) {
	for _, c := range []struct {
		moral         string
		mph, kph, mps any
		want          float64 // 0: missing, with the issue
	}{
		{"as trackers write it", 93.0, 150.0, 42.0, 93},
		{"unrounded too", 99.4, 159.97, 44.44, 99.4},
		{"kilometres sent as miles", 97.0, 97.0, 27.0, 0},
		{"whose neighbour is rounded", 97.5, 97.0, 27.0, 0},
		{"or missing", 97.0, 97.0, nil, 0},
		{"a mile off is no rounding", 97.6, 97.0, nil, 97.6},
		{"metres sent as miles", 44.3, 160.0, 44.0, 0},
		{"alone", 44.3, nil, 44.0, 0},
		{"miles and kilometres that changed places", 97.0, 60.0, 27.0, 0},
		{"metres that say otherwise", 97.0, 60.0, 43.0, 97},
		{"or nothing", 97.0, 60.0, nil, 97},
		{"nothing beside it", 97.0, nil, nil, 97},
		{"no numbers beside it", 97.0, "97", "27", 97},
		{"members that never agreed", 88.0, 1, 1, 88},
		{"a topped ball at the least speed", 10, 10, 2.8, 0},
		{"and below it", 9.9, 10, 4.5, 9.9},
		{"a ball at rest", 0.4, 0.6, 0.2, 0.4},
	} {
		t.Run(c.moral, func(t *testing.T) {
			pitch := aPitch()
			for member, v := range map[string]any{"mph": c.mph, "kph": c.kph, "mps": c.mps} {
				pitch = pitch.set("summary_acts.hit.speed."+member, v)
			}
			row := rowOf(t, recordOf(pitch))
			got, isIssue := row.ExitVelocityMPH, slices.Contains(row.Issues, "exit_velocity_mph:unit")
			if got.Value != c.want || got.Present == isIssue || isIssue != (c.want == 0) {
				t.Errorf("%v, issues %v", got, row.Issues)
			}
			if !row.IsContact {
				t.Error("the bat met the ball, however fast")
			}
		})
	}
}

// A pitch in kilometres an hour has the issue that names its fault, and not that of the range too.
func TestAPitchInKilometresSaysSo(t *testing.T) {
	row := rowOf(t, recordOf(aPitch().set("summary_acts.pitch.speed.mph", 150.0)))
	if row.PitchSpeedMPH.Present || !slices.Equal(row.Issues, []string{"pitch_speed_mph:unit"}) {
		t.Errorf("%v, issues %v", row.PitchSpeedMPH, row.Issues)
	}
}

// The units that a record declares hold for all of it. Lengths and velocities in others reject it, angles in
// others are missing, and accelerations are in no column.
//
// guard: units: angles in another unit are missing
func TestDeclaredUnitsAreChecked(t *testing.T) {
	for _, c := range []struct {
		unit  string
		value any
		want  string // issues, or the code of the dead letter
	}{
		{"length", "foot", ""},
		{"length", "meter", "unsupported_units"},
		{"velocity", "kph", "unsupported_units"},
		{"angle", "degree", ""},
		{"angle", `degre\u0065`, ""},
		{"angle", obj{}, ""},
		{"angle", "radian", "launch_angle_deg:unit spray_angle_deg:unit"},
		{"angle", 57.3, "launch_angle_deg:unit spray_angle_deg:unit"},
		{"acceleration", "meter/s2", ""},
	} {
		rec := recordOf(aPitch().set("events", arr{obj{{"start", obj{{"angle", arr{-0.38, 0.22}}}}}}).set("units."+c.unit, c.value))
		change, rej := comparePlain(t, rec)
		if rej != nil {
			if string(rej.Code) != c.want {
				t.Errorf("%s %v: %v, want %s", c.unit, c.value, rej.Code, c.want)
			}
			continue
		}
		row := change.Row
		if got := strings.Join(row.Issues, " "); got != c.want {
			t.Errorf("%s %v: issues %q, want %q", c.unit, c.value, got, c.want)
		}
		want := schemas.Opt[float64]{Value: 0.22, Present: true}
		if c.want != "" {
			want = schemas.Opt[float64]{}
		}
		if row.LaunchAngleDeg != want || row.SprayAngleDeg.Present != want.Present {
			t.Errorf("%s %v: %v %v", c.unit, c.value, row.LaunchAngleDeg, row.SprayAngleDeg)
		}
	}
}

// The recorded pitches are in the units that they say.
func TestRecordedPitchesAreInTheirUnits(t *testing.T) {
	for name, value := range realFiles(t) {
		if row := rowOf(t, schemas.Record{Value: value}); strings.Contains(strings.Join(row.Issues, " "), ":unit") {
			t.Errorf("%s: %v", name, row.Issues)
		}
	}
}
