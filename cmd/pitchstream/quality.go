package main

import (
	"context"
	"fmt"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/qualityrun"
	"github.com/pitchstream/pitchstream/internal/terminal"
)

type qualityCmd struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`

	Day    string `env:"-" name:"day" placeholder:"YYYY-MM-DD" help:"The game day to judge. Default: the newest."`
	Since  string `env:"-" name:"since" placeholder:"YYYY-MM-DD" help:"Judge every day from this one on, up to --day."`
	Game   string `env:"-" name:"game" placeholder:"GAME" help:"Only this game of the day, compared with the same baseline."`
	All    bool   `env:"-" name:"all" help:"Print every figure of every venue. Default: those of all venues together, and those beyond their limits."`
	JSON   bool   `env:"-" name:"json" help:"Print one JSON object a day, with every figure."`
	Stored bool   `env:"-" name:"stored" help:"Use the stored figures, and compute nothing: for a role that may only read."`
	Whole  bool   `env:"-" name:"whole" help:"First compute from all rows, not only from those that changed: reads the whole table."`
}

// Help returns the text of quality --help below its first line.
func (*qualityCmd) Help() string {
	return `
Compares a game day with the seven game days before it. Figures beyond their limits come first, with what to do about them.

  pitchstream quality                          the newest day
  pitchstream quality --day 2025-04-07 --all   a day, every figure of every venue
  pitchstream quality --since 2025-04-01       a week, day by day
  pitchstream quality --game 778001 --json     one game, for a script

How to read a line:

  !  untracked_swings   all            15.2 %   1.1 %   +14.1   of 842   8 games   limit: 5 points above the baseline
  beyond its limit      check, venue   the day  before  change  of what  where

A share is judged by how far it is above the baseline, and by whether chance and the usual differences between days explain
that. Shares of fewer than 50 are not judged. drift compares the bat speeds at each venue with each batter's own speeds
elsewhere: it finds a venue that is 1.5 mph off after some 300 swings.

The figures come from the current rows, a game at a time: nothing is counted twice, and corrections, deletes and late
identifiers count as they are now. Processors compute them every --quality-every; this command first computes what is new.
Each check, its limits and what to do: docs/QUALITY.md. As SQL: SELECT * FROM pitchstream.quality.

Exit status: 0 nothing is beyond its limits; 1 something is, or it failed; 2 wrong usage.`
}

// Validate returns an error that says which flag is wrong and what is allowed.
func (c *qualityCmd) Validate() error {
	for flag, day := range map[string]string{"day": c.Day, "since": c.Since} {
		if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
			return fmt.Errorf("--%s=%s: want a date as 2025-04-07", flag, day)
		}
	}
	switch {
	case c.Day != "" && c.Since > c.Day:
		return fmt.Errorf("--since=%s is after --day=%s", c.Since, c.Day)
	case c.Since != "" && c.Game != "":
		return fmt.Errorf("give --since or --game, not both")
	case c.Stored && c.Whole:
		return fmt.Errorf("--whole computes, --stored does not: give one of them")
	}
	return nil
}

// PostgresRole returns a reader if nothing is computed.
func (c *qualityCmd) PostgresRole() config.Role {
	if c.Stored {
		return config.Reader
	}
	return config.Writer
}

// Run judges the days and prints the reports.
func (c *qualityCmd) Run(ctx context.Context, std *stdio) error {
	reports, err := qualityrun.Run(ctx, qualityrun.Options{
		Postgres: storeConfig(c.Postgres),
		Day:      c.Day, Since: c.Since, Game: c.Game, Stored: c.Stored, Whole: c.Whole,
		Busy: func() {
			fmt.Fprintln(std.Err, "a processor computes the figures: the newest seconds may not be in them")
		},
	})
	if err != nil {
		return err
	}
	abnormal := int64(0)
	for i, r := range reports {
		abnormal += r.Abnormal
		switch {
		case c.JSON:
			err = terminal.PrintJSON(std.Out, r)
		case i > 0:
			fmt.Fprintln(std.Out)
			fallthrough
		default:
			err = qualityrun.Print(std.text(), r, c.All)
		}
		if err != nil {
			return err
		}
	}
	return orDifference(nil, abnormal > 0)
}
