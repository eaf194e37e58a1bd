package pgadmin

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Export is one view of all pitches, as they stood at one moment: whatever is written meanwhile, its questions do not see
// it. It holds one connection and no locks. It is not safe for use by several goroutines.
type Export struct {
	conn *pgx.Conn
	tx   pgx.Tx
}

// Day is a game date and how many pitches stand of it.
type Day struct {
	Date    schemas.Text // YYYY-MM-DD; missing: pitches that have no date
	Pitches int64
}

// OpenExport connects and takes the view. Close must be called.
func OpenExport(ctx context.Context, cfg pg.Config) (*Export, error) {
	pc, err := cfg.PoolConfig("pitchstream export")
	if err != nil {
		return nil, err
	}
	// A disk may stand still for a while; the view lasts.
	pc.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	conn, err := pgx.ConnectConfig(ctx, pc.ConnConfig)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", pg.HideSecret(err))
	}
	e := &Export{conn: conn}
	// guard: export: all of one moment | IsoLevel: pgx.RepeatableRead, ->
	if e.tx, err = conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}); err != nil {
		e.Close(ctx)
		return nil, fmt.Errorf("postgres: %w", pg.HideSecret(err))
	}
	return e, nil
}

// Close gives up the view and the connection.
func (e *Export) Close(ctx context.Context) { _ = e.conn.Close(context.WithoutCancel(ctx)) }

// Days are the dates on which pitches stand, sorted, last the one that is missing; none before from or after to, where
// these are given (YYYY-MM-DD).
func (e *Export) Days(ctx context.Context, from, to schemas.Text) ([]Day, error) {
	rows, err := e.tx.Query(ctx, `
		SELECT game_date::text, count(*) FROM pitches
		WHERE ($1::date IS NULL OR game_date >= $1::date OR game_date IS NULL) AND ($2::date IS NULL OR game_date <= $2::date OR game_date IS NULL)
		GROUP BY game_date ORDER BY game_date`, optional(from), optional(to))
	if err != nil {
		return nil, fmt.Errorf("postgres: days: %w", pg.HideSecret(err))
	}
	days, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d Day, err error) {
		var date *string
		err = row.Scan(&date, &d.Pitches)
		d.Date = pg.TextOf(date)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: days: %w", pg.HideSecret(err))
	}
	return days, nil
}

func optional(t schemas.Text) *string {
	if t == "" {
		return nil
	}
	s := string(t)
	return &s
}

// Rows gives the rows of these days to yield, those of a day together, the days in their order, the rows in that of
// their event times; one at a time, as they come from the server, which sorts them. It ends with the error of yield.
func (e *Export) Rows(ctx context.Context, days []Day, yield func(*schemas.StoredRow) error) error {
	dates, undated := []string{}, false
	for _, d := range days {
		if d.Date == "" {
			undated = true
			continue
		}
		dates = append(dates, string(d.Date))
	}
	rows, err := e.tx.Query(ctx, `SELECT `+pg.RowColumns+` FROM pitches WHERE pitches.game_date = ANY ($1::date[]) OR $2 AND pitches.game_date IS NULL
		ORDER BY pitches.game_date, event_time, pitch_id`, dates, undated)
	if err != nil {
		return fmt.Errorf("postgres: pitches: %w", pg.HideSecret(err))
	}
	defer rows.Close()
	for rows.Next() {
		row, err := pg.ScanRow(rows)
		if err != nil {
			return fmt.Errorf("postgres: pitches: %w", err)
		}
		if err := yield(row); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("postgres: pitches: %w", pg.HideSecret(err))
	}
	return nil
}
