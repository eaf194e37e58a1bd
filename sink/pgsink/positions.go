package pgsink

// The position of a partition is the offset below which every record is in the store. It moves in the
// transaction of the batch, so that a crash never separates the two.
//
// A partition's new owner reads from the stored positions and sends with each batch the positions that it
// expects. A stored position below the expected one means that the database came back from an older backup:
// the records between would be lost. Then the batch is refused with schemas.ErrPositionBehind, and the owner
// reads again from the stored position. A stored position above is harmless, because the versions of
// registers make reprocessing safe. A position never moves back.

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

var sqlEnsurePositions = statement("ensure_positions")

// EnsurePositions returns the stored position of each partition in start, in that order. It stores the given
// position of a partition that has none. A partition's new owner calls it before it reads.
func (s *Sink) EnsurePositions(ctx context.Context, start []schemas.Position) ([]schemas.Position, error) {
	moves := pg.Column(start, func(p schemas.Position) schemas.PositionMove {
		return schemas.PositionMove{Position: p}
	})
	found, err := pg.Collect(ctx, s.db, pgx.RowToStructByPos[schemas.Position],
		sqlEnsurePositions, positionArrays(s.cfg.Group, moves)[:4]...)
	if err != nil {
		return nil, pg.Wrap("positions", err)
	}
	type key struct {
		topic     string
		partition int32
	}
	stored := map[key]schemas.Position{}
	for _, p := range found {
		stored[key{p.Topic, p.Partition}] = p
	}
	return pg.Column(start, func(p schemas.Position) schemas.Position {
		return stored[key{p.Topic, p.Partition}]
	}), nil
}

// Positions returns the stored positions of the group in one topic by partition. Partitions without one are
// left out.
func (s *Sink) Positions(ctx context.Context, topic string) (map[int32]int64, error) {
	stored, err := pg.CollectMap[int32, int64](ctx, s.db, `
		SELECT partition, next_offset FROM {schema}.stream_positions WHERE consumer_group = $1 AND topic = $2`, s.cfg.Group, topic)
	return stored, pg.Wrap("positions", err)
}

// SetPosition stores a position over any other, for an operator who accepts a gap in the topic.
func (s *Sink) SetPosition(ctx context.Context, p schemas.Position) error {
	_, err := pg.Exec(ctx, s.db, `INSERT INTO {schema}.stream_positions (consumer_group, topic, partition, next_offset) VALUES ($1, $2, $3, $4)
		ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET next_offset = excluded.next_offset, updated_at = now()`,
		s.cfg.Group, p.Topic, p.Partition, p.NextOffset)
	return pg.Wrap("position", err)
}
