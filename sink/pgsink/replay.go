package pgsink

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
)

var sqlCountReplay = statement("count_replay")

// queueReplay counts what becomes of the records of a replay, in the transaction of their rows. The positions are locked
// by now, so an attempt of the same batch that nobody has heard of has been counted, or never will be.
func (t *transaction) queueReplay(b *pgx.Batch) {
	r := t.batch.Replay
	if r == nil || len(r.Records) == 0 {
		return
	}
	took, refused := make(map[schemas.Register]bool, len(t.winners)), map[schemas.Register]bool{}
	for _, w := range t.winners {
		took[schemas.RegisterOf(w.change)] = true
	}
	for i := range t.refused {
		refused[schemas.RegisterOf(&t.refused[i].Change)] = true
	}
	n := len(r.Records)
	partitions, offsets, fates := make([]int32, n), make([]int64, n), make([]int16, n)
	for i, fate := range r.Fates(took, refused) {
		partitions[i], offsets[i], fates[i] = r.Records[i].Partition, r.Records[i].Offset, int16(fate)
	}
	b.Queue(sqlCountReplay, r.ID, partitions, offsets, fates)
}

// BeginReplay notes a replay, with the parts that it is to read. One that is noted already stays as it is.
func (s *Sink) BeginReplay(ctx context.Context, r schemas.ReplayState) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		done, err := tx.Exec(ctx, `INSERT INTO replays (id, spec, consumer_group, build) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, r.ID, r.Spec, r.Group, s.cfg.Build)
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
		return fmt.Errorf("postgres: replay: %w", hideSecret(err))
	}
	return nil
}

// FinishReplay notes that a replay has reached its end.
func (s *Sink) FinishReplay(ctx context.Context, id string) error {
	if _, err := s.pool.Exec(ctx, `UPDATE replays SET finished_at = coalesce(finished_at, now()) WHERE id = $1`, id); err != nil {
		return fmt.Errorf("postgres: replay: %w", hideSecret(err))
	}
	return nil
}

// Replay answers the replay of this name; nil: there is none.
func (s *Sink) Replay(ctx context.Context, id string) (*schemas.ReplayState, error) {
	return s.replay(ctx, `SELECT id, spec, consumer_group, finished_at IS NOT NULL FROM replays WHERE id = $1`, id)
}

// UnfinishedReplay answers the newest replay for which this was asked and that has not reached its end; nil: there is none.
func (s *Sink) UnfinishedReplay(ctx context.Context, spec string) (*schemas.ReplayState, error) {
	return s.replay(ctx, `SELECT id, spec, consumer_group, false FROM replays WHERE spec = $1 AND finished_at IS NULL ORDER BY started_at DESC LIMIT 1`, spec)
}

func (s *Sink) replay(ctx context.Context, sql, arg string) (*schemas.ReplayState, error) {
	var r schemas.ReplayState
	err := s.pool.QueryRow(ctx, sql, arg).Scan(&r.ID, &r.Spec, &r.Group, &r.Finished)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		var rows pgx.Rows
		if rows, err = s.pool.Query(ctx, `SELECT partition, first_offset, end_offset, next_offset, records, rows, deletes, ids, letters, superseded, duplicates
			FROM replay_progress WHERE replay_id = $1 ORDER BY partition`, r.ID); err == nil {
			r.Parts, err = pgx.CollectRows(rows, scanReplayPart)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: replay: %w", hideSecret(err))
	}
	return &r, nil
}

func scanReplayPart(row pgx.CollectableRow) (p schemas.ReplayPart, err error) {
	return p, row.Scan(&p.Partition, &p.From, &p.To, &p.Next, &p.Records, &p.Rows, &p.Deletes, &p.IDs, &p.Letters, &p.Superseded, &p.Duplicates)
}
