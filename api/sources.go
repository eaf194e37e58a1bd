package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// errUnavailable reports that neither Redis nor Postgres can be read, and that no earlier answer is
// remembered.
var errUnavailable = errors.New("neither Redis nor Postgres can be read now")

// errStoreUnavailable reports the same about what Redis never has, such as pitches and the list of games.
// Redis may well be read then.
var errStoreUnavailable = errors.New("only Postgres has this, and it cannot be read now")

// sources decides where an answer comes from: Redis if it is up to date, else Postgres, else the memory of
// earlier answers.
type sources struct {
	cfg         Config
	live, store gate
	coalescer   coalescer[schemas.PlayerKey, *schemas.PlayerState]
	games       coalescer[string, string] // versions
	// stored are states in Postgres, and pitches are rows.
	stored     coalescer[schemas.PlayerKey, *schemas.PlayerState]
	pitches    coalescer[schemas.PitchID, *schemas.StoredPitch]
	livePulse  pulseCache
	storePulse pulseCache
	// witness is Postgres' pulse for those who read Redis: it must cost them little time.
	witness pulseCache
	memory  *memory
}

func (s *sources) init(cfg Config) (err error) {
	s.cfg = cfg
	s.live.name, s.live.log = "Redis", cfg.Log
	s.store.name, s.store.log = "Postgres", cfg.Log
	s.coalescer.log, s.games.log = cfg.Log, cfg.Log
	s.stored.log, s.pitches.log = cfg.Log, cfg.Log
	type key = schemas.PlayerKey
	type state = schemas.PlayerState
	s.coalescer.send = func(ctx context.Context, k []key) (found []*state, p schemas.Pulse, err error) {
		err = s.askLive(ctx, func(ctx context.Context) error { found, p, err = cfg.Live.Look(ctx, k); return err })
		return found, p, err
	}
	s.games.send = toStore(s, Store.GameVersions)
	s.stored.send = toStore(s, Store.States)
	s.pitches.send = toStore(s, Store.Pitches)
	s.livePulse.read = func(ctx context.Context) (p schemas.Pulse, err error) {
		err = s.askLive(ctx, func(ctx context.Context) (err error) { _, p, err = cfg.Live.Seqs(ctx, nil); return })
		return p, err
	}
	s.storePulse.read = func(ctx context.Context) (p schemas.Pulse, err error) {
		err = s.askStore(ctx, func(ctx context.Context) (err error) { p, err = cfg.Store.Pulse(ctx); return err })
		return p, err
	}
	s.witness.rest = witnessRest
	s.witness.read = func(ctx context.Context) (schemas.Pulse, error) {
		// Other reads of Postgres may wait for longer, so a timeout here does not close its gate.
		ctx, cancel := context.WithTimeout(ctx, witnessTimeout)
		defer cancel()
		return s.storePulse.read(ctx)
	}
	s.memory, err = newMemory(cfg.Remembered, cfg.RememberedBytes)
	return err
}

// toStore returns the round trip of a coalescer whose values are in Postgres.
func toStore[K, V any](
	s *sources, read func(Store, context.Context, []K) ([]V, error),
) func(context.Context, []K) ([]V, schemas.Pulse, error) {
	return func(ctx context.Context, keys []K) (found []V, _ schemas.Pulse, err error) {
		err = s.askStore(ctx, func(ctx context.Context) (err error) {
			found, err = read(s.cfg.Store, ctx, keys)
			return err
		})
		return found, schemas.Pulse{}, err
	}
}

// errUnknown reports that it is not known which target readers see, so any answer might be of another one.
var errUnknown = errors.New("which target readers see is not known")

func (s *sources) askLive(ctx context.Context, f func(context.Context) error) error {
	// guard: switch: nothing is answered while the target is unknown
	if s.cfg.certainty() == unknown {
		return errUnknown
	}
	return s.live.ask(ctx, s.cfg.LiveTimeout, f)
}

// storeTimeout limits one answer of Postgres.
const storeTimeout = 5 * time.Second

func (s *sources) askStore(ctx context.Context, f func(context.Context) error) error {
	if s.cfg.certainty() == unknown {
		return errUnknown
	}
	// The wait for a place is outside the gate, because it says nothing about Postgres.
	return turnOf(ctx).read(ctx, &s.cfg.turns.store, func() error { return s.store.ask(ctx, storeTimeout, f) })
}

// askByKey reads a few rows of Postgres by their keys, in one round trip with those that other requests ask
// for. Without that, a client that asks for what is not there costs Postgres a transaction each time.
func askByKey[K, V any](
	ctx context.Context, s *sources, c *coalescer[K, V], keys []K,
) (found []V, err error) {
	err = turnOf(ctx).read(ctx, &s.cfg.turns.byKey, func() error {
		found, _, err = c.ask(ctx, keys)
		return err
	})
	return found, err
}

func (s *sources) judge(p schemas.Pulse) verdict {
	v := judge(p, time.Now(), s.cfg.MaxLag)
	// guard: switch: on the word of a copy answers are stale
	v.stale = v.stale || s.cfg.certainty() != certain
	return v
}

// The witness is asked every witnessEvery, waited for up to witnessTimeout, and left alone for witnessRest
// after it failed.
const (
	witnessEvery   = 500 * time.Millisecond
	witnessTimeout = time.Second
	witnessRest    = 3 * time.Second
)

// judgeLive judges a pulse of Redis. Where processors are silent in it, Postgres says whether they are dead.
// If it cannot, Redis is believed, because nothing else may answer.
func (s *sources) judgeLive(ctx context.Context, p schemas.Pulse) verdict {
	v := s.judge(p)
	if !v.upToDate || !v.silent {
		return v
	}
	store, err := s.witness.get(ctx, witnessEvery)
	v.upToDate = err != nil || !isFrozen(p, store, time.Now())
	return v
}

// storeCondition returns the condition of answers from Postgres now.
func (s *sources) storeCondition(ctx context.Context) (Condition, error) {
	p, err := s.storePulse.get(ctx, 250*time.Millisecond)
	return s.judge(p).condition(sourcePostgres), err
}

// recall returns the last answer under key, with its age in the condition.
func recall[T any](s *sources, key string) (v T, c Condition, ok bool) {
	r, ok := s.memory.get(key)
	if !ok {
		return v, c, false
	}
	v, ok = r.value.(T)
	return v, Condition{Source: sourceMemory, Stale: true, AgeMS: time.Since(r.at).Milliseconds()}, ok
}

// held is a state and its source. The state is nil if the player has no current row, or is unknown.
type held struct {
	state *schemas.PlayerState
	Condition
	// admission is not admitted only until Postgres was asked.
	admission admission
}

// isUnknown reports that nothing can be said of the player: no store can be believed about him, and no
// answer is remembered.
func (h held) isUnknown() bool { return h.state == nil && h.Source == sourceMemory }

// states returns the states of batters, in the order of the keys. It reads Redis if the route allows it and
// Redis is up to date, else Postgres, else memory. It returns errUnavailable if none of them has any. Only
// Postgres is believed that a batter has no row, because Redis may have lost one. No state is older than one
// that was answered before; where the stores have only older ones, memory answers.
func (s *sources) states(ctx context.Context, keys []schemas.PlayerKey, route route) ([]held, error) {
	found, ok := []held(nil), false
	if route.live {
		if found, ok = s.liveStates(ctx, keys); ok {
			found = s.confirm(ctx, keys, found)
		}
	}
	var err error
	if !ok {
		found, err = s.storeStates(ctx, keys, nil)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, wrapped(err)
		}
		found = schemas.Map(keys, s.remembered)
	}
	isOfMemory := func(h held) bool { return h.Source == sourceMemory }
	// guard: api: memory does not answer a read that waits for a record | !route.memory -> false
	refused := !route.memory && slices.ContainsFunc(found, isOfMemory)
	if refused || !slices.ContainsFunc(found, func(h held) bool { return !h.isUnknown() }) {
		return nil, cmp.Or(wrapped(err), errUnavailable)
	}
	return found, nil
}

// wrapped returns errUnavailable with its reason, nil without one.
func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errUnavailable, err)
}

// remembered returns the last answer about a player.
func (s *sources) remembered(key schemas.PlayerKey) held {
	state, c, ok := recall[*schemas.PlayerState](s, memoryKey(key))
	if !ok {
		c = Condition{Source: sourceMemory, Stale: true}
	}
	return held{state: state, Condition: c}
}

func memoryKey(k schemas.PlayerKey) string {
	return fmt.Sprintf("%v/%d/%s", k.Side, k.PlayerID, k.GamePK)
}

func (s *sources) liveStates(ctx context.Context, keys []schemas.PlayerKey) (found []held, ok bool) {
	o := offer{began: time.Now()}
	states, pulse, err := s.look(ctx, keys)
	if err != nil {
		return nil, false
	}
	v := s.judgeLive(ctx, pulse)
	// guard: api: a Redis that is not up to date is not read
	if !v.upToDate {
		return nil, false
	}
	found = make([]held, len(keys))
	for i, state := range states {
		found[i] = held{state: state, Condition: v.condition(sourceRedis)}
		// After a failover, Redis may have lost its last writes together with the heartbeats that would show
		// it.
		if state != nil {
			found[i].state, found[i].admission = s.memory.admit(memoryKey(keys[i]), state, o)
		}
	}
	return found, true
}

// mergedKeys is how many players a request may ask for that shares a round trip to Redis with others. More
// take long to parse, and the others would wait for that.
const mergedKeys = 10

// look reads states and the pulse from Redis.
func (s *sources) look(
	ctx context.Context, keys []schemas.PlayerKey,
) (found []*schemas.PlayerState, p schemas.Pulse, err error) {
	t := turnOf(ctx)
	// guard: turns: many players of one client do not slow the reads of another | len(keys) <= mergedKeys -> true
	if t == nil || len(keys) <= mergedKeys {
		defer stepAside(ctx)()
		return s.coalescer.ask(ctx, keys)
	}
	err = t.readLarge(ctx, &s.cfg.turns.live, func() error {
		return s.askLive(ctx, func(ctx context.Context) (err error) {
			found, p, err = s.cfg.Live.Look(ctx, keys)
			return err
		})
	})
	return found, p, err
}

// storeStates reads Postgres. inRedis are the states in an up-to-date Redis, if they were read.
func (s *sources) storeStates(
	ctx context.Context, keys []schemas.PlayerKey, inRedis []*schemas.PlayerState,
) ([]held, error) {
	// The condition is read before the states, so they include everything that it promises.
	condition, err := s.storeCondition(ctx)
	if err != nil {
		return nil, err
	}
	o := offer{began: time.Now(), isStore: true}
	states, err := s.stateRows(ctx, keys)
	if err != nil {
		return nil, err
	}
	found := make([]held, len(keys))
	for i, state := range states {
		o.isAgreed = state != nil && inRedis != nil && inRedis[i] != nil && inRedis[i].Seq == state.Seq
		answer, admission := s.memory.admit(memoryKey(keys[i]), state, o)
		found[i] = held{state: answer, Condition: condition}
		// guard: api: Postgres answers nothing older than was answered before
		if admission != admitted {
			found[i] = s.remembered(keys[i])
		}
	}
	return found, nil
}

// stateRows reads states from Postgres, nil where it has none.
func (s *sources) stateRows(
	ctx context.Context, keys []schemas.PlayerKey,
) (states []*schemas.PlayerState, err error) {
	// guard: api: players that are not there share a round trip | turnOf(ctx) != nil && -> false &&
	if turnOf(ctx) != nil && len(keys) <= mergedKeys {
		return askByKey(ctx, s, &s.stored, keys)
	}
	err = s.askStore(ctx, func(ctx context.Context) (err error) {
		states, err = s.cfg.Store.States(ctx, keys)
		return err
	})
	return states, err
}

// confirm asks Postgres about the players that Redis does not have, or has in a suspect or an older state.
func (s *sources) confirm(ctx context.Context, keys []schemas.PlayerKey, found []held) []held {
	var doubtful []schemas.PlayerKey
	var states []*schemas.PlayerState
	var at []int
	for i, f := range found {
		// guard: api: a suspect state is asked for in Postgres | f.state.Suspect -> false
		// guard: api: absence is believed of Postgres only | f.state == nil || f.state.Suspect -> f.state != nil && f.state.Suspect
		if f.state == nil || f.state.Suspect || f.admission != admitted {
			doubtful, states, at = append(doubtful, keys[i]), append(states, f.state), append(at, i)
		}
	}
	if len(doubtful) == 0 {
		return found
	}
	sure, err := s.storeStates(ctx, doubtful, states)
	for i, j := range at {
		f := &found[j]
		switch {
		case err == nil:
			*f = sure[i]
		// guard: api: without Postgres nobody is absent | f.state == nil || -> f.state != nil &&
		// guard: api: what cannot be parsed is no answer | f.state.Seq == 0 -> f.state.Seq < 0
		case f.state == nil || f.state.Seq == 0 || f.admission == older: // at 0, Redis has what cannot be parsed
			*f = s.remembered(keys[j])
		default:
			f.Stale = true
		}
	}
	return found
}

// fromStore reads Postgres, or the memory of its answers if it is unavailable.
func fromStore[T any](
	ctx context.Context, s *sources, key string, r route, read func(context.Context, Store) (T, error),
) (v T, c Condition, err error) {
	return orRecalled(ctx, s, key, r, func(ctx context.Context) (v T, err error) {
		err = s.askStore(ctx, func(ctx context.Context) (err error) { v, err = read(ctx, s.cfg.Store); return err })
		return v, err
	})
}

// orRecalled returns what read returns, or the last answer under key if Postgres is unavailable.
func orRecalled[T any](
	ctx context.Context, s *sources, key string, r route, read func(context.Context) (T, error),
) (v T, c Condition, err error) {
	began := time.Now()
	if c, err = s.storeCondition(ctx); err == nil {
		began = time.Now()
		v, err = read(ctx)
	}
	if err == nil {
		// An empty answer is not remembered, because it says nothing about later ones. But it ends earlier
		// ones.
		if !reflect.ValueOf(&v).Elem().IsZero() {
			s.memory.add(key, v, began)
		} else {
			// guard: api: a game that lost its rows is forgotten
			s.memory.forget(key, began)
		}
		return v, c, nil
	}
	if ctx.Err() == nil && r.memory && !isDataError(err) {
		if v, c, ok := recall[T](s, key); ok {
			return v, c, nil
		}
	}
	return v, c, fmt.Errorf("%w: %w", errStoreUnavailable, err)
}

// readStore waits for the records in need, then reads Postgres or the memory of its answers.
func readStore[T any](
	ctx context.Context, a *API, key, need string, read func(context.Context, Store) (T, error),
) (v T, c Condition, err error) {
	r, err := awaitRecords(ctx, a, need, false)
	if err != nil {
		return v, c, err
	}
	return fromStore(ctx, &a.sources, key, r, read)
}

// ready returns nil if anything can be read.
func (s *sources) ready(ctx context.Context) error {
	p, liveErr := s.livePulse.get(ctx, time.Second)
	if liveErr == nil && s.judge(p).upToDate {
		return nil
	}
	if _, err := s.storePulse.get(ctx, time.Second); err != nil {
		return errors.Join(cmp.Or(liveErr, errors.New("redis is incomplete")), err)
	}
	return nil
}
