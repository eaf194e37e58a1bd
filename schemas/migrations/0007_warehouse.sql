-- A star around pitches, for those who analyse: whom a player batted for as of a date, games, types of pitches. They are
-- views: nothing is kept that could differ from the rows. The comments of the columns come from schemas/warehouse.go.

-- Type 2: a version of a player for each time that he batted for another team than before. The record names the team of
-- the batter alone, so of who only pitches there is one version without a team.
CREATE VIEW dim_player AS
WITH appeared AS (
    SELECT batter_id AS player_id, game_date, count(*) AS batted, 0::bigint AS pitched FROM pitches WHERE batter_id IS NOT NULL GROUP BY 1, 2
    UNION ALL
    SELECT pitcher_id, game_date, 0, count(*) FROM pitches WHERE pitcher_id IS NOT NULL GROUP BY 1, 2
), everybody AS (
    SELECT player_id, sum(batted)::bigint AS pitches_batted, sum(pitched)::bigint AS pitches_pitched,
           min(game_date) AS first_game_date, max(game_date) AS last_game_date
    FROM (SELECT * FROM appeared UNION ALL SELECT id, NULL, 0, 0 FROM players) a GROUP BY 1
), teams AS ( -- of two teams on one day the last one counts
    SELECT DISTINCT ON (batter_id, game_date) batter_id AS player_id, game_date, team_id
    FROM pitches WHERE batter_id IS NOT NULL AND team_id IS NOT NULL AND game_date IS NOT NULL
    ORDER BY batter_id, game_date, event_time DESC, pitch_id DESC
), changes AS (
    SELECT player_id, game_date, team_id,
           team_id IS DISTINCT FROM lag(team_id) OVER (PARTITION BY player_id ORDER BY game_date) AS changed
    FROM teams
), versions AS (
    SELECT player_id, team_id, game_date AS since,
           (row_number() OVER by_date)::int AS version, lead(game_date) OVER by_date AS until
    FROM changes WHERE changed WINDOW by_date AS (PARTITION BY player_id ORDER BY game_date)
)
SELECT e.player_id || '/' || coalesce(v.version, 1) AS player_key,
       e.player_id, coalesce(v.version, 1) AS version, p.name,
       v.team_id, CASE WHEN v.until IS NULL THEN p.team END AS team,
       CASE WHEN coalesce(v.version, 1) = 1 THEN DATE '1800-01-01' ELSE v.since END AS valid_from,
       v.until AS valid_to, v.until IS NULL AS is_current,
       e.first_game_date, e.last_game_date, e.pitches_batted, e.pitches_pitched
FROM everybody e
LEFT JOIN versions v ON v.player_id = e.player_id
LEFT JOIN players p ON p.id = e.player_id;

CREATE VIEW dim_game AS
SELECT game_pk, max(game_date) AS game_date, max(venue) AS venue,
       coalesce(array_agg(DISTINCT team_id ORDER BY team_id) FILTER (WHERE team_id IS NOT NULL), '{}') AS team_ids,
       count(*) AS pitches, count(*) FILTER (WHERE is_swing) AS swings, count(DISTINCT batter_id) AS batters,
       max(inning) AS innings, min(event_time) AS first_event_at, max(event_time) AS last_event_at, max(processed_at) AS updated_at
FROM pitches
WHERE game_pk IS NOT NULL
GROUP BY game_pk;

CREATE VIEW dim_pitch_type AS
SELECT coalesce(pitch_type, 'unknown') AS pitch_type,
       CASE WHEN pitch_type IS NULL THEN 'unknown'
            WHEN pitch_type ~* '(fastball|sinker|cutter|seam)' THEN 'fastball'
            WHEN pitch_type ~* '(slider|curve|sweeper|slurve)' THEN 'breaking'
            WHEN pitch_type ~* '(change|split|fork|screw|eephus|knuckle)' THEN 'offspeed'
            ELSE 'other' END AS family,
       count(*) AS pitches, min(game_date) AS first_game_date, max(game_date) AS last_game_date
FROM pitches
GROUP BY pitch_type;

COMMENT ON VIEW dim_player IS 'Players, a version for each time that one batted for another team: join by id, and game_date from valid_from to before valid_to';
COMMENT ON VIEW dim_game IS 'Games with at least one standing row';
COMMENT ON VIEW dim_pitch_type IS 'Types of pitches with at least one standing row; a missing type is unknown';
