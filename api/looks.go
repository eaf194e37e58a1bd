package api

import (
	"context"
	"sync"

	"github.com/pitchstream/pitchstream/schemas"
)

// looks gathers the questions that come while one is on its way to Redis: they go together then, in one round trip and
// with one pulse. A question never joins one that has been sent, so an answer has all that stood when it was asked for.
type looks struct {
	send func(ctx context.Context, keys []schemas.BatterKey) ([]*schemas.BatterState, schemas.Pulse, error)

	mu     sync.Mutex
	flying int   // that are on their way
	next   *look // that waits; nil: none
}

// maxLooks are on their way at a time. Who is alone waits for nobody.
const maxLooks = 2

// look is one question of several askers.
type look struct {
	keys   []schemas.BatterKey
	done   chan struct{} // closed when the rest is there
	states []*schemas.BatterState
	pulse  schemas.Pulse
	err    error
	panic  any // of who was to answer; nil: none
}

// ask gives states in the order of the keys.
func (l *looks) ask(ctx context.Context, keys []schemas.BatterKey) ([]*schemas.BatterState, schemas.Pulse, error) {
	l.mu.Lock()
	q := l.next
	if q == nil || len(q.keys)+len(keys) > maxBatch {
		q = &look{done: make(chan struct{})}
		if l.flying < maxLooks {
			l.flying++
			q.keys = keys
			l.mu.Unlock()
			// guard: api: who gives up stops nobody else | context.WithoutCancel(ctx) -> ctx
			go l.run(context.WithoutCancel(ctx), q) // others' answers do not end with this asker
			return q.wait(ctx, 0, len(keys))
		}
		if l.next != nil { // it is full, and goes now
			go l.fly(context.WithoutCancel(ctx), l.next)
		}
		l.next = q
	}
	from := len(q.keys)
	q.keys = append(q.keys, keys...)
	l.mu.Unlock()
	return q.wait(ctx, from, from+len(keys))
}

func (q *look) wait(ctx context.Context, from, to int) ([]*schemas.BatterState, schemas.Pulse, error) {
	select {
	case <-q.done:
	case <-ctx.Done():
		return nil, schemas.Pulse{}, ctx.Err()
	}
	if q.panic != nil {
		panic(q.panic) // where it is answered for
	}
	if q.err != nil {
		return nil, q.pulse, q.err
	}
	// guard: api: each has his own of an answer to several | q.states[from:to:to] -> q.states[:to-from]
	return q.states[from:to:to], q.pulse, nil
}

// run asks, and asks what has gathered meanwhile, until nothing has.
func (l *looks) run(ctx context.Context, q *look) {
	for q != nil {
		l.fly(ctx, q)
		l.mu.Lock()
		if q, l.next = l.next, nil; q == nil {
			l.flying--
		}
		l.mu.Unlock()
	}
}

func (l *looks) fly(ctx context.Context, q *look) {
	defer func() {
		// guard: api: a panic is answered where it was asked | q.panic = recover() -> _ = q
		q.panic = recover()
		close(q.done)
	}()
	q.states, q.pulse, q.err = l.send(ctx, q.keys)
}
