-- Find the games with rows that were written since $1 and after the facts of the game were computed. They are the game that
-- a row is in, and the one that it was in before. A transaction takes at most 35 s. So a row written within the 35 s before
-- its facts were computed may have been committed later, and counts as new. An identify shows only in the time of the
-- batter's game. Rows without a game go by day.
SELECT t.game_key, t.day
FROM (
    SELECT game_key, day, max(at) AS at
    FROM (
    SELECT coalesce(game_pk, '') AS game_key,
           CASE WHEN game_pk IS NULL THEN coalesce(game_date, (event_time AT TIME ZONE 'UTC')::date) END AS day, processed_at AS at
    FROM {schema}.pitch_registers WHERE processed_at >= $1 AND standing
    UNION ALL
    SELECT previous_game_pk, NULL, processed_at
    -- guard: quality: the game that a pitch left is computed too | NOT standing OR previous_game_pk IS DISTINCT FROM game_pk -> false
    FROM {schema}.pitch_registers WHERE processed_at >= $1 AND previous_game_pk IS NOT NULL AND (NOT standing OR previous_game_pk IS DISTINCT FROM game_pk)
    UNION ALL
    SELECT coalesce(gone_game_pk, ''), CASE WHEN gone_game_pk IS NULL THEN gone_day END, processed_at
    -- guard: quality: a deleted pitch without a game touches its day | WHERE processed_at >= $1 AND gone_day IS NOT NULL -> WHERE false AND processed_at >= $1 AND gone_day IS NOT NULL
    FROM {schema}.pitch_registers WHERE processed_at >= $1 AND gone_day IS NOT NULL
    UNION ALL
    SELECT game_key, NULL, updated_at
    -- guard: quality: an identify touches the game | WHERE updated_at >= $1 AND game_key <> '' -> WHERE false AND updated_at >= $1 AND game_key <> ''
    FROM {schema}.batter_game_totals WHERE updated_at >= $1 AND game_key <> ''
    UNION ALL
    SELECT game_pk, NULL, updated_at
    -- guard: quality: a game whose date is loaded is computed again | WHERE g.updated_at >= $1 -> WHERE false AND g.updated_at >= $1
    FROM {schema}.games g WHERE g.updated_at >= $1 AND EXISTS (SELECT FROM {schema}.quality_games q WHERE q.game_key = g.game_pk)
    UNION ALL
    SELECT game_key, CASE WHEN game_key = '' THEN day END, 'infinity'
    FROM {schema}.quality_games
    WHERE computed_at < (SELECT max(updated_at) FROM {schema}.players) AND day >= current_date - 60 AND pitches > 0
      AND coalesce((facts #>> '{shares,unlisted_ids,n}')::bigint, 1) > 0
) rows
    GROUP BY 1, 2
) t
WHERE t.at > coalesce((SELECT max(q.computed_at) FROM {schema}.quality_games q
                             -- guard: quality: a row committed late is not missed | - interval '35 s' -> - interval '0 s'
                             WHERE q.game_key = t.game_key AND (t.day IS NULL OR q.day = t.day)), '-infinity') - interval '35 s'
ORDER BY t.at, 1, 2
