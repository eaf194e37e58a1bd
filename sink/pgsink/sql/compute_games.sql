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
        SELECT {rows of batters}
        FROM {schema}.pitch_registers r WHERE r.batter_id = t.batter_id AND coalesce(r.game_pk, '') = t.game_key OFFSET 0) AS r
), {aggregates of batters}
, now AS (
    INSERT INTO {schema}.batter_game_totals AS g (
        batter_id, game_key, seq, updated_at, pitches, {totals: @}, {slow: @}, {maxima: @}, {last: @}, {types: @}, {spread: @})
    SELECT t.batter_id, t.game_key, b.seq, b.updated_at, {sums of batters}
    FROM touched t
    JOIN {schema}.batter_totals b USING (batter_id)
    {joins of batters}
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
