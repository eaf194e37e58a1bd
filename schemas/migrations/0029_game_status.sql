-- A game that was postponed or cancelled, or is yet to come, is not missing.
ALTER TABLE games ADD COLUMN status text;

COMMENT ON COLUMN games.status IS 'What the file said of it, as Final, Scheduled, Postponed or Cancelled; missing: nothing';
