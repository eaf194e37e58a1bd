package main

import (
	"context"
	"fmt"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/target"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/internal/verify"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// rebuildCmd writes a derived store again.
type rebuildCmd struct {
	Redis rebuildRedisCmd `cmd:"" name:"redis" help:"Write every batter and pitcher of Redis again from Postgres, and remove those unknown to Postgres."`
}

type rebuildRedisCmd struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`
	Redis    config.Redis    `embed:"" group:"Redis"`

	Target config.TargetName `embed:"" group:"Redis"`
	Group  string            `name:"kafka-group" default:"pitchstream" placeholder:"NAME" group:"Kafka" help:"Consumer group of live, whose positions in Postgres say how far the stream is in Redis. Default: pitchstream."`
	DryRun bool              `env:"-" name:"dry-run" help:"Write nothing, print what would change, and exit 1 if anything would."`
	JSON   bool              `env:"-" name:"json" help:"Print one JSON object instead of text."`
}

// Help is the text of rebuild redis --help below its first line.
func (*rebuildRedisCmd) Help() string {
	return `
Processors sweep Redis by themselves: at start, when it is available again, when it lost data, and every five minutes. A sweep
does not see a key that was changed or removed by hand while its sequence number stayed. This command writes all keys
again, whatever they hold. pitchstream verify redis --repair finds such keys and writes only them.

It may run beside processors and readers: each player is replaced in one step, and a newer state that a processor writes
in the meantime stays. One sweep or rebuild runs at a time; it waits up to a minute for another one.
1,000,000 pitches of 1,500 batters in 75,000 batter-games take some ten seconds.

  pitchstream rebuild redis --dry-run        what would change
  pitchstream rebuild redis
  pitchstream rebuild redis --target better  a target beside live, of its own schema

Exit status: 0 done; 1 it failed, or --dry-run found something to change; 2 wrong usage.`
}

// Run rebuilds Redis.
func (c *rebuildRedisCmd) Run(ctx context.Context, std *stdio) error {
	live := config.Kafka{Group: c.Group}
	settings := config.Targets{Kafka: &live, Postgres: &c.Postgres, Redis: &c.Redis}
	// guard: rebuild: a target is rebuilt from its own schema | c.Target.Target -> "live"
	if err := target.Use(ctx, settings, c.Target.Target); err != nil {
		return err
	}
	store, err := pgsink.Reach(ctx, groupConfig(c.Postgres, live.Group))
	if err != nil {
		return err
	}
	defer store.Close()
	redis, err := openRedis(ctx, c.Redis, nil)
	if err != nil {
		return err
	}
	defer redis.Close()
	if c.DryRun {
		return c.dryRun(ctx, std, store, redis)
	}
	began := time.Now()
	bar := terminal.NewLateProgress(std.Err, terminal.ProgressOptions{Title: "rebuild redis", Noun: "players"})
	r, err := verify.Rebuild(ctx, store, redis, bar.Set)
	bar.Stop()
	if err != nil {
		return err
	}
	if c.JSON {
		return terminal.PrintJSON(std.Out, object{
			"prefix": c.Redis.Prefix, "batters": r.Batters, "batter_games": r.BatterGames,
			"pitchers": r.Pitchers, "pitcher_games": r.PitcherGames,
			"forced": r.Keys.Forced, "dropped": r.Keys.Dropped, "seconds": time.Since(began).Seconds(),
		})
	}
	took := terminal.Duration(time.Since(began).Seconds())
	fmt.Fprintf(std.Out, "rebuilt %s in %s: %s with %s, %s with %s written", c.Redis.Prefix, took,
		terminal.Counted(r.Batters, "batter"), terminal.Counted(r.BatterGames, "batter-game"),
		terminal.Counted(r.Pitchers, "pitcher"), terminal.Counted(r.PitcherGames, "pitcher-game"))
	if r.Keys.Forced > 0 {
		forced, unknown := terminal.Count(int64(r.Keys.Forced)), terminal.Count(int64(r.Keys.Dropped))
		fmt.Fprintf(std.Out, "; %s of them held what Postgres does not have, %s unknown to it", forced, unknown)
	}
	fmt.Fprintln(std.Out)
	return nil
}

// dryRun compares Redis with Postgres, and prints what a rebuild would change.
func (c *rebuildRedisCmd) dryRun(
	ctx context.Context, std *stdio, store *pgsink.Sink, redis *redissink.Sink,
) error {
	o := terminal.ProgressOptions{Title: "rebuild redis --dry-run", Noun: "batters"}
	bar := terminal.NewLateProgress(std.Err, o)
	found, err := redis.Audit(ctx, pgbooks.New(store.DB()), redissink.AuditOptions{Progress: bar.Set})
	bar.Stop()
	if err != nil {
		return err
	}
	kinds := map[string]int64{}
	for _, d := range found.Differences {
		kinds[d.Kind]++
	}
	if c.JSON {
		differences := len(found.Differences)
		err = terminal.PrintJSON(std.Out, object{"keys": found.Keys, "differences": differences, "kinds": kinds})
		return orDifference(err, differences > 0)
	}
	differing := terminal.Count(int64(len(found.Differences)))
	fmt.Fprintf(std.Out, "%s of %s would change", differing, terminal.Counted(found.Keys, "key"))
	for i, kind := range []struct{ name, text string }{
		{schemas.DiffersMissing, "missing"}, {schemas.DiffersContent, "with other values"},
		{schemas.DiffersOlder, "older"}, {schemas.DiffersNewer, "newer than Postgres"},
		{schemas.DiffersType, "of another type"}, {schemas.DiffersExtra, "removed"},
	} {
		separator := [2]string{":", ","}[min(i, 1)]
		fmt.Fprintf(std.Out, "%s %s %s", separator, terminal.Count(kinds[kind.name]), kind.text)
	}
	fmt.Fprintln(std.Out)
	return orDifference(nil, len(found.Differences) > 0)
}
