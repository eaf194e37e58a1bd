-- Compute the pitcher-games that a batch touched again from their rows, about ninety each, and move the totals of their pitchers
-- by the differences, as compute_games.sql does for batters. All sums are by type of pitch, in arrays in the order of type_names.
--
-- A difference is not enough if a maximum or the last pitch may be gone, if no row is left, or if the pitcher has many types.
-- Such a pitcher gets −1 pitches, and fold_pitchers.sql computes the totals from all games. So does every 64th sequence number.
WITH touched AS MATERIALIZED ( -- n: numbers are sorted and compared faster than keys of games
    SELECT row_number() OVER () AS n, t.* FROM (
        {groups}) AS t
), was AS MATERIALIZED (
    SELECT g.* FROM touched t CROSS JOIN LATERAL (
        SELECT * FROM {schema}.pitcher_game_totals g WHERE g.pitcher_id = t.pitcher_id AND g.game_key = t.game_key OFFSET 0) AS g
    WHERE g.pitches > 0
), r AS MATERIALIZED ( -- OFFSET 0 forces one index range per group, whatever the statistics of the table are
    SELECT t.n, r.* FROM touched t CROSS JOIN LATERAL (
        SELECT {rows of pitchers}
        FROM {schema}.pitch_registers r
        WHERE coalesce(r.identified_pitcher_id, r.measured_pitcher_id) = t.pitcher_id AND r.standing AND coalesce(r.game_pk, '') = t.game_key OFFSET 0) AS r
), {aggregates of pitchers}
, now AS (
    INSERT INTO {schema}.pitcher_game_totals AS g (
        pitcher_id, game_key, seq, updated_at, pitches, {last: @}, {type columns: @}, {type ends: @})
    SELECT t.pitcher_id, t.game_key, p.seq, p.updated_at, coalesce(a.pitches, 0),
           l.pitch_id, l.event_time, l.revision, l.record_ts_ms, l.source_offset, l.source_partition,
           l.pitch_result, l.pitch_action, l.exit_velocity_mph,
           {type columns: coalesce(a.@, '{}')}, {type ends: coalesce(a.@, '{}')}
    FROM touched t
    JOIN {schema}.pitcher_totals p USING (pitcher_id)
    LEFT JOIN a USING (n)
    LEFT JOIN l USING (n)
    ORDER BY t.pitcher_id, t.game_key
    ON CONFLICT (pitcher_id, game_key) DO UPDATE SET
        seq = excluded.seq, updated_at = excluded.updated_at, pitches = excluded.pitches,
        {last: @ = excluded.@}, {type columns: @ = excluded.@}, {type ends: @ = excluded.@}
    RETURNING *
), moved_types AS (
    SELECT pitcher_id, name, {type totals: sum(sign * @) AS @}, {type maxima: max(@) FILTER (WHERE sign > 0) AS @},
           -- guard: pitchers: a maximum that may be gone is looked for in all games | coalesce(true -> coalesce(false AND true
           coalesce(true = ANY (ARRAY[{type maxima: max(@) FILTER (WHERE sign < 0) >= max(@) FILTER (WHERE held)
               AND coalesce(max(@) FILTER (WHERE sign > 0 AND NOT held) < max(@) FILTER (WHERE sign < 0), true)}]), false) AS max_gone
    FROM (SELECT pitcher_id, sign, held, type_names AS name, {type counts: @::int}, {type measures: @}
          FROM (SELECT pitcher_id, 1 AS sign, false AS held, {type columns: unnest(@) AS @} FROM now
                UNION ALL
                SELECT pitcher_id, -1, false, {type columns: unnest(@)} FROM was
                UNION ALL
                SELECT pitcher_id, 1, true, {type columns: unnest(@)} FROM {schema}.pitcher_totals
                WHERE pitcher_id IN (SELECT pitcher_id FROM touched)) AS s) AS u
    GROUP BY pitcher_id, name
), d AS (
    SELECT pitcher_id, sum(type_pitches) AS pitches, bool_or(max_gone) AS max_gone,
           coalesce(array_agg(name) FILTER (WHERE type_pitches > 0), '{}') AS type_names,
           {type counts: coalesce(array_agg(@::bigint) FILTER (WHERE type_pitches > 0), '{}') AS @},
           {type measures: coalesce(array_agg(@) FILTER (WHERE type_pitches > 0), '{}') AS @}
    FROM (SELECT * FROM moved_types ORDER BY pitcher_id, name) AS t
    GROUP BY pitcher_id
), dw AS (
    SELECT pitcher_id, array_agg(last_pitch_id) AS were_last FROM was GROUP BY pitcher_id
), dl AS (
    SELECT DISTINCT ON (pitcher_id) pitcher_id, {last: @}
    FROM now WHERE pitches > 0 ORDER BY pitcher_id, {newest: @ DESC}
), moved AS (
    UPDATE {schema}.pitcher_totals AS p SET
        pitches = CASE WHEN d.pitches <= 0 OR p.seq % 64 = 0 OR d.max_gone
                         -- guard: pitchers: many types of pitches are counted from the rows | OR cardinality(d.type_names) > 64 OR cardinality(p.type_names) > 64 ->
                         OR cardinality(d.type_names) > 64 OR cardinality(p.type_names) > 64
                         -- guard: pitchers: a last pitch that may be gone is looked for in all games | OR p.last_pitch_id = ANY ( -> OR false AND p.last_pitch_id = ANY (
                         OR p.last_pitch_id = ANY (dw.were_last)
                            AND coalesce((dl.last_event_time, dl.last_revision, dl.last_record_ts_ms, dl.last_offset, dl.last_partition)
                                       < (p.last_event_time, p.last_revision, p.last_record_ts_ms, p.last_offset, p.last_partition), true)
                       THEN -1 ELSE d.pitches END,
        {type columns: @ = d.@},
        ({last: @})
        = (SELECT {last: n.@}
           FROM (VALUES (1, {last: dl.@}), (0, {last: p.@})) AS n(changed, {last: @})
           WHERE n.last_pitch_id IS NOT NULL
           ORDER BY {newest: n.@ DESC}, n.changed DESC LIMIT 1)
    FROM d LEFT JOIN dw USING (pitcher_id) LEFT JOIN dl USING (pitcher_id)
    WHERE p.pitcher_id = d.pitcher_id
)
SELECT pitcher_id, game_key, seq, {pitcher game columns}
FROM now
