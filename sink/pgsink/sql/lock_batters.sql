-- From here to the commit nobody else computes these batters, and the statements that follow see all that was committed
-- before: two transactions never compute the same batter from rows that the other cannot see. Sequence numbers follow
-- the clock, so that they go on rising over a restored backup too.
INSERT INTO batter_totals AS b (batter_id, seq, updated_at)
SELECT id, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, $2::timestamptz
FROM unnest($1::bigint[]) AS id
ORDER BY id
-- guard: batters are locked before they are computed | next 2 -> ON CONFLICT (batter_id) DO NOTHING
ON CONFLICT (batter_id) DO UPDATE SET
    prev_seq = b.seq, seq = greatest(b.seq + 1, excluded.seq), updated_at = excluded.updated_at
