package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// HeaderTarget names the target that an answer was read from.
const HeaderTarget = "X-Pitchstream-Target"

// SwitchConfig says which targets a Switch serves.
type SwitchConfig struct {
	// API is the configuration of every target, without Live and Store, which Open returns.
	API Config
	// Open opens the stores of a target; close closes them.
	Open func(t schemas.Target) (live Live, store Store, close func(), err error)
	// Pointer returns the target that readers see.
	Pointer func(ctx context.Context) (schemas.Pointer, error)
	// Copy returns a copy of the pointer, for when Pointer fails. It may be older than the last change. nil:
	// there is no copy.
	Copy func(ctx context.Context) (schemas.Pointer, error)
	// Every is the interval at which the pointer is read; 200 ms.
	Every time.Duration
	// Reach is how long readers stay with a target until the promoted one has read as far; 2 s.
	Reach time.Duration
	// Grace is how long the stores of a target stay open after readers have moved to another one; 20 s, more
	// than a request takes.
	Grace time.Duration
}

// Switch passes each request to the API of the target that readers see. Each target has an API with stores
// and memory of its own, so no answer mixes two targets. Open streams move to the new target.
type Switch struct {
	cfg SwitchConfig
	now atomic.Pointer[served]

	// The goroutine of Run owns these four. blind reports that the pointer cannot be read. newest is the
	// generation of the pointer that was followed last.
	run     context.Context
	running sync.WaitGroup
	blind   bool
	newest  int64

	// left are the APIs that readers have left and whose stores are still open. mu guards it.
	mu   sync.Mutex
	left []*served
}

// certainty is how certain it is which target readers see.
type certainty int32

const (
	// certain: the pointer names it, or did when it could last be read.
	certain certainty = iota
	// copied: a copy of the pointer names it, which may be older than a change. Answers are stale.
	copied
	// unknown: neither can be read. There are no answers.
	unknown
)

// served is the API of one target.
type served struct {
	api    *API
	target schemas.Target
	// is holds a certainty.
	is atomic.Int32
	// close may be called more than once.
	close func()
	// halt ends Run of the API.
	halt context.CancelFunc
}

// pointerTimeout limits one read of the pointer, and the first answer of a target.
const pointerTimeout = time.Second

// NewSwitch opens the target that readers see. While that is unknown, every request is refused.
func NewSwitch(ctx context.Context, cfg SwitchConfig) (*Switch, error) {
	cfg.Every = cmp.Or(cfg.Every, 200*time.Millisecond)
	cfg.Grace = cmp.Or(cfg.Grace, 20*time.Second)
	cfg.Reach = cmp.Or(cfg.Reach, 2*time.Second)
	var err error
	if cfg.API, err = cfg.API.withDefaults(); err != nil {
		return nil, err
	}
	s := &Switch{cfg: cfg}
	p, is, err := s.point(ctx)
	s.newest, s.blind = p.Generation, err != nil
	switch is {
	case copied:
		cfg.API.Log.Warn("the pointer to the current target cannot be read: following a copy, answers are stale",
			"target", p.Target.Name, "error", err)
	case unknown:
		s.newest, p.Target = -1, schemas.Target{Name: "live"}
		cfg.API.Log.Warn("the pointer to the current target cannot be read: no answers until then", "error", err)
	}
	first, err := s.open(p.Target, is)
	if err != nil {
		return nil, err
	}
	s.now.Store(first)
	return s, nil
}

// point returns the target that readers see. err says why the pointer itself cannot be read.
func (s *Switch) point(ctx context.Context) (p schemas.Pointer, is certainty, err error) {
	ask := func(pointer func(context.Context) (schemas.Pointer, error)) (schemas.Pointer, error) {
		ctx, cancel := context.WithTimeout(ctx, pointerTimeout)
		defer cancel()
		return pointer(ctx)
	}
	if p, err = ask(s.cfg.Pointer); err == nil {
		return p, certain, nil
	}
	if s.cfg.Copy != nil {
		p, failed := ask(s.cfg.Copy)
		if failed == nil {
			return p, copied, err
		}
		err = errors.Join(err, failed)
	}
	// guard: switch: the last target stays while the pointer cannot be read | schemas.Pointer{}, unknown, err -> schemas.Pointer{Target: schemas.Target{Name: "live"}}, certain, err
	return schemas.Pointer{}, unknown, err
}

func (s *Switch) open(t schemas.Target, is certainty) (*served, error) {
	cfg := s.cfg.API
	o := &served{target: t, halt: func() {}}
	o.is.Store(int32(is))
	cfg.certainty = func() certainty { return certainty(o.is.Load()) }
	var err error
	if cfg.Live, cfg.Store, o.close, err = s.cfg.Open(t); err != nil {
		return nil, fmt.Errorf("target %s: %w", t.Name, err)
	}
	o.close = sync.OnceFunc(o.close)
	cfg.successor = func() *API {
		if next := s.now.Load(); next != o {
			return next.api
		}
		return nil
	}
	if o.api, err = New(cfg); err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

// ServeHTTP answers one request, all of it from one target.
func (s *Switch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := s.now.Load()
	w.Header().Set(HeaderTarget, now.target.Name)
	now.api.ServeHTTP(w, r)
}

// Ready returns nil if anything can be read of the target that readers see.
func (s *Switch) Ready(ctx context.Context) error { return s.now.Load().api.Ready(ctx) }

// Run follows the pointer and runs the API of the current target until ctx ends. Then it ends the streams.
// Call it once, and Close after the last request has been answered.
func (s *Switch) Run(ctx context.Context) error {
	s.run = ctx
	s.begin(s.now.Load())
	defer s.running.Wait()
	every(ctx, s.cfg.Every, func() { s.follow(ctx) })
	return nil
}

// begin runs an API until it is halted.
func (s *Switch) begin(o *served) {
	ctx, halt := context.WithCancel(s.run)
	o.halt = halt
	s.running.Go(func() { _ = o.api.Run(ctx) })
}

// follow reads the pointer, and moves to another target once that one can answer.
func (s *Switch) follow(ctx context.Context) {
	p, is, err := s.point(ctx)
	was, log := s.now.Load(), s.cfg.API.Log
	if failed := err != nil; failed != s.blind {
		if s.blind = failed; failed {
			log.Warn("the pointer to the current target cannot be read: staying with the last one",
				"target", was.target.Name, "error", err)
		} else {
			log.Info("the pointer to the current target can be read again", "target", p.Target.Name)
		}
	}
	// guard: switch: an older copy is not followed | || is == copied && p.Generation <= s.newest && p.Target != was.target ->
	if is == unknown || is == copied && p.Generation <= s.newest && p.Target != was.target {
		return
	}
	if p.Target == was.target {
		if is == certain {
			s.newest = p.Generation
		}
		was.is.Store(min(was.is.Load(), int32(is)))
		return
	}
	look, cancel := context.WithTimeout(ctx, pointerTimeout)
	defer cancel()
	next, err := s.open(p.Target, is)
	if err != nil {
		log.Error("cannot open the promoted target: staying with the last one",
			"target", p.Target.Name, "error", err)
		return
	}
	// guard: switch: a target that cannot be read is not gone over to
	if err := next.api.Ready(look); err != nil {
		log.Error("cannot read the promoted target: staying with the last one",
			"target", p.Target.Name, "error", err)
		next.close()
		return
	}
	next.api.names.refresh(look)
	reach, cancel := context.WithTimeout(ctx, s.cfg.Reach)
	defer cancel()
	// guard: switch: readers wait for what they have seen
	if !next.hasReached(reach, was) {
		log.Warn("the promoted target has not read what readers have seen: they go back to an older state",
			"target", p.Target.Name, "waited", s.cfg.Reach)
	}
	s.begin(next)
	s.now.Store(next)
	s.newest = p.Generation
	log.Info("readers see another target",
		"target", p.Target.Name, "before", was.target.Name, "generation", p.Generation)
	s.retire(was)
}

// hasReached waits until a target has every record that another one has. It returns false if ctx ends before,
// and true where either cannot be asked. Records that the other one reads after the last look may be missing
// for some milliseconds.
func (o *served) hasReached(ctx context.Context, was *served) bool {
	for {
		seen, err := was.api.cfg.Store.Pulse(ctx)
		if err != nil {
			return ctx.Err() == nil
		}
		now, err := o.pulse(ctx)
		if err != nil {
			return ctx.Err() == nil
		}
		isBehind := false
		for partition, next := range seen.Applied {
			isBehind = isBehind || now.Applied[partition] < next
		}
		if !isBehind {
			return true
		}
		pause := time.NewTimer(10 * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return false
		}
	}
}

// pulse reads how far a target is, in Redis if it can be asked, because that answers first.
func (o *served) pulse(ctx context.Context) (schemas.Pulse, error) {
	if live := o.api.cfg.Live; live != nil {
		if _, p, err := live.Seqs(ctx, nil); err == nil {
			return p, nil
		}
	}
	return o.api.cfg.Store.Pulse(ctx)
}

// retire lets the requests of a target finish, then closes its stores. Its streams move at once.
func (s *Switch) retire(was *served) {
	was.halt()
	s.mu.Lock()
	s.left = append(s.left, was)
	s.mu.Unlock()
	s.running.Go(func() {
		grace := time.NewTimer(s.cfg.Grace)
		defer grace.Stop()
		select {
		// guard: switch: stores stay open for the requests that are under way | instead case <-grace.C: s.letGo(was); default: s.letGo(was)
		case <-grace.C:
			s.letGo(was)
		case <-s.run.Done(): // Close does it
		}
	})
}

// letGo closes the stores of a target that was left. The Switch does not hold its API any more, because each
// one holds its memory of answers.
func (s *Switch) letGo(was *served) {
	was.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	// guard: switch: a target that was left is let go
	s.left = slices.DeleteFunc(s.left, func(o *served) bool { return o == was })
}

// Close closes the stores of all targets.
func (s *Switch) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range append(s.left, s.now.Load()) {
		o.close()
	}
}

func (s *Switch) log() *slog.Logger { return s.cfg.API.Log }
