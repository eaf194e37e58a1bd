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

// Diff compares the current rows and aggregates of two targets, as of one moment. raw is the topic that feeds
// both. Rows that differ only in when, by which build or by which core they were computed are equal. Averages
// may differ by 1e-9.
//
// A pitch or player is moving, and compared with nothing, if one target has read a record of it that the
// other has not.
func (t *Targets) Diff(
	ctx context.Context, a, b schemas.Target, raw string,
) (d schemas.TargetDiff, err error) {
	d.A = a.Name
	d.B = b.Name
	err = t.db.InSnapshot(ctx, func(tx *pg.Tx) error {
		if err := tx.Script(ctx, readWholeTables); err != nil {
			return err
		}
		partitions, offsets, err := commonOffsets(ctx, tx, a, b, raw)
		if err != nil {
			return err
		}
		rows := comparison{a: registersOf(a.Schema), b: registersOf(b.Schema), key: []string{"pitch_id"},
			columns: comparedColumns(), args: []any{partitions, offsets}, rows: true}
		if d.OtherCore, err = rows.run(ctx, tx, &d.Rows); err != nil {
			return err
		}
		reporter := newReporter(rows, d.Rows)
		d.Report = reporter.report
		if err := reporter.run(ctx, tx); err != nil {
			return err
		}
		into := map[schemas.Side][2]*schemas.TableDiff{
			schemas.Batter:  {&d.Batters, &d.BatterGames},
			schemas.Pitcher: {&d.Pitchers, &d.PitcherGames},
		}
		for _, side := range schemas.Sides {
			moving, err := movingPlayers(ctx, tx, side, a, b, partitions, offsets)
			if err != nil {
				return err
			}
			id := side.String() + "_id"
			for i, key := range [][]string{{id}, {id, "game_pk"}} {
				view := side.String() + []string{"_stats", "_game_stats"}[i]
				c := comparison{a: statsOf(a.Schema, view, id), b: statsOf(b.Schema, view, id), key: key,
					columns: side.Columns(), args: []any{moving}}
				if _, err := c.run(ctx, tx, into[side][i]); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return d, pg.Wrap("diff", err)
}

// readWholeTables are the settings of a comparison, in which a sequential scan is right as nowhere else.
const readWholeTables = `SET LOCAL enable_seqscan = on; SET LOCAL work_mem = '64MB'; SET LOCAL idle_in_transaction_session_timeout = 0`

// Conditions on a key of a comparison.
const (
	inBoth  = "in_a AND in_b AND NOT s.moving"
	inOnlyA = "in_a AND NOT in_b AND NOT s.moving"
	inOnlyB = "in_b AND NOT in_a AND NOT s.moving"
)

// Loss returns what readers of the target seen would lose if they saw the target next instead.
func (t *Targets) Loss(
	ctx context.Context, seen, next schemas.Target, raw string,
) (l schemas.TargetLoss, err error) {
	err = t.db.InSnapshot(ctx, func(tx *pg.Tx) error {
		if err := tx.Script(ctx, readWholeTables); err != nil {
			return err
		}
		partitions, offsets, err := commonOffsets(ctx, tx, seen, next, raw)
		if err != nil {
			return err
		}
		rows := comparison{a: registersOf(seen.Schema), b: registersOf(next.Schema), key: []string{"pitch_id"},
			args: []any{partitions, offsets}}
		var changed []string
		for _, c := range schemas.RowColumns[1:] { // all but pitch_id
			// guard: target: new values are no change | "a."+c.Name+" IS NOT NULL AND "+differs(c) -> differs(c)
			changed = append(changed, "a."+c.Name+" IS NOT NULL AND "+differs(c))
		}
		var examples [4]*string
		into := []any{&l.Both, &l.Pitches, &l.Changed, &examples[0], &examples[1]}
		err = pg.ScanOne(ctx, tx, into, `SELECT count(*) FILTER (WHERE `+inBoth+`), count(*) FILTER (WHERE `+inOnlyA+`),
			count(*) FILTER (WHERE `+inBoth+` AND (`+strings.Join(changed, " OR ")+`)),
			min(pitch_id::text) FILTER (WHERE `+inOnlyA+`), max(pitch_id::text) FILTER (WHERE `+inOnlyA+`)`+rows.joined(), rows.args...)
		if err != nil {
			return err
		}
		moving, err := movingPlayers(ctx, tx, schemas.Batter, seen, next, partitions, offsets)
		if err != nil {
			return err
		}
		batters := comparison{a: statsOf(seen.Schema, "batter_stats", "batter_id"),
			b: statsOf(next.Schema, "batter_stats", "batter_id"), key: []string{"batter_id"}, args: []any{moving}}
		into = []any{&l.Batters, &examples[2], &examples[3]}
		err = pg.ScanOne(ctx, tx, into, `SELECT count(*) FILTER (WHERE `+inOnlyA+`), min(batter_id::text) FILTER (WHERE `+inOnlyA+`),
			max(batter_id::text) FILTER (WHERE `+inOnlyA+`)`+batters.joined(), batters.args...)
		l.PitchExamples, l.BatterExamples = keysOf(examples[:2]), keysOf(examples[2:])
		return err
	})
	return l, pg.Wrap("comparing "+seen.Name+" with "+next.Name, err)
}

// commonOffsets returns, for each partition, the offset below which both targets have read it.
func commonOffsets(
	ctx context.Context, tx *pg.Tx, a, b schemas.Target, raw string,
) (partitions []int32, offsets []int64, err error) {
	err = pg.ScanOne(ctx, tx, []any{&partitions, &offsets}, `SELECT coalesce(array_agg(partition), '{}'), coalesce(array_agg(next_offset), '{}') FROM (
		SELECT partition, min(next_offset) AS next_offset FROM (
			SELECT partition, next_offset FROM `+pg.Quote(a.Schema)+`.stream_positions WHERE consumer_group = $1 AND topic = $3
			UNION ALL SELECT partition, next_offset FROM `+pg.Quote(b.Schema)+`.stream_positions WHERE consumer_group = $2 AND topic = $3) p
		GROUP BY partition HAVING count(*) = 2) both_have`, a.Group, b.Group, raw)
	return partitions, offsets, err
}

// isMoving is true of a register r that was written by a record at or above the common offsets, which are $1
// and $2.
const isMoving = `(EXISTS (SELECT FROM unnest($1::int[], $2::bigint[]) AS u(partition, next)
	WHERE u.partition = r.source_partition AND r.source_offset >= u.next OR u.partition = r.identified_source_partition AND r.identified_source_offset >= u.next))`

// playerOf is the player of a side in a register.
var playerOf = map[schemas.Side]string{
	schemas.Batter:  "batter_id",
	schemas.Pitcher: "coalesce(identified_pitcher_id, measured_pitcher_id)",
}

// movingPlayers returns the players of a side in the moving pitches of either target.
func movingPlayers(
	ctx context.Context, tx *pg.Tx, side schemas.Side, a, b schemas.Target, partitions []int32, offsets []int64,
) ([]int64, error) {
	player := playerOf[side]
	return pg.Collect(ctx, tx, pgx.RowTo[int64], `WITH moving AS (
			SELECT pitch_id FROM `+pg.Quote(a.Schema)+`.pitch_registers r WHERE `+isMoving+`
			UNION SELECT pitch_id FROM `+pg.Quote(b.Schema)+`.pitch_registers r WHERE `+isMoving+`)
		SELECT `+player+` FROM moving JOIN `+pg.Quote(a.Schema)+`.pitch_registers USING (pitch_id) WHERE `+player+` IS NOT NULL
		UNION SELECT `+player+` FROM moving JOIN `+pg.Quote(b.Schema)+`.pitch_registers USING (pitch_id) WHERE `+player+` IS NOT NULL`,
		partitions, offsets)
}

// registersOf selects all registers of a target. Deleted pitches are among them, because a deletion may be
// moving.
func registersOf(schema string) string {
	return `SELECT r.*, coalesce(identified_pitcher_id, measured_pitcher_id) AS pitcher_id, coalesce(identified_team_id, measured_team_id) AS team_id,
		` + pg.AtBatColumns + `, ` + isMoving + ` AS moving FROM ` + pg.Quote(schema) + `.pitch_registers r`
}

// statsOf selects a view of aggregates of a target. Moving players are $1.
func statsOf(schema, view, id string) string {
	return `SELECT s.*, true AS standing, 0 AS core_version, ` + id + ` = ANY ($1::bigint[]) AS moving FROM ` + pg.Quote(schema) + `.` + view + ` s`
}

// comparedColumns returns the columns of a row, without its key and those that report when and by which build
// it was computed.
func comparedColumns() []schemas.Column {
	return slices.DeleteFunc(slices.Clone(schemas.StoredColumns), func(c schemas.Column) bool {
		return slices.Contains([]string{"pitch_id", "core_version", "build", "processed_at"}, c.Name)
	})
}

// comparison compares the results of two queries that have the same key.
type comparison struct {
	a, b    string // the queries
	key     []string
	columns []schemas.Column
	args    []any // of both queries
	rows    bool  // the results are registers, else aggregates
}

// joined is the FROM clause: both results side by side, with s.moving, and whether the key is current in a
// and in b.
func (c comparison) joined() string {
	return ` FROM (` + c.a + `) a FULL JOIN (` + c.b + `) b USING (` + strings.Join(c.key, ", ") + `)
		-- guard: target: what one has not read yet is no difference | SELECT coalesce(a.moving, false) OR coalesce(b.moving, false) AS moving -> SELECT false AS moving
		CROSS JOIN LATERAL (SELECT coalesce(a.moving, false) OR coalesce(b.moving, false) AS moving, coalesce(a.standing, false) AS in_a, coalesce(b.standing, false) AS in_b) s`
}

func (c comparison) keyText() string { return strings.Join(c.key, "::text || '/' || ") + "::text" }

// typesDiffer is a condition: the aggregates by pitch type differ. Numbers in them may differ by 1e-9, as
// averages may.
const typesDiffer = `(a.by_pitch_type IS DISTINCT FROM b.by_pitch_type AND EXISTS (
	SELECT FROM jsonb_each(a.by_pitch_type) ta FULL JOIN jsonb_each(b.by_pitch_type) tb ON ta.key = tb.key
	CROSS JOIN LATERAL (SELECT FROM jsonb_each(coalesce(ta.value, '{}')) fa FULL JOIN jsonb_each(coalesce(tb.value, '{}')) fb ON fa.key = fb.key
		WHERE CASE WHEN jsonb_typeof(fa.value) = 'number' AND jsonb_typeof(fb.value) = 'number'
			THEN abs(fa.value::float8 - fb.value::float8) > 1e-9 * greatest(1, abs(fa.value::float8))
			ELSE fa.value IS DISTINCT FROM fb.value END) f))`

// differs is a condition: the values of a column differ. Scores do not count: each target has its own
// models.
func differs(c schemas.Column) string {
	switch c.Name {
	case "by_pitch_type":
		return typesDiffer
	case "last_pitch":
		// guard: target: models of one target only are no difference | (a.last_pitch - 'scores') -> a.last_pitch
		return "(a.last_pitch - 'scores') IS DISTINCT FROM (b.last_pitch - 'scores')"
	}
	if strings.HasPrefix(c.Name, "avg_") {
		return fmt.Sprintf(`(a.%[1]s IS DISTINCT FROM b.%[1]s
			AND coalesce(abs(a.%[1]s - b.%[1]s) > 1e-9 * greatest(1, abs(a.%[1]s)), true))`, c.Name)
	}
	return fmt.Sprintf("a.%[1]s IS DISTINCT FROM b.%[1]s", c.Name)
}

// isMeasure reports whether the size of a difference in this column means something.
func isMeasure(c schemas.Column) bool {
	switch c.SQL {
	case "float8", "smallint", "int":
		return c.Name != "source_partition"
	case "bigint":
		return strings.HasSuffix(c.Name, "_count") || c.Name == "pitches"
	}
	return false
}

// run fills in the difference, and returns the number of rows in both targets that two cores computed.
func (c comparison) run(
	ctx context.Context, tx *pg.Tx, into *schemas.TableDiff,
) (otherCore int64, err error) {
	const both, onlyA, onlyB = inBoth, inOnlyA, inOnlyB
	count := func(where string) string { return "count(*) FILTER (WHERE " + where + ")" }
	examples := func(where string) string {
		return fmt.Sprintf("min(%[1]s) FILTER (WHERE %[2]s), max(%[1]s) FILTER (WHERE %[2]s)", c.keyText(), where)
	}
	var anyDiffers, byColumn []string
	for _, col := range c.columns {
		anyDiffers = append(anyDiffers, differs(col))
		where, size := both+" AND "+differs(col), "NULL::float8"
		if isMeasure(col) {
			size = fmt.Sprintf("abs(a.%[1]s::float8 - b.%[1]s::float8)", col.Name)
		}
		byColumn = append(byColumn, count(where),
			count(both+" AND a."+col.Name+" IS NOT NULL"), count(both+" AND b."+col.Name+" IS NOT NULL"),
			fmt.Sprintf("max(%[2]s) FILTER (WHERE %[1]s), avg(%[2]s) FILTER (WHERE %[1]s)", where, size),
			examples(where))
	}
	parts := append([]string{
		count("in_a"), count("in_b"), count(onlyA), count(onlyB),
		count(both + " AND (" + strings.Join(anyDiffers, " OR ") + ")"), count("s.moving AND (in_a OR in_b)"),
		count(both + " AND a.core_version <> b.core_version"), examples(onlyA), examples(onlyB),
	}, byColumn...)

	var onlyIn [4]*string
	type found struct {
		diff schemas.ColumnDiff
		keys [2]*string
	}
	columns := make([]found, len(c.columns))
	dest := []any{&into.InA, &into.InB, &into.OnlyA, &into.OnlyB, &into.Differ, &into.Moving, &otherCore,
		&onlyIn[0], &onlyIn[1], &onlyIn[2], &onlyIn[3]}
	for i := range columns {
		f := &columns[i]
		f.diff.Name = c.columns[i].Name
		dest = append(dest, &f.diff.Differ, &f.diff.PresentA, &f.diff.PresentB,
			pg.Float(&f.diff.Max), pg.Float(&f.diff.Mean), &f.keys[0], &f.keys[1])
	}
	sql := "SELECT " + strings.Join(parts, ", ") + c.joined()
	if err := pg.ScanOne(ctx, tx, dest, sql, c.args...); err != nil {
		return 0, err
	}
	into.OnlyInA = keysOf(onlyIn[:2])
	into.OnlyInB = keysOf(onlyIn[2:])
	for _, f := range columns {
		if f.diff.Differ == 0 {
			continue
		}
		if f.diff.Examples, err = c.examples(ctx, tx, f.diff.Name, keysOf(f.keys[:])); err != nil {
			return 0, err
		}
		into.Columns = append(into.Columns, f.diff)
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

// examples returns the values of a column under these keys.
func (c comparison) examples(
	ctx context.Context, tx *pg.Tx, column string, keys []string,
) ([]schemas.ValueDiffer, error) {
	wanted := fmt.Sprintf("%s = ANY ($%d::text[])", c.keyText(), len(c.args)+1)
	if c.rows { // in this form the index finds them
		wanted = fmt.Sprintf("pitch_id = ANY ($%d::text[]::uuid[])", len(c.args)+1)
	}
	return pg.Collect(ctx, tx, pgx.RowToStructByPos[schemas.ValueDiffer],
		fmt.Sprintf("SELECT %s, coalesce(a.%[2]s::text, ''), coalesce(b.%[2]s::text, '')", c.keyText(), column)+
			strings.Replace(c.joined(), "FULL JOIN", "JOIN", 1)+" WHERE "+wanted+" ORDER BY 1",
		append(slices.Clone(c.args), keys)...)
}
