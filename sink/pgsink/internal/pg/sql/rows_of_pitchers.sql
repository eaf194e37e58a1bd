r.pitch_id, r.event_time, r.revision, r.record_ts_ms, r.source_offset, r.source_partition,
coalesce(r.pitch_type, 'unknown') AS type, r.pitch_result, r.pitch_action, r.is_swing, r.is_contact, r.is_whiff,
r.exit_velocity_mph, r.in_zone, r.is_chase, r.pitch_speed_mph, r.spin_rate_rpm, r.induced_vertical_break_in,
r.horizontal_break_in, r.release_speed_mph
