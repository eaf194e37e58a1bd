package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/pitchstream/pitchstream/schemas"
)

// errNoAnswer is the cause of an attempt's context that ended after storeTimeout, because a dead connection
// may never report an error. The attempt itself returns an error of the store; only context.Cause returns
// this one.
var errNoAnswer = fmt.Errorf("the store did not answer within %v", storeTimeout)

// stores writes to the store of record (Postgres), and then to the view (Redis). One goroutine calls write,
// and another may call show meanwhile. The caller must show updates in the order in which they were written,
// because partitions.readable notes the last one shown as the newest.
type stores struct {
	cfg        *Config
	store      Store
	view       View
	partitions *partitions
	replay     *sessionReplay // nil in a live session
	trace      *tracer        // nil: off
	op         int64          // of the last write; the caller reports its success
}

// viewUpdate is one write to the store, as the view must show it.
type viewUpdate struct {
	snapshots []schemas.Snapshot
	moves     []schemas.PositionMove // the positions after the write, one for each partition
	reached   []reach                // one for each poll and partition, for the metrics of lag and freshness
	// mustSweep asks for a comparison of view and store. An earlier attempt may have written the batch. Then
	// this one wrote less, and snapshots lack players.
	mustSweep bool
}

// write applies a plan to the store, and retries for as long as it takes. retried reports that more than one
// attempt was made; an earlier one may have been stored although it seemed to fail.
//
// After any error the batch may be stored or not. errTooSlow and schemas.ErrPositionBehind mean that the
// caller must drop the batch and read it again. Any other error is context.Cause of ctx.
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
		s.op = s.trace.stores(moves)
		// guard: an attempt that gets no answer ends | s.store.Apply(attempt, b) -> s.store.Apply(context.WithoutCancel(attempt), b)
		// guard: nothing is produced before the store has answered | s.store.Apply(attempt, b) -> (func() (o schemas.Outcome, e error) { o, _ = s.store.Apply(attempt, b); return o, nil })()
		out, err := s.store.Apply(attempt, b)
		if err == nil {
			s.cfg.batchSize.grow(plan.counts.Records, s.cfg.Now().Sub(began))
			return out, nil
		}
		s.trace.storeFailed(s.op, err)
		if !errors.Is(context.Cause(attempt), errNoAnswer) {
			return out, err
		}
		// A batch of one record or none cannot shrink. It keeps its error, so that retry tries it again.
		if canShrink := s.cfg.batchSize.shrink(plan.counts.Records); canShrink {
			// retry makes the condition unmet only for errors after which it tries again.
			s.cfg.Observer.Condition("postgres", false, errNoAnswer.Error())
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

// push writes an update to the view. It observes the step "redis".
func (s *stores) push(ctx context.Context, update viewUpdate) {
	defer s.cfg.observeStep("redis", s.cfg.Now())
	applied := make([]schemas.Position, len(update.moves))
	for i, m := range update.moves {
		applied[i] = m.Position
	}
	s.view.Push(ctx, update.snapshots, applied)
}
