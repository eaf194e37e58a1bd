-- Find the games whose facts were computed from another number of rows than are current, for whatever reason.
SELECT coalesce(r.game_key, q.game_key), coalesce(r.day, q.day)
FROM (
    SELECT coalesce(game_pk, '') AS game_key,
           CASE WHEN game_pk IS NULL THEN coalesce(game_date, (event_time AT TIME ZONE 'UTC')::date) END AS day, count(*) AS pitches
    FROM {schema}.pitch_registers WHERE standing GROUP BY 1, 2
) r
FULL JOIN (
    SELECT game_key, CASE WHEN game_key = '' THEN day END AS day, sum(pitches) AS pitches
    FROM {schema}.quality_games GROUP BY 1, 2
) q ON q.game_key = r.game_key AND coalesce(q.day, '-infinity'::date) = coalesce(r.day, '-infinity'::date)
WHERE coalesce(r.pitches, 0) <> coalesce(q.pitches, 0)
ORDER BY 1, 2
