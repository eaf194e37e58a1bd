package pgbooks

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// BeginReplay notes a replay, with the parts that it is to read. One that is noted already stays as it is.
func (b *Books) BeginReplay(ctx context.Context, r schemas.ReplayState) error {
	err := pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error {
		done, err := tx.Exec(ctx, `INSERT INTO replays (id, spec, consumer_group, build) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, r.ID, r.Spec, r.Group, b.cfg.Build)
		if err != nil || done.RowsAffected() == 0 {
			return err
		}
		for _, p := range r.Parts {
			if _, err := tx.Exec(ctx, `INSERT INTO replay_progress (replay_id, partition, first_offset, end_offset, next_offset) VALUES ($1, $2, $3, $4, $3)`,
				r.ID, p.Partition, p.From, p.To); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("postgres: replay: %w", pg.HideSecret(err))
	}
	return nil
}

// FinishReplay notes that a replay has reached its end.
func (b *Books) FinishReplay(ctx context.Context, id string) error {
	if _, err := b.pool.Exec(ctx, `UPDATE replays SET finished_at = coalesce(finished_at, now()) WHERE id = $1`, id); err != nil {
		return fmt.Errorf("postgres: replay: %w", pg.HideSecret(err))
	}
	return nil
}

// Replay answers the replay of this name; nil: there is none.
func (b *Books) Replay(ctx context.Context, id string) (*schemas.ReplayState, error) {
	return b.replay(ctx, `SELECT id, spec, consumer_group, finished_at IS NOT NULL FROM replays WHERE id = $1`, id)
}

// UnfinishedReplay answers the newest replay for which this was asked and that has not reached its end; nil: there is none.
func (b *Books) UnfinishedReplay(ctx context.Context, spec string) (*schemas.ReplayState, error) {
	return b.replay(ctx, `SELECT id, spec, consumer_group, false FROM replays WHERE spec = $1 AND finished_at IS NULL ORDER BY started_at DESC LIMIT 1`, spec)
}

func (b *Books) replay(ctx context.Context, sql, arg string) (*schemas.ReplayState, error) {
	var r schemas.ReplayState
	err := b.pool.QueryRow(ctx, sql, arg).Scan(&r.ID, &r.Spec, &r.Group, &r.Finished)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		var rows pgx.Rows
		if rows, err = b.pool.Query(ctx, `SELECT partition, first_offset, end_offset, next_offset, records, rows, deletes, ids, letters, superseded, duplicates
			FROM replay_progress WHERE replay_id = $1 ORDER BY partition`, r.ID); err == nil {
			r.Parts, err = pgx.CollectRows(rows, scanReplayPart)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: replay: %w", pg.HideSecret(err))
	}
	return &r, nil
}

func scanReplayPart(row pgx.CollectableRow) (p schemas.ReplayPart, err error) {
	return p, row.Scan(&p.Partition, &p.From, &p.To, &p.Next, &p.Records, &p.Rows, &p.Deletes, &p.IDs, &p.Letters, &p.Superseded, &p.Duplicates)
}
