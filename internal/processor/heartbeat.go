package processor

import (
	"context"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// beatEvery is how often a processor says that it is alive, and how far it is. Readers take it for dead after three.
const beatEvery = time.Second

// positions are what the consumer told of the partitions that it has.
type positions struct {
	mu   sync.Mutex
	next map[int32]int64
	wait map[int32]time.Time
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

// heartbeat is the state at a time.
func (p *positions) heartbeat(now time.Time, topic string, phase redissink.Phase) schemas.Heartbeat {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := schemas.Heartbeat{At: schemas.TimeMSOf(now), Phase: string(phase), Topic: topic, Positions: map[string]int64{}}
	for partition, next := range maps.All(p.next) {
		h.Positions[strconv.Itoa(int(partition))] = next
		if since := p.wait[partition]; !since.IsZero() {
			h.LagMS = max(h.LagMS, now.Sub(since).Milliseconds(), 1)
		}
	}
	return h
}

// beats tells readers of Redis and of Postgres how this processor is.
type beats struct {
	instance string
	topic    string
	of       *positions
	work     *work
	health   *obs.Health
	keeper   *redissink.Keeper
	redis    *redissink.Sink
	store    *pgsink.Sink
	serving  string // Options.ServingSchema
	prefix   string // Options.LivePrefix
	log      *slog.Logger
	now      chan struct{} // holds one: not to wait for the next second
}

// soon has the next beat made now.
func (b *beats) soon() {
	select {
	case b.now <- struct{}{}:
	default:
	}
}

// Run beats until ctx ends, and says then that this processor rests. A store that does not take it is away: nobody
// reads it there.
func (b *beats) Run(ctx context.Context) error {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	var both sync.WaitGroup
	defer both.Wait()
	for {
		h := b.of.heartbeat(time.Now(), b.topic, b.keeper.State().Phase)
		h.Work = b.work.tell(time.Now(), b.of, b.health)
		attempt, cancel := context.WithTimeout(ctx, beatEvery)
		both.Go(func() { b.failed("redis", b.redis.Beat(attempt, b.instance, h)) })
		both.Go(func() { b.failed("postgres", b.store.Beat(attempt, b.instance, h)) })
		both.Go(func() { b.failed("pointer", b.point(attempt)) })
		both.Wait()
		cancel()
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), beatEvery)
			defer cancel()
			b.failed("redis", b.redis.Rest(last, b.instance))
			b.failed("postgres", b.store.Rest(last, b.instance))
			return nil
		case <-tick.C:
		case <-b.now:
		}
	}
}

// point copies which target readers see from Postgres to Redis, for an API server that starts while Postgres is away.
func (b *beats) point(ctx context.Context) error {
	p, err := b.store.Pointer(ctx, b.serving)
	if err != nil {
		return err
	}
	// guard: switch: processors copy the pointer to Redis | instead _ = p; return nil
	return b.redis.TellPointer(ctx, b.prefix, p)
}

func (b *beats) failed(where string, err error) {
	if err != nil {
		b.log.Debug("no heartbeat", "where", where, "error", err)
	}
}
