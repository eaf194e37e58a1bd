package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/export"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/load"
	"github.com/pitchstream/pitchstream/schemas"
)

// exportCmd writes the current pitches of Postgres as files for a warehouse.
type exportCmd struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`
	Lineage  config.Lineage  `embed:"" group:"Lineage"`

	Output    string `env:"-" name:"output" short:"o" required:"" placeholder:"DIR|URL" help:"Folder for the files, created if it does not exist, or a URL of storage as s3://bucket/prefix."`
	From      string `env:"-" placeholder:"DATE" help:"First game date, YYYY-MM-DD. Default: the first."`
	To        string `env:"-" placeholder:"DATE" help:"Last game date, YYYY-MM-DD. Default: the last."`
	Undated   bool   `env:"-" help:"With --from or --to: also export the pitches without a game date. Without these flags they are always exported."`
	Overwrite bool   `env:"-" help:"Write dates again whose files exist, and remove the files of dates without pitches, within --from and --to. Default: existing files stay as they are."`
	JSON      bool   `env:"-" name:"json" help:"Print one JSON object instead of text."`
}

// Help returns the text that export --help prints below its first line.
func (*exportCmd) Help() string {
	return `
Writes one file per game date, in the layout of Hive partitions that warehouses read:

  DIR/game_date=2024-09-28/part-0.parquet
  DIR/game_date=__HIVE_DEFAULT_PARTITION__/part-0.parquet     pitches without a game date

The columns are those of the view pitches, with their types and, as metadata (column:NAME), their meanings. The rows of a date
are ordered by event time. All rows are read in one snapshot, and the memory needed does not grow with their number.

  pitchstream export -o lake/                                     everything
  pitchstream export -o s3://league/lake                          into storage, in parts while it reads
  pitchstream export --from 2024-09-01 --to 2024-09-30 -o lake/   a month
  pitchstream export --from 2024-09-27 --overwrite -o lake/       the last days again, because corrections come late

A file appears when it is complete. After an interrupt or a kill, the same command continues with the missing dates;
with --overwrite it writes every date again. --overwrite removes files of dates without pitches, within --from and --to only.
Read the files with DuckDB: SELECT * FROM read_parquet('lake/*/*.parquet', hive_partitioning = true)

Exit status: 0 done; 1 the database or the folder failed, or it was interrupted; 2 wrong usage.`
}

// Validate reports wrong usage. Kong calls it before Run.
func (c *exportCmd) Validate() error {
	if c.Output == "" {
		return errors.New("--output is missing: want a folder, as -o lake/")
	}
	return cmp.Or(checkDates(c.From, c.To), fileoutput.Check(c.Output))
}

// checkDates checks the flags --from and --to.
func checkDates(from, to string) error {
	for _, f := range []struct{ flag, date string }{{"from", from}, {"to", to}} {
		if _, err := time.Parse(time.DateOnly, f.date); f.date != "" && err != nil {
			return fmt.Errorf("--%s=%s: want a date as 2024-09-28", f.flag, f.date)
		}
	}
	if from != "" && to != "" && from > to {
		return fmt.Errorf("--from=%s is after --to=%s", from, to)
	}
	return nil
}

// PostgresRole returns a reader, which this command connects as. An error about missing rights names the
// command that grants them.
func (*exportCmd) PostgresRole() config.Role { return config.Reader }

// Run exports and prints a summary.
func (c *exportCmd) Run(ctx context.Context, std *stdio) error {
	o := export.Options{
		Postgres: storeConfig(c.Postgres), Output: c.Output, From: schemas.Text(c.From), To: schemas.Text(c.To),
		Undated: c.Undated, Overwrite: c.Overwrite, ProgressTo: std.Err,
	}
	deliver := openLineage(std, c.Lineage, nil, &o.Lineage)
	defer deliver()
	r, err := export.Run(ctx, o)
	switch {
	case err != nil && ctx.Err() != nil:
		return load.ErrInterrupted
	case err != nil:
		return err
	}
	return r.Print(std.Out, c.Output, c.JSON)
}
