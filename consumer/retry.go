package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/pitchstream/pitchstream/schemas"
)

// retry calls f until it succeeds or ctx ends, with growing pauses: an error of a server is never the
// record's fault. It returns at once only when the store came back older, because that does not pass.
func retry[T any](ctx context.Context, cfg *Config, condition string, f func() (T, error)) (T, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 50*time.Millisecond, time.Second
	for {
		v, err := f()
		if err == nil {
			cfg.Observer.Condition(condition, true, "")
			return v, nil
		}
		if ctx.Err() != nil {
			return v, context.Cause(ctx)
		}
		if errors.Is(err, schemas.ErrPositionBehind) {
			return v, err
		}
		cfg.Observer.Condition(condition, false, err.Error())
		wait := pause.NextBackOff()
		cfg.Log.Warn("attempt failed: trying again", "step", condition, "error", err, "after", wait)
		sleep(ctx, wait)
	}
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

// fatalError is an error that no new session can repair.
type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }
