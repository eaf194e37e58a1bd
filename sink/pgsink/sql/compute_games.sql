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
               r.exit_velocity_mph AS exit_velocity, r.launch_angle_deg AS launch_angle, r.in_zone, r.is_chase, r.is_barrel, r.is_cut_short,
               CASE WHEN r.speed_confidence = 'reliable' THEN r.bat_speed_mph END AS bat_speed,
               CASE WHEN r.swing_confidence = 'confirmed' THEN r.attack_angle_deg END AS attack_angle,
               {values at contact}
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
           count(attack_angle)::int AS attack_angle_count, sum(attack_angle) AS attack_angle_sum,
           (count(*) FILTER (WHERE in_zone))::int AS in_zone_count,
           (count(*) FILTER (WHERE in_zone AND is_swing))::int AS zone_swing_count,
           (count(*) FILTER (WHERE in_zone AND is_swing AND is_contact))::int AS zone_contact_count,
           (count(*) FILTER (WHERE NOT in_zone))::int AS out_of_zone_count,
           (count(*) FILTER (WHERE NOT in_zone AND is_chase))::int AS chase_count,
           count(is_barrel)::int AS batted_ball_count, (count(*) FILTER (WHERE is_barrel))::int AS barrel_count,
           count(launch_angle)::int AS launch_count,
           (count(*) FILTER (WHERE launch_angle BETWEEN 8 AND 32))::int AS sweet_spot_count,
           max(event_time) AS last_time
    FROM r GROUP BY n, type ORDER BY n, type
), a AS ( -- sums of int are bigint; sums of bigint would be numeric, which is slow
    SELECT n, max(last_time) AS last_time, sum(pitches) AS pitches, {pitch totals: sum(@) AS @}, {maxima: max(@) AS @},
           array_agg(type) AS type_names, array_agg(pitches::bigint) AS type_pitches,
           array_agg(swing_count::bigint) AS type_swings, array_agg(whiff_count::bigint) AS type_whiffs
    FROM types GROUP BY n
), fastest AS ( -- the slowest of the fastest 90 % of a game's reliable swings
    SELECT n, (array_agg(contact_speed ORDER BY contact_speed))[(count(*) + 8) / 10 + 1] AS slowest
    FROM r WHERE is_reliable GROUP BY n
), s AS (
    SELECT n, count(*) FILTER (WHERE is_reliable) AS reliable_count, {sums of candidates}, {sums of slow},
           percentile_cont(ARRAY[0.1, 0.9]) WITHIN GROUP (ORDER BY contact_speed) FILTER (WHERE is_hard OR contact_speed >= slowest) AS speeds
    FROM r LEFT JOIN fastest USING (n)
    WHERE is_reliable OR is_hard GROUP BY n
), e AS (
    SELECT n, percentile_cont(0.9) WITHIN GROUP (ORDER BY exit_velocity) AS p90, sum(exit_velocity) FILTER (WHERE place <= (total + 1) / 2) AS top_sum
    FROM (SELECT n, exit_velocity, row_number() OVER (PARTITION BY n ORDER BY exit_velocity DESC) AS place, count(*) OVER (PARTITION BY n) AS total
          FROM r WHERE exit_velocity IS NOT NULL) AS placed
    GROUP BY n
), swords AS ( -- few games have a swing that was cut short, and only of these is the percentile computed
    SELECT n, count(*) AS swords
    FROM (SELECT n, percentile_cont(0.1) WITHIN GROUP (ORDER BY contact_speed) FILTER (WHERE is_reliable) AS tenth,
                 array_agg(contact_speed) FILTER (WHERE is_cut_short) AS speeds
          FROM r WHERE n IN (SELECT n FROM r WHERE is_cut_short) GROUP BY n) AS g CROSS JOIN LATERAL unnest(speeds) AS u(speed)
    -- guard: a sword is as slow as the slowest tenth of its game | WHERE speed <= tenth -> WHERE true
    WHERE speed <= tenth GROUP BY n
), few AS ( -- instead of the types of games that have many
    SELECT a.n, f.* FROM a CROSS JOIN LATERAL (
        {bounded types of a}) AS f
    -- guard: a game has few types of pitches | cardinality(a.type_names) > 64 -> false
    WHERE cardinality(a.type_names) > 64
), l AS ( -- few rows are sorted: those of a game's last time
    SELECT DISTINCT ON (n) n, pitch_id, event_time, revision, record_ts_ms, source_offset, source_partition, pitch_result, pitch_action, exit_velocity
    FROM r JOIN a USING (n) WHERE r.event_time = a.last_time
    ORDER BY n, revision DESC, record_ts_ms DESC, source_offset DESC, source_partition DESC
), now AS (
    INSERT INTO {schema}.batter_game_totals AS g (
        batter_id, game_key, seq, updated_at, pitches, {totals: @}, {slow: @}, {maxima: @}, {last: @}, {types: @}, {spread: @})
    SELECT t.batter_id, t.game_key, b.seq, b.updated_at, coalesce(a.pitches, 0),
           {pitch totals: coalesce(a.@, 0)}, {swing totals: coalesce(s.@, 0)}, {slow: coalesce(s.@, 0)}, {maxima: a.@},
           l.pitch_id, l.event_time, l.revision, l.record_ts_ms, l.source_offset, l.source_partition,
           l.pitch_result, l.pitch_action, l.exit_velocity,
           coalesce(few.type_names, a.type_names, '{}'), coalesce(few.type_pitches, a.type_pitches, '{}'),
           coalesce(few.type_swings, a.type_swings, '{}'), coalesce(few.type_whiffs, a.type_whiffs, '{}'),
           s.speeds[1], s.speeds[2], e.p90, e.top_sum, coalesce(swords.swords, 0)
    FROM touched t
    JOIN {schema}.batter_totals b USING (batter_id)
    LEFT JOIN a USING (n)
    LEFT JOIN s USING (n)
    LEFT JOIN e USING (n)
    LEFT JOIN swords USING (n)
    LEFT JOIN few USING (n)
    LEFT JOIN l USING (n)
    ORDER BY t.batter_id, t.game_key
    ON CONFLICT (batter_id, game_key) DO UPDATE SET
        seq = excluded.seq, updated_at = excluded.updated_at, pitches = excluded.pitches, {totals: @ = excluded.@},
        {slow: @ = excluded.@}, {maxima: @ = excluded.@}, {last: @ = excluded.@}, {types: @ = excluded.@},
        {spread: @ = excluded.@}
    RETURNING *
), d AS (
    SELECT batter_id,
           sum(pitches) AS pitches, {counts: sum(@) AS @}, {sums: sum(@) AS @}, array_agg(last_pitch_id) FILTER (WHERE sign < 0) AS were_last,
           {maxima: max(@) FILTER (WHERE sign > 0) AS @}, {maxima: max(@) FILTER (WHERE sign < 0) AS was_@}
    FROM (SELECT batter_id, 1 AS sign, pitches::int, {counts: @::int}, {sums: @}, {maxima: @}, last_pitch_id FROM now
          UNION ALL
          SELECT batter_id, -1, -pitches::int, {counts: -@::int}, {sums: -@}, {maxima: @}, last_pitch_id FROM was) AS both_sides
    GROUP BY batter_id
), dl AS (
    SELECT DISTINCT ON (batter_id) batter_id, {last: @}
    FROM now WHERE pitches > 0 ORDER BY batter_id, last_event_time DESC, last_revision DESC, last_record_ts_ms DESC, last_offset DESC, last_partition DESC
), dt AS (
    SELECT batter_id, {types: array_agg(@) AS @}
    FROM (SELECT batter_id, type_names, sum(sign * type_pitches::int) AS type_pitches,
                 sum(sign * type_swings::int) AS type_swings, sum(sign * type_whiffs::int) AS type_whiffs
          FROM (SELECT batter_id, 1 AS sign, {types: unnest(@) AS @} FROM now
                UNION ALL
                SELECT batter_id, -1, {types: unnest(@)} FROM was
                UNION ALL
                SELECT b.batter_id, 1, {types: unnest(b.@)} FROM d JOIN {schema}.batter_totals b USING (batter_id)) AS s
          GROUP BY batter_id, type_names ORDER BY batter_id, type_names) AS summed
    WHERE type_pitches > 0
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
        {totals: @ = b.@ + d.@}, {maxima: @ = greatest(b.@, d.@)},
        {types: @ = coalesce(dt.@, '{}')},
        ({last: @})
        = (SELECT {last: n.@}
           FROM (VALUES (1, {last: dl.@}), (0, {last: b.@})) AS n(changed, {last: @})
           WHERE n.last_pitch_id IS NOT NULL
           ORDER BY n.last_event_time DESC, n.last_revision DESC, n.last_record_ts_ms DESC, n.last_offset DESC, n.last_partition DESC, n.changed DESC LIMIT 1)
    FROM d LEFT JOIN dl USING (batter_id) LEFT JOIN dt USING (batter_id)
    WHERE b.batter_id = d.batter_id
)
SELECT batter_id, game_key, seq, {stats columns}
FROM now
