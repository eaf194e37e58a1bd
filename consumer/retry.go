package consumer

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/pitchstream/pitchstream/schemas"
)

// retry calls f until it succeeds or ctx ends, with growing pauses: an error of a server is never the
// record's fault. It returns at once only when the store came back older or the batch is too large, because
// that does not pass.
func retry[T any](ctx context.Context, cfg *Config, condition string, f func() (T, error)) (T, error) {
	v, err := backoff.Retry(ctx, func() (T, error) {
		v, err := f()
		if errors.Is(err, schemas.ErrPositionBehind) || errors.Is(err, errTooSlow) {
			return v, backoff.Permanent(err)
		}
		return v, err
	}, backoff.WithBackOff(newPauses(50*time.Millisecond, time.Second)), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, wait time.Duration) {
			cfg.Observer.Condition(condition, false, err.Error())
			cfg.Log.Warn("attempt failed: trying again", "step", condition, "error", err, "after", wait)
		}))
	switch {
	case err != nil:
	case condition == "kafka":
		cfg.kafkaCondition(nil)
	default:
		cfg.Observer.Condition(condition, true, "")
	}
	return v, err
}

// sleep returns after d, or when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// ticks yields once each interval, from this call on, until ctx ends. A late reader misses ticks.
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

// newPauses returns growing pauses between attempts.
func newPauses(initial, most time.Duration) *backoff.ExponentialBackOff {
	p := backoff.NewExponentialBackOff()
	p.InitialInterval, p.MaxInterval = initial, most
	return p
}
