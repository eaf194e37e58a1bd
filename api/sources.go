package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// errAway says that neither Redis nor Postgres can be read, and nothing is remembered.
var errAway = errors.New("neither Redis nor Postgres can be read now")

// sources are where answers come from.
type sources struct {
	cfg         Config
	live, store gate
	looks       looks
	livePulse   shared
	storePulse  shared
	memory      *lru.Cache[string, remembered]
}

// remembered is an answer that was given.
type remembered struct {
	value any
	at    time.Time
}

func (s *sources) init(cfg Config) (err error) {
	s.cfg = cfg
	s.live.name, s.live.log = "Redis", cfg.Log
	s.store.name, s.store.log = "Postgres", cfg.Log
	s.looks.send = func(ctx context.Context, keys []schemas.BatterKey) (states []*schemas.BatterState, p schemas.Pulse, err error) {
		err = s.askLive(ctx, func(ctx context.Context) (err error) { states, p, err = cfg.Live.Look(ctx, keys); return err })
		return states, p, err
	}
	s.livePulse.read = func(ctx context.Context) (p schemas.Pulse, err error) {
		err = s.askLive(ctx, func(ctx context.Context) (err error) { _, p, err = cfg.Live.Seqs(ctx, nil); return err })
		return p, err
	}
	s.storePulse.read = func(ctx context.Context) (p schemas.Pulse, err error) {
		err = s.askStore(ctx, func(ctx context.Context) (err error) { p, err = cfg.Store.Pulse(ctx); return err })
		return p, err
	}
	s.memory, err = lru.New[string, remembered](cfg.Remembered)
	return err
}

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

// errUnknown says that nobody can tell which target readers see: what is read might be of another one.
var errUnknown = errors.New("which target readers see is not known")

func (s *sources) askLive(ctx context.Context, f func(context.Context) error) error {
	// guard: switch: nothing is answered where nobody tells the target
	if s.cfg.certainty() == unknown {
		return errUnknown
	}
	return s.live.ask(ctx, s.cfg.LiveTimeout, f)
}

// storeTimeout is for one answer of Postgres.
const storeTimeout = 5 * time.Second

func (s *sources) askStore(ctx context.Context, f func(context.Context) error) error {
	if s.cfg.certainty() == unknown {
		return errUnknown
	}
	return s.store.ask(ctx, storeTimeout, f)
}

// shared is a pulse that many may use: one of them reads it.
type shared struct {
	read func(context.Context) (schemas.Pulse, error)
	mu   sync.Mutex
	at   time.Time // when it began to be read
	last schemas.Pulse
}

// get gives a pulse that was read no longer than maxAge ago.
func (s *shared) get(ctx context.Context, maxAge time.Duration) (schemas.Pulse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.at.IsZero() && time.Since(s.at) <= maxAge {
		return s.last, nil
	}
	if err := ctx.Err(); err != nil {
		return schemas.Pulse{}, err
	}
	at := time.Now()
	p, err := s.read(context.WithoutCancel(ctx)) // for those who wait behind us too
	if err == nil {
		s.at, s.last = at, p
	}
	return p, err
}

func (s *sources) judge(p schemas.Pulse) verdict {
	v := judge(p, time.Now(), s.cfg.MaxLag)
	// guard: switch: on the word of a copy answers are stale
	v.stale = v.stale || s.cfg.certainty() != certain
	return v
}

// storeCondition is that of what Postgres says now.
func (s *sources) storeCondition(ctx context.Context) (Condition, error) {
	p, err := s.storePulse.get(ctx, 250*time.Millisecond)
	return s.judge(p).condition(sourcePostgres), err
}

func (s *sources) remember(key string, v any) { s.memory.Add(key, remembered{v, time.Now()}) }

// recall gives what was answered last; the age goes into the condition.
func recall[T any](s *sources, key string) (v T, c Condition, ok bool) {
	r, ok := s.memory.Get(key)
	if !ok {
		return v, c, false
	}
	v, ok = r.value.(T)
	return v, Condition{Source: sourceMemory, Stale: true, AgeMS: time.Since(r.at).Milliseconds()}, ok
}

// held is a state and where it was found; the state is nil where no row stands.
type held struct {
	state *schemas.BatterState
	Condition
}

// states finds batters, in the order of the keys: in Redis where it is whole and allowed, else in Postgres, else in
// memory; errAway where none of them is anywhere. That no row stands is believed of Postgres only, while it answers.
func (s *sources) states(ctx context.Context, keys []schemas.BatterKey, route route) ([]held, error) {
	if route.live {
		if found, ok := s.liveStates(ctx, keys); ok {
			return s.confirm(ctx, keys, found), nil
		}
	}
	found, err := s.storeStates(ctx, keys)
	if err == nil {
		return found, nil
	}
	// guard: api: memory does not answer who waits for a record | || !route.memory ->
	if ctx.Err() != nil || !route.memory {
		return nil, fmt.Errorf("%w: %w", errAway, err)
	}
	found = make([]held, len(keys))
	any := false
	for i, k := range keys {
		if state, c, ok := recall[*schemas.BatterState](s, memoryKey(k)); ok {
			found[i], any = held{state, c}, true
		} else {
			found[i].Condition = Condition{Source: sourceMemory, Stale: true}
		}
	}
	if !any {
		return nil, fmt.Errorf("%w: %w", errAway, err)
	}
	return found, nil
}

func memoryKey(k schemas.BatterKey) string { return fmt.Sprintf("batter/%d/%s", k.BatterID, k.GamePK) }

func (s *sources) liveStates(ctx context.Context, keys []schemas.BatterKey) (found []held, ok bool) {
	states, pulse, err := s.looks.ask(ctx, keys)
	if err != nil {
		return nil, false
	}
	v := s.judge(pulse)
	// guard: api: a Redis that is not whole is not read
	if !v.whole {
		return nil, false
	}
	return s.hold(keys, states, v.condition(sourceRedis)), true
}

func (s *sources) storeStates(ctx context.Context, keys []schemas.BatterKey) ([]held, error) {
	condition, err := s.storeCondition(ctx) // before the states: all that it says is in them
	if err != nil {
		return nil, err
	}
	var states []*schemas.BatterState
	if err := s.askStore(ctx, func(ctx context.Context) (err error) {
		states, err = s.cfg.Store.States(ctx, keys)
		return err
	}); err != nil {
		return nil, err
	}
	return s.hold(keys, states, condition), nil
}

func (s *sources) hold(keys []schemas.BatterKey, states []*schemas.BatterState, c Condition) []held {
	found := make([]held, len(keys))
	for i, state := range states {
		found[i] = held{state, c}
		if state != nil && !state.Suspect {
			s.remember(memoryKey(keys[i]), state)
		}
	}
	return found
}

// confirm asks Postgres for those whom Redis does not have, or has in a state that is about to be replaced.
func (s *sources) confirm(ctx context.Context, keys []schemas.BatterKey, found []held) []held {
	var doubtful []schemas.BatterKey
	var at []int
	for i, f := range found {
		// guard: api: a suspect state is asked for in Postgres | f.state.Suspect -> false
		// guard: api: absence is believed of Postgres only | f.state == nil || f.state.Suspect -> f.state != nil && f.state.Suspect
		if f.state == nil || f.state.Suspect {
			doubtful, at = append(doubtful, keys[i]), append(at, i)
		}
	}
	if len(doubtful) == 0 {
		return found
	}
	sure, err := s.storeStates(ctx, doubtful)
	for i, j := range at {
		if err == nil {
			found[j] = sure[i]
		} else if found[j].state != nil {
			found[j].Stale = true
		}
	}
	return found
}

// fromStore asks Postgres, and memory where that is away.
func fromStore[T any](ctx context.Context, s *sources, key string, r route, read func(context.Context) (T, error)) (v T, c Condition, err error) {
	if c, err = s.storeCondition(ctx); err == nil {
		err = s.askStore(ctx, func(ctx context.Context) (err error) { v, err = read(ctx); return err })
	}
	if err == nil {
		if !reflect.ValueOf(&v).Elem().IsZero() { // that there is no such thing says nothing about what is
			s.remember(key, v)
		}
		return v, c, nil
	}
	if ctx.Err() == nil && r.memory {
		if v, c, ok := recall[T](s, key); ok {
			return v, c, nil
		}
	}
	return v, c, fmt.Errorf("%w: %w", errAway, err)
}

// ready says whether anything can be read.
func (s *sources) ready(ctx context.Context) error {
	p, liveErr := s.livePulse.get(ctx, time.Second)
	if liveErr == nil && s.judge(p).whole {
		return nil
	}
	if liveErr == nil {
		liveErr = errors.New("redis is not whole")
	}
	if _, err := s.storePulse.get(ctx, time.Second); err != nil {
		return errors.Join(liveErr, err)
	}
	return nil
}
