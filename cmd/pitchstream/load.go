package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/load"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// loadCmd sends records from files to the raw topic, unchanged.
type loadCmd struct {
	Paths []string `arg:"" name:"path" help:"Files, folders (with all below them), globs, or - for standard input."`

	Game      string  `env:"-" placeholder:"PK" help:"game_pk of all records, their Kafka key. Default: GAME of a file named GAME_FRAME.jsonl."`
	IDs       string  `env:"-" name:"ids" placeholder:"FILE.csv" help:"Identifiers from the games' log, sent as headers: event_id, batter_id, pitcher_id, team_id, game_date, venue, and also game_pk (the key) and event_time. Without them a batter is known only where the ball was hit."`
	Timestamp string  `env:"-" default:"now" placeholder:"now|mtime|TIME" help:"Timestamp of the records: now, mtime (the file's), or an RFC 3339 time. See above which of them never beats a live correction. Default: now."`
	Revision  int64   `env:"-" default:"0" placeholder:"N" help:"Revision of the records: a greater one beats a smaller one, whatever the timestamps. Default: 0."`
	Rate      float64 `env:"-" placeholder:"N" help:"Send at most N records a second. Default: as fast as Kafka takes them."`
	Realtime  bool    `env:"-" help:"Keep the real time between the pitches. Needs event_time in --ids, or --timestamp mtime."`
	Check     bool    `env:"-" help:"Read everything and report, but send nothing. Needs no Kafka."`
	State     string  `env:"-" placeholder:"FILE" help:"Remember in FILE what was acknowledged; the same command goes on from there. Written every few seconds and at the end."`

	Kafka  optionalKafka `embed:"" group:"Kafka"`
	Topics config.Topics `embed:"" group:"Kafka"`
	Limits config.Limits `embed:"" group:"Kafka"`

	timestamp load.Timestamp // parsed by Validate
}

// Help is what load --help says below its first line.
func (*loadCmd) Help() string {
	return `
What a file is, is told by its content: JSON Lines, a JSON array, one record a file (pretty-printed too), values one after
the other; plain, gzip or zstd. Records go out byte for byte. A broken line goes out as well: the processor puts it onto the
dead-letter topic, where such things are looked for. A file cut short gives what is whole, and its torn end as one record;
the summary names it with its byte offset.

  pitchstream load season/                              a folder of GAME_FRAME.jsonl files
  pitchstream load --game 746437 batch_raw.json.gz      one game, an array
  zcat old/*.gz | pitchstream load --game 746437 -      standard input
  pitchstream load --check season/                      report, send nothing
  pitchstream load --state season.state season/         may be interrupted; run it again to go on
  pitchstream load --ids log.csv --realtime game.jsonl  as if it were live

Which version of a pitch wins is decided by the revision, then by the timestamp, then by the offset. So at the same revision
--timestamp now beats everything that was there before, live records and corrections alike. --timestamp mtime, and a time
before the game, never beat a live record or correction of the same revision, provided they are older than it: a file that
was copied may have the time of its copy, so for history that must never win give a time, as
--timestamp 2000-01-01T00:00:00Z. A live correction that carries a greater revision beats a load of revision 0 in any case;
and --revision N beats all that is below N, in any case. Where --ids names no event_time, the timestamp is also when the
pitch was thrown.

A record that is sent twice is the same pitch twice, which changes nothing; so a load may be repeated at any time.

Exit status: 0 all records were acknowledged; 1 some failed, a file could not be read, or it was interrupted; 2 wrong usage.`
}

// Validate finds wrong usage before anything is done. (kong)
func (c *loadCmd) Validate() (err error) {
	if c.timestamp, err = parseTimestamp(c.Timestamp, time.Now()); err != nil {
		return err
	}
	switch {
	case c.Revision < 0:
		return fmt.Errorf("--revision=%d: want 0 or more", c.Revision)
	case c.Rate < 0 || math.IsNaN(c.Rate) || math.IsInf(c.Rate, 0):
		return fmt.Errorf("--rate=%v: want records a second, more than 0", c.Rate)
	case c.Realtime && c.Rate > 0:
		return errors.New("--realtime and --rate: give one")
	case c.Realtime && c.IDs == "" && !c.timestamp.FromFile:
		return errors.New("--realtime needs to know when the pitches were thrown: give --ids FILE.csv with a column event_time, or --timestamp mtime")
	case c.Game != "" && !isGamePK(c.Game):
		return fmt.Errorf("--game=%q: want 1 to 64 bytes of UTF-8 without control characters", c.Game)
	case slices.Contains(c.Paths, fileinput.Stdin) && c.State != "":
		return errors.New("--state cannot remember standard input: name files")
	case slices.Contains(c.Paths, fileinput.Stdin) && c.timestamp.FromFile:
		return errors.New("--timestamp mtime: standard input has none: name files, or give a time")
	case c.Check:
		return nil
	}
	return config.Kafka(c.Kafka).Validate()
}

func parseTimestamp(text string, now time.Time) (load.Timestamp, error) {
	switch text {
	case "now":
		return load.Timestamp{Text: text}, nil
	case "mtime":
		return load.Timestamp{Text: text, FromFile: true}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return load.Timestamp{}, fmt.Errorf("--timestamp=%s: want now, mtime, or an RFC 3339 time as 2024-09-28T19:05:00Z", text)
	}
	if t.Before(time.UnixMilli(1)) || t.After(now) {
		return load.Timestamp{}, fmt.Errorf("--timestamp=%s: want a time from 1970 to now; "+
			"a later one would supersede live records that do not exist yet", text)
	}
	return load.Timestamp{Text: text, Fixed: t}, nil
}

// isGamePK reports whether s can be a game_pk.
func isGamePK(s string) bool {
	if len(s) == 0 || len(s) > 64 || !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if c < 0x20 || c == 0x7f {
			return false
		}
	}
	return true
}

// Run loads, and prints a summary however the load ends.
func (c *loadCmd) Run(ctx context.Context, std *stdio) error {
	o := load.Options{
		Paths: c.Paths, Stdin: std.In, Game: c.Game, IDsPath: c.IDs, Timestamp: c.timestamp, Revision: c.Revision,
		RecordsPerSecond: c.Rate, Realtime: c.Realtime, Check: c.Check, StatePath: c.State,
		Topic: c.Topics.TopicRaw, MaxRecordBytes: int(c.Limits.MaxRecordBytes), ProgressTo: std.Err,
	}
	var err error
	if !c.Check {
		if o.Client, err = config.Kafka(c.Kafka).Options(); err != nil {
			return err
		}
	}
	report, err := load.Run(ctx, o)
	if report == nil {
		return err
	}
	if printErr := c.print(std.Out, report); err == nil {
		err = printErr
	}
	return err
}

// printLine writes a line of a summary: its name, and a text beside it.
func printLine(w io.Writer, name, format string, args ...any) {
	fmt.Fprintf(w, "  %-12s "+format+"\n", append([]any{name}, args...)...)
}

// print writes the summary:
//
//	loaded into pitches.raw in 12s
//	  records      1,254 read = 1,254 sent + 0 failed
//	  …
func (c *loadCmd) print(out io.Writer, r *load.Report) error {
	w := bufio.NewWriter(out)
	took, failed := terminal.Duration(r.Seconds), r.Refused+r.Unconfirmed
	records := terminal.Count(r.Records)
	if c.Check {
		fmt.Fprintf(w, "checked in %s, nothing was sent\n", took)
		printLine(w, "records", "%s read = %s to send + %s that would fail", records, terminal.Count(r.Sent), terminal.Count(failed))
		printLine(w, "rows", "%s", terminal.Count(r.Rows))
		for _, code := range schemas.Codes {
			if n := r.DeadLetters[code]; n > 0 {
				printLine(w, "dead letters", "%s %s", terminal.Count(n), code)
			}
		}
	} else {
		fmt.Fprintf(w, "loaded into %s in %s\n", c.Topics.TopicRaw, took)
		printLine(w, "records", "%s read = %s sent + %s failed", records, terminal.Count(r.Sent), terminal.Count(failed))
	}
	if r.Unconfirmed > 0 {
		printLine(w, "", "%s of the failed were not acknowledged when it ended; they may have arrived", terminal.Count(r.Unconfirmed))
	}
	if c.State != "" {
		printLine(w, "sent before", "%s by earlier runs, as %s says", terminal.Count(r.SentBefore), c.State)
	}
	printLine(w, "bytes", "%s in %s", terminal.Bytes(r.Bytes), terminal.Counted(int64(r.Inputs), "input"))
	printLine(w, "games", "%s", terminal.Count(r.Games))
	if r.NoGame > 0 {
		printLine(w, "", "%s no game: name it by --game, or name files GAME_FRAME.jsonl",
			terminal.Counted(r.NoGame, "record has", "records have"))
	}
	if c.IDs == "" {
		printLine(w, "batters", "named only where the ball was hit, so whiff rates are not to be had; --ids FILE.csv names them")
	} else {
		printLine(w, "batters", "%s found in %s", terminal.Counted(r.Named, "record"), c.IDs)
	}
	for _, refusal := range r.Refusals {
		printLine(w, "failed", "%s", refusal)
	}
	if more := r.Refused - int64(len(r.Refusals)); more > 0 {
		printLine(w, "failed", "and %s more", terminal.Count(more))
	}
	for _, p := range r.Problems {
		printLine(w, "input", "%s", p)
	}
	if r.MoreProblems > 0 {
		printLine(w, "input", "and %s more remarks", terminal.Count(r.MoreProblems))
	}
	return w.Flush()
}
