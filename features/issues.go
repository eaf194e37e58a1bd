package features

import "math/bits"

// An issue names one thing that was wrong with a value of a row: the value is missing, or came from another
// source. Issues never keep a record from becoming a row.
//
// The constants are in the alphabetical order of their names, so that a set of bits lists them sorted and
// each once.
type issue uint8

const (
	attackAngleRange issue = iota
	ballsRange
	ballsType
	batSamplesConflict
	batSpeedRange
	batterIDType
	eventTimeType
	exitVelocityRange
	exitVelocityType
	gameDateType
	gamePKType
	hitSpinRange
	hitSpinType
	inningRange
	inningType
	launchAngleRange
	launchAngleType
	outsRange
	outsType
	pitchActionType
	pitchIDType
	pitchResultType
	pitchResultUnknown
	pitchSpeedRange
	pitchSpeedType
	pitchTypeType
	pitcherIDType
	spinRateRange
	spinRateType
	sprayAngleRange
	sprayAngleType
	strikesRange
	strikesType
	teamIDType
	venueType
	issueCount
)

// issueNames are the texts of the column issues. <column>:type means a value not of the column's type, and
// <column>:range a value outside of its range. pitch_result:unknown means a word that is not among the four
// results. bat_samples:conflict means two samples with the same time and different positions.
var issueNames = [issueCount]string{
	attackAngleRange:   "attack_angle_deg:range",
	ballsRange:         "balls:range",
	ballsType:          "balls:type",
	batSamplesConflict: "bat_samples:conflict",
	batSpeedRange:      "bat_speed_mph:range",
	batterIDType:       "batter_id:type",
	eventTimeType:      "event_time:type",
	exitVelocityRange:  "exit_velocity_mph:range",
	exitVelocityType:   "exit_velocity_mph:type",
	gameDateType:       "game_date:type",
	gamePKType:         "game_pk:type",
	hitSpinRange:       "hit_spin_rpm:range",
	hitSpinType:        "hit_spin_rpm:type",
	inningRange:        "inning:range",
	inningType:         "inning:type",
	launchAngleRange:   "launch_angle_deg:range",
	launchAngleType:    "launch_angle_deg:type",
	outsRange:          "outs:range",
	outsType:           "outs:type",
	pitchActionType:    "pitch_action:type",
	pitchIDType:        "pitch_id:type",
	pitchResultType:    "pitch_result:type",
	pitchResultUnknown: "pitch_result:unknown",
	pitchSpeedRange:    "pitch_speed_mph:range",
	pitchSpeedType:     "pitch_speed_mph:type",
	pitchTypeType:      "pitch_type:type",
	pitcherIDType:      "pitcher_id:type",
	spinRateRange:      "spin_rate_rpm:range",
	spinRateType:       "spin_rate_rpm:type",
	sprayAngleRange:    "spray_angle_deg:range",
	sprayAngleType:     "spray_angle_deg:type",
	strikesRange:       "strikes:range",
	strikesType:        "strikes:type",
	teamIDType:         "team_id:type",
	venueType:          "venue:type",
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
