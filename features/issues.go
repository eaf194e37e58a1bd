package features

import "math/bits"

// An issue names one thing that was wrong with a value of a row: the value is missing, or came from another
// source. Issues never keep a record from becoming a row.
//
// They are declared in the alphabetical order of their names, so that a set of bits lists them sorted and
// each once.
type issue uint8

var (
	attackAngleRange                = issueNamed("attack_angle_deg:range")
	ballsRange                      = issueNamed("balls:range")
	ballsType                       = issueNamed("balls:type")
	batSamplesConflict              = issueNamed("bat_samples:conflict")
	batSpeedRange                   = issueNamed("bat_speed_mph:range")
	batterIDType                    = issueNamed("batter_id:type")
	contactAttackAngleRange         = issueNamed("contact_attack_angle_deg:range")
	contactAttackDirectionRange     = issueNamed("contact_attack_direction_deg:range")
	contactAttackDirectionPullRange = issueNamed("contact_attack_direction_pull_deg:range")
	contactBatSpeedRange            = issueNamed("contact_bat_speed_mph:range")
	eventTimeType                   = issueNamed("event_time:type")
	exitVelocityRange               = issueNamed("exit_velocity_mph:range")
	exitVelocityType                = issueNamed("exit_velocity_mph:type")
	exitVelocityUnit                = issueNamed("exit_velocity_mph:unit")
	gameDateType                    = issueNamed("game_date:type")
	gamePKType                      = issueNamed("game_pk:type")
	hitSpinRange                    = issueNamed("hit_spin_rpm:range")
	hitSpinType                     = issueNamed("hit_spin_rpm:type")
	horizontalApproachRange         = issueNamed("horizontal_approach_deg:range")
	horizontalBreakRange            = issueNamed("horizontal_break_in:range")
	inZoneType                      = issueNamed("in_zone:type")
	inducedVerticalBreakRange       = issueNamed("induced_vertical_break_in:range")
	inningRange                     = issueNamed("inning:range")
	inningType                      = issueNamed("inning:type")
	interceptXRange                 = issueNamed("intercept_x_ft:range")
	interceptYRange                 = issueNamed("intercept_y_ft:range")
	interceptZRange                 = issueNamed("intercept_z_ft:range")
	launchAngleRange                = issueNamed("launch_angle_deg:range")
	launchAngleType                 = issueNamed("launch_angle_deg:type")
	launchAngleUnit                 = issueNamed("launch_angle_deg:unit")
	missDistanceRange               = issueNamed("miss_distance_in:range")
	outsRange                       = issueNamed("outs:range")
	outsType                        = issueNamed("outs:type")
	pitchActionType                 = issueNamed("pitch_action:type")
	pitchIDType                     = issueNamed("pitch_id:type")
	pitchResultType                 = issueNamed("pitch_result:type")
	pitchResultUnknown              = issueNamed("pitch_result:unknown")
	pitchSpeedRange                 = issueNamed("pitch_speed_mph:range")
	pitchSpeedType                  = issueNamed("pitch_speed_mph:type")
	pitchSpeedUnit                  = issueNamed("pitch_speed_mph:unit")
	pitchTypeType                   = issueNamed("pitch_type:type")
	pitcherIDType                   = issueNamed("pitcher_id:type")
	plateSpeedRange                 = issueNamed("plate_speed_mph:range")
	releaseSpeedRange               = issueNamed("release_speed_mph:range")
	spinRateRange                   = issueNamed("spin_rate_rpm:range")
	spinRateType                    = issueNamed("spin_rate_rpm:type")
	sprayAngleRange                 = issueNamed("spray_angle_deg:range")
	sprayAngleType                  = issueNamed("spray_angle_deg:type")
	sprayAngleUnit                  = issueNamed("spray_angle_deg:unit")
	squaredUpRange                  = issueNamed("squared_up_pct:range")
	strikesRange                    = issueNamed("strikes:range")
	strikesType                     = issueNamed("strikes:type")
	swingLengthRange                = issueNamed("swing_length_ft:range")
	teamIDType                      = issueNamed("team_id:type")
	venueType                       = issueNamed("venue:type")
	verticalApproachRange           = issueNamed("vertical_approach_deg:range")
)

// issueNames are the texts of the column issues. <column>:type means a value not of the column's type, and
// <column>:range a value outside of its range. <column>:unit means a value in another unit.
// pitch_result:unknown means a word that is not among the four results. bat_samples:conflict means two
// samples with the same time and different positions.
var issueNames []string

// issueNamed returns the next issue. Variables are initialized in the order of their declaration.
func issueNamed(name string) issue {
	issueNames = append(issueNames, name)
	return issue(len(issueNames) - 1)
}

// issueSet is a set of issues, one bit each.
type issueSet uint64

// add sets the bit of an issue; adding one twice changes nothing.
func (s *issueSet) add(i issue) { *s |= 1 << i }

// list returns the names of the issues, sorted. It never returns nil, because the column is never missing.
func (s issueSet) list() []string {
	names := make([]string, 0, bits.OnesCount64(uint64(s)))
	for ; s != 0; s &= s - 1 {
		names = append(names, issueNames[bits.TrailingZeros64(uint64(s))])
	}
	return names
}
