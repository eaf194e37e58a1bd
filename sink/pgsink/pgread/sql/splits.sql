-- Group the pitches of one player, and compute the aggregates of a page of the groups by the SQL that computes his games.
-- $1 the player, $2 the most pitches, $3 the most groups, $4 and $5 the times, $6 how many last ones, $7 and $8 the group
-- behind which the page begins. Never more than $2 pitches are read, the newest ones, along an index.
WITH his AS MATERIALIZED (
    SELECT {key} AS key, r.game_pk, r.processed_at, {rows of side}
    FROM {schema}.pitches r
    WHERE r.{side}_id = $1 {in time} {since the last}
    ORDER BY r.event_time DESC, r.pitch_id DESC LIMIT {most}
), chosen AS MATERIALIZED (
    {chosen}
), page AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY {order}) AS n, g.*
    FROM (SELECT key, max(event_time) AS newest, max(processed_at) AS processed_at FROM chosen GROUP BY key) AS g
    WHERE {behind}
    ORDER BY {order} LIMIT $3
), r AS MATERIALIZED (
    SELECT page.n, chosen.* FROM page JOIN chosen USING (key)
), {aggregates of side}
{totals}
SELECT key, newest, processed_at, (SELECT count(*) FROM {read}) > {bound}, {columns}
FROM page JOIN totals USING (n)
ORDER BY n
