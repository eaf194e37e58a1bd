-- Who deleted which pitch, when and why: written by `pitchstream delete` before it sends, so that a run that was killed is
-- seen as a line without sent_at.
CREATE TABLE deletions (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pitch_id  uuid NOT NULL,
    game_pk   text,
    revision  bigint NOT NULL,
    reason    text NOT NULL,
    by        text NOT NULL,
    is_forced boolean NOT NULL,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at   timestamptz
);
CREATE INDEX deletions_pitch ON deletions (pitch_id);

COMMENT ON TABLE deletions IS 'Pitches that pitchstream delete was told to remove';
COMMENT ON COLUMN deletions.id IS 'The order of the lines';
COMMENT ON COLUMN deletions.pitch_id IS 'The pitch';
COMMENT ON COLUMN deletions.game_pk IS 'Its game; missing: where no row named one';
COMMENT ON COLUMN deletions.revision IS 'Revision of the record that deletes it';
COMMENT ON COLUMN deletions.reason IS 'Why, as it was given';
COMMENT ON COLUMN deletions.by IS 'User and machine';
COMMENT ON COLUMN deletions.is_forced IS 'The pitch was not known';
COMMENT ON COLUMN deletions.at IS 'When it was told';
COMMENT ON COLUMN deletions.sent_at IS 'When the raw topic had the record; missing: where the run did not get so far';
