package redissink

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

var errLost = errors.New("redis: no longer holds what was written there")

// miss has a sweep made: something may be missing in Redis that no sweep so far can have seen. Redis that is away stays
// away until Run finds that it is not.
func (k *Keeper) miss(reason string) {
	k.update(func() {
		k.misses++
		if !k.state.blind() {
			k.set(PhaseMending, reason)
		}
	})
	select {
	case k.wake <- struct{}{}:
	default: // Run is to wake up already
	}
}

// fail notes that Redis cannot be written to.
func (k *Keeper) fail(err error) {
	phase := PhaseAway
	if refused := (*RefusedError)(nil); errors.As(err, &refused) {
		phase = PhaseRefused
	}
	k.update(func() { k.set(phase, err.Error()) })
}

// answers notes that Redis can be written to, as far as is known.
func (k *Keeper) answers() {
	k.update(func() {
		if k.state.blind() {
			k.set(PhaseMending, "it answers again")
		}
	})
}

// clean notes that nothing is missing, if nothing was missed since.
func (k *Keeper) clean(misses int) {
	k.update(func() {
		if k.misses == misses {
			k.set(PhaseOK, "")
		}
	})
}

// set is for use within update.
func (k *Keeper) set(phase Phase, reason string) {
	since := k.state.Since
	if k.state.Phase != phase {
		since = time.Now()
	}
	k.state = State{phase, reason, since}
}

// update changes the state, and tells about it where it is another one then.
func (k *Keeper) update(change func()) {
	k.mu.Lock()
	was := k.state
	change()
	now := k.state
	k.mu.Unlock()
	if now == was {
		return
	}
	if now.Phase != was.Phase {
		level := slog.LevelInfo
		if now.blind() {
			level = slog.LevelWarn
		}
		k.cfg.Log.Log(context.Background(), level, "Redis is "+string(now.Phase), "was", was.Phase, "reason", now.Reason)
	}
	if k.cfg.Hooks.Changed != nil {
		k.cfg.Hooks.Changed(now)
	}
}
