package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// demo is a running demo. What was opened is closed by close, however far open came.
type demo struct {
	servers   demoServers
	run       *runCmd // the processor's settings
	processor demoProcessor
	api       demoAPI
	game      *demoGame
	watch     *demoWatch
	speed     float64
	batter    int64 // the first one seen: an example to look up
}

// open starts everything, in the order in which each needs the others.
func (c *demoCmd) open(ctx context.Context, std *stdio) (d *demo, err error) {
	d = &demo{speed: c.Speed}
	fmt.Fprintln(std.Err, "starting Kafka, Redis and Postgres")
	if d.servers, err = c.openServers(ctx, std); err != nil {
		return d, err
	}
	log, err := d.processor.openLog(d.servers.logPath(), c.Verbose, std.Err)
	if err != nil {
		return d, err
	}
	if err := d.servers.prepare(ctx, log); err != nil {
		return d, err
	}
	if d.run, err = d.servers.settings(); err != nil {
		return d, err
	}
	if err := d.servers.addGuest(ctx, d.run.Postgres.Schema); err != nil {
		return d, err
	}
	if d.watch, err = openDemoWatch(ctx, &d.servers, d.run); err != nil {
		return d, err
	}
	d.processor.start(ctx, d.run, log)
	if err := d.api.start(ctx, &d.servers, c.APIPort, log); err != nil {
		return d, err
	}
	if d.game, err = c.openGame(ctx, d.servers.kafkaAddr()); err != nil {
		return d, err
	}
	return d, addDemoNames(ctx, d.run.Postgres, d.game.sim.Players())
}

// firstRow starts the games and returns when a batter can be read from Redis.
func (d *demo) firstRow(ctx context.Context) error {
	d.game.start(ctx)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		view, err := d.look(ctx)
		if err != nil {
			return err
		}
		if len(view.batters) > 0 {
			d.batter = view.batters[0].BatterID
			return nil
		}
		if err := d.wait(ctx, tick.C); err != nil || ctx.Err() != nil {
			return cmp.Or(err, ctx.Err())
		}
	}
}

// show looks and draws until ctx ends or the time is up; 0: no limit.
func (d *demo) show(ctx context.Context, limit time.Duration, screen demoScreen) error {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	tick := time.NewTicker(screen.every())
	defer tick.Stop()
	cleaned := time.Now()
	for ctx.Err() == nil {
		view, err := d.look(ctx)
		if err != nil {
			return err
		}
		screen.draw(view)
		if time.Since(cleaned) > demoRetentionEvery {
			d.servers.kafka.ApplyRetention()
			cleaned = time.Now()
		}
		if err := d.wait(ctx, tick.C); err != nil {
			return err
		}
	}
	return nil
}

// wait returns at the next tick, when ctx ends, or with an error when something ended that should not have.
func (d *demo) wait(ctx context.Context, tick <-chan time.Time) error {
	select {
	case <-tick:
	case <-ctx.Done():
	case <-d.processor.done:
	case <-d.servers.postgres.Done():
	}
	return d.broken()
}

// broken says what has ended that should not have.
func (d *demo) broken() error {
	switch {
	case demoEnded(d.servers.postgres.Done()):
		return fmt.Errorf("Postgres ended by itself; the end of its log:\n%s", d.servers.postgres.Log())
	case demoEnded(d.processor.done):
		return d.processor.failure()
	case demoEnded(d.game.done):
		return d.game.err // nil when it was stopped
	}
	return nil
}

func demoEnded(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// look is a view of all that is seen from outside. An end of ctx does not disturb it.
func (d *demo) look(ctx context.Context) (demoView, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), demoLookTimeout)
	defer cancel()
	view, err := d.watch.look(ctx, d.game.ledger)
	if err != nil {
		return view, cmp.Or(d.broken(), err)
	}
	return view, nil
}

// finish stops the games, lets everything through, and makes up the books.
func (d *demo) finish(ctx context.Context) (demoBooks, error) {
	if err := d.game.close(ctx); err != nil {
		return demoBooks{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), demoDrainTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		through, err := d.watch.through(ctx)
		if err = cmp.Or(d.broken(), err); err == nil && through {
			return d.watch.books(ctx, d.game.ledger)
		}
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return demoBooks{}, fmt.Errorf("waiting for what was sent to be processed: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// close ends everything, those who use something before what they use.
func (d *demo) close() error {
	return errors.Join(
		d.game.close(context.Background()),
		d.api.close(),
		d.processor.close(),
		d.watch.close(),
		d.servers.close(),
	)
}

const (
	demoLookTimeout  = 10 * time.Second
	demoDrainTimeout = 15 * time.Second
)
