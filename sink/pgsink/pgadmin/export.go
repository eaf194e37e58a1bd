package pgadmin

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Export is a snapshot of all pitches at one moment: later writes do not show in its answers. It holds one
// connection and no locks. It is not safe for use by several goroutines.
type Export struct {
	conn *pgx.Conn
	tx   pgx.Tx
}

// Day is a game date and the number of its current pitches.
type Day struct {
	Date    schemas.Text // YYYY-MM-DD; "": pitches without a date
	Pitches int64
}

// OpenExport connects and takes the snapshot. Close must be called.
func OpenExport(ctx context.Context, cfg pg.Config) (*Export, error) {
	pc, err := cfg.PoolConfig("pitchstream export")
	if err != nil {
		return nil, err
	}
	// The snapshot must last while the caller waits for a slow disk.
	pc.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	conn, err := pgx.ConnectConfig(ctx, pc.ConnConfig)
	if err != nil {
		return nil, pg.Wrap("export", err)
	}
	e := &Export{conn: conn}
	// guard: export: all of one moment | IsoLevel: pgx.RepeatableRead, ->
	e.tx, err = conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		e.Close(ctx)
		return nil, pg.Wrap("export", err)
	}
	return e, nil
}

// Close ends the snapshot and closes the connection.
func (e *Export) Close(ctx context.Context) { _ = e.conn.Close(context.WithoutCancel(ctx)) }

// Days returns the dates from from to to (YYYY-MM-DD, "" for no limit) that have pitches, sorted. Pitches
// without a date come last, whatever the limits are.
func (e *Export) Days(ctx context.Context, from, to schemas.Text) ([]Day, error) {
	days, err := pg.Collect(ctx, e.tx, func(row pgx.CollectableRow) (d Day, err error) {
		err = row.Scan(pg.Text(&d.Date), &d.Pitches)
		return d, err
	}, `SELECT game_date::text, count(*) FROM pitches
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
	rows, err := e.tx.Query(ctx, `SELECT `+pg.RowColumns+` FROM pitches WHERE pitches.game_date = ANY ($1::date[]) OR $2 AND pitches.game_date IS NULL
		ORDER BY pitches.game_date, event_time, pitch_id`, dates, undated)
	if err != nil {
		return pg.Wrap("pitches", err)
	}
	defer rows.Close()
	for rows.Next() {
		row, err := pg.ScanRow(rows)
		if err != nil {
			return pg.Wrap("pitches", err)
		}
		if err := yield(&row); err != nil {
			return err
		}
	}
	return pg.Wrap("pitches", rows.Err())
}
