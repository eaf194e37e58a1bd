// Package lifecycle runs the main work of a process with the helpers that must outlive it.
package lifecycle

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// Run runs work and its helpers side by side and returns their first error. When ctx ends, work ends first;
// the helpers run until it has returned, because its last batch still needs them. A helper that fails ends
// work too. The error of a helper that returns after work is ignored.
func Run(
	ctx context.Context, work func(context.Context) error, helpers ...func(context.Context) error,
) error {
	g, ctx := errgroup.WithContext(ctx)
	helping, stop := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error {
		defer stop()
		return work(ctx)
	})
	for _, help := range helpers {
		g.Go(func() error {
			if err := help(helping); helping.Err() == nil {
				return err
			}
			return nil
		})
	}
	return g.Wait()
}

// Sleep waits for d. If ctx ends first, it returns the cause.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
