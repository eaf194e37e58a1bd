package api

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// gate keeps requests from waiting for a server that has just failed.
type gate struct {
	name string
	log  *slog.Logger

	mu      sync.Mutex
	until   time.Time
	err     error
	failing bool // said so in the log
}

// gateClosed is for how long a server is not asked after a failure.
const gateClosed = 500 * time.Millisecond

// ask asks, unless the server has just failed. That the asker gave up is no failure of the server's.
func (g *gate) ask(ctx context.Context, timeout time.Duration, f func(context.Context) error) error {
	g.mu.Lock()
	if time.Now().Before(g.until) {
		defer g.mu.Unlock()
		return g.err
	}
	g.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := f(limited)
	if ctx.Err() == nil {
		g.note(err)
	}
	return err
}

func (g *gate) note(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	// guard: gate: an answer opens it | g.err, g.until = err, time.Time{} -> g.err = err
	g.err, g.until = err, time.Time{} // who was asked before the failure may have been answered after it
	if err != nil {
		// guard: api: a failed server is left alone | .Add(gateClosed) ->
		g.until = time.Now().Add(gateClosed)
	}
	if failing := err != nil; failing != g.failing {
		g.failing = failing
		if failing {
			g.log.Warn(g.name+" cannot be read: answering without it", "error", err)
		} else {
			g.log.Info(g.name + " can be read again")
		}
	}
}
