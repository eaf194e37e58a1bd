-- A store that was moved by logical replication, or restored without its sequences, gives blocks again that are there, or
-- that lie before those. No statement could then note its changes, or the blocks of a pitch were not in the order of its
-- changes. So the sequence is moved behind the blocks first.
CREATE FUNCTION next_pitch_change_block() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    given  bigint := nextval('pitch_change_blocks');
    newest bigint := (SELECT max(block) FROM pitch_changes);
BEGIN
    -- Another transaction may have committed a later block just now. Then the sequence is right, and this takes one more.
    -- guard: changes: a sequence that came back older is moved on | given <= newest -> false
    WHILE given <= newest LOOP
        IF (SELECT last_value FROM pitch_change_blocks) < newest THEN
            -- Of two that move the sequence, the second sees that it was moved. The lock is held to the end of the transaction.
            PERFORM pg_advisory_xact_lock('pitch_change_blocks'::regclass::oid::bigint + 7306090000000000000);
            IF (SELECT last_value FROM pitch_change_blocks) < newest THEN
                PERFORM setval('pitch_change_blocks', newest);
            END IF;
        END IF;
        given := nextval('pitch_change_blocks');
    END LOOP;
    RETURN given;
END $$;
REVOKE ALL ON FUNCTION next_pitch_change_block() FROM PUBLIC;

CREATE OR REPLACE FUNCTION note_inserted_pitches() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    this_block bigint := next_pitch_change_block();
BEGIN
    INSERT INTO pitch_changes (block, place, kind, inserted)
    SELECT this_block, min(n.place), 'inserted', array_agg(n.pitch_id)
    FROM (SELECT row_number() OVER () AS place, pitch_id FROM new_rows WHERE standing) AS n
    GROUP BY (n.place - 1) / 1000;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION note_updated_pitches() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    this_block bigint := next_pitch_change_block();
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

CREATE OR REPLACE FUNCTION note_removed_pitches() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    this_block bigint := next_pitch_change_block();
BEGIN
    INSERT INTO pitch_changes (block, place, pitch_id, kind, old_row)
    SELECT this_block, row_number() OVER (), o.pitch_id, 'deleted', json_strip_nulls(to_json(o))
    FROM old_rows AS o
    WHERE o.standing;
    RETURN NULL;
END $$;
