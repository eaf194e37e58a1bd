package pgsink

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pitchstream/pitchstream/schemas"
)

// Beat writes this processor's heartbeat, for those who read without Redis. It waits for no disk.
func (s *Sink) Beat(ctx context.Context, instance string, h schemas.Heartbeat) error {
	b, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("postgres: heartbeat: %w", err)
	}
	return s.beat(ctx, instance, h.At, b)
}

// Rest says that this processor stops as it should.
func (s *Sink) Rest(ctx context.Context, instance string) error {
	return s.beat(ctx, instance, schemas.TimeMSOf(s.cfg.Now()), nil)
}

func (s *Sink) beat(ctx context.Context, instance string, at schemas.TimeMS, beat []byte) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO heartbeats (instance, at, beat) SELECT $1, $2, $3
		FROM set_config('synchronous_commit', 'off', true)
		ON CONFLICT (instance) DO UPDATE SET at = excluded.at, beat = excluded.beat`, instance, at.Time(), beat)
	if err != nil {
		return fmt.Errorf("postgres: heartbeat: %w", hideSecret(err))
	}
	return nil
}
