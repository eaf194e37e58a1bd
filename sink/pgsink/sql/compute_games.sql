-- Compute the batter-games that a batch touched again from their rows, about twenty each, found by one index. Then move the
-- totals of their batters by the differences. The cost of a batch is that of its games, however long a career is.
--
-- A difference is not enough if the maximum or the last pitch of a batter may be gone, or if no row is left. Nor is it if
-- the batter has many types of pitches, because the totals have the most frequent ones only. Such a batter gets −1 pitches
-- here, and fold_batters.sql computes the totals from all games. It also gets every 64th sequence number, so that the
-- rounding errors of sums do not add up.
WITH touched AS MATERIALIZED ( -- n: numbers are sorted and compared faster than keys of games
    SELECT row_number() OVER () AS n, t.* FROM (
        {groups}) AS t
), was AS MATERIALIZED ( -- pitches > 0 is outside, because inside it would let the planner choose the index of games
    SELECT g.* FROM touched t CROSS JOIN LATERAL (
        SELECT * FROM {schema}.batter_game_totals g WHERE g.batter_id = t.batter_id AND g.game_key = t.game_key OFFSET 0) AS g
    WHERE g.pitches > 0
), r AS MATERIALIZED ( -- OFFSET 0 forces one index range per group, whatever the statistics of the table are
    SELECT t.n, r.* FROM touched t CROSS JOIN LATERAL (
        SELECT r.pitch_id, r.event_time, r.revision, r.record_ts_ms, r.source_offset, r.source_partition,
               coalesce(r.pitch_type, 'unknown') AS type, r.pitch_result, r.pitch_action, r.is_swing, r.is_contact, r.is_whiff,
               r.exit_velocity_mph AS exit_velocity,
               CASE WHEN r.speed_confidence = 'reliable' THEN r.bat_speed_mph END AS bat_speed,
               CASE WHEN r.swing_confidence = 'confirmed' THEN r.attack_angle_deg END AS attack_angle
        FROM {schema}.pitch_registers r WHERE r.batter_id = t.batter_id AND coalesce(r.game_pk, '') = t.game_key OFFSET 0) AS r
), types AS (
    SELECT n, type,
           count(*)::int AS pitches,
           (count(*) FILTER (WHERE is_swing))::int AS swing_count,
           (count(*) FILTER (WHERE is_whiff))::int AS whiff_count,
           (count(*) FILTER (WHERE is_contact))::int AS contact_count,
           (count(*) FILTER (WHERE exit_velocity >= 95))::int AS hard_hit_count,
           count(exit_velocity)::int AS exit_velocity_count, sum(exit_velocity) AS exit_velocity_sum, max(exit_velocity) AS exit_velocity_max,
           count(bat_speed)::int AS bat_speed_count, sum(bat_speed) AS bat_speed_sum, max(bat_speed) AS bat_speed_max,
           count(attack_angle)::int AS attack_angle_count, sum(attack_angle) AS attack_angle_sum
    FROM r GROUP BY n, type ORDER BY n, type
), a AS ( -- sums of int are bigint; sums of bigint would be numeric, which is slow
    SELECT n,
           coalesce(sum(pitches), 0) AS pitches, coalesce(sum(swing_count), 0) AS swing_count,
           coalesce(sum(whiff_count), 0) AS whiff_count, coalesce(sum(contact_count), 0) AS contact_count,
           coalesce(sum(hard_hit_count), 0) AS hard_hit_count,
           coalesce(sum(exit_velocity_count), 0) AS exit_velocity_count,
           coalesce(sum(exit_velocity_sum), 0) AS exit_velocity_sum, max(exit_velocity_max) AS exit_velocity_max,
           coalesce(sum(bat_speed_count), 0) AS bat_speed_count, coalesce(sum(bat_speed_sum), 0) AS bat_speed_sum,
           max(bat_speed_max) AS bat_speed_max, coalesce(sum(attack_angle_count), 0) AS attack_angle_count,
           coalesce(sum(attack_angle_sum), 0) AS attack_angle_sum,
           array_agg(type) AS type_names, array_agg(pitches::bigint) AS type_pitches,
           array_agg(swing_count::bigint) AS type_swings, array_agg(whiff_count::bigint) AS type_whiffs
    FROM types GROUP BY n
), few AS ( -- instead of the types of games that have many
    SELECT a.n, f.* FROM a CROSS JOIN LATERAL (
        {bounded types of a}) AS f
    -- guard: a game has few types of pitches | cardinality(a.type_names) > 64 -> false
    WHERE cardinality(a.type_names) > 64
), l AS (
    SELECT DISTINCT ON (n) n, pitch_id, event_time, revision, record_ts_ms, source_offset, source_partition, pitch_result, pitch_action, exit_velocity
    FROM r ORDER BY n, event_time DESC, revision DESC, record_ts_ms DESC, source_offset DESC, source_partition DESC
), now AS (
    INSERT INTO {schema}.batter_game_totals AS g (
        batter_id, game_key, seq, updated_at,
        pitches, swing_count, whiff_count, contact_count, hard_hit_count, exit_velocity_count, exit_velocity_sum,
        exit_velocity_max, bat_speed_count, bat_speed_sum, bat_speed_max, attack_angle_count, attack_angle_sum,
        last_pitch_id, last_event_time, last_revision, last_record_ts_ms, last_offset, last_partition,
        last_pitch_result, last_pitch_action, last_exit_velocity_mph,
        type_names, type_pitches, type_swings, type_whiffs)
    SELECT t.batter_id, t.game_key, b.seq, b.updated_at,
           coalesce(a.pitches, 0), coalesce(a.swing_count, 0), coalesce(a.whiff_count, 0),
           coalesce(a.contact_count, 0), coalesce(a.hard_hit_count, 0), coalesce(a.exit_velocity_count, 0),
           coalesce(a.exit_velocity_sum, 0), a.exit_velocity_max, coalesce(a.bat_speed_count, 0),
           coalesce(a.bat_speed_sum, 0), a.bat_speed_max, coalesce(a.attack_angle_count, 0),
           coalesce(a.attack_angle_sum, 0),
           l.pitch_id, l.event_time, l.revision, l.record_ts_ms, l.source_offset, l.source_partition,
           l.pitch_result, l.pitch_action, l.exit_velocity,
           coalesce(few.type_names, a.type_names, '{}'), coalesce(few.type_pitches, a.type_pitches, '{}'),
           coalesce(few.type_swings, a.type_swings, '{}'), coalesce(few.type_whiffs, a.type_whiffs, '{}')
    FROM touched t
    JOIN {schema}.batter_totals b USING (batter_id)
    LEFT JOIN a USING (n)
    LEFT JOIN few USING (n)
    LEFT JOIN l USING (n)
    ORDER BY t.batter_id, t.game_key
    ON CONFLICT (batter_id, game_key) DO UPDATE SET
        seq = excluded.seq, updated_at = excluded.updated_at, pitches = excluded.pitches,
        swing_count = excluded.swing_count, whiff_count = excluded.whiff_count,
        contact_count = excluded.contact_count, hard_hit_count = excluded.hard_hit_count,
        exit_velocity_count = excluded.exit_velocity_count, exit_velocity_sum = excluded.exit_velocity_sum,
        exit_velocity_max = excluded.exit_velocity_max, bat_speed_count = excluded.bat_speed_count,
        bat_speed_sum = excluded.bat_speed_sum, bat_speed_max = excluded.bat_speed_max,
        attack_angle_count = excluded.attack_angle_count, attack_angle_sum = excluded.attack_angle_sum,
        last_pitch_id = excluded.last_pitch_id, last_event_time = excluded.last_event_time,
        last_revision = excluded.last_revision, last_record_ts_ms = excluded.last_record_ts_ms,
        last_offset = excluded.last_offset, last_partition = excluded.last_partition,
        last_pitch_result = excluded.last_pitch_result, last_pitch_action = excluded.last_pitch_action,
        last_exit_velocity_mph = excluded.last_exit_velocity_mph, type_names = excluded.type_names,
        type_pitches = excluded.type_pitches, type_swings = excluded.type_swings, type_whiffs = excluded.type_whiffs
    RETURNING *
), d AS (
    SELECT batter_id,
           sum(pitches)::bigint AS pitches, sum(swing_count)::bigint AS swing_count,
           sum(whiff_count)::bigint AS whiff_count, sum(contact_count)::bigint AS contact_count,
           sum(hard_hit_count)::bigint AS hard_hit_count, sum(exit_velocity_count)::bigint AS exit_velocity_count,
           sum(exit_velocity_sum)::float8 AS exit_velocity_sum, sum(bat_speed_count)::bigint AS bat_speed_count,
           sum(bat_speed_sum)::float8 AS bat_speed_sum, sum(attack_angle_count)::bigint AS attack_angle_count,
           sum(attack_angle_sum)::float8 AS attack_angle_sum, array_agg(last_pitch_id) FILTER (WHERE sign < 0) AS were_last,
           max(exit_velocity_max) FILTER (WHERE sign > 0) AS exit_velocity_max, max(exit_velocity_max) FILTER (WHERE sign < 0) AS was_exit_velocity_max,
           max(bat_speed_max) FILTER (WHERE sign > 0) AS bat_speed_max, max(bat_speed_max) FILTER (WHERE sign < 0) AS was_bat_speed_max
    FROM (SELECT batter_id, 1 AS sign, pitches::int, swing_count::int, whiff_count::int, contact_count::int, hard_hit_count::int,
          exit_velocity_count::int, exit_velocity_sum, exit_velocity_max, bat_speed_count::int, bat_speed_sum,
          bat_speed_max, attack_angle_count::int, attack_angle_sum, last_pitch_id FROM now
          UNION ALL
          SELECT batter_id, -1, -pitches::int, -swing_count::int, -whiff_count::int, -contact_count::int, -hard_hit_count::int,
          -exit_velocity_count::int, -exit_velocity_sum, exit_velocity_max, -bat_speed_count::int, -bat_speed_sum,
          bat_speed_max, -attack_angle_count::int, -attack_angle_sum, last_pitch_id FROM was) AS both_sides
    GROUP BY batter_id
), dl AS (
    SELECT DISTINCT ON (batter_id) batter_id, last_pitch_id, last_event_time, last_revision, last_record_ts_ms, last_offset, last_partition,
           last_pitch_result, last_pitch_action, last_exit_velocity_mph
    FROM now WHERE pitches > 0 ORDER BY batter_id, last_event_time DESC, last_revision DESC, last_record_ts_ms DESC, last_offset DESC, last_partition DESC
), dt AS (
    SELECT batter_id, array_agg(name) AS type_names, array_agg(pitches) AS type_pitches,
           array_agg(swings) AS type_swings, array_agg(whiffs) AS type_whiffs
    FROM (SELECT batter_id, name, sum(sign * pitches::int) AS pitches, sum(sign * swings::int) AS swings, sum(sign * whiffs::int) AS whiffs
          FROM (SELECT batter_id, 1 AS sign, type_names, type_pitches, type_swings, type_whiffs FROM now
                UNION ALL
                SELECT batter_id, -1, type_names, type_pitches, type_swings, type_whiffs FROM was
                UNION ALL
                SELECT b.batter_id, 1, b.type_names, b.type_pitches, b.type_swings, b.type_whiffs FROM d JOIN {schema}.batter_totals b USING (batter_id)) AS s,
               unnest(s.type_names, s.type_pitches, s.type_swings, s.type_whiffs) AS t(name, pitches, swings, whiffs)
          GROUP BY batter_id, name ORDER BY batter_id, name) AS summed
    WHERE pitches > 0
    GROUP BY batter_id
), moved AS (
    UPDATE {schema}.batter_totals AS b SET
        pitches = CASE WHEN b.pitches + d.pitches <= 0 OR b.seq % 64 = 0
                         -- guard: a batter with many types of pitches is counted from the rows | OR cardinality(dt.type_names) > 64 OR cardinality(b.type_names) > 64 ->
                         OR cardinality(dt.type_names) > 64 OR cardinality(b.type_names) > 64
                         -- guard: a batter whose maximum may be gone is folded from all games | OR d.was_exit_velocity_max >= b.exit_velocity_max AND -> OR false AND
                         OR d.was_exit_velocity_max >= b.exit_velocity_max AND coalesce(d.exit_velocity_max < d.was_exit_velocity_max, true)
                         OR d.was_bat_speed_max >= b.bat_speed_max AND coalesce(d.bat_speed_max < d.was_bat_speed_max, true)
                         -- guard: a batter whose last pitch may be gone is folded from all games | OR b.last_pitch_id = ANY ( -> OR false AND b.last_pitch_id = ANY (
                         OR b.last_pitch_id = ANY (d.were_last)
                            AND coalesce((dl.last_event_time, dl.last_revision, dl.last_record_ts_ms, dl.last_offset, dl.last_partition)
                                       < (b.last_event_time, b.last_revision, b.last_record_ts_ms, b.last_offset, b.last_partition), true)
                       THEN -1 ELSE b.pitches + d.pitches END,
        swing_count = b.swing_count + d.swing_count, whiff_count = b.whiff_count + d.whiff_count,
        contact_count = b.contact_count + d.contact_count, hard_hit_count = b.hard_hit_count + d.hard_hit_count,
        exit_velocity_count = b.exit_velocity_count + d.exit_velocity_count,
        exit_velocity_sum = b.exit_velocity_sum + d.exit_velocity_sum,
        exit_velocity_max = greatest(b.exit_velocity_max, d.exit_velocity_max),
        bat_speed_count = b.bat_speed_count + d.bat_speed_count, bat_speed_sum = b.bat_speed_sum + d.bat_speed_sum,
        bat_speed_max = greatest(b.bat_speed_max, d.bat_speed_max),
        attack_angle_count = b.attack_angle_count + d.attack_angle_count,
        attack_angle_sum = b.attack_angle_sum + d.attack_angle_sum,
        type_names = coalesce(dt.type_names, '{}'), type_pitches = coalesce(dt.type_pitches, '{}'),
        type_swings = coalesce(dt.type_swings, '{}'), type_whiffs = coalesce(dt.type_whiffs, '{}'),
        (last_pitch_id, last_event_time, last_revision, last_record_ts_ms, last_offset, last_partition, last_pitch_result, last_pitch_action, last_exit_velocity_mph)
        = (SELECT n.last_pitch_id, n.last_event_time, n.last_revision, n.last_record_ts_ms, n.last_offset, n.last_partition, n.last_pitch_result, n.last_pitch_action, n.last_exit_velocity_mph
           FROM (VALUES (1, dl.last_pitch_id, dl.last_event_time, dl.last_revision, dl.last_record_ts_ms, dl.last_offset, dl.last_partition, dl.last_pitch_result, dl.last_pitch_action, dl.last_exit_velocity_mph),
                        (0, b.last_pitch_id, b.last_event_time, b.last_revision, b.last_record_ts_ms, b.last_offset, b.last_partition, b.last_pitch_result, b.last_pitch_action, b.last_exit_velocity_mph))
                AS n(changed, last_pitch_id, last_event_time, last_revision, last_record_ts_ms, last_offset, last_partition, last_pitch_result, last_pitch_action, last_exit_velocity_mph)
           WHERE n.last_pitch_id IS NOT NULL
           ORDER BY n.last_event_time DESC, n.last_revision DESC, n.last_record_ts_ms DESC, n.last_offset DESC, n.last_partition DESC, n.changed DESC LIMIT 1)
    FROM d LEFT JOIN dl USING (batter_id) LEFT JOIN dt USING (batter_id)
    WHERE b.batter_id = d.batter_id
)
SELECT batter_id, game_key, seq,
       pitches, swing_count, whiff_count, contact_count, hard_hit_count, exit_velocity_count, exit_velocity_sum,
       exit_velocity_max, bat_speed_count, bat_speed_sum, bat_speed_max, attack_angle_count, attack_angle_sum,
       last_pitch_id, last_event_time, last_pitch_result, last_pitch_action, last_exit_velocity_mph,
       type_names, type_pitches, type_swings, type_whiffs
FROM now
