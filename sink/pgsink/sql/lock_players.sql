-- Lock the players of one side until the commit, in the order of their ids, and give each a new sequence number. The statements after
-- this one see everything that earlier holders of the lock committed. So two transactions never compute a player from
-- rows that the other cannot see. Sequence numbers follow the clock in microseconds, so that they rise even after a restore
-- of an older backup.
INSERT INTO {schema}.{side}_totals AS p ({side}_id, seq, updated_at)
SELECT id, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, $2::timestamptz
FROM unnest({players}) AS id
ORDER BY id
-- guard: players are locked before they are computed | next 2 -> ON CONFLICT ({side}_id) DO NOTHING
ON CONFLICT ({side}_id) DO UPDATE SET
    prev_seq = p.seq, seq = greatest(p.seq + 1, excluded.seq), updated_at = excluded.updated_at
