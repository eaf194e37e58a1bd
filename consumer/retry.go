package consumer

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/pitchstream/pitchstream/schemas"
)

// retry calls f until it succeeds or ctx ends, with growing pauses, because an error of a server is never the
// record's fault. f is called at least once, and must itself end with ctx. retry returns context.Cause of ctx
// when ctx has ended. It returns schemas.ErrPositionBehind and errTooSlow at once, because trying again does
// not help. condition is a name of Observer.Condition: each failure that is tried again makes it unmet, and
// only a success makes it met again.
func retry[T any](ctx context.Context, cfg *Config, condition string, f func() (T, error)) (T, error) {
	v, err := backoff.Retry(ctx, func() (T, error) {
		v, err := f()
		if errors.Is(err, schemas.ErrPositionBehind) || errors.Is(err, errTooSlow) {
			return v, backoff.Permanent(err) // Retry unwraps it: it is no PermanentError, which ends the processor
		}
		return v, err
	}, backoff.WithBackOff(newPauses(50*time.Millisecond, time.Second)), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, wait time.Duration) {
			cfg.Observer.Condition(condition, false, err.Error())
			cfg.Log.Warn("attempt failed: trying again", "step", condition, "error", err, "after", wait)
		}))
	switch {
	case err != nil: // the condition stays as it was last reported
	case condition == "kafka": // a success must not hide a failed produce that is still named
		cfg.kafkaCondition(nil)
	default:
		cfg.Observer.Condition(condition, true, "")
	}
	return v, err
}

// ask calls f until the store answers, for storeTimeout at most each time, because a dead connection may
// never report an error. An error means that ctx has ended, or is one that retry returns at once.
func ask[T any](ctx context.Context, cfg *Config, f func(attempt context.Context) (T, error)) (T, error) {
	return retry(ctx, cfg, "postgres", func() (T, error) {
		attempt, cancel := context.WithTimeoutCause(ctx, storeTimeout, errNoAnswer)
		defer cancel()
		// guard: a request to the store at an assignment that gets no answer ends | f(attempt) -> f(ctx)
		v, err := f(attempt)
		if err != nil && errors.Is(context.Cause(attempt), errNoAnswer) {
			err = errNoAnswer
		}
		return v, err
	})
}

// done makes a request without an answer one for ask.
func done(f func(context.Context) error) func(context.Context) (struct{}, error) {
	return func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) }
}

// sleep returns after d, or early when ctx ends: the caller checks ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// ticks yields once each interval, the first time one interval after this call, until ctx ends. One tick may
// still come when ctx has ended. A late reader misses ticks.
func ticks(ctx context.Context, interval time.Duration) iter.Seq[time.Time] {
	tick := time.Tick(interval)
	return func(yield func(time.Time) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick:
				if !yield(now) {
					return
				}
			}
		}
	}
}

// newPauses returns pauses that grow from about initial to about most, each varied at random by half. They
// never stop. One goroutine uses them.
func newPauses(initial, most time.Duration) *backoff.ExponentialBackOff {
	p := backoff.NewExponentialBackOff()
	p.InitialInterval, p.MaxInterval = initial, most
	return p
}
