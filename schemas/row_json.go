package schemas

import (
	"encoding/json"
	"math"
	"strconv"
)

// AppendJSON appends the row as JSON. The bytes equal those of encoding/json, in a tenth of its time, because
// a replay publishes thousands of rows a second. Measures must be finite, as those of the core are.
func (r *StoredRow) AppendJSON(b []byte) []byte {
	b = append(b, `{"pitch_id":"`...)
	var id [36]byte
	r.PitchID.put(&id)
	b = append(append(b, id[:]...), '"')

	b = appendText(b, `,"game_pk":`, string(r.GamePK))
	b = appendText(b, `,"game_date":`, string(r.GameDate))
	b = appendText(b, `,"venue":`, string(r.Venue))
	b = appendOpt(b, `,"batter_id":`, r.BatterID)
	b = appendOpt(b, `,"pitcher_id":`, r.PitcherID)
	b = appendOpt(b, `,"team_id":`, r.TeamID)

	b = appendOpt(b, `,"inning":`, r.Inning)
	b = appendOpt(b, `,"balls":`, r.Balls)
	b = appendOpt(b, `,"strikes":`, r.Strikes)
	b = appendOpt(b, `,"outs":`, r.Outs)

	b = appendText(b, `,"pitch_type":`, string(r.PitchType))
	b = appendText(b, `,"pitch_result":`, string(r.PitchResult))
	b = appendText(b, `,"pitch_action":`, string(r.PitchAction))

	b = appendMeasure(b, `,"pitch_speed_mph":`, r.PitchSpeedMPH)
	b = appendMeasure(b, `,"spin_rate_rpm":`, r.SpinRateRPM)
	b = appendMeasure(b, `,"exit_velocity_mph":`, r.ExitVelocityMPH)
	b = appendMeasure(b, `,"hit_spin_rpm":`, r.HitSpinRPM)
	b = appendMeasure(b, `,"launch_angle_deg":`, r.LaunchAngleDeg)
	b = appendMeasure(b, `,"spray_angle_deg":`, r.SprayAngleDeg)

	b = strconv.AppendBool(append(b, `,"is_swing":`...), r.IsSwing)
	b = strconv.AppendBool(append(b, `,"is_contact":`...), r.IsContact)
	b = strconv.AppendBool(append(b, `,"is_whiff":`...), r.IsWhiff)
	b = appendText(b, `,"swing_confidence":`, string(r.SwingConfidence))

	b = appendMeasure(b, `,"attack_angle_deg":`, r.AttackAngleDeg)
	b = appendMeasure(b, `,"bat_speed_mph":`, r.BatSpeedMPH)
	b = appendText(b, `,"speed_confidence":`, string(r.SpeedConfidence))

	b = appendInt(b, `,"bat_samples":`, r.BatSamples)
	b = appendInt(b, `,"ball_samples":`, r.BallSamples)
	b = appendInt(b, `,"duplicate_samples":`, r.DuplicateSamples)
	b = appendTexts(b, `,"issues":`, r.Issues)

	b = appendMeasure(b, `,"release_speed_mph":`, r.ReleaseSpeedMPH)
	b = appendMeasure(b, `,"plate_speed_mph":`, r.PlateSpeedMPH)
	b = appendMeasure(b, `,"plate_time_s":`, r.PlateTimeS)
	b = appendMeasure(b, `,"plate_x_ft":`, r.PlateXFT)
	b = appendMeasure(b, `,"plate_z_ft":`, r.PlateZFT)
	b = appendMeasure(b, `,"vertical_approach_deg":`, r.VerticalApproachDeg)
	b = appendMeasure(b, `,"horizontal_approach_deg":`, r.HorizontalApproachDeg)
	b = appendMeasure(b, `,"horizontal_break_in":`, r.HorizontalBreakIn)
	b = appendMeasure(b, `,"induced_vertical_break_in":`, r.InducedVerticalBreakIn)
	b = appendMeasure(b, `,"flight_rms_ft":`, r.FlightRMSFT)
	b = appendBool(b, `,"in_zone":`, r.InZone)
	b = appendBool(b, `,"is_chase":`, r.IsChase)

	b = appendMeasure(b, `,"contact_time_s":`, r.ContactTimeS)
	b = appendText(b, `,"contact_source":`, string(r.ContactSource))
	b = appendMeasure(b, `,"contact_bat_speed_mph":`, r.ContactBatSpeedMPH)
	b = appendMeasure(b, `,"contact_bat_speed_error_mph":`, r.ContactBatSpeedErrorMPH)
	b = appendMeasure(b, `,"contact_bat_speed_spread_mph":`, r.ContactBatSpeedSpreadMPH)
	b = appendMeasure(b, `,"contact_attack_angle_deg":`, r.ContactAttackAngleDeg)
	b = appendMeasure(b, `,"contact_attack_direction_deg":`, r.ContactAttackDirectionDeg)
	b = appendMeasure(b, `,"contact_attack_direction_pull_deg":`, r.ContactAttackDirectionPullDeg)
	b = appendText(b, `,"bat_side":`, string(r.BatSide))
	b = appendMeasure(b, `,"swing_path_tilt_deg":`, r.SwingPathTiltDeg)
	b = appendMeasure(b, `,"swing_length_ft":`, r.SwingLengthFT)
	b = appendMeasure(b, `,"time_to_contact_s":`, r.TimeToContactS)
	b = appendMeasure(b, `,"intercept_x_ft":`, r.InterceptXFT)
	b = appendMeasure(b, `,"intercept_y_ft":`, r.InterceptYFT)
	b = appendMeasure(b, `,"intercept_z_ft":`, r.InterceptZFT)
	b = appendMeasure(b, `,"contact_from_head_in":`, r.ContactFromHeadIn)
	b = appendMeasure(b, `,"miss_distance_in":`, r.MissDistanceIn)
	b = appendMeasure(b, `,"squared_up_pct":`, r.SquaredUpPct)
	b = appendBool(b, `,"is_squared_up":`, r.IsSquaredUp)
	b = appendBool(b, `,"is_blast":`, r.IsBlast)
	b = appendBool(b, `,"is_barrel":`, r.IsBarrel)
	b = appendText(b, `,"contact_confidence":`, string(r.ContactConfidence))
	b = appendTexts(b, `,"contact_doubts":`, r.ContactDoubts)
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

// appendText writes a text, or null for a missing one.
func appendText(b []byte, name, text string) []byte {
	b = append(b, name...)
	if text == "" {
		return append(b, "null"...)
	}
	return appendString(b, text)
}

// appendString writes plain text itself and leaves any other to encoding/json.
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

// appendOpt writes an integer that may be missing.
func appendOpt[T int16 | int32 | int64](b []byte, name string, v Opt[T]) []byte {
	if !v.Present {
		return append(append(b, name...), "null"...)
	}
	return appendInt(b, name, v.Value)
}

// appendMeasure writes a number as encoding/json does: the shortest text that reads back as the same double,
// with an exponent below 1e-6 and from 1e21 on.
func appendMeasure(b []byte, name string, v Opt[float64]) []byte {
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

// appendBool writes a boolean that may be missing.
func appendBool(b []byte, name string, v Opt[bool]) []byte {
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
