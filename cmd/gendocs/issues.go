package main

import (
	"fmt"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// issues lists every issue that a row can have, in the order of the columns. A test compares the list with
// the one in features.
var issues = []struct {
	columns string // with blanks between them
	kinds   string // the kinds of issue after the colon, separated by commas; a row has one of them
	when    string // when the issue is raised, and which value is used instead
}{
	{"pitch_id", "type", `The header is not UUID text: the record's own id serves. Or the record's event id is not text: an id is made from the record's bytes.`},
	{"game_pk", "type", `The header is not 1–64 bytes of UTF-8 without control characters: the key serves. Or the key is not: there is no game.`},
	{"game_date", "type", `The header is no calendar date YYYY-MM-DD, or one before 1800.`},
	{"venue", "type", `The header is not 1–64 bytes of UTF-8 without U+0000.`},
	{"batter_id", "type", `The header is no identifier: the record's own serves. Or the record's is none.`},
	{"pitcher_id", "type", `The header is no identifier.`},
	{"team_id", "type", `The header is no identifier: the record's own serves. Or the record's is none.`},
	{"inning", "type, range", `The list of innings is no list, or has more than 50.`},
	{"balls", "type, range", `The count is no whole number, or not 0–4.`},
	{"strikes outs", "type, range", `The count is no whole number, or not 0–3.`},
	{"pitch_type", "type", `It is not text of 1–200 bytes.`},
	{"pitch_result", "type, unknown", `It is not text of 1–200 bytes, or none of the four known words.`},
	{"pitch_action", "type", `It is not text of 1–200 bytes.`},
	{"pitch_speed_mph", "type, range, unit", `It is no number, or out of range.` + inOtherUnit},
	{"spin_rate_rpm", "type, range", `It is no number, or out of range.`},
	{"exit_velocity_mph", "type, range, unit", `It is no number, or out of range.` + inOtherUnit + ` Each still counts as contact, if it is a number.`},
	{"hit_spin_rpm", "type, range", `It is no number, or out of range.`},
	{"launch_angle_deg", "type, range, unit", `The pair of angles is no list of two, its second element no number, or out of range, or units.angle names another unit than degree.`},
	{"spray_angle_deg", "type, range, unit", `The pair of angles is no list of two, its first element no number, or out of range, or units.angle names another unit than degree.`},
	{"attack_angle_deg", "range", `The computed value is out of range: the samples are faulty.`},
	{"bat_speed_mph", "range", `The computed value is out of range: the samples are faulty. speed_confidence stays.`},
	{"bat_samples", "conflict", `Two bat samples have the same time and different positions: the first one counts.`},
	{"release_speed_mph plate_speed_mph vertical_approach_deg horizontal_approach_deg " +
		"horizontal_break_in induced_vertical_break_in",
		"range", `The computed value is out of range: the track of the ball is faulty.`},
	{"in_zone", "type", `A header of the strike zone is no number of 0.5–6 ft, or the bottom is not below the top: 3.5 and 1.5 ft serve.`},
	{"contact_bat_speed_mph contact_attack_angle_deg contact_attack_direction_deg " +
		"contact_attack_direction_pull_deg swing_length_ft intercept_x_ft intercept_y_ft " +
		"intercept_z_ft miss_distance_in squared_up_pct",
		"range", `The computed value is out of range: the track of the bat is faulty.`},
	{"event_time", "type", `The header is no RFC 3339 time: the record's timestamp serves.`},
}

// inOtherUnit describes the issue of a speed whose mph is in another unit.
const inOtherUnit = ` unit: from 10 mph on, it is the record's kph or mps within 0.5, or changed places with kph. ` +
	`Members that differ otherwise are left alone.`

// issueTable returns a Markdown table with one line for each column that can have issues.
func issueTable() string {
	var b strings.Builder
	b.WriteString("| issue | when |\n| --- | --- |\n")
	for _, i := range issues {
		for column := range strings.FieldsSeq(i.columns) {
			names := schemas.Map(strings.Split(i.kinds, ", "), func(kind string) string {
				return fmt.Sprintf("`%s:%s`", column, kind)
			})
			fmt.Fprintf(&b, "| %s | %s |\n", strings.Join(names, ", "), cell(i.when))
		}
	}
	return b.String()
}
