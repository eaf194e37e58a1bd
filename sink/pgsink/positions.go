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
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

var sqlEnsurePositions = statement("ensure_positions")

// EnsurePositions returns the stored position of each partition in start, in that order. It stores the given
// position of a partition that has none. A partition's new owner calls it before it reads.
func (s *Sink) EnsurePositions(ctx context.Context, start []schemas.Position) ([]schemas.Position, error) {
	moves := schemas.Map(start, func(p schemas.Position) schemas.PositionMove {
		return schemas.PositionMove{Position: p}
	})
	args := positionArrays(s.cfg.Group, moves)
	found, err := pg.Collect(ctx, s.db, pgx.RowToStructByPos[schemas.Position],
		sqlEnsurePositions, slices.Delete(args, 4, 5)...) // without the expected positions
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
	return schemas.Map(start, func(p schemas.Position) schemas.Position {
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

// SetPosition stores a position over another one, also a lower one, for an operator who accepts a gap in the
// topic. It returns false if the stored one has no longer the offset, topic ID and gap of was, because
// another processor has moved it since. One that is already like p is stored again, because the answer to an
// earlier request may have been lost.
func (s *Sink) SetPosition(ctx context.Context, was, p schemas.Position) (isSet bool, err error) {
	changed, err := pg.Exec(ctx, s.db, `
		UPDATE {schema}.stream_positions SET next_offset = $4, topic_id = $5, gap = $6, former_next_offset = $7,
			dead_letters_from = $8, dead_letters_below = $9, updated_at = now()
		WHERE consumer_group = $1 AND topic = $2 AND partition = $3
			AND ((next_offset, coalesce(topic_id, ''), coalesce(gap, '')) = ($10, $11, $12)
				OR (next_offset, coalesce(topic_id, ''), coalesce(gap, '')) = ($4, coalesce($5, ''), coalesce($6, '')))`,
		s.cfg.Group, p.Topic, p.Partition, p.NextOffset, nullable(p.TopicID), nullable(p.Gap),
		max(p.FormerNextOffset, 0), p.DeadLettersFrom, p.DeadLettersBelow,
		was.NextOffset, was.TopicID, was.Gap)
	return changed > 0, pg.Wrap("position", err)
}

// RaiseDeadLetters stores DeadLettersFrom and DeadLettersBelow of positions, where the second is more than
// what is stored. It leaves out a position of another topic of the same name, and one that is behind.
func (s *Sink) RaiseDeadLetters(ctx context.Context, at []schemas.Position) error {
	_, err := pg.Exec(ctx, s.db, `
		UPDATE {schema}.stream_positions AS p SET dead_letters_from = m.since, dead_letters_below = m.below
		FROM unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::text[])
			AS m(topic, partition, since, below, topic_id)
		WHERE p.consumer_group = $1 AND p.topic = m.topic AND p.partition = m.partition
			AND coalesce(p.topic_id, '') = m.topic_id AND p.next_offset >= m.below
			AND coalesce(p.dead_letters_below, 0) < m.below`,
		s.cfg.Group, schemas.Map(at, func(p schemas.Position) string { return p.Topic }),
		schemas.Map(at, func(p schemas.Position) int32 { return p.Partition }),
		schemas.Map(at, func(p schemas.Position) int64 { return p.DeadLettersFrom }),
		schemas.Map(at, func(p schemas.Position) int64 { return p.DeadLettersBelow }),
		schemas.Map(at, func(p schemas.Position) string { return p.TopicID }))
	return pg.Wrap("position", err)
}

// LabelPosition stores the topic ID and the gap of a position, and leaves its offset. It leaves one with
// another topic ID as it is: another processor has accepted the new topic since.
func (s *Sink) LabelPosition(ctx context.Context, p schemas.Position) error {
	_, err := pg.Exec(ctx, s.db, `UPDATE {schema}.stream_positions SET topic_id = $4, gap = $5
		WHERE consumer_group = $1 AND topic = $2 AND partition = $3
			AND coalesce(topic_id, $4, '') = coalesce($4, '')`,
		s.cfg.Group, p.Topic, p.Partition, nullable(p.TopicID), nullable(p.Gap))
	return pg.Wrap("position", err)
}

// EnsureTopicIDs stores the ID of each topic that has none yet, with overwrite that of all, and returns the
// stored ones. The update that changes nothing is needed because RETURNING leaves out rows that are not
// written.
func (s *Sink) EnsureTopicIDs(
	ctx context.Context, ids map[string]string, overwrite bool,
) (stored map[string]string, err error) {
	topics := slices.Sorted(maps.Keys(ids))
	stored, err = pg.CollectMap[string, string](ctx, s.db, `
		INSERT INTO {schema}.stream_topics AS t (consumer_group, topic, topic_id)
		SELECT $1, m.topic, m.topic_id FROM unnest($2::text[], $3::text[]) AS m(topic, topic_id)
		ON CONFLICT (consumer_group, topic) DO UPDATE
		SET topic_id = CASE WHEN $4 THEN excluded.topic_id ELSE t.topic_id END,
		    first_seen_at = CASE WHEN $4 AND t.topic_id <> excluded.topic_id THEN now() ELSE t.first_seen_at END
		RETURNING topic, topic_id`,
		s.cfg.Group, topics, schemas.Map(topics, func(t string) string { return ids[t] }), overwrite)
	return stored, pg.Wrap("topics", err)
}
