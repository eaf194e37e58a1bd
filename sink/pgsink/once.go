package pgsink

import (
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
)

// What live pitches go through, a few at a time, waits for round trips more than for work: they take one. The batter-games
// that were touched are then the server's to find, among the rows that this transaction has written.
const sqlWritten = `SELECT DISTINCT k.batter_id, k.game_key
	FROM pitch_registers AS w CROSS JOIN LATERAL (VALUES
		-- guard: at once: what a row counted for before is computed again | (w.previous_batter_id, coalesce(w.previous_game_pk, '')) -> (w.batter_id, coalesce(w.game_pk, ''))
		(w.batter_id, coalesce(w.game_pk, '')), (w.previous_batter_id, coalesce(w.previous_game_pk, ''))) AS k(batter_id, game_key)
	-- guard: at once: only what this batch wrote has its batter computed | AND w.xmin = pg_current_xact_id()::xid ->
	WHERE w.pitch_id = ANY ($1::uuid[]) AND w.xmin = pg_current_xact_id()::xid AND k.batter_id IS NOT NULL`

var (
	sqlLockWritten    = ofWritten(sqlLockBatters, "unnest($1::bigint[]) AS id", "(SELECT DISTINCT batter_id FROM (", ") AS w) AS w(id)")
	sqlComputeWritten = ofWritten(sqlComputeGames, "SELECT * FROM unnest($1::bigint[], $2::text[]) AS t(batter_id, game_key)", "", "")
	sqlFoldWritten    = ofWritten(sqlFoldBatters, "= ANY ($1::bigint[])", "IN (SELECT batter_id FROM (", ") AS w)")
	sqlReadWritten    = ofWritten(sqlReadBatters, "= ANY ($1::bigint[])", "IN (SELECT batter_id FROM (", ") AS w)")

	// Nobody looks at the answer before the commit is on its way, so a position that did not move is an error of the
	// statement's own: text that is no number. It is one of those for which everything is done again in steps, and there
	// the position is looked at.
	// guard: at once: a position that is behind refuses the batch | count(*) = cardinality($2::text[]) -> true
	sqlMoveOrFail = "WITH moved AS (\n" + sqlMovePositions + ")\nSELECT CASE WHEN count(*) = cardinality($2::text[]) THEN 0 ELSE ('behind, moved ' || count(*))::int END FROM moved"
)

// ofWritten is a statement about the batters of $1, for what the transaction has written of the pitches $1 instead.
func ofWritten(sql, part, before, after string) string {
	if strings.Count(sql, part) != 1 {
		panic("sql: not once in the statement: " + part) // embedded: it cannot pass a test
	}
	return strings.Replace(sql, part, before+sqlWritten+after, 1)
}

// few says that all can be done in one round trip, and that this is what the batch waits for.
func (t *transaction) few() bool {
	// guard: at once: identifies go in steps | len(naming(t.batch.Pitches)) == 0 -> true
	// guard: at once: replays are counted in steps | t.batch.Replay == nil -> true
	return len(t.batch.Pitches) <= fewPitches && len(naming(t.batch.Pitches)) == 0 && t.batch.Replay == nil
}

// runAtOnce does what run does, in one round trip. It fails as a whole.
func (t *transaction) runAtOnce() error {
	b := &pgx.Batch{}
	b.Queue("begin")
	// guard: few pitches at once are written without planning anew
	b.Queue("set local plan_cache_mode = force_generic_plan")
	if len(t.batch.Positions) > 0 {
		p := positionArrays(t.batch.Positions)
		b.Queue(sqlMoveOrFail, t.batch.Group, p.topics, p.partitions, p.next, p.expected)
	}
	if set := newest(t.batch.Pitches); len(set) > 0 {
		t.queueMeasured(b, set)
		ids := make([][16]byte, len(set))
		for i, c := range set {
			ids[i] = c.pitch.PitchID
		}
		t.batters = make(map[int64]*schemas.Snapshot, len(set))
		b.Queue(sqlLockWritten, ids, t.processedAt().Time())
		b.Queue(sqlComputeWritten, ids).Query(t.scanGames)
		b.Queue(sqlFoldWritten, ids)
		b.Queue(sqlReadWritten, ids).Query(t.scanBatters)
	}
	b.Queue("commit")
	if err := t.send(b); err != nil {
		t.rollback()
		return err
	}
	return nil
}

// snapshot is the batter's that is being put together.
func (t *transaction) snapshot(batter int64) *schemas.Snapshot {
	snap := t.batters[batter]
	if snap == nil {
		snap = &schemas.Snapshot{BatterID: batter, UpdatedAt: t.processedAt()}
		t.batters[batter] = snap
	}
	return snap
}
