-- The feed of changes: what became of each pitch that is current, numbered without a gap in the order of the commits.
--
-- Statement triggers note what a statement did to the rows of the view pitches, whoever ran it. An insert notes the pitch
-- alone. Any other change keeps the row that it replaced, because the new row of a change is the old row of the next change
-- of that pitch, or the current row. So a new pitch costs the feed one short line, and both rows can be read.
--
-- Numbers are given at COMMIT, by a deferred trigger that holds a lock from there to the end of the transaction. So no
-- number is lost in a rollback, none is seen before a smaller one, and no client of Postgres is waited for under the lock.
--
-- A feed is a stretch of numbers that one run of the server gave. A server that comes back with older data would give the
-- same numbers to other changes. It is another run, so it begins another feed, and readers that had seen more are told.
CREATE SEQUENCE pitch_change_blocks;

CREATE TABLE pitch_changes (
    block    bigint,
    place    int,
    pitch_id uuid NOT NULL,
    kind     text NOT NULL,
    old_row  json,
    PRIMARY KEY (block, place)
);
-- Each change but an insert is found by its pitch: it has the new row of the change before.
CREATE INDEX pitch_changes_of_pitch ON pitch_changes (pitch_id, block, place) WHERE old_row IS NOT NULL;

CREATE TABLE pitch_change_numbers (
    last_seq     bigint PRIMARY KEY,
    block        bigint      NOT NULL,
    changes      int         NOT NULL,
    committed_at timestamptz NOT NULL
);

CREATE TABLE pitch_change_feeds (
    after_seq bigint PRIMARY KEY,
    feed      text        NOT NULL,
    run       text        NOT NULL,
    began_at  timestamptz NOT NULL DEFAULT now()
);

-- One statement has one block. The rows that it wrote are locked by now, so the blocks of a pitch are in the order of its
-- changes.
CREATE FUNCTION note_inserted_pitches() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    this_block bigint := nextval('pitch_change_blocks');
BEGIN
    INSERT INTO pitch_changes (block, place, pitch_id, kind)
    SELECT this_block, row_number() OVER (), n.pitch_id, 'inserted'
    FROM new_rows AS n
    WHERE n.standing;
    RETURN NULL;
END $$;

-- A version that is written again with the values that it had changes nothing that a reader of the view could see but when
-- and by which build it was processed. Most updates have another version, so that few rows are compared as a whole.
CREATE FUNCTION note_updated_pitches() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    this_block bigint := nextval('pitch_change_blocks');
BEGIN
    INSERT INTO pitch_changes (block, place, pitch_id, kind, old_row)
    SELECT this_block, row_number() OVER (), n.pitch_id,
           CASE WHEN NOT o.standing THEN 'inserted' WHEN NOT n.standing THEN 'deleted'
                WHEN o.batter_id IS DISTINCT FROM n.batter_id THEN 'reassigned' ELSE 'corrected' END,
           CASE WHEN o.standing THEN json_strip_nulls(to_json(o)) END
    FROM old_rows AS o JOIN new_rows AS n USING (pitch_id)
    WHERE CASE
        WHEN NOT (o.standing AND n.standing) THEN o.standing OR n.standing
        WHEN (o.revision, o.record_ts_ms, o.source_offset, o.source_partition, o.core_version)
             IS DISTINCT FROM (n.revision, n.record_ts_ms, n.source_offset, n.source_partition, n.core_version) THEN true
        WHEN (o.batter_id, coalesce(o.identified_pitcher_id, o.measured_pitcher_id), coalesce(o.identified_team_id, o.measured_team_id))
             IS DISTINCT FROM
             (n.batter_id, coalesce(n.identified_pitcher_id, n.measured_pitcher_id), coalesce(n.identified_team_id, n.measured_team_id))
             THEN true
        -- An at-bat counts only while its version is the register's.
        WHEN (CASE WHEN o.identified_at_bat_version = ARRAY[o.identified_revision, o.identified_record_ts_ms, o.identified_source_offset, o.identified_source_partition]
                   THEN to_jsonb(ROW(o.identified_at_bat_number, o.identified_pitch_number, o.identified_batter_side, o.identified_pitcher_hand))
                   ELSE to_jsonb(ROW(NULL::smallint, NULL::smallint, NULL::text, NULL::text)) END)
             IS DISTINCT FROM
             (CASE WHEN n.identified_at_bat_version = ARRAY[n.identified_revision, n.identified_record_ts_ms, n.identified_source_offset, n.identified_source_partition]
                   THEN to_jsonb(ROW(n.identified_at_bat_number, n.identified_pitch_number, n.identified_batter_side, n.identified_pitcher_hand))
                   ELSE to_jsonb(ROW(NULL::smallint, NULL::smallint, NULL::text, NULL::text)) END)
             THEN true
        ELSE to_jsonb(o) - unseen_columns() <> to_jsonb(n) - unseen_columns() END;
    RETURN NULL;
END $$;

CREATE FUNCTION note_removed_pitches() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    this_block bigint := nextval('pitch_change_blocks');
BEGIN
    INSERT INTO pitch_changes (block, place, pitch_id, kind, old_row)
    SELECT this_block, row_number() OVER (), o.pitch_id, 'deleted', json_strip_nulls(to_json(o))
    FROM old_rows AS o
    WHERE o.standing;
    RETURN NULL;
END $$;

-- The columns of a register that are not in the view, or say no more than when it was processed.
CREATE FUNCTION unseen_columns() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY['processed_at', 'build', 'deleted', 'standing', 'measured_batter_id', 'measured_pitcher_id', 'measured_team_id',
        'identified_revision', 'identified_record_ts_ms', 'identified_source_offset', 'identified_source_partition',
        'identified_batter_id', 'identified_pitcher_id', 'identified_team_id', 'identified_at_bat_number', 'identified_pitch_number',
        'identified_batter_side', 'identified_pitcher_hand', 'identified_at_bat_version',
        'previous_batter_id', 'previous_pitcher_id', 'previous_game_pk', 'repeats', 'conflicts',
        'gone_game_pk', 'gone_day', 'gone_venue']
$$;

-- Another run of the server, and tables that were restored, have another name. The number of the table is part of it,
-- because tables can be restored while the server runs.
CREATE FUNCTION pitch_change_run() RETURNS text LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT extract(epoch FROM pg_postmaster_start_time())::text || '/' || 'pitch_changes'::regclass::oid
$$;

CREATE FUNCTION number_pitch_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    n    int;
    head bigint;
BEGIN
    SELECT max(place) INTO n FROM pitch_changes WHERE block = NEW.block;
    -- The lock is held to the end of the transaction, and what it committed can be seen before the lock is free.
    PERFORM pg_advisory_xact_lock(TG_RELID::bigint + 7306090000000000000);
    SELECT last_seq INTO head FROM pitch_change_numbers ORDER BY last_seq DESC LIMIT 1;
    head := coalesce(head, 0);
    IF (SELECT run FROM pitch_change_feeds ORDER BY after_seq DESC LIMIT 1) IS DISTINCT FROM pitch_change_run() THEN
        -- A feed without a change has been seen by nobody.
        INSERT INTO pitch_change_feeds AS f (after_seq, feed, run)
        VALUES (head, substr(replace(gen_random_uuid()::text, '-', ''), 1, 12), pitch_change_run())
        ON CONFLICT (after_seq) DO UPDATE SET run = excluded.run;
    END IF;
    INSERT INTO pitch_change_numbers (last_seq, block, changes, committed_at) VALUES (head + n, NEW.block, n, clock_timestamp());
    RETURN NULL;
END $$;

-- Forget changes that are older than keep, and the oldest beyond the newest most. It forgets whole blocks, some 10,000
-- changes a call, and returns how many; the newest block stays, because the next number follows from it.
CREATE FUNCTION forget_pitch_changes(keep interval, most bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    head  bigint := coalesce((SELECT last_seq FROM pitch_change_numbers ORDER BY last_seq DESC LIMIT 1), 0);
    upto  bigint;
    first bigint;
BEGIN
    SELECT last_seq - changes INTO first FROM pitch_change_numbers ORDER BY last_seq LIMIT 1;
    SELECT max(last_seq) INTO upto FROM (
        SELECT last_seq FROM pitch_change_numbers
        WHERE last_seq < head AND last_seq <= first + 10000 AND (committed_at < clock_timestamp() - keep OR last_seq <= head - most)
        ORDER BY last_seq) AS old;
    IF upto IS NULL THEN -- a block may be larger than a call
        SELECT last_seq INTO upto FROM pitch_change_numbers ORDER BY last_seq LIMIT 1;
        IF upto IS NULL OR upto = head OR NOT EXISTS (SELECT FROM pitch_change_numbers WHERE last_seq = upto
                AND (committed_at < clock_timestamp() - keep OR last_seq <= head - most)) THEN
            RETURN 0;
        END IF;
    END IF;
    DELETE FROM pitch_changes c USING pitch_change_numbers b WHERE b.last_seq <= upto AND c.block = b.block;
    DELETE FROM pitch_change_numbers WHERE last_seq <= upto;
    -- The feed that the oldest change is of stays.
    DELETE FROM pitch_change_feeds f WHERE EXISTS (SELECT FROM pitch_change_feeds next WHERE next.after_seq > f.after_seq AND next.after_seq <= upto);
    RETURN upto - first;
END $$;
REVOKE ALL ON FUNCTION forget_pitch_changes(interval, bigint) FROM PUBLIC;

INSERT INTO pitch_change_feeds (after_seq, feed, run)
VALUES (0, substr(replace(gen_random_uuid()::text, '-', ''), 1, 12), pitch_change_run());

CREATE TRIGGER note_inserted AFTER INSERT ON pitch_registers
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_inserted_pitches();
CREATE TRIGGER note_updated AFTER UPDATE ON pitch_registers
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_updated_pitches();
CREATE TRIGGER note_removed AFTER DELETE ON pitch_registers
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_removed_pitches();
CREATE CONSTRAINT TRIGGER number_changes AFTER INSERT ON pitch_changes DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.place = 1) EXECUTE FUNCTION number_pitch_changes();

COMMENT ON TABLE pitch_changes IS 'What became of each current pitch, by statement; its number is in pitch_change_numbers';
COMMENT ON COLUMN pitch_changes.block IS 'The statement that changed it';
COMMENT ON COLUMN pitch_changes.place IS 'The place within the block, from 1';
COMMENT ON COLUMN pitch_changes.pitch_id IS 'The pitch';
COMMENT ON COLUMN pitch_changes.kind IS 'inserted, corrected, deleted, or reassigned: it has another batter';
COMMENT ON COLUMN pitch_changes.old_row IS 'The register before the change, without nulls; missing: no row was current';
COMMENT ON TABLE pitch_change_numbers IS 'The numbers of the changes, in the order of the commits and without a gap';
COMMENT ON COLUMN pitch_change_numbers.last_seq IS 'The number of the last change of the block; those before it have the numbers before';
COMMENT ON COLUMN pitch_change_numbers.block IS 'The block';
COMMENT ON COLUMN pitch_change_numbers.changes IS 'How many changes the block has';
COMMENT ON COLUMN pitch_change_numbers.committed_at IS 'When it was committed';
COMMENT ON TABLE pitch_change_feeds IS 'Stretches of numbers that one run of the server gave';
COMMENT ON COLUMN pitch_change_feeds.after_seq IS 'The last number before the feed';
COMMENT ON COLUMN pitch_change_feeds.feed IS 'Its name, which no other feed has';
COMMENT ON COLUMN pitch_change_feeds.run IS 'The run of the server: when it started, and the number of the table';
COMMENT ON COLUMN pitch_change_feeds.began_at IS 'When it began';
