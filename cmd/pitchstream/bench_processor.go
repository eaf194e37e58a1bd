package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/lifecycle"
	"github.com/pitchstream/pitchstream/internal/localpg/child"
	stream "github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// benchProcessor is a processor as run has it, in this process, that is watched.
type benchProcessor struct {
	*benchObserver
	redis config.Redis // where it writes
	stop  func()       // ends it, and waits
	ended chan struct{}
	err   error // for after ended
	log   child.Tail
}

// startProcessor starts one with stores of its own: what it writes is new to them.
func (b *benchRun) startProcessor(ctx context.Context, scratch *benchScratch, topics config.Topics) (*benchProcessor, error) {
	flags := &runCmd{}
	if err := withDefaults(flags, "--kafka-brokers=defaults", "--postgres-url=postgres://defaults/d", "--redis-url=defaults"); err != nil {
		return nil, err
	}
	flags.Kafka, flags.Topics, flags.Redis = scratch.group(), topics, scratch.prefix()
	var err error
	if flags.Postgres, err = scratch.schema(ctx); err != nil {
		return nil, err
	}
	p := &benchProcessor{benchObserver: newBenchObserver(), redis: flags.Redis, ended: make(chan struct{})}
	log := slog.New(slog.NewTextHandler(&p.log, nil))
	o, err := flags.options(config.Live, log)
	if err != nil {
		return nil, err
	}
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
	flags.Memory.Apply()
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
		p.err = p.run(ctx, o, store, redissink.NewKeeper(redis, store, redissink.KeeperConfig{Log: log}))
	}()
	return p, nil
}

func (p *benchProcessor) run(ctx context.Context, o stream.Options, store consumer.Store, keeper *redissink.Keeper) error {
	p.Observer = stream.NewObserver(o.Log, nil)
	cfg, err := o.ConsumerConfig(ctx, p.Observer)
	if err != nil || ctx.Err() != nil {
		return err
	}
	cfg.Observer = p.benchObserver
	return lifecycle.Run(ctx, consumer.New(cfg, store, keeper, o.Encoder()).Run, keeper.Run)
}

// stallLimit is how long a processor may commit nothing until that is a failure.
const stallLimit = time.Minute

// wait returns when so many records are committed.
func (p *benchProcessor) wait(ctx context.Context, records int64) error {
	stalled := time.NewTimer(stallLimit)
	defer stalled.Stop()
	for {
		committed, changed := p.committed()
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
