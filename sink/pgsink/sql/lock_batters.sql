-- Lock the batters until the commit, in the order of their ids, and give each a new sequence number. The statements after
-- this one see everything that earlier holders of the lock committed. So two transactions never compute a batter from
-- rows that the other cannot see. Sequence numbers follow the clock in microseconds, so that they rise even after a restore
-- of an older backup.
INSERT INTO {schema}.batter_totals AS b (batter_id, seq, updated_at)
SELECT id, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, $2::timestamptz
FROM unnest({batters}) AS id
ORDER BY id
-- guard: batters are locked before they are computed | next 2 -> ON CONFLICT (batter_id) DO NOTHING
ON CONFLICT (batter_id) DO UPDATE SET
    prev_seq = b.seq, seq = greatest(b.seq + 1, excluded.seq), updated_at = excluded.updated_at
