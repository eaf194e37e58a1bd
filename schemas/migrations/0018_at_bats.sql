-- The place of a pitch in the game and the hands, which the game feed names beside batter, pitcher and team.
--
-- Builds before this one write the identified register without these columns. They count only while the version that named
-- them is the register's, so that none of an older version stays.
ALTER TABLE pitch_registers
    ADD COLUMN identified_at_bat_number  smallint,
    ADD COLUMN identified_pitch_number   smallint,
    ADD COLUMN identified_batter_side    text,
    ADD COLUMN identified_pitcher_hand   text,
    ADD COLUMN identified_at_bat_version bigint[];
COMMENT ON COLUMN pitch_registers.identified_at_bat_number IS 'The at-bat that the game feed names; missing: where it names none';
COMMENT ON COLUMN pitch_registers.identified_pitch_number IS 'The pitch within the at-bat that the game feed names; missing: where it names none';
COMMENT ON COLUMN pitch_registers.identified_batter_side IS 'The batter''s side that the game feed names; missing: where it names none';
COMMENT ON COLUMN pitch_registers.identified_pitcher_hand IS 'The pitcher''s hand that the game feed names; missing: where it names none';
COMMENT ON COLUMN pitch_registers.identified_at_bat_version IS 'Version of the identified register that named at-bat and hands: revision, milliseconds, offset, partition; if it is not the register''s, they do not count; missing: where no identify came';

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
            THEN identified_pitcher_hand END) AS pitcher_hand
FROM pitch_registers
WHERE standing;
