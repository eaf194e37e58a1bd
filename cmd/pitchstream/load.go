package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/fileinput"
)

// loadCmd puts records from files onto the raw topic, as they are.
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

	timestamp timestampMode // of Timestamp
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

// timestampMode is what --timestamp asks for.
type timestampMode struct {
	mtime bool
	fixed time.Time // zero: none
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
	case c.Realtime && c.IDs == "" && !c.timestamp.mtime:
		return errors.New("--realtime needs to know when the pitches were thrown: give --ids FILE.csv with a column event_time, or --timestamp mtime")
	case c.Game != "" && !isGamePK(c.Game):
		return fmt.Errorf("--game=%q: want 1 to 64 bytes of UTF-8 without control characters", c.Game)
	case slices.Contains(c.Paths, fileinput.Stdin) && c.State != "":
		return errors.New("--state cannot remember standard input: name files")
	case slices.Contains(c.Paths, fileinput.Stdin) && c.timestamp.mtime:
		return errors.New("--timestamp mtime: standard input has none: name files, or give a time")
	case c.Check:
		return nil
	}
	return config.Kafka(c.Kafka).Validate()
}

func parseTimestamp(text string, now time.Time) (timestampMode, error) {
	switch text {
	case "now":
		return timestampMode{}, nil
	case "mtime":
		return timestampMode{mtime: true}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return timestampMode{}, fmt.Errorf("--timestamp=%s: want now, mtime, or an RFC 3339 time as 2024-09-28T19:05:00Z", text)
	}
	if t.Before(time.UnixMilli(1)) || t.After(now) {
		return timestampMode{}, fmt.Errorf("--timestamp=%s: want a time from 1970 to now; one to come would beat live records that are not there yet", text)
	}
	return timestampMode{fixed: t}, nil
}

// isGamePK is whether text can be a game_pk.
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

// Run loads, and prints a summary however it ends.
func (c *loadCmd) Run(ctx context.Context, std *stdio) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	l, err := c.open(ctx, stop, std)
	if err != nil {
		return err
	}
	err = l.run(ctx)
	if printErr := l.report.print(std.Out, l.in); err == nil {
		err = printErr
	}
	return err
}
