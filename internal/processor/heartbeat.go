package processor

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// beatEvery is the time between two heartbeats. Readers take a processor for dead after three without one.
const beatEvery = time.Second

// positions are the offsets of the owned partitions, as the consumer reported them last.
type positions struct {
	mu   sync.Mutex          // guards both
	next map[int32]int64     // offset below which readers see everything
	wait map[int32]time.Time // time of the oldest record that waits; zero: none does
}

func (p *positions) set(partition int32, next int64, waits time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		p.next, p.wait = map[int32]int64{}, map[int32]time.Time{}
	}
	p.next[partition], p.wait[partition] = next, waits
}

func (p *positions) drop(partition int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.next, partition)
	delete(p.wait, partition)
}

// heartbeat returns the heartbeat of a time, with the lag of the partition that is furthest behind.
func (p *positions) heartbeat(now time.Time, topic string, phase redissink.Phase) schemas.Heartbeat {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := schemas.Heartbeat{
		At: schemas.TimeMSOf(now), Phase: string(phase), Topic: topic, Positions: map[string]int64{},
	}
	for partition, next := range p.next {
		h.Positions[strconv.Itoa(int(partition))] = next
		if since := p.wait[partition]; !since.IsZero() {
			h.LagMS = max(h.LagMS, now.Sub(since).Milliseconds(), 1)
		}
	}
	return h
}

// beats writes the heartbeats of this processor to Redis and Postgres, where the API reads how far the stream
// is.
type beats struct {
	instance string
	topic    string
	of       *positions
	work     *activity
	health   *obs.Health
	keeper   *redissink.Keeper
	redis    *redissink.Sink
	books    *pgbooks.Books
	rows     pgbooks.Heartbeats
	serving  string // Options.ServingSchema
	prefix   string // Options.LivePrefix
	log      *slog.Logger
	now      chan struct{} // holds one request for a heartbeat before the next tick
}

// soon makes the next heartbeat due now.
func (b *beats) soon() {
	select {
	case b.now <- struct{}{}:
	default:
	}
}

// Run writes a heartbeat each second until ctx ends, and removes it then. A failed write is only logged,
// because nobody can read a heartbeat in a store that is unavailable.
func (b *beats) Run(ctx context.Context) error {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	var both sync.WaitGroup
	defer both.Wait()
	for {
		h := b.of.heartbeat(time.Now(), b.topic, b.keeper.State().Phase)
		h.Work = b.work.report(time.Now(), b.of, b.health)
		attempt, cancel := context.WithTimeout(ctx, beatEvery)
		both.Go(func() { b.failed("redis", b.redis.Beat(attempt, b.instance, h)) })
		both.Go(func() { b.failed("postgres", b.rows.Beat(attempt, b.instance, h)) })
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
		case <-tick.C:
		case <-b.now:
		}
	}
}

// point copies the pointer to the target that readers see from Postgres to Redis. An API server that starts
// while Postgres is unavailable reads it there.
func (b *beats) point(ctx context.Context) error {
	p, err := b.books.Pointer(ctx, b.serving)
	if err != nil {
		return err
	}
	// guard: switch: processors copy the pointer to Redis | instead _ = p; return nil
	return b.redis.WritePointer(ctx, b.prefix, p)
}

// failed logs that a heartbeat was not written.
func (b *beats) failed(where string, err error) {
	if err != nil {
		b.log.Debug("no heartbeat", "where", where, "error", err)
	}
}
