package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/target"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// rebuildCmd makes a projection anew.
type rebuildCmd struct {
	Redis rebuildRedisCmd `cmd:"" name:"redis" help:"Write every batter of Redis anew from Postgres, and remove what Postgres does not know."`
}

type rebuildRedisCmd struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`
	Redis    config.Redis    `embed:"" group:"Redis"`

	Target config.TargetName `embed:"" group:"Redis"`
	Group  string            `name:"kafka-group" default:"pitchstream" placeholder:"NAME" group:"Kafka" help:"Consumer group of live, whose positions stand in Postgres: how far the stream is in Redis. Default: pitchstream."`
	DryRun bool              `env:"-" name:"dry-run" help:"Write nothing, say what would change, and exit 1 if anything would."`
}

// Help is what rebuild redis --help says below its first line.
func (*rebuildRedisCmd) Help() string {
	return `
Processors sweep Redis by themselves: at start, when it comes back, when it lost data, and every five minutes. What a sweep
does not see is a key that was changed or removed by hand while its sequence number stayed. This command writes all keys
anew, whatever stands there. pitchstream verify redis --repair finds such keys and writes only them.

It may run beside processors: they go on, readers read on, each batter is replaced in one step, and a newer state that a
processor writes meanwhile stays. One sweep or rebuild runs at a time; it waits up to a minute for another one.
1,000,000 pitches of 1,500 batters in 75,000 batter-games take some ten seconds.

  pitchstream rebuild redis --dry-run        what would change
  pitchstream rebuild redis
  pitchstream rebuild redis --target better  a target beside live, of its own schema

Exit status: 0 well; 1 it failed, or --dry-run found something to change; 2 wrong usage.`
}

// Run rebuilds, and prints what was done.
func (c *rebuildRedisCmd) Run(ctx context.Context, std *stdio) error {
	live := config.Kafka{Group: c.Group}
	// guard: rebuild: a target is rebuilt from its own schema | c.Target.Target -> "live"
	if err := target.Use(ctx, config.Targets{Kafka: &live, Postgres: &c.Postgres, Redis: &c.Redis}, c.Target.Target); err != nil {
		return err
	}
	store, err := openStore(c.Postgres, live.Group, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := store.Ping(ctx); err != nil {
		return err
	}
	redis, err := openRedis(ctx, c.Redis, nil)
	if err != nil {
		return err
	}
	defer redis.Close()
	if c.DryRun {
		return c.dryRun(ctx, std, store, redis)
	}
	began := time.Now()
	report, games, err := rebuildRedis(ctx, std.Err, store, redis)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.Out, "rebuilt %s in %s: %s with %s written", c.Redis.Prefix, terminal.Duration(time.Since(began).Seconds()),
		terminal.Counted(int64(report.Mended), "batter"), terminal.Counted(games, "batter-game"))
	if report.Forced > 0 {
		fmt.Fprintf(std.Out, "; %s of them held what Postgres does not have, %s unknown to it", terminal.Count(int64(report.Forced)), terminal.Count(int64(report.Dropped)))
	}
	fmt.Fprintln(std.Out)
	return nil
}

// rebuildWait is how long another sweep or rebuild is waited for.
const rebuildWait = time.Minute

func rebuildRedis(ctx context.Context, w io.Writer, store *pgsink.Sink, redis *redissink.Sink) (report redissink.SweepReport, games int64, err error) {
	batters, err := store.BatterSeqs(ctx)
	if err != nil {
		return report, 0, err
	}
	src := &countedSource{Sink: store, progress: terminal.StartProgress(w, terminal.ProgressOptions{Title: "rebuild redis", Noun: "batters", TotalRecords: int64(len(batters))})}
	defer src.progress.Stop()
	retry := time.NewTicker(250 * time.Millisecond)
	defer retry.Stop()
	for until := time.Now().Add(rebuildWait); ; {
		report, err = redis.Rebuild(ctx, src)
		if !errors.Is(err, redissink.ErrSweeping) || time.Now().After(until) {
			return report, src.games, err
		}
		select {
		case <-ctx.Done():
			return report, 0, ctx.Err()
		case <-retry.C:
		}
	}
}

// countedSource is Postgres, telling how many batters were read from it.
type countedSource struct {
	*pgsink.Sink
	progress *terminal.Progress
	games    int64
}

// BatterSnapshots is pgsink's.
func (s *countedSource) BatterSnapshots(ctx context.Context, ids []int64) ([]schemas.Snapshot, error) {
	snaps, err := s.Sink.BatterSnapshots(ctx, ids)
	s.progress.AddRecords(int64(len(snaps)))
	for _, snap := range snaps {
		for _, g := range snap.Games {
			if g.Stats != nil {
				s.games++
			}
		}
	}
	return snaps, err
}

func (c *rebuildRedisCmd) dryRun(ctx context.Context, std *stdio, store *pgsink.Sink, redis *redissink.Sink) error {
	bar := terminal.NewLateProgress(std.Err, terminal.ProgressOptions{Title: "rebuild redis --dry-run", Noun: "batters"})
	found, err := redis.Audit(ctx, store, redissink.AuditOptions{Progress: bar.Set})
	bar.Stop()
	if err != nil {
		return err
	}
	kinds := map[string]int64{}
	for _, d := range found.Differences {
		kinds[d.Kind]++
	}
	fmt.Fprintf(std.Out, "%s of %s would change: %s missing, %s with other values, %s older, %s newer than Postgres, %s of another type, %s removed\n",
		terminal.Count(int64(len(found.Differences))), terminal.Counted(found.Keys, "key"), terminal.Count(kinds[schemas.DiffersMissing]), terminal.Count(kinds[schemas.DiffersContent]),
		terminal.Count(kinds[schemas.DiffersOlder]), terminal.Count(kinds[schemas.DiffersNewer]), terminal.Count(kinds[schemas.DiffersType]), terminal.Count(kinds[schemas.DiffersExtra]))
	if len(found.Differences) > 0 {
		return &differenceError{}
	}
	return nil
}
