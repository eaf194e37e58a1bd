package api

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/pitchstream/pitchstream/schemas"
)

// coalescer merges reads that arrive while others are in flight into the next round trip to a store. One
// round trip of many keys costs little more than one of a single key. A read never joins one already sent, so
// its answer includes all writes that finished before it was asked.
type coalescer[K, V any] struct {
	// send returns a value for each key, and limits its own time.
	send func(ctx context.Context, keys []K) ([]V, schemas.Pulse, error)
	log  *slog.Logger

	mu sync.Mutex
	// inFlight counts the round trips under way; next waits for one of them to end, nil if nothing waits. mu
	// guards both.
	inFlight int
	next     *lookup[K, V]
}

// maxLookups is how many round trips are in flight before reads are merged. A request alone waits for no
// other. Keys for which the next round trip has no room send it at once, beyond maxLookups; then the
// connections of the store's client are the limit.
const maxLookups = 2

// lookup is one round trip, on behalf of several requests. Its results are valid once done is closed.
type lookup[K, V any] struct {
	keys  []K
	done  chan struct{} // closed when the other fields are set
	found []V
	pulse schemas.Pulse
	err   error
}

// errPanicked is the error of everybody in a lookup that panicked. The log has the reason.
var errPanicked = errors.New("reading panicked")

// ask returns what was found in the order of the keys, of which there are at most maxBatch. It returns the
// error of ctx if that ends first, and the error of send to everybody in the lookup.
func (c *coalescer[K, V]) ask(ctx context.Context, keys []K) ([]V, schemas.Pulse, error) {
	c.mu.Lock()
	q := c.next
	if q == nil || len(q.keys)+len(keys) > maxBatch {
		q = &lookup[K, V]{done: make(chan struct{})}
		if c.inFlight < maxLookups {
			c.inFlight++
			q.keys = keys
			c.mu.Unlock()
			// guard: api: a reader that gives up stops no other | shared(ctx) -> ctx
			go c.run(shared(ctx), q)
			return q.wait(ctx, 0, len(keys))
		}
		if c.next != nil { // it has no room for these keys
			go c.perform(shared(ctx), c.next)
		}
		c.next = q
	}
	from := len(q.keys)
	q.keys = append(q.keys, keys...)
	c.mu.Unlock()
	return q.wait(ctx, from, from+len(keys))
}

func (q *lookup[K, V]) wait(ctx context.Context, from, to int) ([]V, schemas.Pulse, error) {
	select {
	case <-q.done:
	case <-ctx.Done():
		return nil, schemas.Pulse{}, ctx.Err()
	}
	if q.err != nil {
		return nil, q.pulse, q.err
	}
	// guard: api: each has his own of an answer to several | q.found[from:to:to] -> q.found[:to-from]
	return q.found[from:to:to], q.pulse, nil
}

// run performs a lookup, then those that have gathered in the meantime, until none has.
func (c *coalescer[K, V]) run(ctx context.Context, q *lookup[K, V]) {
	for q != nil {
		c.perform(ctx, q)
		c.mu.Lock()
		if q, c.next = c.next, nil; q == nil {
			c.inFlight--
		}
		c.mu.Unlock()
	}
}

// perform sends a lookup. It runs in a goroutine of its own, and so do some of those who wait for it, where
// no middleware recovers.
func (c *coalescer[K, V]) perform(ctx context.Context, q *lookup[K, V]) {
	defer func() {
		// guard: api: a read that panics ends no server | recover() -> any(nil)
		if v := recover(); v != nil {
			c.log.Error("reading panicked", "panic", v, "stack", string(debug.Stack()))
			q.err = errPanicked
		}
		close(q.done)
	}()
	q.found, q.pulse, q.err = c.send(ctx, q.keys)
}
