-- Make the list of the targets beside live, and the pointer to the one that readers see.
CREATE SCHEMA IF NOT EXISTS {serving};
CREATE TABLE {serving}.targets (
    name            text PRIMARY KEY,
    postgres_schema text NOT NULL UNIQUE,
    redis_prefix    text NOT NULL,
    kafka_group     text NOT NULL,
    topic_rows      text NOT NULL,
    topic_dead      text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE {serving}.pointer (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    target     text NOT NULL,
    previous   text,
    generation bigint NOT NULL DEFAULT 0,
    moved_at   timestamptz NOT NULL DEFAULT now()
);
INSERT INTO {serving}.pointer (target) VALUES ('live');
COMMENT ON SCHEMA {serving} IS 'What readers see: views of the promoted target, whichever that is';
COMMENT ON TABLE {serving}.targets IS 'The targets beside live, made by pitchstream replay --into';
COMMENT ON COLUMN {serving}.targets.name IS 'The target';
COMMENT ON COLUMN {serving}.targets.postgres_schema IS 'Its schema';
COMMENT ON COLUMN {serving}.targets.redis_prefix IS 'Its prefix in Redis';
COMMENT ON COLUMN {serving}.targets.kafka_group IS 'The consumer group of its processors';
COMMENT ON COLUMN {serving}.targets.topic_rows IS 'Its topic of rows';
COMMENT ON COLUMN {serving}.targets.topic_dead IS 'Its topic of dead letters';
COMMENT ON COLUMN {serving}.targets.created_at IS 'When it was made';
COMMENT ON TABLE {serving}.pointer IS 'One row: the target that readers see';
COMMENT ON COLUMN {serving}.pointer.one IS 'There is one row';
COMMENT ON COLUMN {serving}.pointer.target IS 'The target';
COMMENT ON COLUMN {serving}.pointer.previous IS 'The target before it, for a rollback; missing: where there is none';
COMMENT ON COLUMN {serving}.pointer.generation IS 'One more with each change';
COMMENT ON COLUMN {serving}.pointer.moved_at IS 'When it was moved last';
