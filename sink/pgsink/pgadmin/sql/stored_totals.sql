-- Read the stored totals of some batters, with the columns of computed_totals.sql.
SELECT batter_id, game_key, seq, pitches, swing_count, whiff_count, contact_count, hard_hit_count,
       exit_velocity_count, exit_velocity_sum, exit_velocity_max, bat_speed_count, bat_speed_sum, bat_speed_max,
       attack_angle_count, attack_angle_sum, last_pitch_id, last_event_time, last_revision, last_record_ts_ms,
       last_offset, last_partition, last_pitch_result, last_pitch_action, last_exit_velocity_mph,
       type_names, type_pitches, type_swings, type_whiffs
FROM {schema}.batter_game_totals WHERE batter_id = ANY ($1::bigint[])
UNION ALL
SELECT batter_id, NULL, seq, pitches, swing_count, whiff_count, contact_count, hard_hit_count,
       exit_velocity_count, exit_velocity_sum, exit_velocity_max, bat_speed_count, bat_speed_sum, bat_speed_max,
       attack_angle_count, attack_angle_sum, last_pitch_id, last_event_time, last_revision, last_record_ts_ms,
       last_offset, last_partition, last_pitch_result, last_pitch_action, last_exit_velocity_mph,
       type_names, type_pitches, type_swings, type_whiffs
FROM {schema}.batter_totals WHERE batter_id = ANY ($1::bigint[])
