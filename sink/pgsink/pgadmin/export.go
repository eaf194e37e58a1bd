package pgadmin

import (
	"cmp"
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Export is a snapshot of all pitches at one moment: later writes do not show in its answers. It holds one
// connection and no locks. It is not safe for use by several goroutines.
type Export struct {
	db  *pg.DB
	tx  *pg.Tx
	end func() // ends tx
}

// Day is a game date and the number of its current pitches.
type Day struct {
	Date    schemas.Text // YYYY-MM-DD; "": pitches without a date
	Pitches int64
}

// OpenExport connects and takes the snapshot. Close must be called.
func OpenExport(ctx context.Context, cfg pg.Config) (*Export, error) {
	db, err := pg.OpenReader(cfg, "pitchstream export", 0)
	if err != nil {
		return nil, err
	}
	tx, end, err := db.Snapshot(ctx)
	if err != nil {
		db.Pool.Close()
		return nil, pg.Wrap("export", err)
	}
	return &Export{db, tx, end}, nil
}

// Close ends the snapshot and closes the connection.
func (e *Export) Close() {
	e.end()
	e.db.Pool.Close()
}

// Days returns the dates from from to to (YYYY-MM-DD, "" for no limit) that have pitches, sorted. Pitches
// without a date come last, whatever the limits are.
func (e *Export) Days(ctx context.Context, from, to schemas.Text) ([]Day, error) {
	days, err := pg.Collect(ctx, e.tx, func(row pgx.CollectableRow) (d Day, err error) {
		err = row.Scan(pg.Date(&d.Date), &d.Pitches)
		return d, err
	}, `SELECT game_date, count(*) FROM {schema}.pitches
		WHERE game_date IS NULL OR game_date BETWEEN coalesce(nullif($1, '')::date, '-infinity') AND coalesce(nullif($2, '')::date, 'infinity')
		GROUP BY game_date ORDER BY game_date`, string(from), string(to))
	return days, pg.Wrap("days", err)
}

// Rows calls yield with the rows of these days, sorted by date and event time, one at a time as they arrive
// from the server. It returns the first error of yield.
func (e *Export) Rows(ctx context.Context, days []Day, yield func(*schemas.StoredRow) error) error {
	dates := []string{}
	undated := false
	for _, d := range days {
		if d.Date == "" {
			undated = true
		} else {
			dates = append(dates, string(d.Date))
		}
	}
	b := &pgx.Batch{}
	var given error
	b.Queue(`SELECT `+pg.RowColumns+` FROM {schema}.pitches WHERE pitches.game_date = ANY ($1::date[]) OR $2 AND pitches.game_date IS NULL
		ORDER BY pitches.game_date, event_time, pitch_id`, dates, undated).Query(func(rows pgx.Rows) error {
		return pg.Each(rows, func() error {
			row, err := pg.ScanRow(rows)
			if err == nil {
				given = yield(&row)
			}
			return cmp.Or(err, given)
		})
	})
	err := e.tx.Run(ctx, b)
	return cmp.Or(given, pg.Wrap("pitches", err))
}
