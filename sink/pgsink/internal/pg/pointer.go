package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pitchstream/pitchstream/schemas"
)

// LiveName is the target that the settings name.
const LiveName = "live"

// ReadPointer reads which target readers see, from the schema serving; live where nobody has moved it.
func ReadPointer(ctx context.Context, pool *pgxpool.Pool, serving string) (p schemas.Pointer, err error) {
	p.Target.Name = LiveName
	var schema, prefix, group, rows, dead *string
	err = pool.QueryRow(ctx, strings.ReplaceAll(`SELECT p.target, coalesce(p.previous, ''), p.generation, p.moved_at, t.postgres_schema, t.redis_prefix, t.kafka_group, t.topic_rows, t.topic_dead
		FROM {serving}.pointer p LEFT JOIN {serving}.targets t ON t.name = p.target`, "{serving}", serving)).
		Scan(&p.Target.Name, &p.Previous, &p.Generation, &p.MovedAt, &schema, &prefix, &group, &rows, &dead)
	if IsMissing(err) || errors.Is(err, pgx.ErrNoRows) {
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("postgres: pointer: %w", HideSecret(err))
	}
	if schema != nil {
		p.Target = schemas.Target{Name: p.Target.Name, Schema: *schema, Prefix: *prefix, Group: *group, Rows: *rows, Dead: *dead}
	}
	return p, nil
}
