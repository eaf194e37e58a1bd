package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/pitchstream/pitchstream/schemas"
)

// errNoAnswer ends an attempt, because a dead connection may never report an error.
var errNoAnswer = fmt.Errorf("the store did not answer within %v", storeTimeout)

// stores writes to the store of record and then to the view.
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
	moves     []schemas.PositionMove
	reached   []reach
	mustSweep bool // the store may have held the batch already, so the snapshots may be incomplete
}

// write applies a plan to the store and retries for as long as it takes. retried reports that an attempt
// failed, which may nevertheless have taken effect.
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
			s.cfg.batchSize.grow(s.cfg.Now().Sub(began))
		} else if errors.Is(context.Cause(attempt), errNoAnswer) && s.cfg.batchSize.shrink(plan.counts.Records) {
			s.cfg.Observer.Condition("postgres", false, errNoAnswer.Error())
			s.cfg.Log.Warn("the store did not answer in time: going on with smaller batches",
				"records", plan.counts.Records, "next", s.cfg.batchSize.limit(), "timeout", storeTimeout)
			err = errTooSlow
		}
		return out, err
	})
	return out, attempts > 1, err
}

// show gives the view what the store answered, and reports how far readers now see.
func (s *stores) show(ctx context.Context, shown viewUpdate) {
	s.push(ctx, shown)
	for _, r := range shown.reached {
		s.partitions.readable(r)
	}
	if shown.mustSweep {
		s.view.RequestSweep()
	}
}

func (s *stores) push(ctx context.Context, shown viewUpdate) {
	defer s.cfg.observeStep("redis", s.cfg.Now())
	applied := make([]schemas.Position, len(shown.moves))
	for i, m := range shown.moves {
		applied[i] = m.Position
	}
	s.view.Push(ctx, shown.snapshots, applied)
}
