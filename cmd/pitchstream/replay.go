package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/alecthomas/kong"

	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/internal/replay"
	"github.com/pitchstream/pitchstream/internal/target"
	"github.com/pitchstream/pitchstream/internal/terminal"
)

// replayCmd reads a part of the raw topic again, into a target.
type replayCmd struct {
	From    string `env:"-" placeholder:"WHERE" default:"start" help:"Where to begin: start, the URL of an archive (its first record), a time as 2024-09-28T19:05:00Z, offsets as 0:100,3:250 (partition:offset; the others from their start), or position: how far NAME has read. Default: start."`
	To      string `env:"-" placeholder:"WHERE" default:"end" help:"Where to end, exclusive: end (as it is at the start of the replay), a time, or offsets. Default: end."`
	Game    string `env:"-" placeholder:"PK" help:"Only the records of this game, of the part that is read."`
	Dates   string `env:"-" name:"game-dates" placeholder:"DATE[..DATE]" help:"Only the records of games of this date, or of these dates, as their header game_date says: 2024-04-01..2024-04-30. Records without the header are left out."`
	Into    string `env:"-" required:"" placeholder:"live|NAME" help:"Target to write to: live, or NAME, which is created if it does not exist."`
	Follow  bool   `env:"-" help:"Continue at the end of the replay as a processor of NAME, as pitchstream run --target NAME does."`
	Letters bool   `env:"-" help:"With --into live: send dead letters for what is rejected, once more. Into NAME they are always sent, to its own topic."`
	Resume  string `env:"-" placeholder:"ID" help:"Continue this replay. The same command does so too, until the replay has finished."`

	LiveFirst  bool            `name:"live-first" default:"true" negatable:"" help:"Give way to the live stream: small batches, one core, and a pause while a live record waits for longer than --max-live-lag. On by default."`
	MaxLiveLag config.Duration `name:"max-live-lag" default:"2s" placeholder:"TIME" help:"With --live-first: pause while the oldest live record has waited for longer, or a live processor has been silent for 5s. Default: 2s."`
	Parallel   int             `name:"parallel" default:"1" placeholder:"N" help:"Partitions to read side by side, each reader with its own batches. Without --live-first decoding uses all cores even with 1. Default: 1."`
	JSON       bool            `env:"-" name:"json" help:"Print the report as one JSON object."`

	Kafka    config.Kafka          `embed:"" group:"Kafka"`
	Topics   config.Topics         `embed:"" group:"Kafka"`
	Archive  config.Archive        `embed:"" group:"Kafka"`
	Postgres config.Postgres       `embed:"" group:"Postgres"`
	Redis    config.Redis          `embed:"" group:"Redis"`
	Registry config.SchemaRegistry `embed:"" group:"Schema registry"`
	Rows     config.Rows           `embed:"" group:"Schema registry"`
	Lineage  config.Lineage        `embed:"" group:"Lineage"`
	Limits   config.Limits         `embed:"" group:"Processing"`
	Memory   config.Memory         `embed:"" group:"Processing"`
	Breaker  config.Breaker        `embed:"" group:"Processing"`
	Instance config.Instance       `embed:"" group:"Processing"`
	Log      config.Log            `embed:"" group:"Operation"`

	AdminAddr config.Addr `name:"admin-addr" default:"off" placeholder:"HOST:PORT" group:"Operation" help:"With --follow: address of /healthz, /readyz, /metrics; off for none. Default: off."`
}

// Help is the text of replay --help below its first line.
func (*replayCmd) Help() string {
	return `
Reads every record of the part again, runs it through this build's core, and writes it as the processor does: a version
that is not older than the current one replaces it, everything else changes nothing. So a replay may be repeated, run beside
processors, and be killed at any moment; the same command continues it.

  pitchstream replay --into live                                     fill what was missed
  pitchstream replay --into live --game 745804                       one game
  pitchstream replay --into live --from 2024-09-28T00:00:00Z         by the time of the records
  pitchstream replay --into live --from 0:1000,1:0 --to 0:2000,1:0   by offsets: 1,000 records of partition 0
  pitchstream replay --into better --follow                          beside live, and keep it fed
  pitchstream replay --into better --from position                   what it has not read yet, and no more
  pitchstream replay --into better --from s3://league/raw            all that the archive holds, then what the topic has
  pitchstream replay --into live --archive s3://league/raw --game-dates 2024-04-01..2024-04-30

Into live it moves neither the offsets nor the positions of the processors, and sends no dead letters; rows that are
written go to the rows topic, as those of any write. Into NAME it creates the schema, the topics and the group of that target,
with the rights that live's have. Compare then with pitchstream target diff live NAME, and pitchstream target promote NAME.

The report says what became of each record, counted in the transaction of the rows: records = rows + deletes + ids + letters +
superseded + duplicates. A row is a record that was written, also one of an equal version. A letter is a record that became
a dead letter. A duplicate is a record whose version an earlier record of the same batch had.

With --archive, records that the topic has no more are read from there. Those that neither has are named. The replay ends with 1 then, and a promote waits.

Exit status: 0 it read all to the end and balances; 1 it did not, or failed; 2 wrong usage.`
}

// Validate checks the places and which options go together. It also sets what other options imply: the
// archive of a --from that is a URL, and dead letters for any target but live.
func (c *replayCmd) Validate() error {
	if blob.IsURL(c.From) {
		if c.Archive.URL != "" && c.Archive.URL != c.From {
			return fmt.Errorf("--from=%s and --archive=%s: give one archive", c.From, c.Archive.URL)
		}
		c.Archive.URL, c.From = c.From, replay.Start
		if err := c.Archive.Validate(); err != nil {
			return err
		}
	}
	if _, _, err := replay.ParseDates(c.Dates); err != nil {
		return err
	}
	for flag, text := range map[string]string{"from": c.From, "to": c.To} {
		if _, err := replay.ParsePlace(text); err != nil {
			return fmt.Errorf("--%s=%s: %w", flag, text, err)
		}
	}
	if c.Into != config.Live {
		if err := config.CheckTarget("into", c.Into); err != nil {
			return err
		}
		c.Letters = true
	}
	switch {
	case c.Follow && c.Into == config.Live:
		return errors.New("--follow --into live: pitchstream run follows live")
	case c.To == replay.Position, c.From == replay.Position && (c.Into == config.Live || c.Game+c.Dates != ""):
		return errors.New("position is how far NAME has read: give it with --from, --into NAME, and without " +
			"--game and --game-dates")
	case c.Follow && c.Game+c.Dates != "":
		return errors.New("--follow and --game or --game-dates: a processor takes all games; give one of them")
	case fileinput.CheckGame(c.Game) != nil:
		return fileinput.CheckGame(c.Game)
	case c.Parallel < 1 || c.Parallel > 64:
		return fmt.Errorf("--parallel=%d: want 1 to 64", c.Parallel)
	case c.MaxLiveLag <= 0:
		return fmt.Errorf("--max-live-lag=%v: want more than 0", time.Duration(c.MaxLiveLag))
	}
	return c.Rows.Check(c.Registry)
}

// Run replays, prints the report, and then follows, if --follow asks for it.
func (c *replayCmd) Run(ctx context.Context, std *stdio, loader *config.Loader, parsed *kong.Context) error {
	log, err := newLogger(std, c.Log, c)
	if err != nil {
		return err
	}
	logStart(log, loader, parsed)
	c.Memory.Apply()
	o, err := c.options(log)
	if err != nil {
		return err
	}
	bar := terminal.NewLateProgress(std.Err, terminal.ProgressOptions{Title: "replay"})
	o.Progress = bar.Set
	deliver := openLineage(std, c.Lineage, log, &o.Lineage)
	defer deliver()
	r, err := replay.Run(ctx, o)
	bar.Stop()
	if err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(std.Out)
		e.SetIndent("", "  ")
		err = e.Encode(r)
	} else {
		r.Print(std.text())
	}
	if err = errors.Join(err, r.Err()); err != nil || !c.Follow || ctx.Err() != nil {
		return err
	}
	log.Info("following", "target", c.Into)
	return processor.Run(ctx, o.Processor)
}

// options returns the options of the replay. Its processor reads 2,000 records a poll, as run does by
// default.
func (c *replayCmd) options(log *slog.Logger) (o replay.Options, err error) {
	o = replay.Options{
		Live:    target.Options{Postgres: c.Postgres, Group: c.Kafka.Group, TopicRaw: c.Topics.TopicRaw},
		Archive: c.Archive.Place(), Game: c.Game, DeadLetters: c.Letters, Resume: c.Resume,
		LiveFirst: c.LiveFirst, MaxLiveLag: time.Duration(c.MaxLiveLag), Parallel: c.Parallel,
	}
	if o.FromDate, o.ToDate, err = replay.ParseDates(c.Dates); err != nil {
		return o, err
	}
	if o.From, err = replay.ParsePlace(c.From); err != nil {
		return o, err
	}
	if o.To, err = replay.ParsePlace(c.To); err != nil {
		return o, err
	}
	names := config.Targets{Kafka: &c.Kafka, Topics: &c.Topics, Postgres: &c.Postgres, Redis: &c.Redis}
	if o.Target, err = names.Names(c.Into); err != nil {
		return o, err
	}
	p := &runCmd{
		Kafka: c.Kafka, Topics: c.Topics, Postgres: c.Postgres, Redis: c.Redis, Limits: c.Limits, Memory: c.Memory,
		Registry: c.Registry, Rows: c.Rows,
		Breaker: c.Breaker, Instance: c.Instance, Log: c.Log, AdminAddr: c.AdminAddr, PollMaxRecords: 2000,
	}
	o.Processor, err = p.options(c.Into, log)
	return o, err
}
