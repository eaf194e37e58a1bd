package pgsink

// A live pitch waits for round trips more than for work. So a batch of few pitches is written in one round
// trip instead of the two of write.go.
//
// The second round trip of write.go sends arguments that the answer of the first one gave: the batters whose
// totals change, and which of their games. Here the server finds them itself. The four statements on totals
// have these holes, and those for sql/bounded_types.sql:
//
//	{batters}   an array of the batters           $1::bigint[]     or a subquery over sql/written.sql
//	{groups}    a query of batters and games      unnest($1, $2)   or sql/written.sql
//
// The other holes are parts that several statements share.
//
// sql/written.sql finds them among the registers of the batch that this transaction has written. Statements
// with these subqueries take the ids of the pitches as $1.
//
// Facts that are not obvious:
//   - Each statement sees the rows that the statements before it wrote, because they run in one transaction.
//   - Nobody reads an answer before the commit was sent. A check must make its statement fail, as that of the
//     positions does (sql/move_or_fail.sql). The failure aborts the transaction, and Apply does everything
//     again in steps.
//   - Batches with identifies or with a replay are written in steps, because they need answers of their first
//     statements.
//
// TestEveryStoreKeepsItsContract runs all tests of a store in both ways.

import (
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// totalsStatements computes the totals of some batters. The statements run in this order.
type totalsStatements struct{ lock, compute, fold, read string }

func fillTotals(batters, groups string) totalsStatements {
	bounded := statement("bounded_types")
	sums := func(name, which string) string {
		return strings.NewReplacer("{name}", name, "{which}", which).Replace(statement("sums_of_swings"))
	}
	fill := strings.NewReplacer("{batters}", batters, "{groups}", groups,
		"{stats columns}", pg.StatsColumns, "{values at contact}", statement("values_at_contact"),
		"{sums of candidates}", sums("candidate", "true"),
		"{sums of slow}", sums("slow", "NOT is_hard AND contact_speed < slowest"),
		"{bounded types of a}", strings.ReplaceAll(bounded, "{types}",
			"unnest(a.type_names, a.type_pitches, a.type_swings, a.type_whiffs)"),
		"{bounded types of rows}", strings.ReplaceAll(bounded, "{types}", `(
			SELECT coalesce(r.pitch_type, 'unknown'), count(*), count(*) FILTER (WHERE r.is_swing), count(*) FILTER (WHERE r.is_whiff)
			FROM {schema}.pitch_registers r WHERE r.batter_id = whole.batter_id GROUP BY 1)`),
	).Replace
	return totalsStatements{
		lock:    fill(statement("lock_batters")),
		compute: fill(statement("compute_games")),
		fold:    fill(statement("fold_batters")),
		read:    fill(statement("sum_slow_swings")),
	}
}

var (
	totalsOfArrays = fillTotals(`$1::bigint[]`,
		`SELECT * FROM unnest($1::bigint[], $2::text[]) AS t(batter_id, game_key)`)
	totalsOfWritten = fillTotals(`ARRAY(SELECT DISTINCT batter_id FROM (`+statement("written")+`) AS w)`,
		statement("written"))

	sqlMoveOrFail = strings.ReplaceAll(statement("move_or_fail"), "{move}", sqlMovePositions)
)

// few reports whether the batch can be written in one round trip.
func (t *transaction) few() bool {
	// guard: at once: identifies go in steps | len(identifies(t.batch.Pitches)) == 0 -> true
	// guard: at once: replays are counted in steps | t.batch.Replay == nil -> true
	return len(t.batch.Pitches) <= fewPitches && len(identifies(t.batch.Pitches)) == 0 && t.batch.Replay == nil
}

// runAtOnce does what run does, in one round trip. It fails as a whole.
func (t *transaction) runAtOnce() error {
	b := &pgx.Batch{}
	t.db.Begin(b)
	// guard: few pitches at once are written without planning anew
	b.Queue("set local plan_cache_mode = force_generic_plan")
	if len(t.batch.Positions) > 0 {
		b.Queue(sqlMoveOrFail, positionArrays(t.batch.Group, t.batch.Positions)...)
	}
	if set := newest(t.batch.Pitches); len(set) > 0 {
		t.queueWrite(b, set)
		ids := schemas.Map(set, func(c candidate) [16]byte { return c.pitch.PitchID })
		t.queueTotals(b, totalsOfWritten, ids, ids)
	}
	b.Queue("commit")
	return t.send(b)
}
