package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/internal/lifecycle"
	"github.com/pitchstream/pitchstream/internal/localpg/child"
	"github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// watchedProcessor is a processor in this process with an observer.
type watchedProcessor struct {
	observer *observer
	redis    redissink.Config // where it writes
	stop     func()           // ends it and waits for its end
	ended    chan struct{}
	err      error // written before ended is closed
	log      child.Tail
}

// startProcessor starts a processor with new stores.
func startProcessor(ctx context.Context, bench *Options, own *scratch) (*watchedProcessor, error) {
	own.group()
	own.prefix()
	if err := own.schema(ctx); err != nil {
		return nil, err
	}
	o := own.options
	p := &watchedProcessor{observer: newObserver(), redis: o.Redis, ended: make(chan struct{})}
	o.Log = slog.New(slog.NewTextHandler(&p.log, nil))
	store, err := o.OpenStore()
	if err != nil {
		return nil, err
	}
	redis, err := o.OpenRedis(ctx)
	if err != nil {
		store.Close()
		return nil, err
	}
	limit := debug.SetMemoryLimit(-1)
	bench.Memory.Apply()
	ctx, cancel := context.WithCancel(ctx)
	p.stop = sync.OnceFunc(func() {
		cancel()
		<-p.ended
		debug.SetMemoryLimit(limit)
	})
	go func() {
		defer close(p.ended)
		defer store.Close()
		defer redis.Close()
		keeper := redissink.NewKeeper(redis, pgbooks.New(store.DB()), redissink.Hooks{})
		p.err = p.run(ctx, o, store, keeper)
	}()
	return p, nil
}

func (p *watchedProcessor) run(ctx context.Context, o processor.Options, store consumer.Store,
	keeper *redissink.Keeper) error {
	own := processor.NewObserver(o.Log, nil)
	p.observer.Observer = own
	cfg, err := o.ConsumerConfig(ctx, own)
	if err != nil || ctx.Err() != nil {
		return err
	}
	cfg.Observer = p.observer
	encoder, err := o.Encoder(ctx, own)
	if err != nil || ctx.Err() != nil {
		return err
	}
	return lifecycle.Run(ctx, consumer.New(cfg, store, keeper, encoder).Run, keeper.Run)
}

// stallLimit is the longest time without a commit. After it the stage fails.
const stallLimit = time.Minute

// wait returns when this number of records is committed.
func (p *watchedProcessor) wait(ctx context.Context, records int64) error {
	stalled := time.NewTimer(stallLimit)
	defer stalled.Stop()
	for {
		committed, changed := p.observer.committed()
		if committed >= records {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended:
			return fmt.Errorf("the processor ended: %w\n%s", p.err, p.log.String())
		case <-changed:
			stalled.Reset(stallLimit)
		case <-stalled.C:
			return fmt.Errorf("%w\n%s", errStalled, p.log.String())
		}
	}
}

var errStalled = errors.New("the processor committed nothing for a minute; the end of its log:")
