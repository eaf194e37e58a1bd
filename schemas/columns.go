package schemas

import (
	"fmt"
	"strings"
)

// Column describes one column of a row for people and for the tools that are made from it: the database's comments,
// the data dictionary, the file writers.
type Column struct {
	Name    string
	SQL     string // its type in Postgres
	Unit    string // "" where it has none
	Range   string // inclusive, "" where any value of the type is allowed
	Source  string // where it comes from: a path in the record, a header, a section of the specification
	Meaning string // one sentence without a full stop
	Missing string // when it is missing, "never" where it is always there
}

// Comment is the one line that the database shows: meaning, unit, range, when it is missing.
func (c Column) Comment() string {
	var b strings.Builder
	b.WriteString(c.Meaning)
	if c.Unit != "" {
		fmt.Fprintf(&b, "; unit: %s", c.Unit)
	}
	if c.Range != "" {
		fmt.Fprintf(&b, "; range: %s", c.Range)
	}
	fmt.Fprintf(&b, "; missing: %s", c.Missing)
	return b.String()
}

const outOfRange = "where the record has none, or one of another type or out of range (then issues names it)"

// RowColumns are the columns that the core computes, in their order: the fields of Row.
var RowColumns = []Column{
	{"pitch_id", "uuid", "", "", "header pitch_id, else summary_acts.pitch.eventId, else a UUIDv5 of game and record", "The pitch's identity, lower case", "never"},
	{"game_pk", "text", "", "1–64 bytes", "header game_pk, else the record's key", "The game", "where neither header nor key names one"},
	{"game_date", "date", "", "1800-01-01 and later", "header game_date", "The game's calendar date", "where the header is absent or no date"},
	{"venue", "text", "", "1–64 bytes", "header venue", "The ballpark", "where the header is absent or unreadable"},
	{"batter_id", "bigint", "", "", "identify, else header batter_id, else events[0].personId.mlbId", "The batter", "where nobody names one that can be read: the tracking system names one only where the ball was hit"},
	{"pitcher_id", "bigint", "", "", "identify, else header pitcher_id", "The pitcher", "where the game feed names none"},
	{"team_id", "bigint", "", "", "identify, else header team_id, else events[0].teamId.mlbId", "The batter's team", "where nobody names one"},
	{"inning", "smallint", "", "1–50", "length of summary_score.runs.innings", "The inning", outOfRange},
	{"balls", "smallint", "", "0–4", "summary_score.count.balls.plateAppearance", "Balls in the plate appearance", outOfRange},
	{"strikes", "smallint", "", "0–3", "summary_score.count.strikes.plateAppearance", "Strikes in the plate appearance", outOfRange},
	{"outs", "smallint", "", "0–3", "summary_score.outs.inning", "Outs in the inning", outOfRange},
	{"pitch_type", "text", "", "1–200 bytes", "summary_acts.pitch.type", "The pitch's type, as FourSeamFastball", "where the record has none (75 % of real records), or no text of 1–200 bytes"},
	{"pitch_result", "text", "", "Strike, Ball, HitIntoPlay, Pickoff", "summary_acts.pitch.result", "What came of the pitch", "where the record has none or another word (issue pitch_result:unknown)"},
	{"pitch_action", "text", "", "1–200 bytes", "summary_acts.pitch.action", "What the batter or pitcher did, as Foul, Called, FoulTip", "where the record has none, or no text of 1–200 bytes"},
	{"pitch_speed_mph", "float8", "mph", "50–110", "summary_acts.pitch.speed.mph", "Speed of the pitch", outOfRange},
	{"spin_rate_rpm", "float8", "rpm", "500–4000", "summary_acts.pitch.spin.rpm", "Spin of the pitch", outOfRange},
	{"exit_velocity_mph", "float8", "mph", "0–125", "summary_acts.hit.speed.mph", "Speed of the ball off the bat", outOfRange},
	{"hit_spin_rpm", "float8", "rpm", "0–10000", "summary_acts.hit.spin.rpm", "Spin of the ball off the bat", outOfRange},
	{"launch_angle_deg", "float8", "degree", "−90–90", "events[0].start.angle[1]", "Vertical angle of the ball off the bat, up positive", outOfRange},
	{"spray_angle_deg", "float8", "degree", "−180–180", "events[0].start.angle[0]", "Horizontal angle of the ball off the bat", outOfRange},
	{"is_swing", "boolean", "", "", "samples_bat with any position; the single sample {\"event\": \"No\"} is none", "A bat movement was tracked", "never"},
	{"is_contact", "boolean", "", "", "exit velocity present, or action Foul", "The bat met the ball", "never"},
	{"is_whiff", "boolean", "", "", "is_swing and not is_contact", "A swing that missed", "never"},
	{"swing_confidence", "text", "", "confirmed, suspected", "action Swinging or Foul, or result HitIntoPlay: confirmed; else suspected", "Whether the play agrees that the tracked movement was a swing", "where is_swing is false"},
	{"attack_angle_deg", "float8", "degree", "−45–45", "samples_bat[].head.pos at the segment of greatest horizontal speed: atan2(dz, hypot(dx, dy))", "Vertical angle of the bat head's path where it is fastest, up positive", "where is_swing is false, with fewer than 3 samples, where the head never moved sideways, or out of range (then issues names it)"},
	{"bat_speed_mph", "float8", "mph", "0–120", "samples_bat[], greatest speed over 3 frames of the point 0.5 ft from the head: distance/dt × 0.681818", "Bat speed at the sweet spot", "where is_swing is false, with fewer than 10 usable samples or no usable window, or out of range (then issues names it)"},
	{"speed_confidence", "text", "", "reliable, questionable", "at least 5 windows accepted, at most 20 % rejected, speed at most 95 mph: reliable; else questionable", "Whether bat_speed_mph can be trusted", "where is_swing is false"},
	{"bat_samples", "int", "", "0 and more", "length of samples_bat after deduplication", "Bat samples", "never"},
	{"ball_samples", "int", "", "0 and more", "length of samples_ball after deduplication", "Ball samples", "never"},
	{"duplicate_samples", "int", "", "0 and more", "samples of both arrays with the time of an earlier one", "Samples that deduplication dropped", "never"},
	{"issues", "text[]", "", "", "every step", "What was wrong with the record's values, as column:type, column:range, column:unknown or array:conflict, sorted, each once", "never; empty where nothing was wrong"},
}

// ProvenanceColumns are the columns that tell where a stored row comes from: the fields of Provenance.
var ProvenanceColumns = []Column{
	{"event_time", "timestamptz", "", "years 0001–9999", "header event_time, else the timestamp of the record's origin", "When the pitch was thrown, to the millisecond", "never"},
	{"revision", "bigint", "", "0–9223372036854775807", "header revision", "First part of the version: a correction carries a greater one", "never; 0 where the header is absent"},
	{"record_ts_ms", "bigint", "Unix milliseconds", "0–253402300799999", "timestamp of the record's origin", "Second part of the version", "never"},
	{"source_topic", "text", "", "", "the record's origin", "Topic where the record first stood", "never"},
	{"source_partition", "int", "", "0 and more", "the record's origin", "Last part of the version: partition where the record first stood", "never"},
	{"source_offset", "bigint", "", "0 and more", "the record's origin", "Third part of the version: offset where the record first stood", "never"},
	{"core_version", "int", "", "1 and more", "the build", "Version of the core that computed the row", "never"},
	{"build", "text", "", "", "the build", "Build that wrote the row last", "never"},
	{"processed_at", "timestamptz", "", "", "the processor's clock", "When the row was written last", "never"},
}

// StoredColumns are the columns of the table pitches and of the rows topic, in their order.
var StoredColumns = append(append([]Column(nil), RowColumns...), ProvenanceColumns...)

// StatsColumns are the aggregates of a batter, or of a batter in a game: the fields of Stats.
var StatsColumns = []Column{
	{"pitches", "bigint", "", "0 and more", "rows", "Pitches seen", "never"},
	{"swing_count", "bigint", "", "0 and more", "rows with is_swing", "Swings", "never"},
	{"whiff_count", "bigint", "", "0 and more", "rows with is_whiff", "Swings that missed", "never"},
	{"whiff_rate_pct", "float8", "percent", "0–100", "100 × whiff_count / swing_count to 2 decimals, half away from zero", "Share of swings that missed", "with no swing"},
	{"contact_count", "bigint", "", "0 and more", "rows with is_contact", "Pitches that the bat met", "never"},
	{"max_exit_velocity_mph", "float8", "mph", "0–125", "present exit velocities", "Greatest exit velocity", "with no exit velocity"},
	{"avg_exit_velocity_mph", "float8", "mph", "0–125", "present exit velocities", "Mean exit velocity", "with no exit velocity"},
	{"hard_hit_count", "bigint", "", "0 and more", "rows with an exit velocity of at least 95 mph", "Hard-hit balls", "never"},
	{"max_bat_speed_mph", "float8", "mph", "0–120", "bat speeds with speed_confidence reliable", "Greatest reliable bat speed", "with no reliable bat speed"},
	{"avg_bat_speed_mph", "float8", "mph", "0–120", "bat speeds with speed_confidence reliable", "Mean reliable bat speed", "with no reliable bat speed"},
	{"avg_attack_angle_deg", "float8", "degree", "−45–45", "attack angles of confirmed swings", "Mean attack angle", "with no attack angle of a confirmed swing"},
	{"last_pitch", "jsonb", "", "", "the row with the greatest event time, then the greatest version", "The last pitch: pitch_id, event_time, pitch_result, pitch_action, exit_velocity_mph", "never"},
	{"by_pitch_type", "jsonb", "", "", "rows by pitch_type, a missing type as unknown", "Counts by pitch type: pitches, swings, whiffs", "never"},
}
