-- The end of the swing, and swords: swings and misses that were stopped in front of the plate and are as slow as the batter's
-- slowest tenth. Rows that are there have no end of a swing until their records are read again, so no batter has a sword yet.
ALTER TABLE pitch_registers
    ADD COLUMN IF NOT EXISTS end_bat_speed_mph float8,
    ADD COLUMN IF NOT EXISTS is_cut_short      boolean;

CREATE OR REPLACE FUNCTION clear_contact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.release_speed_mph := NULL;
    NEW.plate_speed_mph := NULL;
    NEW.plate_time_s := NULL;
    NEW.plate_x_ft := NULL;
    NEW.plate_z_ft := NULL;
    NEW.vertical_approach_deg := NULL;
    NEW.horizontal_approach_deg := NULL;
    NEW.horizontal_break_in := NULL;
    NEW.induced_vertical_break_in := NULL;
    NEW.flight_rms_ft := NULL;
    NEW.in_zone := NULL;
    NEW.is_chase := NULL;
    NEW.contact_time_s := NULL;
    NEW.contact_source := NULL;
    NEW.contact_bat_speed_mph := NULL;
    NEW.contact_bat_speed_error_mph := NULL;
    NEW.contact_bat_speed_spread_mph := NULL;
    NEW.contact_attack_angle_deg := NULL;
    NEW.contact_attack_direction_deg := NULL;
    NEW.contact_attack_direction_pull_deg := NULL;
    NEW.bat_side := NULL;
    NEW.swing_path_tilt_deg := NULL;
    NEW.swing_length_ft := NULL;
    NEW.time_to_contact_s := NULL;
    NEW.intercept_x_ft := NULL;
    NEW.intercept_y_ft := NULL;
    NEW.intercept_z_ft := NULL;
    NEW.contact_from_head_in := NULL;
    NEW.miss_distance_in := NULL;
    NEW.squared_up_pct := NULL;
    NEW.is_squared_up := NULL;
    NEW.is_blast := NULL;
    NEW.is_barrel := NULL;
    NEW.contact_confidence := NULL;
    NEW.contact_doubts := NULL;
    NEW.end_bat_speed_mph := NULL;
    NEW.is_cut_short := NULL;
    RETURN NEW;
END $$;

CREATE OR REPLACE VIEW pitches AS
SELECT pitch_id, game_pk, game_date, venue, batter_id,
       coalesce(identified_pitcher_id, measured_pitcher_id) AS pitcher_id,
       coalesce(identified_team_id, measured_team_id) AS team_id,
       inning, balls, strikes, outs, pitch_type, pitch_result, pitch_action,
       pitch_speed_mph, spin_rate_rpm, exit_velocity_mph, hit_spin_rpm, launch_angle_deg, spray_angle_deg,
       is_swing, is_contact, is_whiff, swing_confidence, attack_angle_deg, bat_speed_mph, speed_confidence,
       bat_samples, ball_samples, duplicate_samples, issues,
       event_time, revision, record_ts_ms, source_topic, source_partition, source_offset, core_version, build, processed_at,
       release_speed_mph, plate_speed_mph, plate_time_s, plate_x_ft, plate_z_ft, vertical_approach_deg,
       horizontal_approach_deg, horizontal_break_in, induced_vertical_break_in, flight_rms_ft, in_zone, is_chase,
       contact_time_s, contact_source, contact_bat_speed_mph, contact_bat_speed_error_mph,
       contact_bat_speed_spread_mph, contact_attack_angle_deg, contact_attack_direction_deg,
       contact_attack_direction_pull_deg, bat_side, swing_path_tilt_deg, swing_length_ft, time_to_contact_s,
       intercept_x_ft, intercept_y_ft, intercept_z_ft, contact_from_head_in, miss_distance_in, squared_up_pct,
       is_squared_up, is_blast, is_barrel, contact_confidence, contact_doubts,
       (CASE WHEN identified_at_bat_version = ARRAY[identified_revision, identified_record_ts_ms, identified_source_offset, identified_source_partition]
            THEN identified_at_bat_number END) AS at_bat_number,
       (CASE WHEN identified_at_bat_version = ARRAY[identified_revision, identified_record_ts_ms, identified_source_offset, identified_source_partition]
            THEN identified_pitch_number END) AS pitch_number,
       (CASE WHEN identified_at_bat_version = ARRAY[identified_revision, identified_record_ts_ms, identified_source_offset, identified_source_partition]
            THEN identified_batter_side END) AS batter_side,
       (CASE WHEN identified_at_bat_version = ARRAY[identified_revision, identified_record_ts_ms, identified_source_offset, identified_source_partition]
            THEN identified_pitcher_hand END) AS pitcher_hand,
       end_bat_speed_mph, is_cut_short
FROM pitch_registers
WHERE standing;

ALTER TABLE batter_game_totals ADD COLUMN IF NOT EXISTS sword_count bigint NOT NULL DEFAULT 0;
ALTER TABLE batter_totals ADD COLUMN IF NOT EXISTS sword_count bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN batter_game_totals.sword_count IS 'Swords; missing: never';
COMMENT ON COLUMN batter_totals.sword_count IS 'Swords; missing: never';

-- Few swings are cut short, so few rows are in this index.
CREATE INDEX IF NOT EXISTS pitch_registers_batter_cut_short ON pitch_registers (batter_id, contact_bat_speed_mph) WHERE is_cut_short;

-- A greater sequence number makes every projection fetch the batter again.
UPDATE batter_totals SET seq = seq + 1, prev_seq = seq;

CREATE OR REPLACE VIEW batter_stats AS
SELECT batter_id,
       pitches, swing_count, whiff_count,
       CASE WHEN swing_count > 0 THEN round(whiff_count * 100::numeric / swing_count, 2)::float8 END AS whiff_rate_pct,
       contact_count,
       exit_velocity_max AS max_exit_velocity_mph,
       CASE WHEN exit_velocity_count > 0 THEN exit_velocity_sum / exit_velocity_count END AS avg_exit_velocity_mph,
       hard_hit_count,
       bat_speed_max AS max_bat_speed_mph,
       CASE WHEN bat_speed_count > 0 THEN bat_speed_sum / bat_speed_count END AS avg_bat_speed_mph,
       CASE WHEN attack_angle_count > 0 THEN attack_angle_sum / attack_angle_count END AS avg_attack_angle_deg,
       jsonb_build_object('pitch_id', last_pitch_id,
           'event_time', to_char(last_event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           'pitch_result', last_pitch_result, 'pitch_action', last_pitch_action,
           'exit_velocity_mph', last_exit_velocity_mph) AS last_pitch,
       (SELECT jsonb_object_agg(t.name, jsonb_build_object('pitches', t.pitches, 'swings', t.swings, 'whiffs', t.whiffs))
          FROM unnest(type_names, type_pitches, type_swings, type_whiffs) AS t(name, pitches, swings, whiffs)) AS by_pitch_type,
       updated_at, seq,
       rate_pct(chase_count, out_of_zone_count) AS chase_rate_pct,
       rate_pct(zone_swing_count, in_zone_count) AS zone_swing_rate_pct,
       rate_pct(zone_contact_count, zone_swing_count) AS zone_contact_rate_pct,
       candidate_count - slow_count AS competitive_swings,
       (candidate_speed_sum - slow_speed_sum) / nullif(candidate_count - slow_count, 0) AS avg_contact_bat_speed_mph,
       rate_pct(candidate_fast_count - slow_fast_count, candidate_count - slow_count) AS fast_swing_rate_pct,
       (candidate_length_sum - slow_length_sum) / nullif(candidate_length_count - slow_length_count, 0) AS avg_swing_length_ft,
       (candidate_attack_sum - slow_attack_sum) / nullif(candidate_attack_count - slow_attack_count, 0) AS avg_contact_attack_angle_deg,
       rate_pct(candidate_ideal_count - slow_ideal_count, candidate_attack_count - slow_attack_count) AS ideal_attack_angle_rate_pct,
       rate_pct(candidate_squared_up_count - slow_squared_up_count, candidate_count - slow_count) AS squared_up_rate_pct,
       rate_pct(candidate_squared_up_count - slow_squared_up_count, candidate_hit_count - slow_hit_count) AS squared_up_contact_rate_pct,
       rate_pct(candidate_blast_count - slow_blast_count, candidate_count - slow_count) AS blast_rate_pct,
       rate_pct(barrel_count, batted_ball_count) AS barrel_rate_pct,
       rate_pct(sweet_spot_count, launch_count) AS sweet_spot_rate_pct,
       contact_speed_p10 AS p10_contact_bat_speed_mph,
       contact_speed_p90 AS p90_contact_bat_speed_mph,
       exit_velocity_p90 AS p90_exit_velocity_mph,
       exit_velocity_top_sum / nullif((exit_velocity_count + 1) / 2, 0) AS avg_ev50_mph,
       sword_count
FROM batter_totals
WHERE pitches > 0;

CREATE OR REPLACE VIEW batter_game_stats AS
SELECT batter_id, game_key AS game_pk,
       pitches, swing_count, whiff_count,
       CASE WHEN swing_count > 0 THEN round(whiff_count * 100::numeric / swing_count, 2)::float8 END AS whiff_rate_pct,
       contact_count,
       exit_velocity_max AS max_exit_velocity_mph,
       CASE WHEN exit_velocity_count > 0 THEN exit_velocity_sum / exit_velocity_count END AS avg_exit_velocity_mph,
       hard_hit_count,
       bat_speed_max AS max_bat_speed_mph,
       CASE WHEN bat_speed_count > 0 THEN bat_speed_sum / bat_speed_count END AS avg_bat_speed_mph,
       CASE WHEN attack_angle_count > 0 THEN attack_angle_sum / attack_angle_count END AS avg_attack_angle_deg,
       jsonb_build_object('pitch_id', last_pitch_id,
           'event_time', to_char(last_event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           'pitch_result', last_pitch_result, 'pitch_action', last_pitch_action,
           'exit_velocity_mph', last_exit_velocity_mph) AS last_pitch,
       (SELECT jsonb_object_agg(t.name, jsonb_build_object('pitches', t.pitches, 'swings', t.swings, 'whiffs', t.whiffs))
          FROM unnest(type_names, type_pitches, type_swings, type_whiffs) AS t(name, pitches, swings, whiffs)) AS by_pitch_type,
       updated_at, seq,
       rate_pct(chase_count, out_of_zone_count) AS chase_rate_pct,
       rate_pct(zone_swing_count, in_zone_count) AS zone_swing_rate_pct,
       rate_pct(zone_contact_count, zone_swing_count) AS zone_contact_rate_pct,
       candidate_count - slow_count AS competitive_swings,
       (candidate_speed_sum - slow_speed_sum) / nullif(candidate_count - slow_count, 0) AS avg_contact_bat_speed_mph,
       rate_pct(candidate_fast_count - slow_fast_count, candidate_count - slow_count) AS fast_swing_rate_pct,
       (candidate_length_sum - slow_length_sum) / nullif(candidate_length_count - slow_length_count, 0) AS avg_swing_length_ft,
       (candidate_attack_sum - slow_attack_sum) / nullif(candidate_attack_count - slow_attack_count, 0) AS avg_contact_attack_angle_deg,
       rate_pct(candidate_ideal_count - slow_ideal_count, candidate_attack_count - slow_attack_count) AS ideal_attack_angle_rate_pct,
       rate_pct(candidate_squared_up_count - slow_squared_up_count, candidate_count - slow_count) AS squared_up_rate_pct,
       rate_pct(candidate_squared_up_count - slow_squared_up_count, candidate_hit_count - slow_hit_count) AS squared_up_contact_rate_pct,
       rate_pct(candidate_blast_count - slow_blast_count, candidate_count - slow_count) AS blast_rate_pct,
       rate_pct(barrel_count, batted_ball_count) AS barrel_rate_pct,
       rate_pct(sweet_spot_count, launch_count) AS sweet_spot_rate_pct,
       contact_speed_p10 AS p10_contact_bat_speed_mph,
       contact_speed_p90 AS p90_contact_bat_speed_mph,
       exit_velocity_p90 AS p90_exit_velocity_mph,
       exit_velocity_top_sum / nullif((exit_velocity_count + 1) / 2, 0) AS avg_ev50_mph,
       sword_count
FROM batter_game_totals
WHERE pitches > 0 AND game_key <> '';

-- Which pitch is a sword depends on the batter's other swings, so it is no column of a row.
CREATE OR REPLACE VIEW swords AS
SELECT p.* FROM pitches p
JOIN LATERAL (
    SELECT percentile_cont(0.1) WITHIN GROUP (ORDER BY r.contact_bat_speed_mph) AS speed
    FROM pitch_registers r WHERE r.batter_id = p.batter_id AND r.contact_bat_speed_mph IS NOT NULL AND r.contact_confidence = 'reliable') AS tenth
    ON p.contact_bat_speed_mph <= tenth.speed
WHERE p.is_cut_short;
COMMENT ON VIEW swords IS 'The pitches whose swing was a sword, over all games of its batter: one row for each that sword_count counts';
