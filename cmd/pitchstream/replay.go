package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/alecthomas/kong"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/obs"
	stream "github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/internal/target"
)

// replayCmd reads a part of the raw topic once more, into a target.
type replayCmd struct {
	From    string `env:"-" placeholder:"WHERE" default:"start" help:"Where to begin: start, a time as 2024-09-28T19:05:00Z, offsets as 0:100,3:250 (partition:offset; the others from their start), or position: where NAME stands. Default: start."`
	To      string `env:"-" placeholder:"WHERE" default:"end" help:"Where to end, before that: end (as it is at the start of the replay), a time, or offsets. Default: end."`
	Game    string `env:"-" placeholder:"PK" help:"Only the records of this game, of the part that is read."`
	Into    string `env:"-" required:"" placeholder:"live|NAME" help:"Target to write to: live, or NAME, which is made where it is not there."`
	Follow  bool   `env:"-" help:"Go on at the end of the replay as a processor of NAME, as pitchstream run --target NAME does."`
	Letters bool   `env:"-" help:"With --into live: send letters for what is rejected, once more. Into NAME they are always sent, to its own topic."`
	Resume  string `env:"-" placeholder:"ID" help:"Go on with this replay. The same command again does so too, until it has finished."`

	LiveFirst  bool            `name:"live-first" default:"true" negatable:"" help:"Give way to the live stream: small batches, one core, and a pause while a live record waits for longer than --max-live-lag. On by default."`
	MaxLiveLag config.Duration `name:"max-live-lag" default:"2s" placeholder:"TIME" help:"With --live-first: pause while the oldest live record has waited for longer, or a live processor has said nothing for 5s. Default: 2s."`
	Parallel   int             `name:"parallel" default:"1" placeholder:"N" help:"Partitions to read side by side, each reader with its own batches. Decoding takes all cores with one, too. Default: 1."`
	JSON       bool            `env:"-" name:"json" help:"Print the report as one JSON object."`

	Kafka    config.Kafka    `embed:"" group:"Kafka"`
	Topics   config.Topics   `embed:"" group:"Kafka"`
	Postgres config.Postgres `embed:"" group:"Postgres"`
	Redis    config.Redis    `embed:"" group:"Redis"`
	Limits   config.Limits   `embed:"" group:"Processing"`
	Memory   config.Memory   `embed:"" group:"Processing"`
	Breaker  config.Breaker  `embed:"" group:"Processing"`
	Instance config.Instance `embed:"" group:"Processing"`
	Log      config.Log      `embed:"" group:"Operation"`

	AdminAddr config.Addr `name:"admin-addr" default:"off" placeholder:"HOST:PORT" group:"Operation" help:"With --follow: address of /healthz, /readyz, /metrics; off for none. Default: off."`
}

// Help is what replay --help says below its first line.
func (*replayCmd) Help() string {
	return `
Every record of the part is read once more and run through this build's core, and written as the processor writes: a version
that is not older than what stands replaces it, everything else changes nothing. So a replay may be repeated, run beside
processors, and be killed at any moment; the same command goes on where it was.

  pitchstream replay --into live                                     fill what was missed
  pitchstream replay --into live --game 745804                       one game
  pitchstream replay --into live --from 2024-09-28T00:00:00Z         by the time of the records
  pitchstream replay --into live --from 0:1000,1:0 --to 0:2000,1:0   by offsets: 1,000 records of partition 0
  pitchstream replay --into better --follow                          beside live, and keep it fed
  pitchstream replay --into better --from position                   what it has not read yet, and no more

Into live it moves neither the offsets nor the positions of the processors, and sends no letters; rows that are written go
to the rows topic, as those of any write. Into NAME the schema, the topics and the group of that target are made, with the
rights that live's have; compare then with pitchstream target diff live NAME, and pitchstream target promote NAME.

The report says what became of each record, counted in the transaction of the rows: records = rows + deletes + ids + letters +
superseded + duplicates. A row is a record that was written: an equal version too. A duplicate is a record of a version
that another record of the same poll had.

Exit status: 0 it reached the end and balances; 1 it did not, or failed; 2 wrong usage.`
}

// Validate says what is wrong and what would be right.
func (c *replayCmd) Validate() error {
	for flag, text := range map[string]string{"from": c.From, "to": c.To} {
		if _, err := parsePlace(text); err != nil {
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
	case c.To == position, c.From == position && (c.Into == config.Live || c.Game != ""):
		return errors.New("position is where NAME stands: for --from, --into NAME, and all games")
	case c.Follow && c.Game != "":
		return errors.New("--follow and --game: a processor takes all games; give one of them")
	case c.Game != "" && !isGamePK(c.Game):
		return fmt.Errorf("--game=%q: want 1 to 64 bytes of UTF-8 without control characters", c.Game)
	case c.Parallel < 1 || c.Parallel > 64:
		return fmt.Errorf("--parallel=%d: want 1 to 64", c.Parallel)
	case c.MaxLiveLag <= 0:
		return fmt.Errorf("--max-live-lag=%v: want more than 0", time.Duration(c.MaxLiveLag))
	}
	return nil
}

// Run replays, reports, and follows then, if that was asked for.
func (c *replayCmd) Run(ctx context.Context, std *stdio, loader *config.Loader, parsed *kong.Context) error {
	log, err := newLogger(std, c.Log, c)
	if err != nil {
		return err
	}
	c.Memory.Apply()
	r, err := c.open(ctx, std, log)
	if err != nil {
		return err
	}
	err = r.run(ctx)
	r.close()
	if err != nil || !c.Follow || ctx.Err() != nil {
		return err
	}
	log.Info("following", "target", c.Into, "build", obs.Build(), config.LogAttr(loader.Settings(parsed)...))
	return stream.Run(ctx, r.processor)
}

func (c *replayCmd) live() target.Options {
	return target.Options{Postgres: c.Postgres, Group: c.Kafka.Group, TopicRaw: c.Topics.TopicRaw}
}

func (c *replayCmd) targets() config.Targets {
	return config.Targets{Kafka: &c.Kafka, Topics: &c.Topics, Postgres: &c.Postgres, Redis: &c.Redis}
}

// processor is that of the target, of the same settings.
func (c *replayCmd) processor(log *slog.Logger) (stream.Options, error) {
	p := &runCmd{Kafka: c.Kafka, Topics: c.Topics, Postgres: c.Postgres, Redis: c.Redis, Limits: c.Limits, Memory: c.Memory, Breaker: c.Breaker,
		Instance: c.Instance, Log: c.Log, AdminAddr: c.AdminAddr, PollMaxRecords: 2000}
	return p.options(c.Into, log)
}
