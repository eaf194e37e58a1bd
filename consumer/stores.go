package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/pitchstream/pitchstream/schemas"
)

// errNoAnswer is the cause with which the context of an attempt ends after storeTimeout, because a dead
// connection may never report an error. context.Cause of the attempt returns it; the returned error is
// another.
var errNoAnswer = fmt.Errorf("the store did not answer within %v", storeTimeout)

// stores writes to the store of record (Postgres), and then to the view (Redis). One goroutine calls write,
// and another may call show meanwhile. Updates are shown in the order in which they were written, because
// readable takes each reach for the newest.
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
	moves     []schemas.PositionMove // one for each partition: applied moves to its Position
	reached   []reach                // one for each poll and partition, for the metrics of lag and freshness
	mustSweep bool                   // the store may have held the batch before, so snapshots may lack players
}

// write applies a plan to the store, and retries for as long as it takes. retried reports, if err is nil,
// that an earlier attempt failed, which may nevertheless have taken effect. After an error the caller must
// assume that the batch may be stored. It must drop the batch and read it again after errTooSlow and after
// schemas.ErrPositionBehind. Any other error is context.Cause of ctx.
func (s *stores) write(ctx context.Context, plan Plan, moves []schemas.PositionMove) (
	out schemas.Outcome, retried bool, err error,
) {
	defer s.cfg.observeStep("postgres", s.cfg.Now())
	b := schemas.Batch{Group: s.cfg.Group, Pitches: plan.Pitches, Positions: moves}
	if s.replay != nil {
		b.Replay = s.replay.recordsOf(plan)
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
		// A batch of one record or none cannot shrink. It keeps its error, so that retry tries it again.
		if canShrink := s.cfg.batchSize.shrink(plan.counts.Records); canShrink {
			s.cfg.Observer.Condition("postgres", false, errNoAnswer.Error()) // retry reports no error that it returns
			s.cfg.Log.Warn("the store did not answer in time: going on with smaller batches",
				"records", plan.counts.Records, "next", s.cfg.batchSize.limit(), "timeout", storeTimeout)
			err = errTooSlow
		}
		return out, err
	})
	return out, attempts > 1, err
}

// show pushes the snapshots to the view, and only then reports the offsets as readable. Push cannot fail:
// while the view is unavailable readers are served from the store, and a sweep repairs the view afterwards.
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
