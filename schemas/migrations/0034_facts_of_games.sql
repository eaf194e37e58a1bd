-- A game's facts come from several files, and each counts as of when its own file was made: a feed that lacks the ballpark
-- makes that of an older schedule no older.
ALTER TABLE games ADD COLUMN facts_as_of jsonb NOT NULL DEFAULT '{}';

COMMENT ON COLUMN games.as_of IS 'Of when the newest facts are: the time code of a feed, else when they were loaded';
COMMENT ON COLUMN games.facts_as_of IS 'Of when each fact is, by its column; without an entry, as_of. An older fact changes nothing';
COMMENT ON COLUMN games.source IS 'The file with the newest facts';
