package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/load"
)

// loadCmd sends records from files to the raw topic, unchanged.
type loadCmd struct {
	Paths []string `arg:"" name:"PATH" help:"Files, folders (with everything below them), globs, URLs of storage as s3://bucket/prefix, or - for standard input."`

	Game      string  `env:"-" placeholder:"PK" help:"game_pk of all records, their Kafka key. Default: GAME of a file named GAME_FRAME.jsonl."`
	IDs       string  `env:"-" name:"ids" placeholder:"FILE.csv" help:"Identifiers from the games' log, sent as headers: event_id, batter_id, pitcher_id, team_id, game_date, venue, and also game_pk (the key) and event_time. Without them a batter is known only if the ball was hit."`
	Timestamp string  `env:"-" default:"now" placeholder:"now|mtime|TIME" help:"Timestamp of the records: now, mtime (the file's), or an RFC 3339 time. See above which of them supersede live corrections. Default: now."`
	Revision  int64   `env:"-" default:"0" placeholder:"N" help:"Revision of the records: a greater one supersedes a smaller one, whatever the timestamps. Default: 0."`
	Rate      float64 `env:"-" placeholder:"N" help:"Send at most N records a second. Default: as fast as Kafka accepts them."`
	Realtime  bool    `env:"-" help:"Keep the real time between the pitches. Needs event_time in --ids, or --timestamp mtime."`
	Check     bool    `env:"-" help:"Read everything and report, but send nothing. Needs no Kafka."`
	Empty     bool    `env:"-" name:"allow-empty" help:"Succeed if no record is found. Without it that is an error."`
	State     string  `env:"-" placeholder:"FILE" help:"Remember the acknowledged records in FILE, so that the same command continues there. Written every few seconds and at the end."`
	JSON      bool    `env:"-" name:"json" help:"Print the summary as one JSON object."`

	Kafka    optionalKafka         `embed:"" group:"Kafka"`
	Topics   config.Topics         `embed:"" group:"Kafka"`
	Limits   config.Limits         `embed:"" group:"Kafka"`
	Registry config.SchemaRegistry `embed:"" group:"Schema registry"`
	Lineage  config.Lineage        `embed:"" group:"Lineage"`

	timestamp load.Timestamp // parsed by Validate
}

// Help returns the text that load --help prints below its first line.
func (*loadCmd) Help() string {
	return `
The layout and compression of a file are detected from its content: JSON Lines, a JSON array, one record per file (also
pretty-printed), or values one after the other; plain, gzip or zstd. tar and zip archives are read like folders. Records are
sent byte for byte. A broken record is sent as well, so that it becomes a dead letter. If a file is cut short, its torn end is
sent as one record, and the summary gives its byte offset.

A line may be an envelope: an object that holds a record with its key and headers. dlq export, process (rejected.jsonl),
simulate --envelope, kcat -J, rpk and Kafka Connect write such lines. Then the record within is sent. It keeps the time of its
origin, unless --timestamp is mtime or a TIME. Lines of dlq export keep their version whatever --timestamp is: only --revision
supersedes it.

  pitchstream load season/                              a folder of GAME_FRAME.jsonl files
  pitchstream load --game 746437 batch_raw.json.gz      one game, an array
  zcat old/*.gz | pitchstream load --game 746437 -      standard input
  pitchstream load --check season/                      report, send nothing
  pitchstream load --state season.state season/         may be interrupted; run it again to continue
  pitchstream load --state s.state 's3://league/2024/*.gz'   files in storage; one that changes is sent anew
  pitchstream load --ids log.csv --realtime game.jsonl  at the pace of a live game

Of several versions of a pitch, the one with the greatest revision is current; of equal ones, the one with the latest
timestamp, and then the greatest offset. At the same revision, --timestamp now therefore supersedes all earlier records, live
ones and corrections alike. An older timestamp supersedes none that is newer: for history that must never win, give a time
before the games, as --timestamp 2000-01-01T00:00:00Z. Do not rely on --timestamp mtime for that, because a copied file may
have the time of its copy. --revision N supersedes every smaller revision. If --ids gives no event_time, the timestamp is also
the time of the pitch. A time that the topic's retention.ms has passed is refused, because Kafka would soon delete the record.

A load with a fixed --timestamp may be repeated at any time, because a record that arrives twice changes nothing. With now, a
repetition is newer: it supersedes what came in between at the same revision. To continue a load, use --state.

Exit status: 0 all records were acknowledged; 1 some failed, none was found or is a pitch, a file could not be read, or it was interrupted; 2 wrong usage.`
}

// Validate reports wrong usage. Kong calls it before Run.
func (c *loadCmd) Validate() (err error) {
	if c.timestamp, err = load.ParseTimestamp(c.Timestamp, time.Now()); err != nil {
		return err
	}
	switch {
	case c.Revision < 0:
		return fmt.Errorf("--revision=%d: want 0 or more", c.Revision)
	case c.Rate < 0 || math.IsNaN(c.Rate) || math.IsInf(c.Rate, 0):
		return fmt.Errorf("--rate=%v: want records a second, or 0 for no limit", c.Rate)
	case c.Realtime && c.Rate > 0:
		return errors.New("--realtime and --rate: give one")
	case c.Realtime && c.IDs == "" && !c.timestamp.FromFile:
		return errors.New("--realtime needs to know when the pitches were thrown: " +
			"give --ids FILE.csv with a column event_time, or --timestamp mtime")
	case fileinput.CheckGame(c.Game) != nil:
		return fileinput.CheckGame(c.Game)
	case slices.Contains(c.Paths, fileinput.Stdin) && c.State != "":
		return errors.New("--state cannot remember standard input: name files")
	case slices.Contains(c.Paths, fileinput.Stdin) && c.timestamp.FromFile:
		return errors.New("--timestamp mtime: standard input has none: name files, or give a time")
	}
	if c.Check {
		return nil // it needs no Kafka
	}
	return config.Kafka(c.Kafka).Validate()
}

// Run loads the files. It prints a summary also after an error, unless the load could not begin.
func (c *loadCmd) Run(ctx context.Context, std *stdio) error {
	o := load.Options{
		Paths: c.Paths, Stdin: std.In, Game: c.Game, IDsPath: c.IDs, Timestamp: c.timestamp,
		Revision:         c.Revision,
		RecordsPerSecond: c.Rate, Realtime: c.Realtime, Check: c.Check, AllowEmpty: c.Empty, StatePath: c.State,
		Topic: c.Topics.TopicRaw, MaxRecordBytes: int(c.Limits.MaxRecordBytes), ProgressTo: std.Err,
	}
	var err error
	if o.Registry, err = c.Registry.Open(); err != nil {
		return err
	}
	if !c.Check {
		if o.Client, err = config.Kafka(c.Kafka).Options(); err != nil {
			return err
		}
	}
	deliver := openLineage(std, c.Lineage, nil, &o.Lineage)
	defer deliver()
	report, err := load.Run(ctx, o)
	if report == nil {
		return err
	}
	if printErr := report.Print(std.text(), o, c.JSON); err == nil {
		err = printErr
	}
	return err
}
