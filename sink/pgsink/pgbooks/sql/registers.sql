-- Read both registers of pitches. The caller appends which ones, and their order.
SELECT pitch_id, revision, record_ts_ms, source_offset, source_partition, source_topic, event_time, deleted, core_version,
       game_pk, game_date, venue, measured_batter_id, measured_pitcher_id, measured_team_id, inning, balls, strikes, outs,
       pitch_type, pitch_result, pitch_action, pitch_speed_mph, spin_rate_rpm, exit_velocity_mph, hit_spin_rpm,
       launch_angle_deg, spray_angle_deg, coalesce(is_swing, false), coalesce(is_contact, false), coalesce(is_whiff, false),
       swing_confidence, attack_angle_deg, bat_speed_mph, speed_confidence, coalesce(bat_samples, 0), coalesce(ball_samples, 0),
       coalesce(duplicate_samples, 0), coalesce(issues, '{}'),
       identified_revision, identified_record_ts_ms, identified_source_offset, identified_source_partition,
       identified_batter_id, identified_pitcher_id, identified_team_id
FROM {schema}.pitch_registers
