-- A feed without a change gives its place to the next run's. It may have had changes before the server came back as it was
-- when it had none: whoever saw them must be told, also once as many changes have been made again.
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
        INSERT INTO pitch_change_feeds AS f (after_seq, feed, run)
        VALUES (head, substr(replace(gen_random_uuid()::text, '-', ''), 1, 12), pitch_change_run())
        -- guard: changes: a store that came back without any change has another feed | , feed = excluded.feed ->
        ON CONFLICT (after_seq) DO UPDATE SET run = excluded.run, feed = excluded.feed;
    END IF;
    INSERT INTO pitch_change_numbers (last_seq, block, changes, committed_at) VALUES (head + n, NEW.block, n, clock_timestamp());
    RETURN NULL;
END $$;
