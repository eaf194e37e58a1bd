package pgadmin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

const (
	fineBuckets     = 1000 // of a distribution, from which quantiles and bars are computed
	mostBars        = 30
	mostTransitions = 200
	mostPitches     = 20
	mostPlaces      = 25
	mostValues      = 6 // of a pitch
)

// reporter computes a TargetReport. Postgres aggregates, so that memory here is bounded by the numbers of
// columns and buckets, however many pitches there are.
type reporter struct {
	rows     comparison
	measures []schemas.Column
	words    []schemas.Column
	changed  string // a condition: a value changed that is of no new column
	report   *schemas.TargetReport
}

// newReporter makes a reporter of what diff has found.
func newReporter(rows comparison, diff schemas.TableDiff) *reporter {
	r := &reporter{rows: rows, report: &schemas.TargetReport{}, changed: "false"}
	for _, c := range schemas.RowColumns {
		switch {
		case isMeasure(c):
			r.measures = append(r.measures, c)
		case c.SQL == "boolean", c.SQL == "text" && c.Name != "game_pk" && c.Name != "venue":
			r.words = append(r.words, c)
		}
	}
	for _, d := range diff.Columns {
		of := func(c schemas.Column) bool { return c.Name == d.Name }
		if d.PresentA > 0 && slices.ContainsFunc(schemas.RowColumns, of) {
			r.changed += fmt.Sprintf(" OR a.%[1]s IS DISTINCT FROM b.%[1]s", d.Name)
		}
	}
	return r
}

func (r *reporter) run(ctx context.Context, tx *pg.Tx) error {
	for _, step := range []func(context.Context, *pg.Tx) error{
		r.changes, r.profiles, r.distributions, r.transitions, r.pitches, r.places,
	} {
		if err := step(ctx, tx); err != nil {
			return err
		}
	}
	slices.SortStableFunc(r.report.Columns, func(a, b schemas.ColumnReport) int {
		return cmp.Or(cmp.Compare(math.Abs(b.Shift), math.Abs(a.Shift)),
			cmp.Compare(b.Up+b.Down+b.Lost+b.Gained, a.Up+a.Down+a.Lost+a.Gained))
	})
	return nil
}

// changes counts the directions in which each measure changed.
func (r *reporter) changes(ctx context.Context, tx *pg.Tx) error {
	var parts []string
	var into []any
	r.report.Columns = make([]schemas.ColumnReport, len(r.measures))
	for i, m := range r.measures {
		c := &r.report.Columns[i]
		c.Name, c.Unit = m.Name, m.Unit
		for _, where := range []string{"b.%[1]s > a.%[1]s", "b.%[1]s < a.%[1]s",
			"a.%[1]s IS NOT NULL AND b.%[1]s IS NULL", "a.%[1]s IS NULL AND b.%[1]s IS NOT NULL"} {
			parts = append(parts, fmt.Sprintf("count(*) FILTER (WHERE "+inBoth+" AND "+where+")", m.Name))
		}
		parts = append(parts, fmt.Sprintf("avg(b.%[1]s::float8 - a.%[1]s) FILTER (WHERE "+inBoth+")", m.Name))
		into = append(into, &c.Up, &c.Down, &c.Lost, &c.Gained, pg.Float(&c.MeanChange))
	}
	return pg.ScanOne(ctx, tx, into, "SELECT "+strings.Join(parts, ", ")+r.rows.joined(), r.rows.args...)
}

// sides are both targets: a query of the current registers that are not moving, and where its profile goes.
func (r *reporter) sides() map[string]func(int) *schemas.ColumnProfile {
	return map[string]func(int) *schemas.ColumnProfile{
		r.rows.a: func(i int) *schemas.ColumnProfile { return &r.report.Columns[i].A },
		r.rows.b: func(i int) *schemas.ColumnProfile { return &r.report.Columns[i].B },
	}
}

const isCurrent = " AS q WHERE standing AND NOT moving"

// profiles computes what one pass over each target gives.
func (r *reporter) profiles(ctx context.Context, tx *pg.Tx) error {
	for query, profile := range r.sides() {
		var rows int64
		parts, into := []string{"count(*)"}, []any{&rows}
		present := make([]int64, len(r.measures))
		for i, m := range r.measures {
			p := profile(i)
			parts = append(parts, strings.ReplaceAll(
				"count(@), avg(@::float8), stddev_samp(@::float8), min(@)::float8, max(@)::float8", "@", m.Name))
			into = append(into, &present[i], pg.Float(&p.Mean), pg.Float(&p.SD), pg.Float(&p.Min), pg.Float(&p.Max))
		}
		sql := "SELECT " + strings.Join(parts, ", ") + " FROM (" + query + ")" + isCurrent
		err := pg.ScanOne(ctx, tx, into, sql, r.rows.args...)
		if err != nil {
			return err
		}
		for i := range present {
			profile(i).Rows, profile(i).Missing = rows, rows-present[i]
		}
	}
	for i := range r.report.Columns {
		r.report.Columns[i].Shift = shiftOf(r.report.Columns[i])
	}
	return nil
}

func shiftOf(c schemas.ColumnReport) (shift float64) {
	if c.A.Mean.Present && c.B.Mean.Present && c.A.SD.Value > 0 {
		shift = (c.B.Mean.Value - c.A.Mean.Value) / c.A.SD.Value
	}
	if missing := 10 * (c.B.MissingShare() - c.A.MissingShare()); math.Abs(missing) > math.Abs(shift) {
		shift = missing
	}
	return shift
}

// distributions counts the values of each measure in fine buckets, which both targets share.
func (r *reporter) distributions(ctx context.Context, tx *pg.Tx) error {
	lows, highs := make([]float64, len(r.measures)), make([]float64, len(r.measures))
	var values []string
	for i := range r.measures {
		c := r.report.Columns[i]
		lows[i], highs[i] = math.Inf(1), math.Inf(-1)
		for _, p := range []schemas.ColumnProfile{c.A, c.B} {
			if p.Min.Present {
				lows[i], highs[i] = min(lows[i], p.Min.Value), max(highs[i], p.Max.Value)
			}
		}
		if lows[i] > highs[i] {
			continue // no value anywhere
		}
		if lows[i] == highs[i] {
			highs[i]++
		}
		values = append(values, fmt.Sprintf(
			"(%[1]d, CASE WHEN %[2]s IS NOT NULL THEN "+ // LEAST leaves out a NULL
				"least(width_bucket(%[2]s::float8, ($3::float8[])[%[3]d], ($4::float8[])[%[3]d], %[4]d), %[4]d) END)", i,
			r.measures[i].Name, i+1, fineBuckets))
	}
	if len(values) == 0 {
		return nil
	}
	for i := range lows {
		if lows[i] > highs[i] {
			lows[i], highs[i] = 0, 1
		}
	}
	counts := map[string][][]int64{}
	for query := range r.sides() {
		fine := make([][]int64, len(r.measures))
		for i := range fine {
			fine[i] = make([]int64, fineBuckets)
		}
		type found struct {
			Column, Bucket int32
			N              int64
		}
		all, err := pg.Collect(ctx, tx, pgx.RowToStructByPos[found], `SELECT v.n, v.bucket, count(*) FROM (
			SELECT * FROM (`+query+`)`+isCurrent+`) AS c CROSS JOIN LATERAL (VALUES `+strings.Join(values, ", ")+`) AS v(n, bucket)
			WHERE v.bucket IS NOT NULL GROUP BY 1, 2`, append(slices.Clone(r.rows.args), lows, highs)...)
		if err != nil {
			return err
		}
		for _, f := range all {
			fine[f.Column][max(f.Bucket, 1)-1] += f.N
		}
		counts[query] = fine
	}
	for i := range r.report.Columns {
		c := &r.report.Columns[i]
		fillDistribution(c, lows[i], highs[i], counts[r.rows.a][i], counts[r.rows.b][i])
	}
	return nil
}

// fillDistribution computes quantiles and bars from the fine buckets of both targets.
func fillDistribution(c *schemas.ColumnReport, low, high float64, a, b []int64) {
	width := (high - low) / fineBuckets
	for _, side := range []struct {
		p    *schemas.ColumnProfile
		fine []int64
	}{{&c.A, a}, {&c.B, b}} {
		if !side.p.Min.Present {
			continue
		}
		quantile := func(q float64) schemas.Opt[float64] {
			at := low + width*bucketOf(side.fine, q)
			return schemas.Some(min(max(at, side.p.Min.Value), side.p.Max.Value))
		}
		side.p.P05, side.p.P25, side.p.P50 = quantile(0.05), quantile(0.25), quantile(0.5)
		side.p.P75, side.p.P95 = quantile(0.75), quantile(0.95)
	}
	both := make([]int64, len(a))
	for i := range both {
		both[i] = a[i] + b[i]
	}
	first, last := int(bucketOf(both, 0.002)), int(math.Ceil(bucketOf(both, 0.998)))
	if last <= first {
		return
	}
	step := max(1, (last-first+mostBars-1)/mostBars)
	bars := (last - first + step - 1) / step
	c.A.Bars, c.B.Bars = make([]int64, bars), make([]int64, bars)
	for i := range both {
		bar := min(max((i-first)/step, 0), bars-1)
		c.A.Bars[bar] += a[i]
		c.B.Bars[bar] += b[i]
	}
	for i := range bars + 1 {
		c.Edges = append(c.Edges, low+width*float64(first+i*step))
	}
}

// bucketOf returns where a quantile is, in buckets from the first one's lower bound.
func bucketOf(fine []int64, q float64) float64 {
	total := int64(0)
	for _, n := range fine {
		total += n
	}
	want, before := q*float64(total), 0.0
	for i, n := range fine {
		if n > 0 && before+float64(n) >= want {
			return float64(i) + (want-before)/float64(n)
		}
		before += float64(n)
	}
	return 0
}

// transitions counts the changes of words and truths.
func (r *reporter) transitions(ctx context.Context, tx *pg.Tx) (err error) {
	var values []string
	for _, w := range r.words {
		const line = "('%[1]s', coalesce(a.%[1]s::text, ''), coalesce(b.%[1]s::text, ''))"
		values = append(values, fmt.Sprintf(line, w.Name))
	}
	r.report.Transitions, err = pg.Collect(ctx, tx, pgx.RowToStructByPos[schemas.Transition],
		`SELECT v.name, v.before, v.after, count(*)`+r.rows.joined()+` CROSS JOIN LATERAL (VALUES `+strings.Join(values, ", ")+`) AS v(name, before, after)
		WHERE `+inBoth+` AND v.before <> v.after GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT `+fmt.Sprint(mostTransitions), r.rows.args...)
	return err
}

// deviation returns the size by which changes of a measure are scaled.
func (r *reporter) deviation(i int) float64 {
	if sd := r.report.Columns[i].A.SD; sd.Present && sd.Value > 0 {
		return sd.Value
	}
	return 1
}

// isNew reports whether A has no value of a measure, as where a newer core computes it.
func (r *reporter) isNew(i int) bool {
	a := r.report.Columns[i].A
	return a.Missing == a.Rows
}

// pitches finds those that changed most. Values of new columns are no change.
func (r *reporter) pitches(ctx context.Context, tx *pg.Tx) error {
	scores := []string{"0"}
	for i, m := range r.measures {
		if r.isNew(i) {
			continue
		}
		scores = append(scores, fmt.Sprintf(`CASE WHEN a.%[1]s IS NULL <> (b.%[1]s IS NULL) THEN 3 ELSE coalesce(least(abs(b.%[1]s::float8 - a.%[1]s) / %[2]g, 10), 0) END`,
			m.Name, r.deviation(i)))
	}
	for _, w := range r.words {
		scores = append(scores, fmt.Sprintf("CASE WHEN a.%[1]s IS DISTINCT FROM b.%[1]s THEN 3 ELSE 0 END", w.Name))
	}
	type found struct {
		Change schemas.PitchChange
		A, B   map[string]any
	}
	sql := `WITH most AS MATERIALIZED (SELECT pitch_id AS id, ` + strings.Join(scores, " + ") + ` AS score` + r.rows.joined() + `
			WHERE ` + inBoth + ` AND (` + r.changed + `) ORDER BY score DESC, pitch_id LIMIT ` + fmt.Sprint(mostPitches) + `)
		SELECT most.id::text, coalesce(b.game_pk, ''), coalesce(b.game_date::text, ''), coalesce(b.venue, ''), most.score, to_jsonb(a)::text, to_jsonb(b)::text
		FROM most JOIN LATERAL (SELECT * FROM (` + r.rows.a + `) x WHERE x.pitch_id = most.id) a ON true
		JOIN LATERAL (SELECT * FROM (` + r.rows.b + `) x WHERE x.pitch_id = most.id) b ON true ORDER BY most.score DESC, most.id`
	all, err := pg.Collect(ctx, tx, func(row pgx.CollectableRow) (f found, err error) {
		var a, b string
		c := &f.Change
		err = row.Scan(&c.PitchID, &c.GamePK, &c.Date, &c.Venue, &c.Score, &a, &b)
		if err == nil {
			err = json.Unmarshal([]byte(a), &f.A)
		}
		if err == nil {
			err = json.Unmarshal([]byte(b), &f.B)
		}
		return f, err
	}, sql, r.rows.args...)
	for _, f := range all {
		f.Change.Values = r.values(f.A, f.B)
		r.report.Pitches = append(r.report.Pitches, f.Change)
	}
	return err
}

// values returns the values that changed most between two registers.
func (r *reporter) values(a, b map[string]any) []schemas.ValueChange {
	type scored struct {
		change schemas.ValueChange
		score  float64
	}
	var all []scored
	add := func(column string, score float64) {
		text := func(v any) string {
			if v == nil {
				return ""
			}
			return fmt.Sprint(v)
		}
		if va, vb := text(a[column]), text(b[column]); va != vb {
			all = append(all, scored{schemas.ValueChange{Column: column, A: va, B: vb}, score})
		}
	}
	for i, m := range r.measures {
		if r.isNew(i) {
			continue
		}
		x, hasX := a[m.Name].(float64)
		y, hasY := b[m.Name].(float64)
		score := 3.0
		if hasX && hasY {
			score = math.Abs(y-x) / r.deviation(i)
		}
		add(m.Name, score)
	}
	for _, w := range r.words {
		add(w.Name, 3)
	}
	slices.SortStableFunc(all, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	all = all[:min(len(all), mostValues)]
	return schemas.Map(all, func(s scored) schemas.ValueChange { return s.change })
}

// places finds the games and venues in which the greatest share of the pitches changed.
func (r *reporter) places(ctx context.Context, tx *pg.Tx) (err error) {
	var means []string
	for _, m := range r.measures {
		means = append(means, fmt.Sprintf("avg(b.%[1]s::float8 - a.%[1]s) FILTER (WHERE "+inBoth+")", m.Name))
	}
	find := func(name, venue, date string) ([]schemas.PlaceReport, error) {
		sql := `SELECT name, venue, game_date, of_both, changed, only_a, only_b, means FROM (
			SELECT coalesce(b.` + name + `, a.` + name + `, '') AS name, ` + venue + ` AS venue, ` + date + ` AS game_date,
				count(*) FILTER (WHERE ` + inBoth + `) AS of_both, count(*) FILTER (WHERE ` + inBoth + ` AND (` + r.changed + `)) AS changed,
				count(*) FILTER (WHERE ` + inOnlyA + `) AS only_a, count(*) FILTER (WHERE ` + inOnlyB + `) AS only_b,
				ARRAY[` + strings.Join(means, ", ") + `]::float8[] AS means` + r.rows.joined() + ` GROUP BY 1) AS p
			WHERE changed + only_a + only_b > 0
			ORDER BY (changed + only_a + only_b)::float8 / (of_both + only_a + only_b) DESC, changed DESC, name LIMIT ` + fmt.Sprint(mostPlaces)
		return pg.Collect(ctx, tx, func(row pgx.CollectableRow) (p schemas.PlaceReport, err error) {
			var means []*float64
			err = row.Scan(&p.Name, &p.Venue, &p.Date, &p.Both, &p.Changed, &p.OnlyA, &p.OnlyB, &means)
			most := 0.0
			for i, mean := range means {
				if mean != nil && math.Abs(*mean)/r.deviation(i) > most {
					most = math.Abs(*mean) / r.deviation(i)
					p.Column, p.MeanChange = r.measures[i].Name, *mean
				}
			}
			return p, err
		}, sql, r.rows.args...)
	}
	r.report.Games, err = find("game_pk", "coalesce(min(b.venue), min(a.venue), '')",
		"coalesce(min(b.game_date)::text, min(a.game_date)::text, '')")
	if err != nil {
		return err
	}
	r.report.Venues, err = find("venue", "''", "''")
	return err
}
