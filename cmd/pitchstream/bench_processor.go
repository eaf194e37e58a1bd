package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/localpg/child"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
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
	run := &runCmd{}
	if err := demoDefaults(run, "--kafka-brokers=defaults", "--postgres-url=postgres://defaults/d", "--redis-url=defaults"); err != nil {
		return nil, err
	}
	run.Kafka, run.Topics, run.Redis = scratch.group(), topics, scratch.prefix()
	var err error
	if run.Postgres, err = scratch.schema(ctx); err != nil {
		return nil, err
	}
	p := &benchProcessor{benchObserver: newBenchObserver(), redis: run.Redis, ended: make(chan struct{})}
	log := slog.New(slog.NewTextHandler(&p.log, nil))
	store, err := openStore(run.Postgres, run.Kafka.Group, nil)
	if err != nil {
		return nil, err
	}
	redis, err := openRedis(ctx, run.Redis, log)
	if err != nil {
		store.Close()
		return nil, err
	}
	limit := debug.SetMemoryLimit(-1)
	run.Memory.Apply()
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
		p.err = p.run(ctx, run, log, store, redissink.NewKeeper(redis, store, redissink.KeeperConfig{Log: log}))
	}()
	return p, nil
}

func (p *benchProcessor) run(ctx context.Context, run *runCmd, log *slog.Logger, store consumer.Store, keeper *redissink.Keeper) error {
	p.watch = newWatch(log)
	cfg, err := run.consumerConfig(ctx, log, p.watch)
	if err != nil || ctx.Err() != nil {
		return err
	}
	cfg.Observer = p.benchObserver
	encoder := kafkasink.Encoder{RowsTopic: run.Topics.TopicRows, DeadTopic: run.Topics.TopicDead, Group: run.Kafka.Group, Build: buildName()}
	g, ctx := errgroup.WithContext(ctx)
	rest, stopRest := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error {
		defer stopRest()
		return consumer.New(cfg, store, keeper, encoder).Run(ctx)
	})
	g.Go(untilDone(rest, keeper.Run))
	return g.Wait()
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
