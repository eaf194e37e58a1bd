package api

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// gate keeps requests from waiting for a server that has just failed. An open gate lets requests through. A
// closed one answers them with the last error at once, for gateClosed; then all go through again.
type gate struct {
	name string
	log  *slog.Logger

	mu    sync.Mutex
	until time.Time
	err   error
	// failing reports that the failure was logged, so that only changes are. mu guards this and the fields
	// above.
	failing bool
	denied  time.Time // when a refusal of rights was logged last
}

// gateClosed is how long a server is left alone after a failure.
const gateClosed = 500 * time.Millisecond

// ask calls f, unless the server has just failed. A caller that gives up does not count as a failure of the
// server. An error about the values of this one request shows that the server answers; it must not cost
// other requests.
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
	switch {
	// guard: gate: a read that waited for others closes no way | case errors.Is(err, schemas.ErrOccupied): -> case false:
	case errors.Is(err, schemas.ErrOccupied):
	// guard: gate: an error about a request's values closes no way
	case isRefusedValue(err):
		g.note(nil)
		g.warnDenied(err)
	case ctx.Err() == nil:
		g.note(err)
	}
	return err
}

// isRefusedValue reports whether a server answered, with an error that is about the values of a request or of
// one key. In Postgres that is a data error, or a table that the role may not read (42501). It is also a
// query that was ended for taking too long (57014), or on a standby (40001): such a query must not cost the
// others. In Redis it is a key of the wrong type, or one with an unreadable field.
func isRefusedValue(err error) bool {
	if pg := sqlError(nil); errors.As(err, &pg) {
		return isDataError(err) || isTooSlow(err) || slices.Contains([]string{denied, "40001"}, pg.SQLState())
	}
	if reply := redisError(nil); errors.As(err, &reply) {
		return strings.HasPrefix(reply.Error(), "WRONGTYPE")
	}
	return errors.Is(err, schemas.ErrUnreadable)
}

// isTooSlow reports whether Postgres ended a query for taking too long.
func isTooSlow(err error) bool {
	pg := sqlError(nil)
	return errors.As(err, &pg) && pg.SQLState() == "57014"
}

// denied is the SQLSTATE of a table that the role may not read.
const denied = "42501"

// warnDenied logs that the role may not read a table, at most once a minute.
func (g *gate) warnDenied(err error) {
	if pg := sqlError(nil); !errors.As(err, &pg) || pg.SQLState() != denied {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); g.denied.IsZero() || now.Sub(g.denied) >= time.Minute {
		g.denied = now
		g.log.Warn(g.name+" refuses a read: run migrate with --reader-role", "error", err)
	}
}

// isDataError reports whether Postgres refused a value: a data exception, an integrity violation, or a limit
// that is exceeded (classes 22, 23 and 54).
func isDataError(err error) bool {
	pg := sqlError(nil)
	return errors.As(err, &pg) && len(pg.SQLState()) == 5 &&
		slices.Contains([]string{"22", "23", "54"}, pg.SQLState()[:2])
}

// sqlError is an error of Postgres, redisError one that Redis answered.
type (
	sqlError interface {
		error
		SQLState() string
	}
	redisError interface {
		error
		RedisError()
	}
)

// note opens or closes the gate. Any success opens it, also of a request that began before the failure: an
// answer proves that the server is there.
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
