package processor

import (
	"context"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// beatEvery is the time between two heartbeats. Readers take a processor for dead after three without one.
const beatEvery = time.Second

// beats writes the heartbeats of this processor to Redis and Postgres, where the API reads how far the stream
// is.
type beats struct {
	o        *Options
	instance string
	watch    *Observer
	keeper   *redissink.Keeper
	redis    *redissink.Sink
	books    *pgbooks.Books
	rows     pgbooks.Heartbeats
	now      chan struct{} // holds one request for a heartbeat before the next tick
	rescored int64         // the state of scores without a batch that Redis was last compared for
}

// soon makes the next heartbeat due now.
func (b *beats) soon() {
	select {
	case b.now <- struct{}{}:
	default:
	}
}

// Run writes a heartbeat each second until ctx ends, and removes it then. A failed write is only logged,
// because no reader can read a heartbeat in a store that is unavailable.
func (b *beats) Run(ctx context.Context) error {
	tick := time.Tick(beatEvery)
	var both sync.WaitGroup
	defer both.Wait()
	for {
		h := b.watch.work.heartbeat(time.Now(), b.o.RawTopic, b.keeper.State().Phase, b.watch.health)
		attempt, cancel := context.WithTimeout(ctx, beatEvery)
		both.Go(func() { b.failed("redis", b.redis.Beat(attempt, b.instance, h)) })
		both.Go(func() {
			rescored, err := b.rows.Beat(attempt, b.instance, h)
			b.failed("postgres", err)
			// guard: scores: Redis is compared after scores changed without a batch | rescored != b.rescored -> false
			if err == nil && rescored != b.rescored && b.keeper.Behind() {
				b.rescored = rescored
			}
		})
		both.Go(func() { b.failed("pointer", b.point(attempt)) })
		both.Wait()
		cancel()
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), beatEvery)
			defer cancel()
			b.failed("redis", b.redis.Rest(last, b.instance))
			b.failed("postgres", b.rows.Rest(last, b.instance))
			return nil
		case <-tick:
		case <-b.now:
		}
	}
}

// point copies the pointer to the target that readers see from Postgres to Redis. An API server that starts
// while Postgres is unavailable reads it there.
func (b *beats) point(ctx context.Context) error {
	p, err := b.books.Pointer(ctx, b.o.ServingSchema)
	if err != nil {
		return err
	}
	// guard: switch: processors copy the pointer to Redis | instead _ = p; return nil
	return b.redis.WritePointer(ctx, b.o.LivePrefix, p)
}

// failed logs that a heartbeat was not written.
func (b *beats) failed(where string, err error) {
	if err != nil {
		b.o.Log.Debug("no heartbeat", "where", where, "error", err)
	}
}
