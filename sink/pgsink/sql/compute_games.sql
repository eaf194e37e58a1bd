-- The batter-games that a batch touched, computed again from their rows: about twenty rows each, found by one index.
WITH touched AS (
    SELECT * FROM unnest($1::bigint[], $2::text[]) AS t(batter_id, game_key)
), r AS MATERIALIZED (
    SELECT t.batter_id, t.game_key, r.pitch_id, r.event_time, r.revision, r.record_ts_ms, r.source_offset, r.source_partition,
           coalesce(r.pitch_type, 'unknown') AS type, r.pitch_result, r.pitch_action, r.is_swing, r.is_contact, r.is_whiff,
           r.exit_velocity_mph AS exit_velocity,
           CASE WHEN r.speed_confidence = 'reliable' THEN r.bat_speed_mph END AS bat_speed,
           CASE WHEN r.swing_confidence = 'confirmed' THEN r.attack_angle_deg END AS attack_angle
    FROM touched t
    JOIN pitch_registers r ON r.batter_id = t.batter_id AND coalesce(r.game_pk, '') = t.game_key
), types AS (
    SELECT batter_id, game_key, type,
           count(*) AS pitches,
           count(*) FILTER (WHERE is_swing) AS swing_count,
           count(*) FILTER (WHERE is_whiff) AS whiff_count,
           count(*) FILTER (WHERE is_contact) AS contact_count,
           count(*) FILTER (WHERE exit_velocity >= 95) AS hard_hit_count,
           count(exit_velocity) AS exit_velocity_count, sum(exit_velocity) AS exit_velocity_sum, max(exit_velocity) AS exit_velocity_max,
           count(bat_speed) AS bat_speed_count, sum(bat_speed) AS bat_speed_sum, max(bat_speed) AS bat_speed_max,
           count(attack_angle) AS attack_angle_count, sum(attack_angle) AS attack_angle_sum
    FROM r GROUP BY batter_id, game_key, type
), a AS (
    SELECT batter_id, game_key,
           coalesce(sum(pitches), 0) AS pitches, coalesce(sum(swing_count), 0) AS swing_count, coalesce(sum(whiff_count), 0) AS whiff_count,
           coalesce(sum(contact_count), 0) AS contact_count, coalesce(sum(hard_hit_count), 0) AS hard_hit_count, coalesce(sum(exit_velocity_count), 0) AS exit_velocity_count,
           coalesce(sum(exit_velocity_sum), 0) AS exit_velocity_sum, max(exit_velocity_max) AS exit_velocity_max, coalesce(sum(bat_speed_count), 0) AS bat_speed_count,
           coalesce(sum(bat_speed_sum), 0) AS bat_speed_sum, max(bat_speed_max) AS bat_speed_max, coalesce(sum(attack_angle_count), 0) AS attack_angle_count,
           coalesce(sum(attack_angle_sum), 0) AS attack_angle_sum,
           array_agg(type ORDER BY type) AS type_names, array_agg(pitches ORDER BY type) AS type_pitches,
           array_agg(swing_count ORDER BY type) AS type_swings, array_agg(whiff_count ORDER BY type) AS type_whiffs
    FROM types GROUP BY batter_id, game_key
), l AS (
    SELECT DISTINCT ON (batter_id, game_key) *
    FROM r ORDER BY batter_id, game_key, event_time DESC, revision DESC, record_ts_ms DESC, source_offset DESC, source_partition DESC
)
INSERT INTO batter_game_totals AS g (
    batter_id, game_key, seq, updated_at,
    pitches, swing_count, whiff_count, contact_count, hard_hit_count, exit_velocity_count,
    exit_velocity_sum, exit_velocity_max, bat_speed_count, bat_speed_sum, bat_speed_max, attack_angle_count,
    attack_angle_sum,
    last_pitch_id, last_event_time, last_revision, last_record_ts_ms, last_offset, last_partition,
    last_pitch_result, last_pitch_action, last_exit_velocity_mph,
    type_names, type_pitches, type_swings, type_whiffs)
SELECT t.batter_id, t.game_key, b.seq, b.updated_at,
       coalesce(a.pitches, 0), coalesce(a.swing_count, 0), coalesce(a.whiff_count, 0), coalesce(a.contact_count, 0), coalesce(a.hard_hit_count, 0), coalesce(a.exit_velocity_count, 0),
       coalesce(a.exit_velocity_sum, 0), a.exit_velocity_max, coalesce(a.bat_speed_count, 0), coalesce(a.bat_speed_sum, 0), a.bat_speed_max, coalesce(a.attack_angle_count, 0),
       coalesce(a.attack_angle_sum, 0),
       l.pitch_id, l.event_time, l.revision, l.record_ts_ms, l.source_offset, l.source_partition,
       l.pitch_result, l.pitch_action, l.exit_velocity,
       coalesce(a.type_names, '{}'), coalesce(a.type_pitches, '{}'), coalesce(a.type_swings, '{}'), coalesce(a.type_whiffs, '{}')
FROM touched t
JOIN batter_totals b USING (batter_id)
LEFT JOIN a USING (batter_id, game_key)
LEFT JOIN l USING (batter_id, game_key)
ORDER BY t.batter_id, t.game_key
ON CONFLICT (batter_id, game_key) DO UPDATE SET
    seq = excluded.seq, updated_at = excluded.updated_at, pitches = excluded.pitches,
    swing_count = excluded.swing_count, whiff_count = excluded.whiff_count, contact_count = excluded.contact_count,
    hard_hit_count = excluded.hard_hit_count, exit_velocity_count = excluded.exit_velocity_count, exit_velocity_sum = excluded.exit_velocity_sum,
    exit_velocity_max = excluded.exit_velocity_max, bat_speed_count = excluded.bat_speed_count, bat_speed_sum = excluded.bat_speed_sum,
    bat_speed_max = excluded.bat_speed_max, attack_angle_count = excluded.attack_angle_count, attack_angle_sum = excluded.attack_angle_sum,
    last_pitch_id = excluded.last_pitch_id, last_event_time = excluded.last_event_time, last_revision = excluded.last_revision,
    last_record_ts_ms = excluded.last_record_ts_ms, last_offset = excluded.last_offset, last_partition = excluded.last_partition,
    last_pitch_result = excluded.last_pitch_result, last_pitch_action = excluded.last_pitch_action, last_exit_velocity_mph = excluded.last_exit_velocity_mph,
    type_names = excluded.type_names, type_pitches = excluded.type_pitches, type_swings = excluded.type_swings,
    type_whiffs = excluded.type_whiffs
RETURNING batter_id, game_key, seq,
          pitches, swing_count, whiff_count, contact_count, hard_hit_count, exit_velocity_count,
          exit_velocity_sum, exit_velocity_max, bat_speed_count, bat_speed_sum, bat_speed_max, attack_angle_count,
          attack_angle_sum, last_pitch_id, last_event_time, last_pitch_result, last_pitch_action, last_exit_velocity_mph,
          type_names, type_pitches, type_swings, type_whiffs
