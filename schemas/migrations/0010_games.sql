-- A game's date, venue and teams are those of most of its pitches: one record with another game's header must not rename
-- the game, as the greatest text did.
CREATE OR REPLACE VIEW dim_game AS
SELECT game_pk,
       mode() WITHIN GROUP (ORDER BY game_date) AS game_date, mode() WITHIN GROUP (ORDER BY venue) AS venue,
       coalesce((SELECT array_agg(t.team_id ORDER BY t.team_id)
                   FROM (SELECT o.team_id FROM pitches o WHERE o.game_pk = p.game_pk AND o.team_id IS NOT NULL
                          GROUP BY o.team_id ORDER BY count(*) DESC, o.team_id LIMIT 2) t), '{}') AS team_ids,
       count(*) AS pitches, count(*) FILTER (WHERE is_swing) AS swings, count(DISTINCT batter_id) AS batters,
       max(inning) AS innings, min(event_time) AS first_event_at, max(event_time) AS last_event_at, max(processed_at) AS updated_at
FROM pitches p
WHERE game_pk IS NOT NULL
GROUP BY game_pk;
