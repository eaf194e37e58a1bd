package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/pitchstream/pitchstream/internal/backfill"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/load"
	"github.com/pitchstream/pitchstream/internal/replay"
	"github.com/pitchstream/pitchstream/internal/terminal"
)

// backfillCmd groups the commands that bring in a season.
type backfillCmd struct {
	Plan   backfillPlanCmd   `cmd:"" help:"Read the source and print the batches, without changing anything."`
	Run    backfillRunCmd    `cmd:"" name:"run" help:"Bring in batch after batch, and hold each to the gates."`
	Status backfillStatusCmd `cmd:"" help:"Print how far a backfill is, and who did what."`
}

// backfillSettings are those of a replay, because a backfill is a replay for each batch, into the target that
// the file names. backfill.Run sets which part of the records each batch replays.
type backfillSettings struct {
	File string `arg:"" name:"FILE" help:"YAML or JSON file that describes the backfill."`
	JSON bool   `env:"-" name:"json" help:"Print one JSON object instead of text."`

	Kafka    config.Kafka          `embed:"" group:"Kafka"`
	Topics   config.Topics         `embed:"" group:"Kafka"`
	Postgres config.Postgres       `embed:"" group:"Postgres"`
	Redis    config.Redis          `embed:"" group:"Redis"`
	Registry config.SchemaRegistry `embed:"" group:"Schema registry"`
	Rows     config.Rows           `embed:"" group:"Schema registry"`
	Limits   config.Limits         `embed:"" group:"Processing"`
	Memory   config.Memory         `embed:"" group:"Processing"`
	Log      config.Log            `embed:"" group:"Operation"`
}

// options reads the file, and returns its backfill with the options of its replays and loads. It also sets
// the memory limit of this process.
func (c *backfillSettings) options(log *slog.Logger) (o backfill.Options, err error) {
	if err = c.Rows.Check(c.Registry); err != nil {
		return o, err
	}
	o = backfill.Options{By: terminal.User(), Log: log}
	if o.Spec, err = backfill.ReadSpec(c.File); err != nil {
		return o, err
	}
	c.Memory.Apply()
	r := &replayCmd{ // each batch sets From and To, and these are only valid ones
		From: replay.Position, To: replay.End, Into: o.Spec.Target, Letters: true,
		Kafka: c.Kafka, Topics: c.Topics, Postgres: c.Postgres, Redis: c.Redis,
		Limits: c.Limits, Memory: c.Memory, Log: c.Log, AdminAddr: config.Off, Registry: c.Registry, Rows: c.Rows,
	}
	if o.Replay, err = r.options(log); err != nil {
		return o, err
	}
	client, err := c.Kafka.Options()
	o.Load = load.Options{
		Client: client, Topic: c.Topics.TopicRaw, MaxRecordBytes: int(c.Limits.MaxRecordBytes),
		Registry: o.Replay.Processor.Registry,
	}
	return o, err
}

type backfillPlanCmd struct {
	Settings backfillSettings `embed:""`
}

// Run prints the batches that a run would bring in.
func (c *backfillPlanCmd) Run(ctx context.Context, std *stdio) error {
	o, err := c.Settings.options(slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	batches, err := backfill.Plan(ctx, o)
	switch {
	case err != nil:
		return err
	case c.Settings.JSON:
		plan := object{"backfill": o.Spec.Name, "target": o.Spec.Target, "batches": batches}
		return terminal.PrintJSON(std.Out, plan)
	}
	backfill.PrintBatches(std.text(), batches)
	return nil
}

type backfillRunCmd struct {
	Settings backfillSettings `embed:""`
	Lineage  config.Lineage   `embed:"" group:"Lineage"`

	LiveFirst  bool            `env:"-" name:"live-first" default:"true" negatable:"" help:"Give way to the live stream: small batches, one core, and a pause while a live record waits for longer than --max-live-lag. On by default."`
	MaxLiveLag config.Duration `env:"-" name:"max-live-lag" default:"2s" placeholder:"TIME" help:"With --live-first: pause while the oldest live record has waited for longer, or a live processor has been silent for 5s. Default: 2s."`
	Parallel   int             `env:"-" name:"parallel" default:"1" placeholder:"N" help:"Partitions to read side by side, each reader with its own batches. Without --live-first decoding uses all cores even with 1. Default: 1."`

	Again  int    `env:"-" name:"again" placeholder:"N" help:"Read batch N, which did not pass its gates, once more although its files are the same, as with a build that reads them better. Default: none."`
	Accept int    `env:"-" name:"accept" placeholder:"N" help:"Go on although batch N did not pass its gates. Needs --reason. Default: none."`
	Reason string `env:"-" name:"reason" placeholder:"TEXT" help:"Why, for the audit. Default: none."`
}

// Help is the text of backfill run --help below its first line.
func (*backfillRunCmd) Help() string {
	return `
Brings a season into a target beside live, a batch at a time. Gates, such as how many games are missing, decide whether the next
batch begins. A file describes all of it:

  name: season-2024
  target: history
  batches: month                 # or date; of the records in the raw topic
  archive: s3://league/raw       # and of those that are only in the archive
  schedule: schedule-2024.csv    # the games that should come: game_pk, game_date
  gates: {missing_games: 0, dead_letters: 0.02, findings: 3, shift: 0.5, missing_values: 0.1}

or, instead of batches and archive, files that are loaded into the raw topic first, one batch each:

  files:
    - {path: seasons/2024/04, dates: 2024-04-01..2024-04-30}

A batch that passes every gate is followed by the next one. One that does not ends the command with 1, and the gate says what is
wrong: repair it and run the same command again, which loads files that have changed once more. --again N reads the same records
again, and --accept N --reason TEXT takes the batch as it is. A killed run is continued by the same command, and counts each
record once. Tables of SCHEMA_serving have the plan, the gates, and who did what.

Exit status: 0 every batch is in; 1 one did not pass, or it failed; 2 wrong usage.`
}

// Validate checks which options go together.
func (c *backfillRunCmd) Validate() error {
	switch {
	case c.Accept != 0 && c.Again != 0:
		return errors.New("--again and --accept exclude each other")
	case c.Accept != 0 && strings.TrimSpace(c.Reason) == "":
		return errors.New("--accept: say why with --reason TEXT, which the audit keeps")
	case len(c.Reason) > 1000:
		return errors.New("--reason: want at most 1,000 bytes")
	case c.Parallel < 1 || c.Parallel > 64:
		return fmt.Errorf("--parallel=%d: want 1 to 64", c.Parallel)
	case c.MaxLiveLag <= 0:
		return fmt.Errorf("--max-live-lag=%v: want more than 0", time.Duration(c.MaxLiveLag))
	}
	return nil
}

// Run brings in the batches.
func (c *backfillRunCmd) Run(
	ctx context.Context, std *stdio, loader *config.Loader, parsed *kong.Context,
) error {
	log, err := newLogger(std, c.Settings.Log, c)
	if err != nil {
		return err
	}
	logStart(log, loader, parsed)
	o, err := c.Settings.options(log)
	if err != nil {
		return err
	}
	o.Replay.LiveFirst, o.Replay.Parallel = c.LiveFirst, c.Parallel
	o.Replay.MaxLiveLag = time.Duration(c.MaxLiveLag)
	bar := terminal.NewLateProgress(std.Err, terminal.ProgressOptions{Title: "backfill"})
	o.Again, o.Accept, o.Reason, o.Progress = c.Again, c.Accept, c.Reason, bar.Set
	deliver := openLineage(std, c.Lineage, log, &o.Lineage)
	defer deliver()
	s, err := backfill.Run(ctx, o)
	bar.Stop()
	if err != nil {
		return err
	}
	return printBackfill(std, s, c.Settings.JSON)
}

type backfillStatusCmd struct {
	Settings backfillSettings `embed:""`
}

// Run prints the status.
func (c *backfillStatusCmd) Run(ctx context.Context, std *stdio) error {
	o, err := c.Settings.options(slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	s, err := backfill.GetStatus(ctx, o)
	if err != nil {
		return err
	}
	return printBackfill(std, s, c.Settings.JSON)
}

func printBackfill(std *stdio, s *backfill.Status, asJSON bool) error {
	if asJSON {
		return terminal.PrintJSON(std.Out, s)
	}
	s.Print(std.text())
	return nil
}
