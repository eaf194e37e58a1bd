-- The batters and games that the registers written by this transaction count for, or counted for before, among the
-- pitches $1. xmin is the transaction that wrote a row. A register that lost its version fence has another one.
SELECT DISTINCT k.batter_id, k.game_key
FROM {schema}.pitch_registers AS w CROSS JOIN LATERAL (VALUES
    -- guard: at once: what a row counted for before is computed again | (w.previous_batter_id, coalesce(w.previous_game_pk, '')) -> (w.batter_id, coalesce(w.game_pk, ''))
    (w.batter_id, coalesce(w.game_pk, '')), (w.previous_batter_id, coalesce(w.previous_game_pk, ''))) AS k(batter_id, game_key)
-- guard: at once: only what this batch wrote has its batter computed | AND w.xmin = pg_current_xact_id()::xid ->
WHERE w.pitch_id = ANY ($1::uuid[]) AND w.xmin = pg_current_xact_id()::xid AND k.batter_id IS NOT NULL
