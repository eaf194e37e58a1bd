package pg

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
)

// LiveName is the name of the target that the settings describe.
const LiveName = "live"

// ReadPointer returns the target that readers see, from the schema serving. It is live if the pointer was
// never moved.
func ReadPointer(ctx context.Context, db *DB, serving string) (schemas.Pointer, error) {
	var p schemas.Pointer
	t := &p.Target
	into := []any{
		&t.Name, &p.Previous, &p.Generation, &p.MovedAt, &t.Schema, &t.Prefix, &t.Group, &t.Rows, &t.Dead,
	}
	err := ScanOne(ctx, db, into, strings.ReplaceAll(`
		SELECT p.target, coalesce(p.previous, ''), p.generation, p.moved_at, coalesce(t.postgres_schema, ''),
			coalesce(t.redis_prefix, ''), coalesce(t.kafka_group, ''), coalesce(t.topic_rows, ''), coalesce(t.topic_dead, '')
		FROM {serving}.pointer p LEFT JOIN {serving}.targets t ON t.name = p.target`, "{serving}", Quote(serving)))
	if IsMissing(err) || errors.Is(err, pgx.ErrNoRows) {
		return schemas.Pointer{Target: schemas.Target{Name: LiveName}}, nil
	}
	return p, Wrap("pointer", err)
}
