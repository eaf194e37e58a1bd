package pgbooks

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Bounds of a comparison.
const (
	comparedPitches = 1_000_000 // the newest: a season has 700,000
	comparedLabels  = 20_000    // pairs of labels: a model has at most 100
	changedPitches  = 20
)

// ErrNotCompared reports that two versions do not score the same rows.
var ErrNotCompared = errors.New("a shadow is compared with the live version: " +
	"have both score the stream with `pitchstream model promote NAME VERSION [--shadow]`")

// sqlCompared are the newest $4 pitches with the scores of the model $1 by its live version $2 and by its
// shadow $3. A score that the live version has not given is that of a version before, and is not compared.
// guard: models: the live side of a comparison is of the live version | AND l.version = $2 ->  AND $2::int > 0
const sqlCompared = `
	WITH newest AS (SELECT pitch_id, event_time FROM {schema}.pitches ORDER BY event_time DESC LIMIT $4),
	scored AS (
		SELECT n.pitch_id, n.event_time, l.pitch_id IS NOT NULL AS a, s.pitch_id IS NOT NULL AS b, {pairs}
		FROM newest n
			LEFT JOIN {schema}.score_registers l ON l.pitch_id = n.pitch_id AND l.model = $1 AND l.version = $2 AND l.is_current
			LEFT JOIN {schema}.shadow_registers s ON s.pitch_id = n.pitch_id AND s.model = $1 AND s.version = $3 AND s.is_current),
	compared AS (SELECT * FROM scored WHERE a AND b)
	`

var comparedNumbers = []string{"value", "margin", "p_value", "shift"}

func compared(sql string) string {
	pairs := "l.label AS label_a, s.label AS label_b"
	for _, c := range comparedNumbers {
		pairs += fmt.Sprintf(", l.%[1]s AS %[1]s_a, s.%[1]s AS %[1]s_b", c)
	}
	return strings.ReplaceAll(sqlCompared, "{pairs}", pairs) + sql
}

const sqlChanged = `SELECT pitch_id, event_time, label_a, label_b, value_a, value_b FROM compared
	WHERE label_a IS DISTINCT FROM label_b OR value_a IS DISTINCT FROM value_b
	ORDER BY label_a IS DISTINCT FROM label_b DESC, abs(value_a - value_b) DESC NULLS FIRST, pitch_id LIMIT $5`

// Compare compares the scores of a shadow with those of the live version, as of one moment.
func (m Models) Compare(
	ctx context.Context, name string, shadow int32,
) (c schemas.ScoreComparison, err error) {
	c = schemas.ScoreComparison{Model: name, Shadow: shadow}
	err = m.db.InSnapshot(ctx, func(tx *pg.Tx) error {
		// guard: models: a version that scores nothing any more is not compared | AND s.state = 'shadow' ->
		err := pg.ScanOne(ctx, tx, []any{&c.Live, &c.Kind}, `
			SELECT l.version, l.kind FROM {schema}.models l JOIN {schema}.models s ON s.name = l.name
			WHERE l.name = $1 AND l.state = 'live' AND s.version = $2 AND s.state = 'shadow'`, name, shadow)
		if errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("%s %d: %w", name, shadow, ErrNotCompared)
		}
		if err != nil {
			return err
		}
		args := []any{name, c.Live, shadow, comparedPitches}
		return errors.Join(compareNumbers(ctx, tx, &c, args), compareLabels(ctx, tx, &c, args),
			compareChanged(ctx, tx, &c, args))
	})
	return c, pg.Wrap("compare scores", err)
}

func compareNumbers(ctx context.Context, tx *pg.Tx, c *schemas.ScoreComparison, args []any) error {
	var from, to schemas.TimeMS
	sql := `SELECT count(*), count(*) FILTER (WHERE a AND b), count(*) FILTER (WHERE a AND NOT b), count(*) FILTER (WHERE b AND NOT a),
		coalesce(min(event_time) FILTER (WHERE a AND b), to_timestamp(0)), coalesce(max(event_time) FILTER (WHERE a AND b), to_timestamp(0))`
	into := []any{&c.Read, &c.Rows, &c.LiveOnly, &c.ShadowOnly, pg.Time(&from), pg.Time(&to)}
	c.Columns = make([]schemas.ScoreShift, len(comparedNumbers))
	for i, name := range comparedNumbers {
		s := &c.Columns[i]
		s.Column = name
		sql += strings.ReplaceAll(`, count(*) FILTER (WHERE a AND b AND {c}_a IS NOT NULL AND {c}_b IS NOT NULL),
			count(*) FILTER (WHERE a AND b AND {c}_a IS NOT NULL AND {c}_b IS NULL),
			count(*) FILTER (WHERE a AND b AND {c}_a IS NULL AND {c}_b IS NOT NULL), corr({c}_a, {c}_b),
			avg({c}_a) FILTER (WHERE {c}_b IS NOT NULL), avg({c}_b) FILTER (WHERE {c}_a IS NOT NULL),
			avg({c}_b - {c}_a), max(abs({c}_b - {c}_a))`, "{c}", name)
		into = append(into, &s.Rows, &s.LiveOnly, &s.ShadowOnly, pg.Float(&s.Correlation), pg.Float(&s.Live),
			pg.Float(&s.Shadow), pg.Float(&s.Shift), pg.Float(&s.Most))
	}
	if err := pg.ScanOne(ctx, tx, into, compared(sql+` FROM scored`), args...); err != nil {
		return err
	}
	if c.Rows > 0 {
		c.From, c.To = schemas.Some(from), schemas.Some(to)
	}
	return nil
}

func compareLabels(ctx context.Context, tx *pg.Tx, c *schemas.ScoreComparison, args []any) (err error) {
	c.Labels, err = pg.Collect(ctx, tx, func(row pgx.CollectableRow) (p schemas.LabelPair, err error) {
		err = row.Scan(pg.Text(&p.Live), pg.Text(&p.Shadow), &p.Rows)
		return p, err
	}, compared(`SELECT label_a, label_b, count(*) FROM compared WHERE label_a IS NOT NULL OR label_b IS NOT NULL
		GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT $5`), append(args, comparedLabels)...)
	return err
}

func compareChanged(ctx context.Context, tx *pg.Tx, c *schemas.ScoreComparison, args []any) (err error) {
	c.Changed, err = pg.Collect(ctx, tx, func(row pgx.CollectableRow) (p schemas.ChangedScore, err error) {
		err = row.Scan((*[16]byte)(&p.PitchID), pg.Time(&p.EventTime), pg.Text(&p.LiveLabel),
			pg.Text(&p.ShadowLabel), pg.Float(&p.LiveValue), pg.Float(&p.ShadowValue))
		return p, err
	}, compared(sqlChanged), append(args, changedPitches)...)
	return err
}
