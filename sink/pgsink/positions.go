package pgsink

import (
	"context"
	"fmt"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// EnsurePositions answers the stored positions of the group, one for each of the given ones, in their order; one that
// is not stored yet is stored first, as given. It is what a partition's new owner calls before it reads.
func (s *Sink) EnsurePositions(ctx context.Context, start []schemas.Position) ([]schemas.Position, error) {
	moves := make([]schemas.PositionMove, len(start))
	for i, p := range start {
		moves[i].Position = p
	}
	a := positionArrays(moves)
	rows, err := s.pool.Query(ctx, sqlEnsurePositions, s.cfg.Group, a.topics, a.partitions, a.next)
	if err != nil {
		return nil, fmt.Errorf("postgres: positions: %w", pg.HideSecret(err))
	}
	defer rows.Close()
	type key struct {
		topic     string
		partition int32
	}
	stored := map[key]int64{}
	for rows.Next() {
		var k key
		var next int64
		if err := rows.Scan(&k.topic, &k.partition, &next); err != nil {
			return nil, fmt.Errorf("postgres: positions: %w", err)
		}
		stored[k] = next
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("postgres: positions: %w", pg.HideSecret(err))
	}
	out := make([]schemas.Position, len(start))
	for i, p := range start {
		out[i] = schemas.Position{Topic: p.Topic, Partition: p.Partition, NextOffset: stored[key{p.Topic, p.Partition}]}
	}
	return out, nil
}

// Positions answers the stored positions of the group in one topic, by partition: nothing for one that has none.
func (s *Sink) Positions(ctx context.Context, topic string) (map[int32]int64, error) {
	rows, err := s.pool.Query(ctx, `SELECT partition, next_offset FROM stream_positions WHERE consumer_group = $1 AND topic = $2`, s.cfg.Group, topic)
	if err != nil {
		return nil, fmt.Errorf("postgres: positions: %w", pg.HideSecret(err))
	}
	defer rows.Close()
	stored := map[int32]int64{}
	for rows.Next() {
		var partition int32
		var next int64
		if err := rows.Scan(&partition, &next); err != nil {
			return nil, fmt.Errorf("postgres: positions: %w", err)
		}
		stored[partition] = next
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("postgres: positions: %w", pg.HideSecret(err))
	}
	return stored, nil
}

// SetPosition stores a position whatever stood there: for a person who accepts a gap in the topic.
func (s *Sink) SetPosition(ctx context.Context, p schemas.Position) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO stream_positions (consumer_group, topic, partition, next_offset) VALUES ($1, $2, $3, $4)
		ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET next_offset = excluded.next_offset, updated_at = now()`,
		s.cfg.Group, p.Topic, p.Partition, p.NextOffset)
	if err != nil {
		return fmt.Errorf("postgres: position: %w", pg.HideSecret(err))
	}
	return nil
}
