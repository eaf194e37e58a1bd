-- The pitches that a statement inserts are noted as lists of up to 1,000, where each had a line of its own. A line and its
-- index entry cost a tenth of what the insert of the pitch costs.
ALTER TABLE pitch_changes ALTER COLUMN pitch_id DROP NOT NULL, ADD COLUMN inserted uuid[];
ALTER TABLE pitch_changes ALTER COLUMN inserted SET STORAGE EXTERNAL; -- ids do not compress

CREATE OR REPLACE FUNCTION note_inserted_pitches() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    this_block bigint := nextval('pitch_change_blocks');
BEGIN
    INSERT INTO pitch_changes (block, place, kind, inserted)
    SELECT this_block, min(n.place), 'inserted', array_agg(n.pitch_id)
    FROM (SELECT row_number() OVER () AS place, pitch_id FROM new_rows WHERE standing) AS n
    GROUP BY (n.place - 1) / 1000;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION number_pitch_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    n    int;
    head bigint;
BEGIN
    SELECT place + coalesce(cardinality(inserted), 1) - 1 INTO n FROM pitch_changes WHERE block = NEW.block ORDER BY place DESC LIMIT 1;
    -- The lock is held to the end of the transaction, and what it committed can be seen before the lock is free.
    PERFORM pg_advisory_xact_lock(TG_RELID::bigint + 7306090000000000000);
    SELECT last_seq INTO head FROM pitch_change_numbers ORDER BY last_seq DESC LIMIT 1;
    head := coalesce(head, 0);
    IF (SELECT run FROM pitch_change_feeds ORDER BY after_seq DESC LIMIT 1) IS DISTINCT FROM pitch_change_run() THEN
        -- A feed without a change gives its place to the next run's. It may have had changes before the server came back as
        -- it was when it had none: whoever saw them must be told, also once as many changes have been made again.
        INSERT INTO pitch_change_feeds AS f (after_seq, feed, run)
        VALUES (head, substr(replace(gen_random_uuid()::text, '-', ''), 1, 12), pitch_change_run())
        -- guard: changes: a store that came back without any change has another feed | , feed = excluded.feed ->
        ON CONFLICT (after_seq) DO UPDATE SET run = excluded.run, feed = excluded.feed;
    END IF;
    INSERT INTO pitch_change_numbers (last_seq, block, changes, committed_at) VALUES (head + n, NEW.block, n, clock_timestamp());
    RETURN NULL;
END $$;

COMMENT ON COLUMN pitch_changes.place IS 'The place within the block, from 1; of a list, that of its first pitch';
COMMENT ON COLUMN pitch_changes.pitch_id IS 'The pitch; missing: in a list';
COMMENT ON COLUMN pitch_changes.inserted IS 'The pitches of a list, up to 1,000 that one statement inserted; missing: of a single pitch';
