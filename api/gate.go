package api

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// gate keeps requests from waiting for a server that has just failed: for a while they get its last error at
// once.
type gate struct {
	name string
	log  *slog.Logger

	mu    sync.Mutex
	until time.Time
	err   error
	// failing reports that the log has said so. mu guards this and the fields above.
	failing bool
}

// gateClosed is how long a server is left alone after a failure.
const gateClosed = 500 * time.Millisecond

// ask calls f, unless the server has just failed. A caller that gives up does not count as a failure of the
// server.
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

// note opens or closes the gate. It opens on any success, because an answer to an earlier request may arrive
// after the failure of a later one.
func (g *gate) note(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	// guard: gate: an answer opens it | g.err, g.until = err, time.Time{} -> g.err = err
	g.err, g.until = err, time.Time{}
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
