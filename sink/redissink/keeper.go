package redissink

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// Keeper keeps Redis right for one processor, and never stops the stream for it: a push that does not land is made up
// for by a sweep, as soon as Redis can be written to again.
//
// While anything may be missing in Redis, applied is not moved: it never runs ahead of the batters.
type Keeper struct {
	sink *Sink
	src  Source
	cfg  KeeperConfig

	wake    chan struct{} // holds one: Run has something to do now
	pushing sync.Mutex    // one push at a time: a later one must not move applied past one that fails

	mu    sync.Mutex
	state State
	// misses counts the reasons for a sweep. A sweep that began at the present count has made up for all of them.
	misses int
	// pending are the positions of pushes that landed while applied was not to be moved, since the last sweep began.
	pending []schemas.Position
	swept   time.Time // when the last sweep that succeeded ended
	suspect bool      // a push found a gap, which may close by itself
}

// KeeperConfig has the times of a Keeper, each with its default where 0.
type KeeperConfig struct {
	PushTimeout time.Duration // the longest that a push may hold up the stream; 2 s
	CheckEvery  time.Duration // to ask whether Redis still is what it was; 1 s
	SweepEvery  time.Duration // to compare all batters though nothing seems wrong; 5 min
	RetryMax    time.Duration // between attempts while Redis is away, after fewer at first; 2 s
	// SuspectAfter is the least between two sweeps for gaps that may close by themselves; 10 s. They come with many
	// processors that work on the same batters, as in a replay.
	SuspectAfter time.Duration
	Log          *slog.Logger // nil: none
	Hooks        Hooks
}

// Hooks are called with what happened, from the goroutine where it did; each may be nil.
type Hooks struct {
	// Pushed is called after every push: how many batters it had, how long it took, and why it did not land.
	Pushed func(batters int, took time.Duration, err error)
	// Skipped is called for a push that was not tried, because Redis is away or refused.
	Skipped func(batters int)
	// Swept is called after every sweep, also one that failed.
	Swept func(report SweepReport, took time.Duration, err error)
	// Changed is called when the phase or its reason changes.
	Changed func(State)
}

// Phase says what may be expected of Redis.
type Phase string

const (
	// PhaseOK: it holds all that was pushed, and applied says so.
	PhaseOK Phase = "ok"
	// PhaseRepairing: it takes snapshots, but something may be missing until a sweep has succeeded.
	PhaseRepairing Phase = "mending"
	// PhaseUnavailable: it does not answer, or with errors. Pushes are skipped.
	PhaseUnavailable Phase = "away"
	// PhaseRefused: it answers, and must not be written to (*RefusedError). Pushes are skipped.
	PhaseRefused Phase = "refused"
)

// State is a phase, why it was entered (one line; "" where all is well), and when.
type State struct {
	Phase  Phase
	Reason string
	Since  time.Time
}

// NewKeeper makes a Keeper, which does nothing but take pushes until it is Run.
func NewKeeper(sink *Sink, src Source, cfg KeeperConfig) *Keeper {
	cfg.PushTimeout = cmp.Or(cfg.PushTimeout, 2*time.Second)
	cfg.CheckEvery = cmp.Or(cfg.CheckEvery, time.Second)
	cfg.SweepEvery = cmp.Or(cfg.SweepEvery, 5*time.Minute)
	cfg.RetryMax = cmp.Or(cfg.RetryMax, 2*time.Second)
	cfg.SuspectAfter = cmp.Or(cfg.SuspectAfter, 10*time.Second)
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	return &Keeper{
		sink: sink, src: src, cfg: cfg, wake: make(chan struct{}, 1),
		state: State{PhaseRepairing, "starting", time.Now()},
	}
}

// blind reports that pushes are skipped.
func (s State) blind() bool { return s.Phase == PhaseUnavailable || s.Phase == PhaseRefused }

// State is the present state.
func (k *Keeper) State() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// Push writes the snapshots that Postgres has committed, and after them moves applied to the positions. It takes at most
// PushTimeout, and no time while Redis is known to be away. What did not land, for whatever reason, is mended later.
func (k *Keeper) Push(ctx context.Context, snaps []schemas.Snapshot, positions []schemas.Position) {
	k.pushing.Lock()
	defer k.pushing.Unlock()
	if k.State().blind() { // which only a sweep ends, that begins later
		if k.cfg.Hooks.Skipped != nil {
			k.cfg.Hooks.Skipped(len(snaps))
		}
		return
	}
	start := time.Now()
	err := k.push(ctx, snaps, positions)
	if k.cfg.Hooks.Pushed != nil {
		k.cfg.Hooks.Pushed(len(snaps), time.Since(start), err)
	}
	if err != nil {
		if !errors.Is(err, errLost) && ctx.Err() == nil { // a caller who gave up says nothing about Redis
			k.fail(err)
		}
		k.miss(err.Error())
	}
}

func (k *Keeper) push(ctx context.Context, snaps []schemas.Snapshot, positions []schemas.Position) error {
	ctx, cancel := context.WithTimeout(ctx, k.cfg.PushTimeout)
	defer cancel()
	found, err := k.sink.pushSnapshots(ctx, snaps)
	if err != nil {
		return err
	}
	if found == foundLoss {
		return errLost
	}
	if k.postpone(positions, found == foundGap) {
		return nil
	}
	lost, err := k.sink.advance(ctx, positions)
	if lost {
		return errLost
	}
	return err
}

// postpone keeps positions for later where applied is not to be moved now.
func (k *Keeper) postpone(positions []schemas.Position, gap bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.suspect = k.suspect || gap
	// guard: applied does not move before Redis is mended | always
	if k.state.Phase == PhaseOK {
		return false
	}
	k.pending = append(k.pending, positions...)
	return true
}

// RequestSweep has all batters compared now, and all keys looked at. It is for when partitions were assigned, since who had them
// before may have committed to Postgres what never came here; and for when Postgres was found to have come back older.
func (k *Keeper) RequestSweep() {
	k.sink.doubts()
	k.miss("partitions were assigned")
}

const (
	retryMin = 100 * time.Millisecond // doubling to KeeperConfig.RetryMax while Redis is away
	lockWait = 250 * time.Millisecond // until the next attempt while another process is sweeping
)

// Run watches Redis and sweeps when there is a reason, until the context ends; it gives the context's error. It is to be
// called once. The first sweep begins at once.
func (k *Keeper) Run(ctx context.Context) error {
	retry := retryMin
	for {
		wait, err := k.round(ctx)
		wake := k.wake
		switch {
		case err == nil:
			retry = retryMin
		case errors.Is(err, ErrSweeping):
			wait = lockWait
		default:
			wait, retry = retry, min(2*retry, k.cfg.RetryMax)
			wake = nil // more reasons to sweep do not make it succeed
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		case <-wake:
			timer.Stop()
		}
	}
}

// round looks at Redis once, and sweeps if there is a reason; it says when to look again.
func (k *Keeper) round(ctx context.Context) (wait time.Duration, err error) {
	if err := k.check(ctx); err != nil {
		return 0, err
	}
	due, misses := k.sweepDue()
	if !due {
		return k.cfg.CheckEvery, nil
	}
	if err := k.sweep(ctx); err != nil {
		return 0, err
	}
	return k.cfg.CheckEvery, k.settle(ctx, misses)
}

// check asks Redis whether it still is what it was. One that answers is away no longer.
func (k *Keeper) check(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, k.cfg.PushTimeout)
	defer cancel()
	lost, err := k.sink.check(limited)
	if err != nil {
		return k.failUnless(ctx, err)
	}
	k.answers()
	// guard: a Redis that came back empty is noticed
	if lost {
		k.miss(errLost.Error())
	}
	return nil
}

// failUnless fails, unless it was only that the context ended.
func (k *Keeper) failUnless(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		k.fail(err)
	}
	return err
}

// sweepDue says whether to sweep now, and the misses that the sweep will have made up for.
func (k *Keeper) sweepDue() (due bool, misses int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	since := time.Since(k.swept)
	// guard: Redis is swept when something was missed | k.state.Phase != PhaseOK -> false
	due = k.state.Phase != PhaseOK || since >= k.cfg.SweepEvery || k.suspect && since >= k.cfg.SuspectAfter
	if due {
		k.suspect, k.pending = false, nil
	}
	return due, k.misses
}

func (k *Keeper) sweep(ctx context.Context) error {
	start := time.Now()
	report, err := k.sink.Sweep(ctx, k.src)
	took := time.Since(start)
	if errors.Is(err, ErrSweeping) {
		return err
	}
	if k.cfg.Hooks.Swept != nil {
		k.cfg.Hooks.Swept(report, took, err)
	}
	if source := (*sourceError)(nil); errors.As(err, &source) {
		return err // Redis is as it was
	} else if err != nil {
		return k.failUnless(ctx, err)
	}
	if report.Repaired > 0 {
		k.cfg.Log.Info("mended Redis from Postgres", "checked", report.Checked, "mended", report.Repaired,
			"forced", report.Forced, "dropped", report.Dropped, "took", took)
	}
	return nil
}

// settle ends a sweep: if nothing was missed since it began, Redis is right, and applied moves on to what landed
// meanwhile.
func (k *Keeper) settle(ctx context.Context, misses int) error {
	k.pushing.Lock() // none is under way
	defer k.pushing.Unlock()
	k.mu.Lock()
	k.swept = time.Now()
	clean, pending := k.misses == misses, k.pending
	k.mu.Unlock()
	if !clean {
		return nil // Run was woken for what was missed
	}
	limited, cancel := context.WithTimeout(ctx, k.cfg.PushTimeout)
	defer cancel()
	lost, err := k.sink.advance(limited, pending)
	if err != nil {
		return k.failUnless(ctx, err)
	}
	if lost {
		k.miss(errLost.Error())
		return nil
	}
	k.clean(misses)
	return nil
}

var errLost = errors.New("redis: no longer holds what was written there")

// miss has a sweep made: something may be missing in Redis that no sweep so far can have seen. Redis that is away stays
// away until Run finds that it is not.
func (k *Keeper) miss(reason string) {
	k.update(func() {
		k.misses++
		if !k.state.blind() {
			k.set(PhaseRepairing, reason)
		}
	})
	select {
	case k.wake <- struct{}{}:
	default: // Run is to wake up already
	}
}

// fail notes that Redis cannot be written to.
func (k *Keeper) fail(err error) {
	phase := PhaseUnavailable
	if refused := (*RefusedError)(nil); errors.As(err, &refused) {
		phase = PhaseRefused
	}
	k.update(func() { k.set(phase, err.Error()) })
}

// answers notes that Redis can be written to, as far as is known.
func (k *Keeper) answers() {
	k.update(func() {
		if k.state.blind() {
			k.set(PhaseRepairing, "it answers again")
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
