-- Compute the pitchers that compute_pitchers.sql marked with −1 pitches from all their pitcher-games, one narrow row per game.
WITH whole AS MATERIALIZED (
    SELECT pitcher_id, cardinality(type_names) > 64 AS many_types
    FROM {schema}.pitcher_totals WHERE pitcher_id = ANY ({players}) AND pitches < 0
), g AS MATERIALIZED (
    SELECT g.* FROM whole CROSS JOIN LATERAL (
        SELECT * FROM {schema}.pitcher_game_totals g WHERE g.pitcher_id = whole.pitcher_id AND g.pitches > 0 OFFSET 0) AS g
), l AS (
    SELECT DISTINCT ON (pitcher_id) pitcher_id, {last: @} FROM g ORDER BY pitcher_id, {newest: @ DESC}
), of_games AS ( -- sums of int are bigint; sums of bigint would be numeric, which is slow
    SELECT pitcher_id, type_names AS name, {type counts: sum(@::int) AS @}, {type sums: sum(@) AS @}, {type maxima: max(@) AS @}
    FROM (SELECT pitcher_id, {type columns: unnest(@) AS @} FROM g) AS t
    GROUP BY pitcher_id, name
), few AS ( -- the types of pitchers that have many, counted from their rows, because games have few
    {bounded pitches of pitcher_id}
), types AS (
    SELECT pitcher_id, name, {type totals: @}, {type maxima: @} FROM few
    UNION ALL
    SELECT pitcher_id, name, {type totals: @}, {type maxima: @} FROM of_games WHERE pitcher_id NOT IN (SELECT pitcher_id FROM few)
), a AS (
    SELECT pitcher_id, sum(type_pitches)::bigint AS pitches, array_agg(name) AS type_names,
           {type counts: array_agg(@::bigint) AS @}, {type measures: array_agg(@) AS @}
    FROM (SELECT * FROM types ORDER BY pitcher_id, name) AS t
    GROUP BY pitcher_id
)
UPDATE {schema}.pitcher_totals AS p SET
    pitches = coalesce(a.pitches, 0), {last: @ = l.@}, {type columns: @ = coalesce(a.@, '{}')}
FROM whole LEFT JOIN a USING (pitcher_id) LEFT JOIN l USING (pitcher_id)
WHERE p.pitcher_id = whole.pitcher_id
