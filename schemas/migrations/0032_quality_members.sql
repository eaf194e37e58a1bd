-- Which members the records of each game have, counted by processors while they read. It says about records what no row
-- shows: a member that no column reads, that is new, or that has another name.
CREATE TABLE quality_members (
    game_key   text,
    day        date,
    venue      text,
    updated_at timestamptz NOT NULL,
    profile    jsonb NOT NULL,
    PRIMARY KEY (game_key, day, venue)
);
CREATE INDEX quality_members_day ON quality_members (day);

COMMENT ON TABLE quality_members IS 'Which members the records of each game have, for the checks lost_paths, new_paths, path_kinds and path_scale';
COMMENT ON COLUMN quality_members.game_key IS 'The game, or empty text for records without a game';
COMMENT ON COLUMN quality_members.day IS 'The game''s date in the record; without one, that of the event time in UTC';
COMMENT ON COLUMN quality_members.venue IS 'The ballpark, or empty text for records without one';
COMMENT ON COLUMN quality_members.updated_at IS 'When counts were added last';
COMMENT ON COLUMN quality_members.profile IS 'Records looked at, and by path how many have which kinds of values; at most 512 paths of at most 200 bytes';
