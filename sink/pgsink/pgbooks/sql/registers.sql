-- Read both registers of pitches. The caller appends which ones, and their order.
SELECT pitch_id, revision, record_ts_ms, source_offset, source_partition, source_topic, event_time, deleted, core_version,
       game_pk, game_date, venue, measured_batter_id, measured_pitcher_id, measured_team_id, inning, balls, strikes, outs,
       pitch_type, pitch_result, pitch_action, pitch_speed_mph, spin_rate_rpm, exit_velocity_mph, hit_spin_rpm,
       launch_angle_deg, spray_angle_deg, coalesce(is_swing, false), coalesce(is_contact, false), coalesce(is_whiff, false),
       swing_confidence, attack_angle_deg, bat_speed_mph, speed_confidence, coalesce(bat_samples, 0), coalesce(ball_samples, 0),
       coalesce(duplicate_samples, 0), coalesce(issues, '{}'),
       release_speed_mph, plate_speed_mph, plate_time_s, plate_x_ft, plate_z_ft, vertical_approach_deg,
       horizontal_approach_deg, horizontal_break_in, induced_vertical_break_in, flight_rms_ft, in_zone, is_chase,
       contact_time_s, contact_source, contact_bat_speed_mph, contact_bat_speed_error_mph,
       contact_bat_speed_spread_mph, contact_attack_angle_deg, contact_attack_direction_deg,
       contact_attack_direction_pull_deg, bat_side, swing_path_tilt_deg, swing_length_ft, time_to_contact_s,
       intercept_x_ft, intercept_y_ft, intercept_z_ft, contact_from_head_in, miss_distance_in, squared_up_pct,
       is_squared_up, is_blast, is_barrel, contact_confidence, contact_doubts,
       end_bat_speed_mph, is_cut_short,
       identified_revision, identified_record_ts_ms, identified_source_offset, identified_source_partition,
       identified_batter_id, identified_pitcher_id, identified_team_id,
       {at bat: CASE WHEN r.identified_at_bat_version = ARRAY[r.identified_revision, r.identified_record_ts_ms, r.identified_source_offset, r.identified_source_partition] THEN r.identified_@ END}
FROM {schema}.pitch_registers r
