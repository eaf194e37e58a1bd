package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/pitchstream/pitchstream/internal/compare"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// compareCmd groups the comparisons with others' numbers.
type compareCmd struct {
	Savant compareSavantCmd `cmd:"" name:"savant" help:"Compare our columns with those of the league's public CSV, pitch by pitch."`
}

type compareSavantCmd struct {
	File string `arg:"" name:"FILE.csv" help:"CSV of Baseball Savant's search (statcast_search), plain or compressed, up to 1,000,000 lines."`

	Feed []string `env:"-" name:"feed" sep:"none" placeholder:"FILE|URL" help:"Game feed (feed/live) of a game in the file, which finds its lines exactly; may be repeated."`
	All  bool     `env:"-" name:"all" help:"Count questionable bat speeds and contacts too. Default: only reliable ones."`
	JSON bool     `env:"-" name:"json" help:"Print one JSON object instead of text, with the worst ten of each column."`

	Postgres config.Postgres `embed:"" group:"Postgres"`
}

// Help returns the text of compare savant --help below its first line.
func (*compareSavantCmd) Help() string {
	return `
Joins the file with the stored pitches and prints for each column how far ours is from the league's: the mean of the
differences (bias), their root mean square (RMSE), the limits between which 95 % of them are, and the pitches that are farthest
from the bias, with the command that explains them.

A line is found by its play_id if the file has one, or by --feed, which knows the play id of each at-bat and pitch number. Else
the lines of a batter against a pitcher in an inning are laid beside our pitches of the same, in their order: a pair has the
same result and a speed within 0.6 mph. Our pitches need batter and pitcher for that: pitchstream identify.

The league's release_speed is at the hand, our release_speed_mph at 50 feet: a bias of about -1 mph is right. Its
attack_direction has the pull side negative, and is turned round here.

  pitchstream compare savant savant_data.csv
  pitchstream compare savant savant_data.csv --feed 745804.json --json | jq '.columns[] | {column, n, bias, rmse}'

Exit status: 0 well; 1 it failed, or no line is about a stored pitch; 2 wrong usage.`
}

// PostgresRole returns a reader, which this command connects as.
func (*compareSavantCmd) PostgresRole() config.Role { return config.Reader }

// Run compares and prints the report.
func (c *compareSavantCmd) Run(ctx context.Context, std *stdio) error {
	reader, err := pgread.Reach(ctx, pgread.Config{URL: c.Postgres.URL.Reveal(), Schema: c.Postgres.Schema})
	if err != nil {
		return err
	}
	defer reader.Close()
	r, err := compare.Run(ctx, compare.Options{File: c.File, Rows: reader, Feeds: c.Feed, All: c.All})
	if r == nil {
		return err
	}
	if c.JSON {
		return errors.Join(terminal.PrintJSON(std.Out, r), err)
	}
	return errors.Join(printComparison(std.Out, r), err)
}

// printComparison prints the table:
//
//	column                  savant        n    bias   RMSE   limits of agreement
//	contact_bat_speed_mph   bat_speed   301   -0.42   1.93   -4.11 to  3.27 mph
func printComparison(out io.Writer, r *compare.Report) error {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "%s in %s: %s found by play id, %s by the feed, %s by order; %s not found\n",
		terminal.Counted(r.Lines, "line"), terminal.Counted(r.Games, "game"), terminal.Count(r.ByID),
		terminal.Count(r.ByFeed), terminal.Count(r.ByOrder), terminal.Count(r.Unmatched))
	rest := terminal.Counted(r.NotInFile, "stored pitch", "stored pitches")
	fmt.Fprintf(w, "%s of these games are in no line\n\n", rest)
	fmt.Fprintf(w, "%-34s %-18s %8s %9s %9s   limits of agreement\n", "column", "savant", "n", "bias", "RMSE")
	for _, c := range r.Columns {
		if c.N == 0 {
			fmt.Fprintf(w, "%-34s %-18s %8d\n", c.Name, c.Savant, 0)
			continue
		}
		fmt.Fprintf(w, "%-34s %-18s %8s %9.2f %9.2f   %.2f to %.2f %s\n",
			c.Name, c.Savant, terminal.Count(c.N), c.Bias, c.RMSE, c.Low, c.High, c.Unit)
	}
	if z := r.Zone; z.N > 0 {
		fmt.Fprintf(w, "%-34s %-18s %8s   the same in %.1f %%; %s in the zone only here, %s only there\n",
			"in_zone", "zone", terminal.Count(z.N), z.SharePct,
			terminal.Count(z.OnlyStored), terminal.Count(z.OnlySavant))
	}
	if worst := r.Worst(10); len(worst) > 0 {
		fmt.Fprintln(w, "\nfarthest from what is usual of their column:")
		for _, o := range worst {
			fmt.Fprintf(w, "  %-34s %9.2f, not %.2f (%+.1f SD)   pitchstream explain %s\n",
				o.Column.Name, o.Pair.Stored, o.Pair.Published, o.SDs, o.Pair.PitchID)
		}
	}
	return w.Flush()
}
