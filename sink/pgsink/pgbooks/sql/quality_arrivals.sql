-- Repeated and conflicting records and deleted pitches of a unit, by day and venue. $1 is its game, $2 its day. Pitches without
-- a date are of their game's day, where games load has said it: the UTC date of a night game is that or the next.
WITH game AS (SELECT (SELECT game_date FROM {schema}.games WHERE game_pk = $1) AS day)
SELECT day, venue, sum(repeats)::bigint, sum(conflicting)::bigint, sum(deleted)::bigint
FROM (
    -- guard: quality: repeats of a night game are of its day | (SELECT day FROM game), -> NULL,
    SELECT coalesce(game_date, (SELECT day FROM game), (event_time AT TIME ZONE 'UTC')::date) AS day, coalesce(venue, '') AS venue,
           coalesce(repeats, 0) AS repeats, (coalesce(conflicts, 0) > 0)::int AS conflicting, 0 AS deleted
    FROM {schema}.pitch_registers WHERE standing AND (repeats > 0 OR conflicts > 0) AND {of the unit}
    UNION ALL
    -- guard: quality: deleted pitches of a night game are of its day | WHEN gone_day = game.day + 1 THEN -> WHEN false THEN
    SELECT CASE WHEN gone_day = game.day + 1 THEN game.day ELSE gone_day END, coalesce(gone_venue, ''), 0, 0, 1
    FROM {schema}.pitch_registers, game WHERE gone_day IS NOT NULL AND coalesce(gone_game_pk, '') = $1
) arrived
WHERE $2 = '' OR day = nullif($2, '')::date
GROUP BY 1, 2
