-- A topic that is deleted and created again has another ID under the same name, and offsets that mean other records. The ID is
-- kept beside the position, and written in the transaction of the rows.
ALTER TABLE stream_positions
    ADD COLUMN topic_id           text,
    ADD COLUMN gap                text,
    ADD COLUMN former_next_offset bigint;

CREATE TABLE stream_topics (
    consumer_group text,
    topic          text,
    topic_id       text        NOT NULL,
    first_seen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer_group, topic)
);

COMMENT ON COLUMN stream_positions.topic_id IS 'The ID of the topic that the offset belongs to, as kafka-topics --describe prints it; missing: not known yet';
COMMENT ON COLUMN stream_positions.gap IS 'Why reading stopped here: records are missing in the topic; run --accept-gap clears it; missing: nothing is missing';
COMMENT ON COLUMN stream_positions.former_next_offset IS 'Versions below this offset may come from an earlier topic of the same name; missing: there was none';
COMMENT ON TABLE stream_topics IS 'The topics that a consumer group sends rows and dead letters to, by the ID that each had first';
COMMENT ON COLUMN stream_topics.consumer_group IS 'The consumer group';
COMMENT ON COLUMN stream_topics.topic IS 'The name of the topic';
COMMENT ON COLUMN stream_topics.topic_id IS 'Its ID, as kafka-topics --describe prints it';
COMMENT ON COLUMN stream_topics.first_seen_at IS 'When a processor saw this ID first, or a person accepted it';
