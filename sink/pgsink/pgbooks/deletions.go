package pgbooks

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Deletions keeps who deleted which pitch, when and why.
type Deletions struct{ db *pg.DB }

// NewDeletions makes Deletions over a pool that its caller closes.
func NewDeletions(db *pg.DB) Deletions { return Deletions{db} }

// Plan writes deletions that are about to be sent, and returns their lines.
func (b Deletions) Plan(ctx context.Context, all []schemas.Deletion, reason, by string) ([]int64, error) {
	lines, err := pg.Collect(ctx, b.db, pgx.RowTo[int64], `
		INSERT INTO {schema}.deletions (pitch_id, game_pk, revision, is_forced, reason, by)
		SELECT id, nullif(game, ''), revision, forced, $5, $6 FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::boolean[])
			AS d(id, game, revision, forced)
		RETURNING id`,
		schemas.Map(all, func(d schemas.Deletion) [16]byte { return d.PitchID }),
		schemas.Map(all, func(d schemas.Deletion) string { return string(d.GamePK) }),
		schemas.Map(all, func(d schemas.Deletion) int64 { return d.Revision }),
		schemas.Map(all, func(d schemas.Deletion) bool { return d.IsForced }), reason, by)
	return lines, pg.Wrap("deletions", err)
}

// Sent notes that the raw topic has the records of some lines.
func (b Deletions) Sent(ctx context.Context, lines []int64) error {
	_, err := pg.Exec(ctx, b.db, `UPDATE {schema}.deletions SET sent_at = clock_timestamp() WHERE id = ANY ($1::bigint[])`, lines)
	return pg.Wrap("deletions", err)
}
