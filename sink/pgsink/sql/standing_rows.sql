-- The rows that stand of some pitches, sorted by pitch.
SELECT pitch_id, game_pk, game_date::text, venue, batter_id, pitcher_id, team_id, inning, balls, strikes, outs,
       pitch_type, pitch_result, pitch_action, pitch_speed_mph, spin_rate_rpm, exit_velocity_mph, hit_spin_rpm,
       launch_angle_deg, spray_angle_deg, is_swing, is_contact, is_whiff, swing_confidence, attack_angle_deg,
       bat_speed_mph, speed_confidence, bat_samples, ball_samples, duplicate_samples, issues,
       event_time, revision, record_ts_ms, source_topic, source_partition, source_offset, core_version, build, processed_at
FROM pitches
WHERE pitch_id = ANY ($1::uuid[])
ORDER BY pitch_id
