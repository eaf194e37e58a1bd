r.pitch_id, r.event_time, r.revision, r.record_ts_ms, r.source_offset, r.source_partition,
coalesce(r.pitch_type, 'unknown') AS type, r.pitch_result, r.pitch_action, r.is_swing, r.is_contact, r.is_whiff,
r.exit_velocity_mph AS exit_velocity, r.launch_angle_deg AS launch_angle, r.in_zone, r.is_chase, r.is_barrel, r.is_cut_short,
CASE WHEN r.speed_confidence = 'reliable' THEN r.bat_speed_mph END AS bat_speed,
CASE WHEN r.swing_confidence = 'confirmed' THEN r.attack_angle_deg END AS attack_angle,
{values at contact}
