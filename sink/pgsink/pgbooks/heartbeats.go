package pgbooks

import (
	"context"
	"encoding/json"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Heartbeats writes the heartbeats of processors, for readers that have no Redis.
type Heartbeats struct{ db *pg.DB }

// NewHeartbeats makes Heartbeats over a pool that its caller closes.
func NewHeartbeats(db *pg.DB) Heartbeats { return Heartbeats{db} }

// Beat writes the heartbeat of a processor. It does not wait for the disk.
func (b Heartbeats) Beat(ctx context.Context, instance string, h schemas.Heartbeat) error {
	text, err := json.Marshal(h)
	if err != nil {
		return pg.Wrap("heartbeat", err)
	}
	return b.write(ctx, instance, h.At, text)
}

// Rest records that a processor stopped in an orderly way.
func (b Heartbeats) Rest(ctx context.Context, instance string) error {
	return b.write(ctx, instance, schemas.TimeMSOf(b.db.Config.Now()), nil)
}

func (b Heartbeats) write(ctx context.Context, instance string, at schemas.TimeMS, beat []byte) error {
	_, err := pg.Exec(ctx, b.db, `
		INSERT INTO {schema}.heartbeats (instance, at, beat) SELECT $1, $2, $3
		FROM set_config('synchronous_commit', 'off', true)
		ON CONFLICT (instance) DO UPDATE SET at = excluded.at, beat = excluded.beat`, instance, at.Time(), beat)
	return pg.Wrap("heartbeat", err)
}
