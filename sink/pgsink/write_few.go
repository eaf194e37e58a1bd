package pgsink

// A live pitch waits for round trips more than for work. So a batch of few pitches is written in one round
// trip instead of the two of write.go.
//
// The second round trip of write.go sends arguments that the answer of the first one gave: the players whose
// totals change, and which of their games. Here the server finds them itself. The four statements on the
// totals of a side have these holes:
//
//	{players}   an array of the players           $1::bigint[]     or a subquery over sql/written.sql
//	{groups}    a query of players and games      unnest($1, $2)   or sql/written.sql
//
// The other holes are parts that several statements share.
//
// sql/written.sql finds them among the registers of the batch that this transaction has written. Statements
// with these subqueries take the ids of the pitches as $1.
//
// Facts that are not obvious:
//   - Each statement sees the rows that the statements before it wrote, because they run in one transaction.
//   - No answer is read before the commit was sent. A check must make its statement fail, as that of the
//     positions does (sql/move_or_fail.sql). The failure aborts the transaction, and Apply does everything
//     again in steps.
//   - Batches with identifies or with a replay are written in steps, because they need answers of their first
//     statements. So are all batches while a model scores (score.go).
//
// TestEveryStoreKeepsItsContract runs all tests of a store in both ways.

import (
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// totalsStatements computes the totals of some players of one side. The statements run in this order.
// whole marks all of them for fold; "": compute marks those for whom differences are not enough.
type totalsStatements struct{ lock, compute, whole, fold, read string }

// pitcherOf is the pitcher that a register counts for.
func pitcherOf(register string) string {
	return strings.ReplaceAll(`CASE WHEN r.standing THEN coalesce(r.identified_pitcher_id, r.measured_pitcher_id) END`,
		"r.", register+".")
}

// fillSide fills the holes for the names of a side.
func fillSide(side schemas.Side, sql string) string {
	player := "w.batter_id"
	if side == schemas.Pitcher {
		player = pitcherOf("w")
	}
	return strings.NewReplacer("{side}", side.String(), "{player of w}", player).Replace(sql)
}

// ofArrays returns the statements that take the players, and the players and games, as arrays.
func ofArrays(side schemas.Side) totalsStatements {
	return fillTotals(side, `$1::bigint[]`,
		fillSide(side, `SELECT * FROM unnest($1::bigint[], $2::text[]) AS t({side}_id, game_key)`))
}

// ofWritten returns the statements that find the players among the pitches $1.
func ofWritten(side schemas.Side) totalsStatements {
	written := fillSide(side, statement("written"))
	return fillTotals(side, fillSide(side, `ARRAY(SELECT DISTINCT {side}_id FROM (`+written+`) AS w)`), written)
}

func fillTotals(side schemas.Side, players, groups string) totalsStatements {
	fill := strings.NewReplacer("{players}", players, "{groups}", groups).Replace
	all := batterStatements()
	if side == schemas.Pitcher {
		all = pitcherStatements()
	}
	return totalsStatements{
		lock: fill(fillSide(side, statement("lock_players"))), compute: fill(all.compute), fold: fill(all.fold),
		read: fill(all.read),
	}
}

// pitcherStatements returns the statements for pitchers but the lock.
func pitcherStatements() totalsStatements {
	fill := func(name string) string {
		bounded := pg.BoundedPitches("pitcher_id", statement("types_of_pitchers"))
		return pg.FillAggregates(strings.ReplaceAll(statement(name), "{bounded pitches of pitcher_id}", bounded))
	}
	return totalsStatements{
		compute: fill("compute_pitchers"), fold: fill("fold_pitchers"), read: fill("read_pitchers"),
	}
}

// isCandidate is true of a register r with a swing that may be competitive. It is the condition of an index.
// isCompetitive says which of these are, where t.slowest_fast is the slowest of the fastest 90 %.
const (
	isCandidate = `r.contact_bat_speed_mph IS NOT NULL AND (r.contact_confidence = 'reliable'
		OR r.contact_bat_speed_mph >= 60 AND r.exit_velocity_mph >= 90)`
	isCompetitive = `(r.contact_bat_speed_mph >= t.slowest_fast
		OR r.contact_bat_speed_mph >= 60 AND r.exit_velocity_mph >= 90)`
)

// batterStatements returns the statements for batters but the lock.
func batterStatements() totalsStatements {
	holes := strings.NewReplacer(
		"{is candidate}", isCandidate, "{is competitive}", isCompetitive,
		"{bounded types of rows}", pg.BoundedTypes(`(
			SELECT coalesce(r.pitch_type, 'unknown'), count(*), count(*) FILTER (WHERE r.is_swing), count(*) FILTER (WHERE r.is_whiff)
			FROM {schema}.pitch_registers r WHERE r.batter_id = whole.batter_id GROUP BY 1)`),
	)
	fill := func(name string) string { return pg.FillAggregates(holes.Replace(statement(name))) }
	return totalsStatements{
		compute: fill("compute_games"), fold: fill("fold_batters"), read: fill("sum_slow_swings"),
	}
}

// The statements by side.
var (
	totalsOfArrays  = [...]totalsStatements{ofArrays(schemas.Batter), ofArrays(schemas.Pitcher)}
	totalsOfWritten = [...]totalsStatements{ofWritten(schemas.Batter), ofWritten(schemas.Pitcher)}

	sqlMoveOrFail = strings.ReplaceAll(statement("move_or_fail"), "{move}", sqlMovePositions)
)

// few reports whether the batch can be written in one round trip.
func (t *transaction) few() bool {
	// guard: at once: identifies go in steps | len(identifies(t.batch.Pitches)) == 0 -> true
	// guard: at once: replays are counted in steps | t.batch.Replay == nil -> true
	isPlain := len(identifies(t.batch.Pitches)) == 0 && t.batch.Replay == nil
	// guard: at once: rows are scored in steps | && !t.stage.isScored ->
	return len(t.batch.Pitches) <= fewPitches && isPlain && !t.stage.isScored
}

// runAtOnce does what run does, in one round trip. It fails as a whole.
func (t *transaction) runAtOnce() error {
	b := &pgx.Batch{}
	t.db.Begin(b)
	// guard: few pitches at once are written without planning anew
	b.Queue("set local plan_cache_mode = force_generic_plan")
	// guard: scores: few rows are written while the live models are what they are
	pg.ShareModels(b, t.db)
	t.stage.queueOrFail(b)
	if len(t.batch.Positions) > 0 {
		b.Queue(sqlMoveOrFail, positionArrays(t.batch.Group, t.batch.Positions)...)
	}
	if set := newest(t.batch.Pitches); len(set) > 0 {
		t.queueWrite(b, set)
		ids := schemas.Map(set, func(c candidate) [16]byte { return c.pitch.PitchID })
		for _, side := range schemas.Sides {
			t.queueTotals(b, side, totalsOfWritten[side], ids, ids)
		}
	}
	b.Queue("commit")
	return t.send(b)
}
