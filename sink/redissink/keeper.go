package redissink

// A Keeper pushes the snapshots of each batch to Redis right after Postgres committed them, while the stream
// waits. Redis may be slow, unavailable, emptied or restored from a file at any time, and the stream must not
// stop for it.
//
// So a push that fails is not retried. It is counted as a miss, and the goroutine of Run sweeps: it compares
// all players with Postgres and repairs them. Until a sweep has succeeded that began after the last miss,
// applied is not moved, because it promises that no change below it is missing. The positions of pushes that
// succeed in the meantime are kept, and applied moves to them after the sweep.
//
// Run also checks each second that Redis still is the data set that was swept last, by its epoch, its servers
// and its applied positions. Without that a Redis that was emptied would go unnoticed until the next push.

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pitchstream/pitchstream/schemas"
)

const (
	pushTimeout = 2 * time.Second // the longest that a push or a check may take
	checkEvery  = time.Second
	sweepEvery  = 5 * time.Minute // also if nothing seems wrong
	// gapDelay is the least time between two sweeps for gaps that may close by themselves. Such gaps come with
	// many processors that work on the same players, as in a replay.
	gapDelay = 10 * time.Second
	// settleDelay is how long after the last call of Behind what it was about has ended.
	settleDelay = 2 * time.Second
	// sourceTimeout is the longest that one answer of Postgres may take, as an attempt at the store does.
	sourceTimeout = 30 * time.Second
	retryMin      = 100 * time.Millisecond // the first pause after an error; each next one doubles
	retryMax      = 2 * time.Second
	lockWait      = 250 * time.Millisecond // until the next attempt while another process is sweeping
	// patrolEvery is the time between two patrols. One that reads all keys rests patrolRest times as long as it
	// took, so that it costs Redis and us at most a twentieth of our time. One that failed rests patrolRetry at
	// most, because it may only have waited.
	patrolEvery = 2 * time.Second
	patrolRest  = 20
	patrolRetry = time.Minute
)

// Keeper keeps Redis up to date for one processor, and never stops the stream for it. A push that fails is
// repaired by a sweep, as soon as Redis can be written to again.
type Keeper struct {
	sink  *Sink
	src   Source
	hooks Hooks

	// sourceFault is why the last sweep could not read Postgres; only the goroutine of Run uses it.
	sourceFault string

	wake    chan struct{} // holds one: Run has something to do now
	pushing sync.Mutex    // held during a push, so that a later one cannot move applied past one that fails

	mu    sync.Mutex // guards the fields below
	state State
	// found counts what a sweep must repair. A sweep that began at the present counts has repaired all of it.
	// repaired are the gaps that the last successful sweep had found.
	found    counts
	repaired int
	// compared is the count of Behind that the last sweep for it had found, and comparedAt when that ended.
	compared   int
	comparedAt time.Time
	behindAt   time.Time // the last call of Behind
	// pending are the positions of pushes that succeeded while applied must not move, since the last sweep
	// began: the greatest of each partition, by its field in applied.
	pending map[string]schemas.Position
	swept   time.Time // when the last successful sweep ended
}

// counts are the reasons for a sweep: misses, gaps that pushes found, which may close by themselves, and
// calls of Behind.
type counts struct{ misses, gaps, behind int }

// Hooks are called by the goroutine in which something happened; each may be nil.
type Hooks struct {
	// Pushed is called after every push that was tried.
	Pushed func(err error)
	// Skipped is called for a push that was not tried, because Redis is unavailable or refused.
	Skipped func()
	// Swept is called after every sweep, also one that failed.
	Swept func(report SweepReport, err error)
	// Changed is called when the phase or its reason changes.
	Changed func(State)
}

// Phase is what readers may expect of Redis. Its values are part of Redis, the API and the metrics.
type Phase string

const (
	// PhaseOK means that Redis holds everything that was pushed, and applied says so.
	PhaseOK Phase = "ok"
	// PhaseRepairing means that Redis takes snapshots, but something may be missing until a sweep has succeeded.
	PhaseRepairing Phase = "mending"
	// PhaseUnavailable means that Redis does not answer, or with errors. Pushes are skipped.
	PhaseUnavailable Phase = "away"
	// PhaseRefused means that Redis answers, but must not be written to (*RefusedError) or takes no writes. Its
	// memory or disk is full, a right is missing, or it is a replica or has too few. Pushes are skipped. It
	// ends after a sweep, because a single write says little: it reaches one node of a cluster, and is small.
	PhaseRefused Phase = "refused"
)

// State is a phase, its reason (one line; "" in PhaseOK), and when the phase began.
type State struct {
	Phase  Phase
	Reason string
	Since  time.Time
}

// skipsPushes reports whether pushes are skipped.
func (s State) skipsPushes() bool { return s.Phase == PhaseUnavailable || s.Phase == PhaseRefused }

// NewKeeper returns a Keeper. It takes pushes at once, but checks and sweeps only in Run.
func NewKeeper(sink *Sink, src Source, hooks Hooks) *Keeper {
	// guard: redis: Postgres that hangs is not waited for without end | boundedSource{src} -> src
	return &Keeper{sink: sink, src: boundedSource{src}, hooks: hooks, wake: make(chan struct{}, 1),
		state: State{PhaseRepairing, "starting", time.Now()}}
}

func (k *Keeper) log() *slog.Logger { return k.sink.reader.cfg.Log }

// State returns the present state.
func (k *Keeper) State() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// Push writes the snapshots that Postgres has committed, and then moves applied to the positions. It takes at
// most pushTimeout, and no time while Redis is known to be unavailable. A later sweep repairs anything that
// failed.
func (k *Keeper) Push(ctx context.Context, snaps []schemas.Snapshot, positions []schemas.Position) {
	k.pushing.Lock()
	defer k.pushing.Unlock()
	if k.State().skipsPushes() { // only a sweep ends this, and that will begin later
		if k.hooks.Skipped != nil {
			k.hooks.Skipped()
		}
		return
	}
	err := k.push(ctx, snaps, positions)
	if k.hooks.Pushed != nil {
		k.hooks.Pushed(err)
	}
	if err != nil {
		if !errors.Is(err, errLost) && !errors.Is(err, errForeign) {
			_ = k.fail(ctx, err)
		}
		k.miss(err.Error())
	}
}

func (k *Keeper) push(ctx context.Context, snaps []schemas.Snapshot, positions []schemas.Position) error {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	found, err := k.sink.pushSnapshots(ctx, snaps)
	if err != nil {
		return err
	}
	if found == foundLoss {
		return errLost
	} else if found == foundForeign {
		return errForeign
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

// postpone keeps the positions for after the sweep, and returns true, if applied must not move now.
func (k *Keeper) postpone(positions []schemas.Position, gap bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if gap {
		k.found.gaps++
	}
	// guard: applied does not move before Redis is mended | always
	if k.state.Phase == PhaseOK {
		return false
	}
	if k.pending == nil {
		k.pending = map[string]schemas.Position{}
	}
	for _, p := range positions {
		// guard: redis: the positions that wait for a sweep are bounded | field := positionField(p); -> field := positionField(p) + string(rune(len(k.pending)));
		if field := positionField(p); p.NextOffset >= k.pending[field].NextOffset {
			k.pending[field] = p
		}
	}
	return true
}

// RequestSweep makes Run scan all keys and compare all players now. Call it after partitions were assigned,
// because their last owner may have committed changes to Postgres that never reached Redis. Call it also
// after Postgres came back older.
func (k *Keeper) RequestSweep() {
	k.sink.requestScan()
	k.miss("a sweep was requested")
}

// Behind has Run compare all players soon, because some have changed in Postgres without a push. It
// returns false if another processor does so.
func (k *Keeper) Behind() bool {
	if !k.sink.isLeader() {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.found.behind++
	k.behindAt = time.Now()
	return true
}

// Run checks Redis and sweeps when there is a reason, until ctx ends; it returns the error of ctx. Call it
// once. It sweeps at once when it starts.
func (k *Keeper) Run(ctx context.Context) error {
	var patrols sync.WaitGroup
	defer patrols.Wait()
	patrols.Go(func() { k.patrol(ctx) })
	retry := doubling(retryMin, retryMax)
	for {
		wait, wake := checkEvery, k.wake
		switch err := k.round(ctx); {
		case err == nil:
			retry.Reset()
		case errors.Is(err, ErrSweeping):
			wait = lockWait
		default:
			wait = retry.NextBackOff()
			wake = nil // because further misses do not make a failing server succeed
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		case <-wake:
		}
	}
}

// patrol looks again and again, until ctx ends, for keys that another program wrote to. One processor does it
// for all of them. It reads the keys that were changed, and at times all of them.
func (k *Keeper) patrol(ctx context.Context) {
	tick := time.Tick(patrolEvery)
	defer k.sink.changes.close()
	var next time.Time // of the earliest patrol that reads all keys
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		if k.State().Phase != PhaseOK || !k.sink.isLeader() {
			k.sink.changes.close()
			continue
		}
		names, ok := k.sink.changes.take(ctx)
		start := time.Now()
		switch {
		// guard: redis: changed keys are read at once | ok -> ok && false
		case ok:
			_ = k.patrolled(ctx, start, func() (SweepReport, bool, error) {
				return k.sink.PatrolChanges(ctx, k.src, names)
			})
		case start.After(next):
			err := k.patrolled(ctx, start, func() (SweepReport, bool, error) { return k.sink.Patrol(ctx, k.src) })
			rest := patrolRest * time.Since(start)
			// guard: redis: a patrol that waited for Postgres comes again soon
			if err != nil {
				rest = min(rest, patrolRetry)
			}
			next = time.Now().Add(rest)
		}
	}
}

// patrolled runs a patrol and reports what it repaired. It returns the error of the patrol.
func (k *Keeper) patrolled(
	ctx context.Context, start time.Time, patrol func() (SweepReport, bool, error),
) error {
	report, restored, err := patrol()
	if report.Repaired > 0 {
		k.log().Warn("repaired keys of Redis that differed from Postgres", "players", report.Repaired,
			"dropped", report.Dropped, "took", time.Since(start))
		if k.hooks.Swept != nil {
			k.hooks.Swept(report, err)
		}
	}
	if restored {
		k.RequestSweep()
	}
	if err != nil && ctx.Err() == nil {
		k.sink.changes.miss()
		k.log().Debug("patrol", "error", err)
	}
	return err
}

// round checks Redis once, and sweeps if there is a reason.
func (k *Keeper) round(ctx context.Context) error {
	if err := k.check(ctx); err != nil {
		return k.fail(ctx, err)
	}
	due, began := k.sweepDue()
	if !due {
		return nil
	}
	if err := k.sweep(ctx); err != nil {
		return err
	}
	return k.finishSweep(ctx, began)
}

// check asks Redis whether it lost data. An answer ends PhaseUnavailable, if Redis takes a write, too.
// PhaseRefused goes on until a sweep has succeeded.
func (k *Keeper) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	lost, err := k.sink.check(ctx)
	if err != nil {
		return err
	}
	if k.State().skipsPushes() { // spares a full server the sweep
		if _, err := k.sink.nameEpoch(ctx); err != nil { // writes nothing where the epoch has a name
			return err
		}
	}
	k.update(func() {
		// guard: redis: a server that refuses writes stays refused | k.state.Phase == PhaseUnavailable -> k.state.skipsPushes()
		if k.state.Phase == PhaseUnavailable {
			k.set(PhaseRepairing, "it answers again")
		}
	})
	// guard: a Redis that came back empty is noticed
	if lost {
		k.miss(errLost.Error())
	}
	return nil
}

// sweepDue reports whether to sweep now, and returns the counts of what the sweep will have repaired.
func (k *Keeper) sweepDue() (due bool, began counts) {
	k.mu.Lock()
	defer k.mu.Unlock()
	since := time.Since(k.swept)
	// guard: Redis is swept when something was missed | k.state.Phase != PhaseOK -> false
	due = k.state.Phase != PhaseOK || since >= sweepEvery || k.found.gaps != k.repaired && since >= gapDelay
	// A scoring of the past calls Behind each second. A sweep for another reason does not put off the first one,
	// and the last one does not wait for its turn.
	if k.found.behind != k.compared {
		// guard: redis: players whose change no batch pushes are compared at once | time.Since(k.comparedAt) -> since
		due = due || time.Since(k.comparedAt) >= gapDelay
		// guard: redis: the last players of a scoring are compared soon | >= settleDelay -> < 0
		due = due || time.Since(k.behindAt) >= settleDelay
	}
	if due {
		// guard: redis: a gap waits for a sweep that succeeds | k.pending = nil -> k.pending, k.repaired = nil, k.found.gaps
		k.pending = nil
	}
	return due, k.found
}

func (k *Keeper) sweep(ctx context.Context) error {
	start := time.Now()
	report, err := k.sink.Sweep(ctx, k.src)
	if errors.Is(err, ErrSweeping) {
		return err
	}
	if k.hooks.Swept != nil {
		k.hooks.Swept(report, err)
	}
	if errors.As(err, new(*sourceError)) {
		k.failSource(ctx, err)
		return err
	} else if err != nil {
		return k.fail(ctx, err)
	}
	k.sourceFault = ""
	if report.Repaired > 0 {
		k.log().Info("repaired Redis from Postgres", "checked", report.Checked, "repaired", report.Repaired,
			"forced", report.Forced, "dropped", report.Dropped, "took", time.Since(start))
	}
	return nil
}

// finishSweep moves applied to the positions of pushes that succeeded during the sweep, and enters PhaseOK,
// if nothing was missed since the sweep began.
func (k *Keeper) finishSweep(ctx context.Context, began counts) error {
	k.pushing.Lock() // so that no push is in flight
	defer k.pushing.Unlock()
	// guard: redis: pushes that were skipped during a sweep are swept | k.endRefusal() -> false
	if k.endRefusal() {
		return nil
	}
	k.mu.Lock()
	k.swept, k.repaired = time.Now(), began.gaps
	if began.behind != k.compared {
		k.compared, k.comparedAt = began.behind, k.swept
	}
	clean, pending := k.found.misses == began.misses, slices.Collect(maps.Values(k.pending))
	k.mu.Unlock()
	if !clean {
		return nil // the miss has woken Run
	}
	limited, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	lost, err := k.sink.advance(limited, pending)
	if err != nil {
		return k.fail(ctx, err)
	}
	if lost {
		k.miss(errLost.Error())
		return nil
	}
	k.clean(began.misses)
	return nil
}

// endRefusal ends PhaseRefused after a sweep, and reports whether it did. Another sweep follows at once,
// because pushes were skipped during the first.
// Only Run, which calls it, ends the phase.
func (k *Keeper) endRefusal() (ended bool) {
	const reason = "it takes writes again"
	if k.State().Phase != PhaseRefused {
		return false
	}
	k.update(func() { k.set(PhaseRepairing, reason) })
	k.miss(reason)
	return true
}

var (
	errLost    = errors.New("redis: no longer holds earlier writes")
	errForeign = errors.New("redis: a key of ours had another type, and was removed")
)

// miss requests a sweep, because Redis may lack something that no earlier sweep can have seen. It ends
// neither PhaseUnavailable nor PhaseRefused: Run does, which asks Redis.
func (k *Keeper) miss(reason string) {
	k.update(func() {
		k.found.misses++
		if !k.state.skipsPushes() {
			k.set(PhaseRepairing, reason)
		}
	})
	select {
	case k.wake <- struct{}{}:
	default: // Run wakes up anyway
	}
}

// fail records that Redis cannot be written to, and returns err. The end of ctx is no fault of Redis, and
// changes nothing.
func (k *Keeper) fail(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	phase := PhaseUnavailable
	if errors.As(err, new(*RefusedError)) || refusesWrites(err) {
		phase = PhaseRefused
	}
	k.update(func() { k.set(phase, err.Error()) })
	return err
}

// writeRefusals begin the answers of a server that takes no write. It is full, cannot write its own file, has
// too few replicas (min-replicas-to-write) or is one itself, or a right is missing.
var writeRefusals = []string{"OOM ", "MISCONF ", "NOPERM ", "NOREPLICAS ", "READONLY "}

// refusesWrites reports whether a server has answered that it takes no write.
func refusesWrites(err error) bool {
	return errors.Is(err, errReplica) || slices.ContainsFunc(writeRefusals, func(prefix string) bool {
		return redis.HasErrorPrefix(err, prefix)
	})
}

// failSource records that Redis cannot be compared with Postgres, which says nothing about Redis. The reason
// is logged once, because a sweep that is due is tried every two seconds until it succeeds.
func (k *Keeper) failSource(ctx context.Context, err error) {
	reason := "cannot be compared with Postgres: " + err.Error()
	if ctx.Err() != nil {
		return
	}
	if k.sourceFault != reason {
		k.log().Warn("Redis cannot be compared with Postgres; trying again", "error", err)
	}
	k.sourceFault = reason
	k.update(func() {
		// guard: redis: the phase says why a sweep fails
		if k.state.Phase == PhaseRepairing {
			k.set(PhaseRepairing, reason)
		}
	})
}

// clean enters PhaseOK, unless something was missed since the count was taken.
func (k *Keeper) clean(misses int) {
	k.update(func() {
		if k.found.misses == misses {
			k.set(PhaseOK, "")
		}
	})
}

// set may be called only by a change of update.
func (k *Keeper) set(phase Phase, reason string) {
	since := k.state.Since
	if k.state.Phase != phase {
		since = time.Now()
	}
	k.state = State{phase, reason, since}
}

// update changes the state under mu, and then reports it if it changed.
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
		if now.skipsPushes() {
			level = slog.LevelWarn
		}
		k.log().Log(context.Background(), level, "the phase of Redis changed", "phase", now.Phase, "was", was.Phase,
			"reason", now.Reason)
	}
	if k.hooks.Changed != nil {
		k.hooks.Changed(now)
	}
}
