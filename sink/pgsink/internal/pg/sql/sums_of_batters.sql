coalesce(a.pitches, 0),
{pitch totals: coalesce(a.@, 0)}, {swing totals: coalesce(s.@, 0)}, {slow: coalesce(s.@, 0)}, {maxima: a.@},
l.pitch_id, l.event_time, l.revision, l.record_ts_ms, l.source_offset, l.source_partition,
l.pitch_result, l.pitch_action, l.exit_velocity,
coalesce(few.type_names, a.type_names, '{}'), coalesce(few.type_pitches, a.type_pitches, '{}'),
coalesce(few.type_swings, a.type_swings, '{}'), coalesce(few.type_whiffs, a.type_whiffs, '{}'),
s.speeds[1], s.speeds[2], e.p90, e.top_sum, coalesce(swords.swords, 0)
