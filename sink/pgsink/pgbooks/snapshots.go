package pgbooks

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// BatterSeqs answers every batter ever seen, by id, with the sequence number of his present state.
func (b *Books) BatterSeqs(ctx context.Context) ([]schemas.BatterSeq, error) {
	rows, err := b.pool.Query(ctx, `SELECT batter_id, seq, pitches > 0 FROM batter_totals ORDER BY batter_id`)
	if err != nil {
		return nil, fmt.Errorf("postgres: batters: %w", pg.HideSecret(err))
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (seq schemas.BatterSeq, err error) {
		return seq, row.Scan(&seq.BatterID, &seq.Seq, &seq.Standing)
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: batters: %w", pg.HideSecret(err))
	}
	return out, nil
}

// BatterSnapshots answers the whole present state of some batters, every game of theirs (those without rows any more
// with nil Stats), as of one moment. PrevSeq is 0: such a snapshot follows on nothing.
func (b *Books) BatterSnapshots(ctx context.Context, ids []int64) ([]schemas.Snapshot, error) {
	var out []schemas.Snapshot
	at := map[int64]int{}
	err := pgx.BeginTxFunc(ctx, b.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(sqlAllBatters, ids).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				var snap schemas.Snapshot
				var prev int64
				var updated time.Time
				var st pg.StatsRow
				if err := rows.Scan(append(st.Into(&snap.BatterID, &snap.Seq, &prev), &updated)...); err != nil {
					return err
				}
				snap.Stats, snap.UpdatedAt = st.Stats(), schemas.TimeMSOf(updated)
				at[snap.BatterID] = len(out)
				out = append(out, snap)
			}
			return rows.Err()
		})
		batch.Queue(sqlAllGames, ids).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				var batter int64
				var g schemas.GameStats
				var st pg.StatsRow
				if err := rows.Scan(st.Into(&batter, &g.GamePK, &g.Seq)...); err != nil {
					return err
				}
				if g.GamePK != "" {
					g.Stats = st.Stats()
					out[at[batter]].Games = append(out[at[batter]].Games, g)
				}
			}
			return rows.Err()
		})
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: snapshots: %w", pg.HideSecret(err))
	}
	return out, nil
}

// AppliedPositions answers the stored positions of the group, every topic and partition.
func (b *Books) AppliedPositions(ctx context.Context) ([]schemas.Position, error) {
	rows, err := b.pool.Query(ctx, `SELECT topic, partition, next_offset FROM stream_positions WHERE consumer_group = $1 ORDER BY 1, 2`, b.cfg.Group)
	if err != nil {
		return nil, fmt.Errorf("postgres: positions: %w", pg.HideSecret(err))
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[schemas.Position])
	if err != nil {
		return nil, fmt.Errorf("postgres: positions: %w", pg.HideSecret(err))
	}
	return out, nil
}

// TryLock takes the named advisory lock of this schema on a connection of its own; ok is false while another process
// has it. The lock ends with release, or with the connection.
func (b *Books) TryLock(ctx context.Context, name string) (release func(), ok bool, err error) {
	conn, err := b.pool.Acquire(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("postgres: lock: %w", pg.HideSecret(err))
	}
	key := pg.LockKey(b.cfg.Schema, name)
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, key).Scan(&ok); err != nil || !ok {
		conn.Release()
		if err != nil {
			err = fmt.Errorf("postgres: lock: %w", pg.HideSecret(err))
		}
		return nil, false, err
	}
	return func() {
		unlock, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, err := conn.Exec(unlock, `SELECT pg_advisory_unlock($1)`, key); err != nil {
			_ = conn.Conn().Close(unlock) // the lock goes with its connection
		}
		conn.Release()
	}, true, nil
}

// Rows returns every current row, sorted by pitch. It reads them all into memory: for tests and small schemas.
func (b *Books) Rows(ctx context.Context) ([]schemas.StoredRow, error) {
	rows, err := b.pool.Query(ctx, `SELECT `+pg.RowColumns+` FROM pitches ORDER BY pitch_id`)
	if err != nil {
		return nil, fmt.Errorf("postgres: rows: %w", pg.HideSecret(err))
	}
	defer rows.Close()
	var out []schemas.StoredRow
	for rows.Next() {
		r, err := pg.ScanRow(rows)
		if err != nil {
			return nil, fmt.Errorf("postgres: rows: %w", err)
		}
		out = append(out, *r)
	}
	return out, rows.Err()
}
