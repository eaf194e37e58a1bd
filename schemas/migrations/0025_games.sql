-- Facts of games that no record has: filled by `pitchstream games load` from schedules and game feeds. A game may be here
-- before its first pitch, and one that never came is here alone.
CREATE TABLE games (
    game_pk      text PRIMARY KEY,
    game_date    date,
    venue        text,
    home_team    text,
    away_team    text,
    home_team_id bigint,
    away_team_id bigint,
    starts_at    timestamptz,
    as_of        timestamptz NOT NULL,
    source       text NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX games_game_date ON games (game_date);

COMMENT ON TABLE games IS 'Facts of games, from pitchstream games load';
COMMENT ON COLUMN games.game_pk IS 'The game, as in the rows';
COMMENT ON COLUMN games.game_date IS 'Its calendar date; missing: where no file has said it';
COMMENT ON COLUMN games.venue IS 'The ballpark; missing: where no file has said it';
COMMENT ON COLUMN games.home_team IS 'Name of the home team; missing: where no file has said it';
COMMENT ON COLUMN games.away_team IS 'Name of the visitors; missing: where no file has said it';
COMMENT ON COLUMN games.home_team_id IS 'The home team; missing: where no file has said it';
COMMENT ON COLUMN games.away_team_id IS 'The visitors; missing: where no file has said it';
COMMENT ON COLUMN games.starts_at IS 'When it is to begin; missing: where no file has said it';
COMMENT ON COLUMN games.as_of IS 'Of when the facts are: the time code of a feed, else when they were loaded. Older facts change nothing';
COMMENT ON COLUMN games.source IS 'The file that was loaded last';
COMMENT ON COLUMN games.updated_at IS 'When a fact last changed';

-- A game's facts count more than its rows, which may lack a date, as pickoffs do, or have another game's.
CREATE OR REPLACE VIEW dim_game AS
SELECT p.game_pk,
       coalesce(max(g.game_date), mode() WITHIN GROUP (ORDER BY p.game_date)) AS game_date,
       coalesce(max(g.venue), mode() WITHIN GROUP (ORDER BY p.venue)) AS venue,
       coalesce((SELECT array_agg(t.team_id ORDER BY t.team_id)
                   FROM (SELECT o.team_id FROM pitches o WHERE o.game_pk = p.game_pk AND o.team_id IS NOT NULL
                          GROUP BY o.team_id ORDER BY count(*) DESC, o.team_id LIMIT 2) t), '{}') AS team_ids,
       count(*) AS pitches, count(*) FILTER (WHERE is_swing) AS swings, count(DISTINCT batter_id) AS batters,
       max(inning) AS innings, min(event_time) AS first_event_at, max(event_time) AS last_event_at, max(processed_at) AS updated_at,
       max(g.home_team) AS home_team, max(g.away_team) AS away_team, max(g.starts_at) AS starts_at
FROM pitches p
LEFT JOIN games g ON g.game_pk = p.game_pk
WHERE p.game_pk IS NOT NULL
GROUP BY p.game_pk;
