-- Compute the batters that compute_games.sql marked with −1 pitches from all their batter-games, one narrow row per game.
WITH whole AS MATERIALIZED (
    SELECT batter_id, cardinality(type_names) > 64 AS many_types FROM {schema}.batter_totals WHERE batter_id = ANY ({batters}) AND pitches < 0
), g AS MATERIALIZED (
    SELECT g.* FROM whole CROSS JOIN LATERAL (
        SELECT * FROM {schema}.batter_game_totals g WHERE g.batter_id = whole.batter_id AND g.pitches > 0 OFFSET 0) AS g
), a AS ( -- sums of int are bigint; sums of bigint would be numeric, which is slow
    SELECT whole.batter_id,
           coalesce(sum(g.pitches::int), 0) AS pitches, coalesce(sum(g.swing_count::int), 0) AS swing_count,
           coalesce(sum(g.whiff_count::int), 0) AS whiff_count,
           coalesce(sum(g.contact_count::int), 0) AS contact_count,
           coalesce(sum(g.hard_hit_count::int), 0) AS hard_hit_count,
           coalesce(sum(g.exit_velocity_count::int), 0) AS exit_velocity_count,
           coalesce(sum(g.exit_velocity_sum), 0) AS exit_velocity_sum, max(g.exit_velocity_max) AS exit_velocity_max,
           coalesce(sum(g.bat_speed_count::int), 0) AS bat_speed_count,
           coalesce(sum(g.bat_speed_sum), 0) AS bat_speed_sum, max(g.bat_speed_max) AS bat_speed_max,
           coalesce(sum(g.attack_angle_count::int), 0) AS attack_angle_count,
           coalesce(sum(g.attack_angle_sum), 0) AS attack_angle_sum
    FROM whole LEFT JOIN g USING (batter_id)
    GROUP BY whole.batter_id
), l AS (
    SELECT DISTINCT ON (batter_id) batter_id, last_pitch_id, last_event_time, last_revision, last_record_ts_ms, last_offset, last_partition,
           last_pitch_result, last_pitch_action, last_exit_velocity_mph
    FROM g ORDER BY batter_id, last_event_time DESC, last_revision DESC, last_record_ts_ms DESC, last_offset DESC, last_partition DESC
), types AS (
    SELECT batter_id, array_agg(name ORDER BY name) AS type_names, array_agg(pitches ORDER BY name) AS type_pitches,
           array_agg(swings ORDER BY name) AS type_swings, array_agg(whiffs ORDER BY name) AS type_whiffs
    FROM (SELECT g.batter_id, t.name, sum(t.pitches::int) AS pitches, sum(t.swings::int) AS swings, sum(t.whiffs::int) AS whiffs
          FROM g JOIN whole USING (batter_id), unnest(g.type_names, g.type_pitches, g.type_swings, g.type_whiffs) AS t(name, pitches, swings, whiffs)
          WHERE NOT whole.many_types
          GROUP BY g.batter_id, t.name) AS t
    GROUP BY batter_id
), few AS ( -- instead of the types of batters that have many, counted from their rows, because games have few
    SELECT whole.batter_id, f.* FROM whole LEFT JOIN types USING (batter_id) CROSS JOIN LATERAL (
        {bounded types of rows}) AS f
    -- guard: a batter has few types of pitches | many_types OR cardinality(types.type_names) > 64 -> false
    WHERE many_types OR cardinality(types.type_names) > 64
)
UPDATE {schema}.batter_totals AS b SET
    pitches = a.pitches, swing_count = a.swing_count, whiff_count = a.whiff_count, contact_count = a.contact_count,
    hard_hit_count = a.hard_hit_count, exit_velocity_count = a.exit_velocity_count,
    exit_velocity_sum = a.exit_velocity_sum, exit_velocity_max = a.exit_velocity_max,
    bat_speed_count = a.bat_speed_count, bat_speed_sum = a.bat_speed_sum, bat_speed_max = a.bat_speed_max,
    attack_angle_count = a.attack_angle_count, attack_angle_sum = a.attack_angle_sum,
    last_pitch_id = l.last_pitch_id, last_event_time = l.last_event_time, last_revision = l.last_revision,
    last_record_ts_ms = l.last_record_ts_ms, last_offset = l.last_offset, last_partition = l.last_partition,
    last_pitch_result = l.last_pitch_result, last_pitch_action = l.last_pitch_action,
    last_exit_velocity_mph = l.last_exit_velocity_mph,
    type_names = coalesce(few.type_names, types.type_names, '{}'), type_pitches = coalesce(few.type_pitches, types.type_pitches, '{}'),
    type_swings = coalesce(few.type_swings, types.type_swings, '{}'), type_whiffs = coalesce(few.type_whiffs, types.type_whiffs, '{}')
FROM a LEFT JOIN l USING (batter_id) LEFT JOIN types USING (batter_id) LEFT JOIN few USING (batter_id)
WHERE b.batter_id = a.batter_id
