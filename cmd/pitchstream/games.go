package main

import (
	"context"
	"fmt"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/games"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// gamesCmd groups the commands about games.
type gamesCmd struct {
	Load    gamesLoadCmd    `cmd:"" name:"load" help:"Read dates, ballparks, teams and starts of games from files."`
	Missing gamesMissingCmd `cmd:"" name:"missing" help:"Name the games of the schedule of which no pitch came."`
}

type gamesLoadCmd struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`
	Lineage  config.Lineage  `embed:"" group:"Lineage"`

	Files []string `arg:"" name:"FILE" help:"CSV, JSON, or the league's documents feed/live and schedule. - is standard input."`
	JSON  bool     `env:"-" name:"json" help:"Print one JSON object instead of text."`
}

// Help returns the text of games load --help below its first line.
func (*gamesLoadCmd) Help() string {
	return `
A game's date, ballpark, teams and start are stored apart from its pitches, which may lack them. CSV has these columns, and JSON
objects these members; game_pk alone is required:

  game_pk,game_date,venue,home_team,away_team,home_team_id,away_team_id,starts_at,status
  745804,2024-09-28,Fenway Park,Boston Red Sox,Tampa Bay Rays,111,139,2024-09-28T20:10:00Z,Final

The facts of a game have the time of their file: the time code of a game feed, or the moment when any other file is loaded. A newer
file replaces the facts that it has and leaves the others. Each fact has a time of its own: an older file replaces none of the newer
ones, and adds those that the game lacks. So files may come in any order, also within one file. Loading a feed again changes nothing.
All files are read before anything is written. The targets beside live get the facts too. A file may have 64 MiB and 200,000 games.

Exit status: 0 well; 1 a file or the database is wrong; 2 wrong usage.`
}

// Run loads the files and prints how many games changed.
func (c *gamesLoadCmd) Run(ctx context.Context, std *stdio) error {
	o := games.Options{
		Postgres: storeConfig(c.Postgres), Serving: c.Postgres.ServingSchema(), Files: c.Files, Stdin: std.In,
	}
	deliver := openLineage(std, c.Lineage, nil, &o.Lineage)
	defer deliver()
	r, err := games.Load(ctx, o)
	if err != nil {
		return err
	}
	if c.JSON {
		return terminal.PrintJSON(std.Out, r)
	}
	fmt.Fprintf(std.Out, "%s: %s added or changed, %s older than what is stored\n",
		terminal.Counted(r.Games, "game"), terminal.Count(r.Changed), terminal.Count(r.Older))
	return nil
}

type gamesMissingCmd struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`

	From string `env:"-" placeholder:"DATE" help:"First game date, YYYY-MM-DD. Default: the first."`
	To   string `env:"-" placeholder:"DATE" help:"Last game date, YYYY-MM-DD. Default: today in UTC."`
	JSON bool   `env:"-" name:"json" help:"Print one JSON array instead of text."`
}

// Help returns the text of games missing --help below its first line.
func (*gamesMissingCmd) Help() string {
	return `
Names the games of games load that have a date and no current pitch. One whose status is Postponed or Cancelled is not missing.

Exit status: 0 none is missing; 1 some are, or it failed; 2 wrong usage.`
}

// PostgresRole returns a reader, which this command connects as.
func (*gamesMissingCmd) PostgresRole() config.Role { return config.Reader }

// Validate checks the dates.
func (c *gamesMissingCmd) Validate() error { return checkDates(c.From, c.To) }

// Run prints the games, and fails with a differenceError if there are any.
func (c *gamesMissingCmd) Run(ctx context.Context, std *stdio) error {
	missing, err := games.Missing(ctx, storeConfig(c.Postgres), c.From, c.To)
	switch {
	case err != nil:
		return err
	case c.JSON:
		err = terminal.PrintJSON(std.Out, append([]schemas.GameFacts{}, missing...)) // [] instead of null
	default:
		err = games.Print(std.Out, missing)
	}
	return orDifference(err, len(missing) > 0)
}
