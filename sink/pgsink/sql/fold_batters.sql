-- Compute the batters that compute_games.sql marked with −1 pitches from all their batter-games, one narrow row per game.
WITH whole AS MATERIALIZED (
    SELECT batter_id, cardinality(type_names) > 64 AS many_types FROM {schema}.batter_totals WHERE batter_id = ANY ({players}) AND pitches < 0
), g AS MATERIALIZED (
    SELECT g.* FROM whole CROSS JOIN LATERAL (
        SELECT * FROM {schema}.batter_game_totals g WHERE g.batter_id = whole.batter_id AND g.pitches > 0 OFFSET 0) AS g
), a AS ( -- sums of int are bigint; sums of bigint would be numeric, which is slow
    SELECT whole.batter_id, coalesce(sum(g.pitches::int), 0) AS pitches,
           {counts: coalesce(sum(g.@::int), 0) AS @}, {sums: coalesce(sum(g.@), 0) AS @}, {maxima: max(g.@) AS @}
    FROM whole LEFT JOIN g USING (batter_id)
    GROUP BY whole.batter_id
), l AS (
    SELECT DISTINCT ON (batter_id) batter_id, {last: @}
    FROM g ORDER BY batter_id, last_event_time DESC, last_revision DESC, last_record_ts_ms DESC, last_offset DESC, last_partition DESC
), types AS (
    SELECT batter_id, {types: array_agg(@ ORDER BY type_names) AS @}
    FROM (SELECT batter_id, type_names, sum(type_pitches::int) AS type_pitches,
                 sum(type_swings::int) AS type_swings, sum(type_whiffs::int) AS type_whiffs
          FROM (SELECT g.batter_id, {types: unnest(g.@) AS @} FROM g JOIN whole USING (batter_id) WHERE NOT whole.many_types) AS t
          GROUP BY batter_id, type_names) AS t
    GROUP BY batter_id
), few AS ( -- instead of the types of batters that have many, counted from their rows, because games have few
    SELECT whole.batter_id, f.* FROM whole LEFT JOIN types USING (batter_id) CROSS JOIN LATERAL (
        {bounded types of rows}) AS f
    -- guard: a batter has few types of pitches | many_types OR cardinality(types.type_names) > 64 -> false
    WHERE many_types OR cardinality(types.type_names) > 64
)
UPDATE {schema}.batter_totals AS b SET
    pitches = a.pitches, {totals: @ = a.@}, {maxima: @ = a.@}, {last: @ = l.@},
    {types: @ = coalesce(few.@, types.@, '{}')}
FROM a LEFT JOIN l USING (batter_id) LEFT JOIN types USING (batter_id) LEFT JOIN few USING (batter_id)
WHERE b.batter_id = a.batter_id
