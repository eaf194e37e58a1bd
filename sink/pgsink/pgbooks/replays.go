package pgbooks

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Replays keeps the replays and their progress.
type Replays struct{ db *pg.DB }

// NewReplays makes Replays over a pool that its caller closes.
func NewReplays(db *pg.DB) Replays { return Replays{db} }

// Begin stores a replay with the parts that it will read. It changes nothing if the replay is stored already.
func (b Replays) Begin(ctx context.Context, r schemas.ReplayState) error {
	return pg.Wrap("replay", b.db.InTx(ctx, func(tx *pg.Tx) error {
		done, err := pg.Exec(ctx, tx, `INSERT INTO {schema}.replays (id, spec, consumer_group, build) VALUES ($1, $2, $3, $4)
			ON CONFLICT DO NOTHING`, r.ID, r.Spec, r.Group, b.db.Config.Build)
		if err != nil || done == 0 {
			return err
		}
		for _, p := range r.Parts {
			_, err := pg.Exec(ctx, tx, `INSERT INTO {schema}.replay_progress (replay_id, partition, first_offset, end_offset, next_offset)
				VALUES ($1, $2, $3, $4, $3)`, r.ID, p.Partition, p.From, p.To)
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// Finish stores that a replay has reached its end.
func (b Replays) Finish(ctx context.Context, id string) error {
	_, err := pg.Exec(ctx, b.db, `UPDATE {schema}.replays SET finished_at = coalesce(finished_at, now()) WHERE id = $1`, id)
	return pg.Wrap("replay", err)
}

// Find returns the replay with this id, nil if there is none.
func (b Replays) Find(ctx context.Context, id string) (*schemas.ReplayState, error) {
	return b.find(ctx, `WHERE id = $1`, id)
}

// Unfinished returns the newest unfinished replay of a range, nil if there is none.
func (b Replays) Unfinished(ctx context.Context, spec string) (*schemas.ReplayState, error) {
	return b.find(ctx, `WHERE spec = $1 AND finished_at IS NULL ORDER BY started_at DESC LIMIT 1`, spec)
}

func (b Replays) find(ctx context.Context, where, arg string) (*schemas.ReplayState, error) {
	var r schemas.ReplayState
	err := pg.ScanOne(ctx, b.db, []any{&r.ID, &r.Spec, &r.Group, &r.Finished},
		`SELECT id, spec, consumer_group, finished_at IS NOT NULL FROM {schema}.replays `+where, arg)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, pg.Wrap("replay", err)
	}
	r.Parts, err = pg.Collect(ctx, b.db, pgx.RowToStructByPos[schemas.ReplayPart], `
		SELECT partition, first_offset, end_offset, next_offset, records, rows, deletes, ids, letters, superseded, duplicates
		FROM {schema}.replay_progress WHERE replay_id = $1 ORDER BY partition`, r.ID)
	return &r, pg.Wrap("replay", err)
}
