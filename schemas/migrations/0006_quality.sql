-- What the rows of each game tell about the data: computed in the background from the rows that stand, a whole game at a
-- time, so that nothing is counted twice and writing a pitch costs nothing more. A line whose rows are gone stays, with
-- pitches = 0.
CREATE TABLE quality_games (
    game_key    text,
    day         date,
    venue       text,
    computed_at timestamptz NOT NULL,
    pitches     bigint NOT NULL,
    facts       jsonb NOT NULL,
    PRIMARY KEY (game_key, day, venue)
);
CREATE INDEX quality_games_day ON quality_games (day);

CREATE TABLE quality_state (
    name text PRIMARY KEY,
    at   timestamptz NOT NULL
);

-- Which games were touched lately. A BRIN costs a row that is written next to nothing: it notes ranges of pages, not rows.
CREATE INDEX pitch_registers_processed ON pitch_registers USING brin (processed_at) WITH (pages_per_range = 32);
CREATE INDEX batter_game_totals_updated ON batter_game_totals USING brin (updated_at) WITH (pages_per_range = 32);

CREATE VIEW quality AS
SELECT nullif(game_key, '') AS game_pk, day, nullif(venue, '') AS venue, pitches,
       (facts #>> '{shares,untracked_swings,of}')::bigint AS known_swings,
       (facts #>> '{shares,untracked_swings,n}')::bigint AS untracked_swings,
       (facts #>> '{shares,no_batter,n}')::bigint AS no_batter,
       (facts #>> '{shares,unlisted_ids,n}')::bigint AS unlisted_ids,
       (facts #>> '{shares,count_gaps,n}')::bigint AS count_gaps,
       (facts #>> '{shares,twin_pitches,n}')::bigint AS twin_pitches,
       (facts #>> '{shares,corrected,n}')::bigint AS corrected,
       (facts #>> '{shares,short_tracks,n}')::bigint AS short_tracks,
       (facts #>> '{bat_samples}')::float8 AS bat_samples,
       (facts #>> '{event_to_record_s,p95}')::float8 AS event_to_record_p95_s,
       (facts #>> '{record_to_row_s,p95}')::float8 AS record_to_row_p95_s,
       facts -> 'innings' AS innings, facts -> 'issues' AS issues, facts -> 'columns' AS columns, facts -> 'shares' AS shares,
       computed_at
FROM quality_games
WHERE pitches > 0;

COMMENT ON TABLE quality_games IS 'What the rows of each game tell about the data; read the view quality instead';
COMMENT ON COLUMN quality_games.game_key IS 'The game, or empty text for rows without a game';
COMMENT ON COLUMN quality_games.day IS 'The game''s date; of rows without one, that of their event time in UTC';
COMMENT ON COLUMN quality_games.venue IS 'The ballpark, or empty text for rows without one';
COMMENT ON COLUMN quality_games.computed_at IS 'When it was computed; every row that was committed before is in it';
COMMENT ON COLUMN quality_games.pitches IS 'Rows that stand';
COMMENT ON COLUMN quality_games.facts IS 'Counts and sums: shares by check (n of how many), issues, columns, innings, delays, bat speeds of full swings';
COMMENT ON TABLE quality_state IS 'How far the computing of quality_games is';
COMMENT ON COLUMN quality_state.name IS 'What it is about';
COMMENT ON COLUMN quality_state.at IS 'Every row that was written before is in quality_games';
COMMENT ON VIEW quality IS 'Facts about the data of each game, day and venue, from the rows that stand; what they mean: docs/QUALITY.md';
COMMENT ON COLUMN quality.game_pk IS 'The game; missing: for rows without a game';
COMMENT ON COLUMN quality.day IS 'The game''s date; of rows without one, that of their event time in UTC';
COMMENT ON COLUMN quality.venue IS 'The ballpark; missing: for rows without one';
COMMENT ON COLUMN quality.pitches IS 'Rows that stand';
COMMENT ON COLUMN quality.known_swings IS 'Rows whose action or result tells of a swing; missing: with none';
COMMENT ON COLUMN quality.untracked_swings IS 'Known swings without bat tracking; missing: with no known swing';
COMMENT ON COLUMN quality.no_batter IS 'Pitches (not pickoffs) without a batter; missing: with no pitch';
COMMENT ON COLUMN quality.unlisted_ids IS 'Rows whose batter or pitcher is not in players; missing: while players is empty, or no row names one';
COMMENT ON COLUMN quality.count_gaps IS 'Pairs of pitches between which the count skips; missing: with no pair';
COMMENT ON COLUMN quality.twin_pitches IS 'Pairs of pitches that are one pitch under two identities; missing: with no pair';
COMMENT ON COLUMN quality.corrected IS 'Rows of a revision above 0';
COMMENT ON COLUMN quality.short_tracks IS 'Full swings with fewer than 300 bat samples; missing: with no full swing';
COMMENT ON COLUMN quality.bat_samples IS 'Median bat samples of a full swing, about 370 at 300 Hz; missing: with no full swing';
COMMENT ON COLUMN quality.event_to_record_p95_s IS 'From the pitch to its record in the topic, exceeded by 1 in 20; unit: seconds';
COMMENT ON COLUMN quality.record_to_row_p95_s IS 'From the record to when its row was last written, exceeded by 1 in 20; unit: seconds';
COMMENT ON COLUMN quality.innings IS 'Pitches of each inning';
COMMENT ON COLUMN quality.issues IS 'Rows by issue';
COMMENT ON COLUMN quality.columns IS 'n, mean, squares (sum of squared deviations), min, max of each numeric column';
COMMENT ON COLUMN quality.shares IS 'By check: n of how many';
COMMENT ON COLUMN quality.computed_at IS 'When it was computed';
