package pgbooks

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Beat writes this processor's heartbeat, for those who read without Redis. It waits for no disk.
func (b *Books) Beat(ctx context.Context, instance string, h schemas.Heartbeat) error {
	text, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("postgres: heartbeat: %w", err)
	}
	return b.beat(ctx, instance, h.At, text)
}

// Rest says that this processor stops as it should.
func (b *Books) Rest(ctx context.Context, instance string) error {
	return b.beat(ctx, instance, schemas.TimeMSOf(b.cfg.Now()), nil)
}

func (b *Books) beat(ctx context.Context, instance string, at schemas.TimeMS, beat []byte) error {
	_, err := b.pool.Exec(ctx, `
		INSERT INTO heartbeats (instance, at, beat) SELECT $1, $2, $3
		FROM set_config('synchronous_commit', 'off', true)
		ON CONFLICT (instance) DO UPDATE SET at = excluded.at, beat = excluded.beat`, instance, at.Time(), beat)
	if err != nil {
		return fmt.Errorf("postgres: heartbeat: %w", pg.HideSecret(err))
	}
	return nil
}
