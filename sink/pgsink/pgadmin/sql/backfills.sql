-- Make the tables of backfills: what is to be brought in, how far it is, and who did what.
CREATE TABLE IF NOT EXISTS {serving}.backfills (
    name       text PRIMARY KEY,
    target     text        NOT NULL,
    sha256     text        NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    by         text        NOT NULL
);
CREATE TABLE IF NOT EXISTS {serving}.backfill_batches (
    backfill   text        NOT NULL REFERENCES {serving}.backfills,
    number     int         NOT NULL,
    state      text        NOT NULL,
    batch      jsonb       NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (backfill, number)
);
CREATE TABLE IF NOT EXISTS {serving}.backfill_audit (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    backfill text        NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    by       text        NOT NULL,
    role     text        NOT NULL DEFAULT session_user,
    action   text        NOT NULL,
    batch    text        NOT NULL,
    source   text        NOT NULL,
    sha256   text        NOT NULL,
    detail   text        NOT NULL
);
COMMENT ON TABLE {serving}.backfills IS 'Seasons that pitchstream backfill brings into a target';
COMMENT ON COLUMN {serving}.backfills.name IS 'The name that its file gives';
COMMENT ON COLUMN {serving}.backfills.target IS 'The target';
COMMENT ON COLUMN {serving}.backfills.sha256 IS 'Of its file';
COMMENT ON COLUMN {serving}.backfills.started_at IS 'When it was begun';
COMMENT ON COLUMN {serving}.backfills.by IS 'The user and the machine';
COMMENT ON TABLE {serving}.backfill_batches IS 'The batches of backfills, in their order';
COMMENT ON COLUMN {serving}.backfill_batches.backfill IS 'The backfill';
COMMENT ON COLUMN {serving}.backfill_batches.number IS 'The number of the batch, from 1';
COMMENT ON COLUMN {serving}.backfill_batches.state IS 'planned, running, passed, refused, or accepted';
COMMENT ON COLUMN {serving}.backfill_batches.batch IS 'Dates, offsets, counts and gates, as in backfill status --json';
COMMENT ON COLUMN {serving}.backfill_batches.changed_at IS 'When it changed last';
COMMENT ON TABLE {serving}.backfill_audit IS 'Who did what in a backfill, when, and from which source';
COMMENT ON COLUMN {serving}.backfill_audit.id IS 'The order';
COMMENT ON COLUMN {serving}.backfill_audit.backfill IS 'The backfill';
COMMENT ON COLUMN {serving}.backfill_audit.at IS 'When';
COMMENT ON COLUMN {serving}.backfill_audit.by IS 'The user and the machine of the command';
COMMENT ON COLUMN {serving}.backfill_audit.role IS 'The role that was logged in to Postgres';
COMMENT ON COLUMN {serving}.backfill_audit.action IS 'planned, begun, loaded, replayed, passed, refused, or accepted';
COMMENT ON COLUMN {serving}.backfill_audit.batch IS 'The batch; empty: the whole backfill';
COMMENT ON COLUMN {serving}.backfill_audit.source IS 'Where the records came from';
COMMENT ON COLUMN {serving}.backfill_audit.sha256 IS 'Hash of the source';
COMMENT ON COLUMN {serving}.backfill_audit.detail IS 'Counts, gates, or the reason that was given';
