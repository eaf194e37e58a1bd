package processor

import (
	"context"
	"log/slog"
	"time"

	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

const (
	// forgetEvery is the interval at which old changes are deleted.
	forgetEvery = time.Minute
	// changesLock is the lock of the one processor that deletes.
	changesLock = "changes"
)

// changesKeeper deletes the changes that the feed keeps no longer, in one processor at a time.
type changesKeeper struct {
	store *pgsink.Sink
	keep  time.Duration
	most  int64
	log   *slog.Logger
}

// Run deletes until ctx ends. It returns no error, because the stream must go on all the same.
func (k *changesKeeper) Run(ctx context.Context) error {
	each(ctx, forgetEvery, func() {
		if n, err := k.cycle(ctx); err != nil && ctx.Err() == nil {
			k.log.Warn("could not delete old changes of the feed", "error", err)
		} else if n > 0 {
			k.log.Debug("deleted old changes of the feed", "changes", n)
		}
	})
	return nil
}

// cycle deletes in small transactions until nothing is left to delete.
func (k *changesKeeper) cycle(ctx context.Context) (deleted int64, err error) {
	release, ok, err := pgbooks.New(k.store.DB()).TryLock(ctx, changesLock)
	if err != nil || !ok {
		return 0, err
	}
	defer release()
	books := pgbooks.NewChanges(k.store.DB())
	for {
		n, err := books.Forget(ctx, k.keep, k.most)
		deleted += n
		if err != nil || n == 0 {
			return deleted, err
		}
	}
}

// soleLock is a lock that one process has, from one cycle of its work to the next. One goroutine uses it.
type soleLock struct {
	release func() // nil: this process does not have it
}

// take reports whether this process has the lock of this name, or gets it now.
func (l *soleLock) take(ctx context.Context, store *pgsink.Sink, name string) (ok bool, err error) {
	if l.release != nil {
		return true, nil
	}
	release, ok, err := pgbooks.New(store.DB()).TryLock(ctx, name)
	if err != nil || !ok {
		return false, err
	}
	l.release = release
	return true, nil
}

// leave releases the lock, if this process has it.
func (l *soleLock) leave() {
	if l.release != nil {
		l.release()
		l.release = nil
	}
}

// each calls f at once, and then at each interval until ctx ends. A call that takes longer misses ticks.
func each(ctx context.Context, interval time.Duration, f func()) {
	tick := time.Tick(interval)
	for {
		f()
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
	}
}
