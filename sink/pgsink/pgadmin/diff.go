package pgadmin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Diff compares what stands in two targets, rows and aggregates, as of one moment. raw is the topic that both are fed
// from. Of rows, when and by which build or core they were computed makes no difference; averages differ beyond 1e-9.
func (t *Targets) Diff(ctx context.Context, a, b schemas.Target, raw string) (d schemas.TargetDiff, err error) {
	d.A, d.B = a.Name, b.Name
	err = pgx.BeginTxFunc(ctx, t.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		// Whole tables are joined here, unlike anywhere else.
		if _, err := tx.Exec(ctx, `SET LOCAL enable_seqscan = on; SET LOCAL work_mem = '64MB'; SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
			return err
		}
		upTo, err := common(ctx, tx, a, b, raw)
		if err != nil {
			return err
		}
		moving, err := movingBatters(ctx, tx, a, b, upTo)
		if err != nil {
			return err
		}
		rows := comparison{a: registersOf(a.Schema), b: registersOf(b.Schema), key: []string{"pitch_id"}, columns: comparedColumns(), args: upTo.args(), rows: true}
		if d.OtherCore, err = rows.run(ctx, tx, &d.Rows); err != nil {
			return err
		}
		for _, of := range []struct {
			view string
			key  []string
			into *schemas.TableDiff
		}{{"batter_stats", []string{"batter_id"}, &d.Batters}, {"batter_game_stats", []string{"batter_id", "game_pk"}, &d.BatterGames}} {
			c := comparison{a: statsOf(a.Schema, of.view), b: statsOf(b.Schema, of.view), key: of.key, columns: schemas.StatsColumns, args: []any{moving}}
			if _, err := c.run(ctx, tx, of.into); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return d, fmt.Errorf("postgres: diff: %w", pg.HideSecret(err))
	}
	return d, nil
}

// bounds are the offsets below which both targets have read each partition.
type bounds struct {
	partitions []int32
	offsets    []int64
}

func (b bounds) args() []any { return []any{b.partitions, b.offsets} }

func common(ctx context.Context, tx pgx.Tx, a, b schemas.Target, raw string) (bounds, error) {
	rows, err := tx.Query(ctx, `SELECT partition, min(next_offset) FROM (
			SELECT partition, next_offset FROM `+a.Schema+`.stream_positions WHERE consumer_group = $1 AND topic = $3
			UNION ALL SELECT partition, next_offset FROM `+b.Schema+`.stream_positions WHERE consumer_group = $2 AND topic = $3) p
		GROUP BY partition HAVING count(*) = 2 ORDER BY 1`, a.Group, b.Group, raw)
	var upTo bounds
	if err != nil {
		return upTo, err
	}
	var id int32
	var next int64
	_, err = pgx.ForEachRow(rows, []any{&id, &next}, func() error {
		upTo.partitions, upTo.offsets = append(upTo.partitions, id), append(upTo.offsets, next)
		return nil
	})
	return upTo, err
}

// isMoving is of a register r, with the bounds as $1 and $2.
const isMoving = `(EXISTS (SELECT FROM unnest($1::int[], $2::bigint[]) AS u(partition, next)
	WHERE u.partition = r.source_partition AND r.source_offset >= u.next OR u.partition = r.identified_source_partition AND r.identified_source_offset >= u.next))`

// movingBatters are those whom a pitch that is moving counts for in either target.
func movingBatters(ctx context.Context, tx pgx.Tx, a, b schemas.Target, upTo bounds) ([]int64, error) {
	rows, err := tx.Query(ctx, `WITH moving AS (
			SELECT pitch_id FROM `+a.Schema+`.pitch_registers r WHERE `+isMoving+`
			UNION SELECT pitch_id FROM `+b.Schema+`.pitch_registers r WHERE `+isMoving+`)
		SELECT batter_id FROM moving JOIN `+a.Schema+`.pitch_registers USING (pitch_id) WHERE batter_id IS NOT NULL
		UNION SELECT batter_id FROM moving JOIN `+b.Schema+`.pitch_registers USING (pitch_id) WHERE batter_id IS NOT NULL`, upTo.args()...)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if ids == nil {
		ids = []int64{}
	}
	return ids, err
}

// registersOf are a target's pitches, those too that do not stand: a deletion may be what is moving.
func registersOf(schema string) string {
	return `SELECT r.*, coalesce(identified_pitcher_id, measured_pitcher_id) AS pitcher_id, coalesce(identified_team_id, measured_team_id) AS team_id,
		` + isMoving + ` AS moving FROM ` + schema + `.pitch_registers r`
}

// statsOf are a target's groups; those of moving batters ($1) are moving.
func statsOf(schema, view string) string {
	return `SELECT s.*, true AS standing, 0 AS core_version, batter_id = ANY ($1::bigint[]) AS moving FROM ` + schema + `.` + view + ` s`
}

// comparedColumns are a row's, without its key and what says only when and by whom it was computed.
func comparedColumns() (columns []schemas.Column) {
	for _, c := range schemas.StoredColumns {
		if !slices.Contains([]string{"pitch_id", "core_version", "build", "processed_at"}, c.Name) {
			columns = append(columns, c)
		}
	}
	return columns
}

// comparison is of the lines of two queries with one key.
type comparison struct {
	a, b    string
	key     []string
	columns []schemas.Column
	args    []any
	rows    bool
}

func (c comparison) joined() string {
	return ` FROM (` + c.a + `) a FULL JOIN (` + c.b + `) b USING (` + strings.Join(c.key, ", ") + `)
		-- guard: target: what one has not read yet is no difference | SELECT coalesce(a.moving, false) OR coalesce(b.moving, false) AS moving -> SELECT false AS moving
		CROSS JOIN LATERAL (SELECT coalesce(a.moving, false) OR coalesce(b.moving, false) AS moving, coalesce(a.standing, false) AS in_a, coalesce(b.standing, false) AS in_b) s`
}

func (c comparison) keyText() string { return strings.Join(c.key, "::text || '/' || ") + "::text" }

// differs is true of a line that both have with two values.
func differs(c schemas.Column) string {
	if strings.HasPrefix(c.Name, "avg_") {
		return fmt.Sprintf("(a.%[1]s IS DISTINCT FROM b.%[1]s AND coalesce(abs(a.%[1]s - b.%[1]s) > 1e-9 * greatest(1, abs(a.%[1]s)), true))", c.Name)
	}
	return fmt.Sprintf("a.%[1]s IS DISTINCT FROM b.%[1]s", c.Name)
}

func isMeasure(c schemas.Column) bool {
	switch c.SQL {
	case "float8", "smallint", "int":
		return c.Name != "source_partition"
	case "bigint":
		return strings.HasSuffix(c.Name, "_count") || c.Name == "pitches"
	}
	return false
}

// run fills in the comparison, and answers how many lines that both have were computed by different cores.
func (c comparison) run(ctx context.Context, tx pgx.Tx, into *schemas.TableDiff) (otherCore int64, err error) {
	const both = "in_a AND in_b AND NOT s.moving"
	var each []string
	for _, col := range c.columns {
		each = append(each, differs(col))
	}
	examples := func(where string) string {
		return fmt.Sprintf("min(%[1]s) FILTER (WHERE %[2]s), max(%[1]s) FILTER (WHERE %[2]s)", c.keyText(), where)
	}
	onlyA, onlyB := "in_a AND NOT in_b AND NOT s.moving", "in_b AND NOT in_a AND NOT s.moving"
	parts := []string{
		"count(*) FILTER (WHERE in_a)", "count(*) FILTER (WHERE in_b)", "count(*) FILTER (WHERE " + onlyA + ")", "count(*) FILTER (WHERE " + onlyB + ")",
		"count(*) FILTER (WHERE " + both + " AND (" + strings.Join(each, " OR ") + "))", "count(*) FILTER (WHERE s.moving AND (in_a OR in_b))",
		"count(*) FILTER (WHERE " + both + " AND a.core_version <> b.core_version)", examples(onlyA), examples(onlyB),
	}
	for _, col := range c.columns {
		where := both + " AND " + differs(col)
		size := "NULL::float8"
		if isMeasure(col) {
			size = fmt.Sprintf("abs(a.%[1]s::float8 - b.%[1]s::float8)", col.Name)
		}
		parts = append(parts, fmt.Sprintf("count(*) FILTER (WHERE %[1]s), max(%[2]s) FILTER (WHERE %[1]s), avg(%[2]s) FILTER (WHERE %[1]s), ", where, size)+examples(where))
	}
	var onlyIn [4]*string
	type found struct {
		n         int64
		max, mean *float64
		keys      [2]*string
	}
	columns := make([]found, len(c.columns))
	dest := []any{&into.InA, &into.InB, &into.OnlyA, &into.OnlyB, &into.Differ, &into.Moving, &otherCore, &onlyIn[0], &onlyIn[1], &onlyIn[2], &onlyIn[3]}
	for i := range columns {
		f := &columns[i]
		dest = append(dest, &f.n, &f.max, &f.mean, &f.keys[0], &f.keys[1])
	}
	if err := tx.QueryRow(ctx, "SELECT "+strings.Join(parts, ", ")+c.joined(), c.args...).Scan(dest...); err != nil {
		return 0, err
	}
	into.OnlyInA, into.OnlyInB = keysOf(onlyIn[:2]), keysOf(onlyIn[2:])
	for i, f := range columns {
		if f.n == 0 {
			continue
		}
		d := schemas.ColumnDiff{Name: c.columns[i].Name, Differ: f.n, Max: schemas.FromPointer(f.max), Mean: schemas.FromPointer(f.mean)}
		if d.Examples, err = c.examples(ctx, tx, c.columns[i].Name, keysOf(f.keys[:])); err != nil {
			return 0, err
		}
		into.Columns = append(into.Columns, d)
	}
	return otherCore, nil
}

func keysOf(found []*string) (keys []string) {
	for _, k := range found {
		if k != nil && !slices.Contains(keys, *k) {
			keys = append(keys, *k)
		}
	}
	return keys
}

// examples are the values of a column under these keys.
func (c comparison) examples(ctx context.Context, tx pgx.Tx, column string, keys []string) ([]schemas.ValueDiffer, error) {
	where := c.keyText() + " = ANY ("
	if c.rows { // by the index
		where = "pitch_id = ANY ("
	}
	placeholder := fmt.Sprintf("$%d::text[]", len(c.args)+1)
	if c.rows {
		placeholder += "::uuid[]"
	}
	rows, err := tx.Query(ctx, fmt.Sprintf("SELECT %s, coalesce(a.%[2]s::text, ''), coalesce(b.%[2]s::text, '')", c.keyText(), column)+
		strings.Replace(c.joined(), "FULL JOIN", "JOIN", 1)+" WHERE "+where+placeholder+") ORDER BY 1", append(slices.Clone(c.args), keys)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[schemas.ValueDiffer])
}
