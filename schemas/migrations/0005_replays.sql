-- Replays into this schema, and how far each is. The counters move in the transaction of the rows, so that their sum
-- balances whatever dies.
CREATE TABLE replays (
    id             text PRIMARY KEY,
    spec           text NOT NULL,
    consumer_group text NOT NULL,
    build          text NOT NULL,
    started_at     timestamptz NOT NULL DEFAULT now(),
    finished_at    timestamptz
);

CREATE TABLE replay_progress (
    replay_id    text REFERENCES replays (id),
    partition    int,
    first_offset bigint NOT NULL,
    end_offset   bigint NOT NULL,
    next_offset  bigint NOT NULL,
    records      bigint NOT NULL DEFAULT 0,
    rows         bigint NOT NULL DEFAULT 0,
    deletes      bigint NOT NULL DEFAULT 0,
    ids          bigint NOT NULL DEFAULT 0,
    letters      bigint NOT NULL DEFAULT 0,
    superseded   bigint NOT NULL DEFAULT 0,
    duplicates   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (replay_id, partition)
) WITH (fillfactor = 50);

COMMENT ON TABLE replays IS 'Replays of the raw topic into this schema, by pitchstream replay';
COMMENT ON COLUMN replays.id IS 'The name, as in replay --resume';
COMMENT ON COLUMN replays.spec IS 'What was asked for: the same again goes on with this one until it has finished';
COMMENT ON COLUMN replays.consumer_group IS 'The consumer group that it reads as';
COMMENT ON COLUMN replays.build IS 'The build that began it';
COMMENT ON COLUMN replays.started_at IS 'When it began';
COMMENT ON COLUMN replays.finished_at IS 'When it reached its end; missing: until then';
COMMENT ON TABLE replay_progress IS 'How far each replay is in each partition, and what became of the records: records = rows + deletes + ids + letters + superseded + duplicates';
COMMENT ON COLUMN replay_progress.replay_id IS 'The replay';
COMMENT ON COLUMN replay_progress.partition IS 'The partition of the raw topic';
COMMENT ON COLUMN replay_progress.first_offset IS 'The first offset that it reads';
COMMENT ON COLUMN replay_progress.end_offset IS 'The offset at which it ends';
COMMENT ON COLUMN replay_progress.next_offset IS 'The offset from which on records are not counted yet';
COMMENT ON COLUMN replay_progress.records IS 'Records that were read';
COMMENT ON COLUMN replay_progress.rows IS 'Records that wrote a row: of a greater version than stood, or of the same one';
COMMENT ON COLUMN replay_progress.deletes IS 'Records that deleted a pitch';
COMMENT ON COLUMN replay_progress.ids IS 'Records that identified a pitch';
COMMENT ON COLUMN replay_progress.letters IS 'Records that could not become a row';
COMMENT ON COLUMN replay_progress.superseded IS 'Records that a greater version made void, or an equal one of a newer core';
COMMENT ON COLUMN replay_progress.duplicates IS 'Records of a version that another record of the same poll had';
