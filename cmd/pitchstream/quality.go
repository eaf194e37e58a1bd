package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
	stream "github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/internal/quality"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

type qualityCmd struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`

	Day    string `env:"-" name:"day" placeholder:"YYYY-MM-DD" help:"The game day to judge. Default: the newest."`
	Since  string `env:"-" name:"since" placeholder:"YYYY-MM-DD" help:"Judge every day from this one on, up to --day."`
	Game   string `env:"-" name:"game" placeholder:"GAME" help:"Only this game of the day, held against the same baseline."`
	All    bool   `env:"-" name:"all" help:"Every figure of every venue too. Default: of all venues together, and what is beyond its limits."`
	JSON   bool   `env:"-" name:"json" help:"Print one JSON object a day, with every figure."`
	Stored bool   `env:"-" name:"stored" help:"Do not compute what is new before: for a role that may only read."`
	Whole  bool   `env:"-" name:"whole" help:"Look for what was missed among all rows first: reads the whole table."`
}

// Help returns the text of quality --help below its first line.
func (*qualityCmd) Help() string {
	return `
A day of game data held against the seven game days before it. What is beyond its limits stands first, with what to do.

  pitchstream quality                          the newest day
  pitchstream quality --day 2025-04-07 --all   a day, every figure of every venue
  pitchstream quality --since 2025-04-01       a week, day by day
  pitchstream quality --game 778001 --json     one game, for a script

How to read a line:

  !  untracked_swings   all            15.2 %   1.1 %   +14.1   of 842   8 games   limit: 5 points above the baseline
  beyond its limit      check, venue   the day  before  change  of what  where

Shares are judged by how far they are above the baseline, and by whether chance and the usual differences between days
explain it; with fewer than 50 to judge by, nothing is. drift holds each venue's bat speeds against each batter's own
speeds elsewhere: it names a venue that is 1.5 mph off after some 300 swings.

The figures come from the rows that stand, a game at a time: nothing is counted twice, and corrections, deletes and late
identifiers count as they are now. Processors compute them every --quality-every; this command computes what is new first.
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

// Run judges the days and prints the reports.
func (c *qualityCmd) Run(ctx context.Context, std *stdio) error {
	store, err := openStore(c.Postgres, "", nil)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := store.Ping(ctx); err != nil {
		return err
	}
	if !c.Stored {
		if err := c.refresh(ctx, std, store); err != nil {
			return err
		}
	}
	reports, err := c.reports(ctx, store)
	if err != nil {
		return err
	}
	abnormal := int64(0)
	for i, r := range reports {
		abnormal += r.Abnormal
		if c.JSON {
			e := json.NewEncoder(std.Out)
			e.SetEscapeHTML(false)
			err = e.Encode(r)
		} else {
			if i > 0 {
				fmt.Fprintln(std.Out)
			}
			err = printQuality(std.Out, r, c.All)
		}
		if err != nil {
			return err
		}
	}
	if abnormal > 0 {
		return &differenceError{}
	}
	return nil
}

// refresh computes the figures of new rows, unless a processor is doing it.
func (c *qualityCmd) refresh(ctx context.Context, std *stdio, store *pgsink.Sink) error {
	release, ok, err := pgbooks.New(store.DB()).TryLock(ctx, stream.QualityLock)
	if err != nil {
		return err
	}
	if !ok {
		fmt.Fprintln(std.Err, "a processor computes the figures: the newest seconds may not be in them")
		return nil
	}
	defer release()
	_, _, err = stream.RefreshQuality(ctx, store, c.Whole, math.MaxInt)
	return err
}

// reports returns the reports of the selected days in their order.
func (c *qualityCmd) reports(ctx context.Context, store *pgsink.Sink) ([]schemas.QualityReport, error) {
	days := quality.History
	if first, err := time.Parse(time.DateOnly, c.Since); err == nil {
		last := time.Now()
		if c.Day != "" {
			last, _ = time.Parse(time.DateOnly, c.Day)
		}
		days += max(int(last.Sub(first).Hours()/24)+1, 0)
	}
	facts, err := pgbooks.NewQuality(store.DB()).QualityFacts(ctx, c.gameDay(ctx, store), days)
	if err != nil {
		return nil, err
	}
	if c.Since == "" {
		if c.Game != "" {
			return quality.JudgeGame(facts, c.Day, c.Game)
		}
		return []schemas.QualityReport{quality.Judge(facts, c.Day)}, nil
	}
	var out []schemas.QualityReport
	for _, day := range quality.Days(facts) {
		if day >= c.Since {
			out = append(out, quality.Judge(facts, day))
		}
	}
	return out, nil
}

// gameDay returns the last day to read: for --game, the newest day on which it was played.
func (c *qualityCmd) gameDay(ctx context.Context, store *pgsink.Sink) string {
	if c.Day == "" && c.Game != "" {
		if day, err := pgbooks.NewQuality(store.DB()).Day(ctx, c.Game); err == nil {
			c.Day = day
		}
	}
	return c.Day
}
