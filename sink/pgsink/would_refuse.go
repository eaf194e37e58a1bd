package pgsink

import (
	"context"
	"fmt"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// WouldRefuse answers which changes the tables would refuse for good. It writes the changes as Apply does, and takes them
// back: nothing of it is seen, nothing stays. Each pitch may be in the list once.
func (s *Sink) WouldRefuse(ctx context.Context, pitches []schemas.PitchChanges) ([]schemas.Refusal, error) {
	if len(pitches) == 0 {
		return nil, nil
	}
	for try := 1; ; try++ {
		refused, err := s.tryOnly(ctx, pitches)
		if err == nil || !pg.IsContended(err) || try == 5 {
			return refused, err
		}
	}
}

func (s *Sink) tryOnly(ctx context.Context, pitches []schemas.PitchChanges) ([]schemas.Refusal, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", pg.HideSecret(err))
	}
	defer conn.Release()
	t := &transaction{ctx: ctx, conn: conn.Conn(), cfg: &s.cfg, batch: schemas.Batch{Pitches: pitches}, now: s.cfg.Now(), statements: s.statements}
	err = t.writeAll()
	// guard: letters: a trial is taken back | instead _, _ = conn.Exec(ctx, "commit")
	t.rollback()
	if err != nil && pg.IsRecordsFault(err) {
		err = t.writeApart()
		t.rollback()
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", pg.HideSecret(err))
	}
	return t.refused, nil
}
