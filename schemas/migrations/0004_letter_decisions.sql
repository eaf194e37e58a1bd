-- What people decided about dead letters: `pitchstream dlq retry` and `dlq discard`. A letter's identity is where its
-- record first stood, and how many times it has been rejected; a letter without a line here is open.
CREATE TABLE letter_decisions (
    origin_topic     text   NOT NULL,
    origin_partition int    NOT NULL,
    origin_offset    bigint NOT NULL,
    origin_ts_ms     bigint NOT NULL,
    attempts         int    NOT NULL,
    action           text   NOT NULL CHECK (action IN ('sending', 'retried', 'discarded', 'open')),
    reason           text,
    decided_by       text   NOT NULL,
    build            text   NOT NULL,
    decided_at       timestamptz NOT NULL,
    times            int    NOT NULL DEFAULT 1,
    raw_topic        text,
    raw_partition    int,
    raw_offset       bigint,
    PRIMARY KEY (origin_topic, origin_partition, origin_offset, origin_ts_ms, attempts)
) WITH (fillfactor = 70);

CREATE INDEX letter_decisions_sending ON letter_decisions (decided_at) WHERE action = 'sending';

COMMENT ON TABLE letter_decisions IS 'What was decided about dead letters, by pitchstream dlq; a letter that is not here is open';
COMMENT ON COLUMN letter_decisions.origin_topic IS 'Topic where the record first stood; of a letter''s identity';
COMMENT ON COLUMN letter_decisions.origin_partition IS 'Partition where the record first stood; of a letter''s identity';
COMMENT ON COLUMN letter_decisions.origin_offset IS 'Offset where the record first stood; of a letter''s identity';
COMMENT ON COLUMN letter_decisions.origin_ts_ms IS 'Timestamp of the record where it first stood; unit: Unix milliseconds; of a letter''s identity';
COMMENT ON COLUMN letter_decisions.attempts IS 'How many times the record had been rejected (dlq.attempts); of a letter''s identity';
COMMENT ON COLUMN letter_decisions.action IS 'retried (its record was sent to the raw topic again), discarded (nobody wants it), sending (a retry is about to send it, or was killed there), open (a retry could not send it)';
COMMENT ON COLUMN letter_decisions.reason IS 'Why it was discarded, or could not be sent; missing: of a retry';
COMMENT ON COLUMN letter_decisions.decided_by IS 'Who decided, user@host';
COMMENT ON COLUMN letter_decisions.build IS 'Build of the program that wrote this';
COMMENT ON COLUMN letter_decisions.decided_at IS 'When';
COMMENT ON COLUMN letter_decisions.times IS 'How often something was decided about this letter';
COMMENT ON COLUMN letter_decisions.raw_topic IS 'Topic to which the record was sent again; missing: where it was not';
COMMENT ON COLUMN letter_decisions.raw_partition IS 'Partition where the record stands again; missing: where it was not sent';
COMMENT ON COLUMN letter_decisions.raw_offset IS 'Offset at which the record stands again; missing: where it was not sent';
