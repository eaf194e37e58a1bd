package schemas

import (
	"encoding/json"
	"math"
	"strconv"
)

// AppendJSON appends the row as JSON, with the bytes of encoding/json. It is written by hand because a replay
// publishes thousands of rows a second, and this takes a tenth of the time. The fields are in the order of
// Row and Provenance. A new column goes here too: TestARowsJSONIsThatOfEncodingJSON fails until it does.
// Measures must be finite: NaN would make invalid JSON without an error, and the core never returns it.
func (r *StoredRow) AppendJSON(b []byte) []byte {
	b = append(b, `{"pitch_id":"`...)
	var id [36]byte
	r.PitchID.put(&id)
	b = append(append(b, id[:]...), '"')

	b = appendOptText(b, `,"game_pk":`, string(r.GamePK))
	b = appendOptText(b, `,"game_date":`, string(r.GameDate))
	b = appendOptText(b, `,"venue":`, string(r.Venue))
	b = appendOptInt(b, `,"batter_id":`, r.BatterID)
	b = appendOptInt(b, `,"pitcher_id":`, r.PitcherID)
	b = appendOptInt(b, `,"team_id":`, r.TeamID)

	b = appendOptInt(b, `,"inning":`, r.Inning)
	b = appendOptInt(b, `,"balls":`, r.Balls)
	b = appendOptInt(b, `,"strikes":`, r.Strikes)
	b = appendOptInt(b, `,"outs":`, r.Outs)

	b = appendOptText(b, `,"pitch_type":`, string(r.PitchType))
	b = appendOptText(b, `,"pitch_result":`, string(r.PitchResult))
	b = appendOptText(b, `,"pitch_action":`, string(r.PitchAction))

	b = appendOptFloat(b, `,"pitch_speed_mph":`, r.PitchSpeedMPH)
	b = appendOptFloat(b, `,"spin_rate_rpm":`, r.SpinRateRPM)
	b = appendOptFloat(b, `,"exit_velocity_mph":`, r.ExitVelocityMPH)
	b = appendOptFloat(b, `,"hit_spin_rpm":`, r.HitSpinRPM)
	b = appendOptFloat(b, `,"launch_angle_deg":`, r.LaunchAngleDeg)
	b = appendOptFloat(b, `,"spray_angle_deg":`, r.SprayAngleDeg)

	b = strconv.AppendBool(append(b, `,"is_swing":`...), r.IsSwing)
	b = strconv.AppendBool(append(b, `,"is_contact":`...), r.IsContact)
	b = strconv.AppendBool(append(b, `,"is_whiff":`...), r.IsWhiff)
	b = appendOptText(b, `,"swing_confidence":`, string(r.SwingConfidence))

	b = appendOptFloat(b, `,"attack_angle_deg":`, r.AttackAngleDeg)
	b = appendOptFloat(b, `,"bat_speed_mph":`, r.BatSpeedMPH)
	b = appendOptText(b, `,"speed_confidence":`, string(r.SpeedConfidence))

	b = appendInt(b, `,"bat_samples":`, r.BatSamples)
	b = appendInt(b, `,"ball_samples":`, r.BallSamples)
	b = appendInt(b, `,"duplicate_samples":`, r.DuplicateSamples)
	b = appendTexts(b, `,"issues":`, r.Issues)

	b = appendOptFloat(b, `,"release_speed_mph":`, r.ReleaseSpeedMPH)
	b = appendOptFloat(b, `,"plate_speed_mph":`, r.PlateSpeedMPH)
	b = appendOptFloat(b, `,"plate_time_s":`, r.PlateTimeS)
	b = appendOptFloat(b, `,"plate_x_ft":`, r.PlateXFT)
	b = appendOptFloat(b, `,"plate_z_ft":`, r.PlateZFT)
	b = appendOptFloat(b, `,"vertical_approach_deg":`, r.VerticalApproachDeg)
	b = appendOptFloat(b, `,"horizontal_approach_deg":`, r.HorizontalApproachDeg)
	b = appendOptFloat(b, `,"horizontal_break_in":`, r.HorizontalBreakIn)
	b = appendOptFloat(b, `,"induced_vertical_break_in":`, r.InducedVerticalBreakIn)
	b = appendOptFloat(b, `,"flight_rms_ft":`, r.FlightRMSFT)
	b = appendOptBool(b, `,"in_zone":`, r.InZone)
	b = appendOptBool(b, `,"is_chase":`, r.IsChase)

	b = appendOptFloat(b, `,"contact_time_s":`, r.ContactTimeS)
	b = appendOptText(b, `,"contact_source":`, string(r.ContactSource))
	b = appendOptFloat(b, `,"contact_bat_speed_mph":`, r.ContactBatSpeedMPH)
	b = appendOptFloat(b, `,"contact_bat_speed_error_mph":`, r.ContactBatSpeedErrorMPH)
	b = appendOptFloat(b, `,"contact_bat_speed_spread_mph":`, r.ContactBatSpeedSpreadMPH)
	b = appendOptFloat(b, `,"contact_attack_angle_deg":`, r.ContactAttackAngleDeg)
	b = appendOptFloat(b, `,"contact_attack_direction_deg":`, r.ContactAttackDirectionDeg)
	b = appendOptFloat(b, `,"contact_attack_direction_pull_deg":`, r.ContactAttackDirectionPullDeg)
	b = appendOptText(b, `,"bat_side":`, string(r.BatSide))
	b = appendOptFloat(b, `,"swing_path_tilt_deg":`, r.SwingPathTiltDeg)
	b = appendOptFloat(b, `,"swing_length_ft":`, r.SwingLengthFT)
	b = appendOptFloat(b, `,"time_to_contact_s":`, r.TimeToContactS)
	b = appendOptFloat(b, `,"intercept_x_ft":`, r.InterceptXFT)
	b = appendOptFloat(b, `,"intercept_y_ft":`, r.InterceptYFT)
	b = appendOptFloat(b, `,"intercept_z_ft":`, r.InterceptZFT)
	b = appendOptFloat(b, `,"contact_from_head_in":`, r.ContactFromHeadIn)
	b = appendOptFloat(b, `,"miss_distance_in":`, r.MissDistanceIn)
	b = appendOptFloat(b, `,"squared_up_pct":`, r.SquaredUpPct)
	b = appendOptBool(b, `,"is_squared_up":`, r.IsSquaredUp)
	b = appendOptBool(b, `,"is_blast":`, r.IsBlast)
	b = appendOptBool(b, `,"is_barrel":`, r.IsBarrel)
	b = appendOptText(b, `,"contact_confidence":`, string(r.ContactConfidence))
	b = appendTexts(b, `,"contact_doubts":`, r.ContactDoubts)

	b = appendOptFloat(b, `,"end_bat_speed_mph":`, r.EndBatSpeedMPH)
	b = appendOptBool(b, `,"is_cut_short":`, r.IsCutShort)

	b = appendOptInt(b, `,"at_bat_number":`, r.AtBatNumber)
	b = appendOptInt(b, `,"pitch_number":`, r.PitchNumber)
	b = appendOptText(b, `,"batter_side":`, string(r.BatterSide))
	b = appendOptText(b, `,"pitcher_hand":`, string(r.PitcherHand))
	return append(r.Provenance.appendJSON(b), '}')
}

// appendJSON appends the fields without the brackets of an object, behind those of the row.
func (p *Provenance) appendJSON(b []byte) []byte {
	b = p.EventTime.append(append(b, `,"event_time":`...))
	b = appendInt(b, `,"revision":`, p.Revision)
	b = appendInt(b, `,"record_ts_ms":`, p.RecordTSMS)
	b = appendString(append(b, `,"source_topic":`...), p.SourceTopic)
	b = appendInt(b, `,"source_partition":`, p.SourcePartition)
	b = appendInt(b, `,"source_offset":`, p.SourceOffset)
	b = appendInt(b, `,"core_version":`, p.CoreVersion)
	b = appendString(append(b, `,"build":`...), p.Build)
	return p.ProcessedAt.append(append(b, `,"processed_at":`...))
}

// append writes the time as RFC 3339 in UTC, with milliseconds.
func (t TimeMS) append(b []byte) []byte {
	b = t.Time().AppendFormat(append(b, '"'), rfc3339MS)
	return append(b, '"')
}

// appendOptText writes a text, or null for a missing one.
func appendOptText(b []byte, name, text string) []byte {
	b = append(b, name...)
	if text == "" {
		return append(b, "null"...)
	}
	return appendString(b, text)
}

// appendString writes ASCII that encoding/json would not escape, and leaves any other text to it. It escapes
// < > & too, for HTML.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil {
				// a string cannot fail to marshal
				panic(err)
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// appendInt writes an integer behind its name.
func appendInt[T int16 | int32 | int64](b []byte, name string, v T) []byte {
	return strconv.AppendInt(append(b, name...), int64(v), 10)
}

// appendOptInt writes an integer that may be missing.
func appendOptInt[T int16 | int32 | int64](b []byte, name string, v Opt[T]) []byte {
	if !v.Present {
		return append(append(b, name...), "null"...)
	}
	return appendInt(b, name, v.Value)
}

// appendOptFloat writes a number as encoding/json does: the shortest text that reads back as the same double,
// with an exponent below 1e-6 and from 1e21 on.
func appendOptFloat(b []byte, name string, v Opt[float64]) []byte {
	b = append(b, name...)
	if !v.Present {
		return append(b, "null"...)
	}
	if abs := math.Abs(v.Value); abs == 0 || 1e-6 <= abs && abs < 1e21 {
		return strconv.AppendFloat(b, v.Value, 'f', -1, 64)
	}
	b = strconv.AppendFloat(b, v.Value, 'e', -1, 64)
	// encoding/json writes e-09 as e-9.
	if n := len(b); n >= 4 && b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' {
		b[n-2] = b[n-1]
		b = b[:n-1]
	}
	return b
}

// appendOptBool writes a boolean that may be missing.
func appendOptBool(b []byte, name string, v Opt[bool]) []byte {
	b = append(b, name...)
	if !v.Present {
		return append(b, "null"...)
	}
	return strconv.AppendBool(b, v.Value)
}

// appendTexts writes a list of texts. A nil list is null, because a list may be missing.
func appendTexts(b []byte, name string, texts []string) []byte {
	b = append(b, name...)
	if texts == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, text := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, text)
	}
	return append(b, ']')
}
