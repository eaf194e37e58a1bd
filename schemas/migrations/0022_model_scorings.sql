-- A scoring of the past can have an end, too.
ALTER TABLE model_scorings ADD COLUMN until timestamptz;

COMMENT ON COLUMN model_scorings.until IS 'Pitches that were thrown at this time or later are left alone; missing: none is';
