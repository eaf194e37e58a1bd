-- The present state of some batters, every game of theirs, also those without rows any more.
SELECT batter_id, game_key, seq,
       pitches, swing_count, whiff_count, contact_count, hard_hit_count, exit_velocity_count,
       exit_velocity_sum, exit_velocity_max, bat_speed_count, bat_speed_sum, bat_speed_max, attack_angle_count,
       attack_angle_sum, last_pitch_id, last_event_time, last_pitch_result, last_pitch_action, last_exit_velocity_mph,
       type_names, type_pitches, type_swings, type_whiffs
FROM batter_game_totals
WHERE batter_id = ANY ($1::bigint[])
ORDER BY batter_id, game_key
