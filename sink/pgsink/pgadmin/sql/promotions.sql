-- Make the list of who had readers see which target, when and why.
CREATE TABLE {serving}.promotions (
    generation  bigint      PRIMARY KEY,
    kind        text        NOT NULL,
    from_target text        NOT NULL,
    to_target   text        NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    role        text        NOT NULL DEFAULT session_user,
    by          text        NOT NULL,
    forced      boolean     NOT NULL,
    reason      text        NOT NULL,
    not_ready   text[]      NOT NULL
);
COMMENT ON TABLE {serving}.promotions IS 'Each change of the target that readers see, by target promote and target rollback';
COMMENT ON COLUMN {serving}.promotions.generation IS 'The number of the change, as in pointer';
COMMENT ON COLUMN {serving}.promotions.kind IS 'promote or rollback';
COMMENT ON COLUMN {serving}.promotions.from_target IS 'The target that readers saw before';
COMMENT ON COLUMN {serving}.promotions.to_target IS 'The target that they see since';
COMMENT ON COLUMN {serving}.promotions.at IS 'When';
COMMENT ON COLUMN {serving}.promotions.role IS 'The role that was logged in to Postgres';
COMMENT ON COLUMN {serving}.promotions.by IS 'The user and the machine of the command';
COMMENT ON COLUMN {serving}.promotions.forced IS 'Given --force';
COMMENT ON COLUMN {serving}.promotions.reason IS 'Given with --reason; empty: none';
COMMENT ON COLUMN {serving}.promotions.not_ready IS 'What stood against it at that time';
