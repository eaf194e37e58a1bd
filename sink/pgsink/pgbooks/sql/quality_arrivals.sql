-- Repeated and conflicting records and deleted pitches of a unit, by day and venue. $1 is its game, $2 its day.
SELECT day, venue, sum(repeats)::bigint, sum(conflicting)::bigint, sum(deleted)::bigint
FROM (
    SELECT coalesce(game_date, (event_time AT TIME ZONE 'UTC')::date) AS day, coalesce(venue, '') AS venue,
           coalesce(repeats, 0) AS repeats, (coalesce(conflicts, 0) > 0)::int AS conflicting, 0 AS deleted
    FROM {schema}.pitch_registers WHERE standing AND (repeats > 0 OR conflicts > 0) AND {of the unit}
    UNION ALL
    SELECT gone_day, coalesce(gone_venue, ''), 0, 0, 1
    FROM {schema}.pitch_registers WHERE gone_day IS NOT NULL AND coalesce(gone_game_pk, '') = $1
) arrived
WHERE $2 = '' OR day = nullif($2, '')::date
GROUP BY 1, 2
