package pgadmin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

var sqlBackfills = statement("backfills")

// Backfills keeps how far backfills are, beside the list of the targets.
type Backfills struct {
	targets *Targets
	db      *pg.DB
}

// NewBackfills makes Backfills that use the pool of targets.
func NewBackfills(targets *Targets) *Backfills { return &Backfills{targets, targets.db} }

// Ensure makes the tables that are missing.
func (b *Backfills) Ensure(ctx context.Context) error {
	if err := b.targets.Ensure(ctx); err != nil {
		return err
	}
	return b.targets.change(ctx, "backfills", func(tx *pg.Tx) error {
		if there, err := b.targets.exists(ctx, tx, "backfill_audit"); err != nil || there {
			return err
		}
		if err := tx.Script(ctx, b.targets.sql(sqlBackfills)); err != nil {
			return err
		}
		return copyRights(ctx, tx, b.targets.live, b.targets.serving, true)
	})
}

// Find returns a backfill with its batches, nil if it was not begun.
func (b *Backfills) Find(
	ctx context.Context, name string,
) (found *schemas.Backfill, batches []schemas.BackfillBatch, err error) {
	list, err := pg.Collect(ctx, b.db, pgx.RowToStructByPos[schemas.Backfill], b.targets.sql(
		`SELECT name, target, sha256, started_at, by FROM {serving}.backfills WHERE name = $1`), name)
	if pg.IsMissing(err) || err == nil && len(list) == 0 {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, pg.Wrap("backfill "+name, err)
	}
	batches, err = pg.Collect(ctx, b.db, func(row pgx.CollectableRow) (batch schemas.BackfillBatch, err error) {
		var text string
		if err = row.Scan(&text); err == nil {
			err = json.Unmarshal([]byte(text), &batch)
		}
		return batch, err
	}, b.targets.sql(`SELECT batch::text FROM {serving}.backfill_batches WHERE backfill = $1 ORDER BY number`), name)
	return &list[0], batches, pg.Wrap("backfill "+name, err)
}

// Begin stores a backfill with its batches.
func (b *Backfills) Begin(ctx context.Context, f schemas.Backfill, batches []schemas.BackfillBatch) error {
	return pg.Wrap("backfill "+f.Name, b.db.InTx(ctx, func(tx *pg.Tx) error {
		_, err := pg.Exec(ctx, tx, b.targets.sql(`INSERT INTO {serving}.backfills (name, target, sha256, by) VALUES ($1, $2, $3, $4)`),
			f.Name, f.Target, f.SHA256, f.By)
		for _, batch := range batches {
			if err == nil {
				err = b.save(ctx, tx, f.Name, batch)
			}
		}
		if err != nil {
			return err
		}
		return b.note(ctx, tx, f.Name, schemas.BackfillEvent{
			By: f.By, Action: "planned", SHA256: f.SHA256, Detail: fmt.Sprintf("%d batches", len(batches)),
		})
	}))
}

// Save stores a batch, and a line of the audit, in one transaction.
func (b *Backfills) Save(
	ctx context.Context, name string, batch schemas.BackfillBatch, event schemas.BackfillEvent,
) error {
	return pg.Wrap("backfill "+name, b.db.InTx(ctx, func(tx *pg.Tx) error {
		if err := b.save(ctx, tx, name, batch); err != nil {
			return err
		}
		return b.note(ctx, tx, name, event)
	}))
}

func (b *Backfills) save(ctx context.Context, tx *pg.Tx, name string, batch schemas.BackfillBatch) error {
	text, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	_, err = pg.Exec(ctx, tx, b.targets.sql(`INSERT INTO {serving}.backfill_batches (backfill, number, state, batch) VALUES ($1, $2, $3, $4::text::jsonb)
		ON CONFLICT (backfill, number) DO UPDATE SET state = excluded.state, batch = excluded.batch, changed_at = clock_timestamp()`),
		name, batch.Number, batch.State, string(text))
	return err
}

func (b *Backfills) note(ctx context.Context, tx *pg.Tx, name string, e schemas.BackfillEvent) error {
	_, err := pg.Exec(ctx, tx, b.targets.sql(`INSERT INTO {serving}.backfill_audit (backfill, by, action, batch, source, sha256, detail)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`), name, e.By, e.Action, e.Batch, e.Source, e.SHA256, e.Detail)
	return err
}

// Audit returns the newest lines of the audit, the newest first, at most most.
func (b *Backfills) Audit(ctx context.Context, name string, most int) ([]schemas.BackfillEvent, error) {
	list, err := pg.Collect(ctx, b.db, pgx.RowToStructByPos[schemas.BackfillEvent], b.targets.sql(`
		SELECT at, by, role, action, batch, source, sha256, detail FROM {serving}.backfill_audit
		WHERE backfill = $1 ORDER BY id DESC LIMIT $2`), name, most)
	return list, pg.Wrap("backfill "+name, err)
}

// Counts returns what became of the records of the replays into a schema that begin and end at two places.
// With reading 0 they count together, because only one from a position finds records. Otherwise only the
// replay with this number counts, from 1. isRead reports whether it is at its end.
func (b *Backfills) Counts(
	ctx context.Context, schema, from, to string, reading int,
) (c schemas.ReplayCounts, isRead bool, err error) {
	into := []any{
		&c.Records, &c.Rows, &c.Deletes, &c.IDs, &c.Letters, &c.Superseded, &c.Duplicates, &isRead,
	}
	err = pg.ScanOne(ctx, b.db, into, `
		SELECT coalesce(sum(records), 0)::bigint, coalesce(sum(rows), 0)::bigint, coalesce(sum(deletes), 0)::bigint, coalesce(sum(ids), 0)::bigint,
			coalesce(sum(letters), 0)::bigint, coalesce(sum(superseded), 0)::bigint, coalesce(sum(duplicates), 0)::bigint,
			coalesce(sum(end_offset - first_offset) > 0 AND sum(next_offset) >= sum(end_offset), false)
		FROM (SELECT id, row_number() OVER (ORDER BY started_at, id) AS number FROM `+pg.Quote(schema)+`.replays
				WHERE spec::jsonb ->> 'from' = $1 AND spec::jsonb ->> 'to' = $2) AS r
			JOIN `+pg.Quote(schema)+`.replay_progress AS p ON p.replay_id = r.id
		WHERE $3::int IN (0, number)`, from, to, reading)
	if pg.IsMissing(err) {
		return c, false, nil
	}
	return c, isRead, pg.Wrap(schema, err)
}

// GamesIn returns which of the games have a current pitch in a schema.
func (b *Backfills) GamesIn(ctx context.Context, schema string, games []string) ([]string, error) {
	found, err := pg.Collect(ctx, b.db, pgx.RowTo[string], `SELECT g FROM unnest($1::text[]) AS g
		WHERE EXISTS (SELECT FROM `+pg.Quote(schema)+`.pitches AS p WHERE p.game_pk = g)`, games)
	return found, pg.Wrap(schema, err)
}

// DatesBetween returns between which game dates the current pitches of a range of offsets are, without the
// outermost hundredths; "" if they have none.
func (b *Backfills) DatesBetween(
	ctx context.Context, schema string, first, end map[int32]int64,
) (from, to string, err error) {
	partitions, firsts, ends := []int32{}, []int64{}, []int64{}
	for p, e := range end {
		partitions, firsts, ends = append(partitions, p), append(firsts, first[p]), append(ends, e)
	}
	err = pg.ScanOne(ctx, b.db, []any{&from, &to}, `SELECT coalesce(percentile_disc(0.01) WITHIN GROUP (ORDER BY game_date)::text, ''),
			coalesce(percentile_disc(0.99) WITHIN GROUP (ORDER BY game_date)::text, '')
		FROM `+pg.Quote(schema)+`.pitches AS p JOIN unnest($1::int[], $2::bigint[], $3::bigint[]) AS u(partition, first, next)
			ON p.source_partition = u.partition AND p.source_offset >= u.first AND p.source_offset < u.next`, partitions, firsts, ends)
	return from, to, pg.Wrap(schema, err)
}

// Shifts compares the measures of the pitches between two dates with those of all dates before. It returns
// none if there are no pitches before.
func (b *Backfills) Shifts(
	ctx context.Context, schema, from, to string,
) (shifts []schemas.ColumnShift, err error) {
	const before, batch = "game_date < $1::text::date", "game_date BETWEEN $1::text::date AND $2::text::date"
	isNone := func(c schemas.Column) bool { return !isMeasure(c) }
	measures := slices.DeleteFunc(slices.Clone(schemas.RowColumns), isNone)
	type side struct {
		n    int64
		mean schemas.Opt[float64]
	}
	found := make([][2]side, len(measures))
	deviations := make([]schemas.Opt[float64], len(measures))
	var rows [2]int64
	parts := []string{"count(*) FILTER (WHERE " + before + ")", "count(*) FILTER (WHERE " + batch + ")"}
	into := []any{&rows[0], &rows[1]}
	for i, m := range measures {
		for j, where := range []string{before, batch} {
			const counted = "count(%[1]s) FILTER (WHERE %[2]s), avg(%[1]s::float8) FILTER (WHERE %[2]s)"
			parts = append(parts, fmt.Sprintf(counted, m.Name, where))
			into = append(into, &found[i][j].n, pg.Float(&found[i][j].mean))
		}
		parts = append(parts, fmt.Sprintf("stddev_samp(%s::float8) FILTER (WHERE %s)", m.Name, before))
		into = append(into, pg.Float(&deviations[i]))
	}
	err = b.db.InSnapshot(ctx, func(tx *pg.Tx) error {
		if err := tx.Script(ctx, readWholeTables); err != nil {
			return err
		}
		return pg.ScanOne(ctx, tx, into, `SELECT `+strings.Join(parts, ", ")+` FROM `+pg.Quote(schema)+`.pitches WHERE game_date <= $2::text::date`, from, to)
	})
	if err != nil || rows[0] == 0 {
		return nil, pg.Wrap(schema, err)
	}
	for i, m := range measures {
		was, is := found[i][0], found[i][1]
		d := schemas.ColumnShift{Column: m.Name, Before: was.n, Rows: is.n}
		if sd := deviations[i].Value; sd > 0 && was.mean.Present && is.mean.Present {
			d.Shift = (is.mean.Value - was.mean.Value) / sd
		}
		for j := range rows {
			d.MissingShares[j] = 1 - float64(found[i][j].n)/float64(max(rows[j], 1))
		}
		shifts = append(shifts, d)
	}
	return shifts, nil
}

// ErrBusy means that another process runs the backfill.
var ErrBusy = errors.New("another process runs it")

// Lock keeps other processes from running a backfill, until release.
func (b *Backfills) Lock(ctx context.Context, name string) (release func(), err error) {
	release, ok, err := b.db.TryLock(ctx, "backfill/"+name)
	if err == nil && !ok {
		err = ErrBusy
	}
	return release, pg.Wrap("backfill "+name, err)
}
