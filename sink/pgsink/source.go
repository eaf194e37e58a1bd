package pgsink

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
)

// BatterSeqs answers every batter ever seen, by id, with the sequence number of his present state.
func (s *Sink) BatterSeqs(ctx context.Context) ([]schemas.BatterSeq, error) {
	rows, err := s.pool.Query(ctx, `SELECT batter_id, seq, pitches > 0 FROM batter_totals ORDER BY batter_id`)
	if err != nil {
		return nil, fmt.Errorf("postgres: batters: %w", hideSecret(err))
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (b schemas.BatterSeq, err error) {
		return b, row.Scan(&b.BatterID, &b.Seq, &b.Standing)
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: batters: %w", hideSecret(err))
	}
	return out, nil
}

// BatterSnapshots answers the whole present state of some batters, every game of theirs (those without rows any more
// with nil Stats), as of one moment. PrevSeq is 0: such a snapshot follows on nothing.
func (s *Sink) BatterSnapshots(ctx context.Context, ids []int64) ([]schemas.Snapshot, error) {
	var out []schemas.Snapshot
	at := map[int64]int{}
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue(sqlAllBatters, ids).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				var snap schemas.Snapshot
				var prev int64
				var updated time.Time
				var st statsRow
				if err := rows.Scan(append(st.into(&snap.BatterID, &snap.Seq, &prev), &updated)...); err != nil {
					return err
				}
				snap.Stats, snap.UpdatedAt = st.stats(), schemas.TimeMSOf(updated)
				at[snap.BatterID] = len(out)
				out = append(out, snap)
			}
			return rows.Err()
		})
		b.Queue(sqlAllGames, ids).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				var batter int64
				var g schemas.GameStats
				var st statsRow
				if err := rows.Scan(st.into(&batter, &g.GamePK, &g.Seq)...); err != nil {
					return err
				}
				if g.GamePK != "" {
					g.Stats = st.stats()
					out[at[batter]].Games = append(out[at[batter]].Games, g)
				}
			}
			return rows.Err()
		})
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: snapshots: %w", hideSecret(err))
	}
	return out, nil
}

// AppliedPositions answers the stored positions of the group, every topic and partition.
func (s *Sink) AppliedPositions(ctx context.Context) ([]schemas.Position, error) {
	rows, err := s.pool.Query(ctx, `SELECT topic, partition, next_offset FROM stream_positions WHERE consumer_group = $1 ORDER BY 1, 2`, s.cfg.Group)
	if err != nil {
		return nil, fmt.Errorf("postgres: positions: %w", hideSecret(err))
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[schemas.Position])
	if err != nil {
		return nil, fmt.Errorf("postgres: positions: %w", hideSecret(err))
	}
	return out, nil
}

// TryLock takes the named advisory lock of this schema on a connection of its own; ok is false while another process
// has it. The lock ends with release, or with the connection.
func (s *Sink) TryLock(ctx context.Context, name string) (release func(), ok bool, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("postgres: lock: %w", hideSecret(err))
	}
	key := lockKey(s.cfg.Schema, name)
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, key).Scan(&ok); err != nil || !ok {
		conn.Release()
		if err != nil {
			err = fmt.Errorf("postgres: lock: %w", hideSecret(err))
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

func lockKey(schema, name string) int64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "pitchstream/%s/%s", schema, name)
	return int64(h.Sum64())
}

// StandingRows answers the rows that stand of some pitches, sorted by pitch.
func (s *Sink) StandingRows(ctx context.Context, ids []schemas.PitchID) ([]schemas.StoredRow, error) {
	raw := make([][16]byte, len(ids))
	for i, id := range ids {
		raw[i] = id
	}
	rows, err := s.pool.Query(ctx, sqlStandingRows, raw)
	if err != nil {
		return nil, fmt.Errorf("postgres: rows: %w", hideSecret(err))
	}
	defer rows.Close()
	var out []schemas.StoredRow
	for rows.Next() {
		r, err := scanRow(rows)
		if err != nil {
			return nil, fmt.Errorf("postgres: rows: %w", err)
		}
		out = append(out, *r)
	}
	return out, rows.Err()
}

// Rows answers every row that stands, sorted by pitch. It reads them all into memory: for tests and small schemas.
func (s *Sink) Rows(ctx context.Context) ([]schemas.StoredRow, error) {
	var ids []schemas.PitchID
	rows, err := s.pool.Query(ctx, `SELECT pitch_id FROM pitches`)
	if err != nil {
		return nil, fmt.Errorf("postgres: rows: %w", hideSecret(err))
	}
	var id [16]byte
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { ids = append(ids, id); return nil }); err != nil {
		return nil, fmt.Errorf("postgres: rows: %w", err)
	}
	return s.StandingRows(ctx, ids)
}
