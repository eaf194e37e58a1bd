package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/pitchstream/pitchstream/schemas"
)

// errNoAnswer ends an attempt, because a dead connection may never report an error.
var errNoAnswer = fmt.Errorf("the store did not answer within %v", storeTimeout)

// stores writes to the store of record (Postgres), and then to the view (Redis).
type stores struct {
	cfg        *Config
	store      Store
	view       View
	partitions *partitions
	replay     *replayReader // nil in a live session
}

// viewUpdate is what one write to the store means to the view.
type viewUpdate struct {
	snapshots []schemas.Snapshot
	moves     []schemas.PositionMove // one for each partition: how far the view is then known to be
	reached   []reach                // one for each poll and partition: how far readers then see
	mustSweep bool                   // the store may have held the batch, so the snapshots may be incomplete
}

// write applies a plan to the store, and retries for as long as it takes. retried reports that an attempt
// failed, which may nevertheless have taken effect. The batch must be dropped and read again after
// errTooSlow, and after a permanent error as schemas.ErrPositionBehind. Any other error is that of ctx.
func (s *stores) write(ctx context.Context, plan Plan, moves []schemas.PositionMove) (
	out schemas.Outcome, retried bool, err error,
) {
	defer s.cfg.observeStep("postgres", s.cfg.Now())
	b := schemas.Batch{Group: s.cfg.Group, Pitches: plan.Pitches, Positions: moves}
	if s.replay != nil {
		b.Replay = s.replay.step(plan)
	}
	attempts := 0
	out, err = retry(ctx, s.cfg, "postgres", func() (schemas.Outcome, error) {
		attempts++
		attempt, cancel := context.WithTimeoutCause(ctx, storeTimeout, errNoAnswer)
		defer cancel()
		began := s.cfg.Now()
		// guard: an attempt that gets no answer ends | s.store.Apply(attempt, b) -> s.store.Apply(context.WithoutCancel(attempt), b)
		// guard: nothing is produced before the store has answered | s.store.Apply(attempt, b) -> (func() (o schemas.Outcome, e error) { o, _ = s.store.Apply(attempt, b); return o, nil })()
		out, err := s.store.Apply(attempt, b)
		if err == nil {
			s.cfg.batchSize.grow(plan.counts.Records, s.cfg.Now().Sub(began))
			return out, nil
		}
		if !errors.Is(context.Cause(attempt), errNoAnswer) {
			return out, err
		}
		if canShrink := s.cfg.batchSize.shrink(plan.counts.Records); canShrink {
			s.cfg.Observer.Condition("postgres", false, errNoAnswer.Error()) // retry reports only what it tries again
			s.cfg.Log.Warn("the store did not answer in time: going on with smaller batches",
				"records", plan.counts.Records, "next", s.cfg.batchSize.limit(), "timeout", storeTimeout)
			err = errTooSlow
		}
		return out, err
	})
	return out, attempts > 1, err
}

// show gives the view what the store answered, and reports how far readers now see. Push cannot fail: while
// the view is unavailable readers are served from the store, and a sweep repairs the view afterwards.
func (s *stores) show(ctx context.Context, update viewUpdate) {
	s.push(ctx, update)
	for _, r := range update.reached {
		s.partitions.readable(r)
	}
	if update.mustSweep {
		s.view.RequestSweep()
	}
}

func (s *stores) push(ctx context.Context, update viewUpdate) {
	defer s.cfg.observeStep("redis", s.cfg.Now())
	applied := make([]schemas.Position, len(update.moves))
	for i, m := range update.moves {
		applied[i] = m.Position
	}
	s.view.Push(ctx, update.snapshots, applied)
}
