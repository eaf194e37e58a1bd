-- The players of one side and their games that the registers written by this transaction count for, or counted for before, among the
-- pitches $1. xmin is the transaction that wrote a row. A register that lost its version fence has another one.
SELECT DISTINCT k.{side}_id, k.game_key
FROM {schema}.pitch_registers AS w CROSS JOIN LATERAL (VALUES
    -- guard: at once: what a row counted for before is computed again | (w.previous_{side}_id, coalesce(w.previous_game_pk, '')) -> ({player of w}, coalesce(w.game_pk, ''))
    ({player of w}, coalesce(w.game_pk, '')), (w.previous_{side}_id, coalesce(w.previous_game_pk, ''))) AS k({side}_id, game_key)
-- guard: at once: only what this batch wrote has its players computed | AND w.xmin = pg_current_xact_id()::xid ->
WHERE w.pitch_id = ANY ($1::uuid[]) AND w.xmin = pg_current_xact_id()::xid AND k.{side}_id IS NOT NULL
