-- Columns of the second version of the core: the flight of the pitch, and the bat at contact. Rows of the first version have
-- none of them. The comments of columns are written from the list of columns after each migration.
ALTER TABLE pitch_registers
    ADD COLUMN release_speed_mph                 float8,
    ADD COLUMN plate_speed_mph                   float8,
    ADD COLUMN plate_time_s                      float8,
    ADD COLUMN plate_x_ft                        float8,
    ADD COLUMN plate_z_ft                        float8,
    ADD COLUMN vertical_approach_deg             float8,
    ADD COLUMN horizontal_approach_deg           float8,
    ADD COLUMN horizontal_break_in               float8,
    ADD COLUMN induced_vertical_break_in         float8,
    ADD COLUMN flight_rms_ft                     float8,
    ADD COLUMN in_zone                           boolean,
    ADD COLUMN is_chase                          boolean,
    ADD COLUMN contact_time_s                    float8,
    ADD COLUMN contact_source                    text,
    ADD COLUMN contact_bat_speed_mph             float8,
    ADD COLUMN contact_bat_speed_error_mph       float8,
    ADD COLUMN contact_bat_speed_spread_mph      float8,
    ADD COLUMN contact_attack_angle_deg          float8,
    ADD COLUMN contact_attack_direction_deg      float8,
    ADD COLUMN contact_attack_direction_pull_deg float8,
    ADD COLUMN bat_side                          text,
    ADD COLUMN swing_path_tilt_deg               float8,
    ADD COLUMN swing_length_ft                   float8,
    ADD COLUMN time_to_contact_s                 float8,
    ADD COLUMN intercept_x_ft                    float8,
    ADD COLUMN intercept_y_ft                    float8,
    ADD COLUMN intercept_z_ft                    float8,
    ADD COLUMN contact_from_head_in              float8,
    ADD COLUMN miss_distance_in                  float8,
    ADD COLUMN squared_up_pct                    float8,
    ADD COLUMN is_squared_up                     boolean,
    ADD COLUMN is_blast                          boolean,
    ADD COLUMN is_barrel                         boolean,
    ADD COLUMN contact_confidence                text,
    ADD COLUMN contact_doubts                    text[];

-- While processors of both versions run, one of the first may write a newer record over a row of the second. It does not know
-- these columns, so without this they would keep the values of the older record.
CREATE FUNCTION clear_contact() RETURNS trigger LANGUAGE plpgsql AS $$
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
    RETURN NEW;
END $$;
COMMENT ON FUNCTION clear_contact() IS 'Clears the columns that the first version of the core does not write';
CREATE TRIGGER clear_contact BEFORE UPDATE ON pitch_registers FOR EACH ROW
    WHEN (NEW.core_version < 2 AND OLD.core_version >= 2) EXECUTE FUNCTION clear_contact();

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
       is_squared_up, is_blast, is_barrel, contact_confidence, contact_doubts
FROM pitch_registers
WHERE standing;
