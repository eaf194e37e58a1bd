package redissink

import (
	"context"
	"errors"
	"time"
)

const (
	retryMin = 100 * time.Millisecond // doubling to KeeperConfig.RetryMax while Redis is away
	lockWait = 250 * time.Millisecond // until the next attempt while another process is sweeping
)

// Run watches Redis and sweeps when there is a reason, until the context ends; it gives the context's error. It is to be
// called once. The first sweep begins at once.
func (k *Keeper) Run(ctx context.Context) error {
	retry := retryMin
	for {
		wait, err := k.round(ctx)
		wake := k.wake
		switch {
		case err == nil:
			retry = retryMin
		case errors.Is(err, ErrSweeping):
			wait = lockWait
		default:
			wait, retry = retry, min(2*retry, k.cfg.RetryMax)
			wake = nil // more reasons to sweep do not make it succeed
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		case <-wake:
			timer.Stop()
		}
	}
}

// round looks at Redis once, and sweeps if there is a reason; it says when to look again.
func (k *Keeper) round(ctx context.Context) (wait time.Duration, err error) {
	if err := k.check(ctx); err != nil {
		return 0, err
	}
	due, misses := k.sweepDue()
	if !due {
		return k.cfg.CheckEvery, nil
	}
	if err := k.sweep(ctx); err != nil {
		return 0, err
	}
	return k.cfg.CheckEvery, k.settle(ctx, misses)
}

// check asks Redis whether it still is what it was. One that answers is away no longer.
func (k *Keeper) check(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, k.cfg.PushTimeout)
	defer cancel()
	lost, err := k.sink.check(limited)
	if err != nil {
		return k.failUnless(ctx, err)
	}
	k.answers()
	// guard: a Redis that came back empty is noticed
	if lost {
		k.miss(errLost.Error())
	}
	return nil
}

// failUnless fails, unless it was only that the context ended.
func (k *Keeper) failUnless(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		k.fail(err)
	}
	return err
}

// sweepDue says whether to sweep now, and the misses that the sweep will have made up for.
func (k *Keeper) sweepDue() (due bool, misses int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	since := time.Since(k.swept)
	// guard: Redis is swept when something was missed | k.state.Phase != PhaseOK -> false
	due = k.state.Phase != PhaseOK || since >= k.cfg.SweepEvery || k.suspect && since >= k.cfg.SuspectAfter
	if due {
		k.suspect, k.pending = false, nil
	}
	return due, k.misses
}

func (k *Keeper) sweep(ctx context.Context) error {
	start := time.Now()
	report, err := k.sink.Sweep(ctx, k.src)
	took := time.Since(start)
	if errors.Is(err, ErrSweeping) {
		return err
	}
	if k.cfg.Hooks.Swept != nil {
		k.cfg.Hooks.Swept(report, took, err)
	}
	if source := (*sourceError)(nil); errors.As(err, &source) {
		return err // Redis is as it was
	} else if err != nil {
		return k.failUnless(ctx, err)
	}
	if report.Mended > 0 {
		k.cfg.Log.Info("mended Redis from Postgres", "checked", report.Checked, "mended", report.Mended,
			"forced", report.Forced, "dropped", report.Dropped, "took", took)
	}
	return nil
}

// settle ends a sweep: if nothing was missed since it began, Redis is right, and applied moves on to what landed
// meanwhile.
func (k *Keeper) settle(ctx context.Context, misses int) error {
	k.pushing.Lock() // none is under way
	defer k.pushing.Unlock()
	k.mu.Lock()
	k.swept = time.Now()
	clean, pending := k.misses == misses, k.pending
	k.mu.Unlock()
	if !clean {
		return nil // Run was woken for what was missed
	}
	limited, cancel := context.WithTimeout(ctx, k.cfg.PushTimeout)
	defer cancel()
	lost, err := k.sink.advance(limited, pending)
	if err != nil {
		return k.failUnless(ctx, err)
	}
	if lost {
		k.miss(errLost.Error())
		return nil
	}
	k.clean(misses)
	return nil
}
