package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/fileprocess"
	"github.com/pitchstream/pitchstream/internal/load"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/internal/terminal"
)

// processCmd makes tables of files, without any server.
type processCmd struct {
	Paths []string `arg:"" name:"PATH" help:"Files, folders (with everything below them), globs, URLs of storage as s3://bucket/prefix, or - for standard input."`

	Output      string `env:"-" name:"output" short:"o" required:"" placeholder:"DIR|URL" help:"Folder for the tables, created if it does not exist, or a URL of storage as s3://bucket/prefix. Tables of an earlier run in it are replaced."`
	Format      string `env:"-" default:"parquet" enum:"parquet,csv,jsonl" placeholder:"parquet|csv|jsonl" help:"Format of the rows: rows.parquet, rows.csv or rows.jsonl. Default: parquet."`
	IDs         string `env:"-" name:"ids" placeholder:"FILE.csv" help:"Identifiers from the games' log: event_id, batter_id, pitcher_id, team_id, game_date, venue, and also game_pk and event_time. Tracking files name a batter only if the ball was hit, so whiff rates need it."`
	Game        string `env:"-" placeholder:"PK" help:"game_pk of all records. Default: GAME of a file named GAME_FRAME.jsonl."`
	CSVGuard    bool   `env:"-" name:"csv-guard" help:"In CSV, write an apostrophe before texts that begin with = + - @, a tab or CR, so that no spreadsheet runs them as formulas. Other programs then read the apostrophe as part of the text. Default: texts as they are."`
	Percentiles bool   `env:"-" help:"Also report the percentiles of each column of numbers. Takes about 100 bytes of memory per pitch."`
	AllowEmpty  bool   `env:"-" name:"allow-empty" help:"Make empty tables if no record is found. Without it that is an error, and the tables of an earlier run stay."`
	JSON        bool   `env:"-" name:"json" help:"Print the report as one JSON object, as in report.json."`
	Workers     int    `env:"-" placeholder:"N" help:"Cores to use, 1 to 1024. Default: all."`

	Registry config.SchemaRegistry `embed:"" group:"Schema registry"`
	Lineage  config.Lineage        `embed:"" group:"Lineage"`

	MaxRecordBytes config.Bytes `env:"PITCHSTREAM_MAX_RECORD_BYTES" name:"max-record-bytes" default:"16MiB" placeholder:"SIZE" help:"The largest record, in bytes (16MiB, 1048576): a larger one is rejected, too_large. Default: 16MiB. The limit of run gives the same rows."`
}

// maxWorkers is more than any machine has cores.
const maxWorkers = 1024

// Help returns the text that process --help prints below its first line.
func (*processCmd) Help() string {
	return `
The layout and compression of a file are detected from its content: JSON Lines, a JSON array, one record per file, or values
one after the other; plain, gzip or zstd. tar and zip archives are read like folders. Of lines that hold a record with its key
and headers (dlq export, rejected.jsonl, simulate --envelope, kcat -J, rpk, Kafka Connect) the record is taken. If a file is
cut short, its torn end is a rejected record, and the report gives its byte offset.

  pitchstream process season/ -o out/                     a folder of GAME_FRAME.jsonl files
  pitchstream process --game 746437 raw.json.gz -o out/   one game, an array
  zcat old/*.gz | pitchstream process - -o out/           standard input
  pitchstream process --ids log.csv season/ -o out/       with the game's log: whiff rates count every swing
  pitchstream process 's3://league/2024/*.jsonl.gz' -o s3://league/tables    in storage: see docs/ARCHIVE.md
  pitchstream process raw/ -o out/                        an archive: the segments that its manifests list

The folder receives:

  rows.parquet    a line per pitch: the columns of the table pitches, event_time if --ids gives one, source (the file) and
                  record (its number in the file, from 1)
  batters.csv     a line per batter: swings, whiff rate, exit velocities, bat speeds, …
  pitchers.csv    a line per pitcher: speed, spin, whiff rate, called strikes plus whiffs, …, and each pitch type
  rejected.jsonl  the records that are no pitches, whole, each with its place and the reason
  report.json     the figures of the printed report

The rows are those that load and run would give. Of several records of one pitch the last one is current, in the order in
which the files are read: as they are named, those of a folder by name, numbers as numbers. The rows keep that order.

The report accounts for every record: records in = rows + superseded (a later record of the same pitch is current) + rejected.
A run whose counts do not balance writes nothing.

Tracking files name a batter only where the ball was hit, so whiff rates need the game's log: --ids FILE.csv.

The files appear together at the end, report.json last: if it exists, the others are complete. An interrupted or killed run
leaves nothing that looks like a result, and may be run again.

Exit status: 0 done (files cut short and rejected records are in the report); 1 a file could not be read (the tables hold the
others), no record was found (nothing is written, see --allow-empty) or is a pitch, a table could not be written, or it was
interrupted; 2 wrong usage.`
}

// Validate reports wrong usage. Kong calls it before Run.
func (c *processCmd) Validate() error {
	switch {
	case c.Output == "":
		return errors.New("--output is missing: want a folder, as -o tables/")
	case c.Workers < 0 || c.Workers > maxWorkers:
		return fmt.Errorf("--workers=%d: want 1 to %d", c.Workers, maxWorkers)
	case c.CSVGuard && c.Format != string(fileoutput.CSV):
		return errors.New("--csv-guard is about CSV: give --format csv as well")
	case fileinput.CheckGame(c.Game) != nil:
		return fileinput.CheckGame(c.Game)
	}
	return cmp.Or(fileoutput.Check(c.Output), config.Limits{MaxRecordBytes: c.MaxRecordBytes}.Validate())
}

// Run makes the tables and then prints the report.
func (c *processCmd) Run(ctx context.Context, std *stdio) error {
	if c.Workers > 0 { // limits all goroutines, not only those that measure
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(c.Workers))
	}
	format := fileoutput.Format(c.Format)
	if c.CSVGuard {
		format = fileoutput.GuardedCSV
	}
	o := fileprocess.Options{
		Paths: c.Paths, Stdin: std.In, Game: c.Game, IDsPath: c.IDs, MaxRecordBytes: int(c.MaxRecordBytes),
		Output: c.Output, Format: format, Percentiles: c.Percentiles, AllowEmpty: c.AllowEmpty,
		Workers: runtime.GOMAXPROCS(0), Build: obs.Build(), ProgressTo: std.Err,
	}
	var err error
	if o.Registry, err = c.Registry.Open(); err != nil {
		return err
	}
	deliver := openLineage(std, c.Lineage, nil, &o.Lineage)
	defer deliver()
	report, err := fileprocess.Run(ctx, o)
	switch {
	case err != nil && ctx.Err() != nil:
		return load.ErrInterrupted
	case err != nil:
		return err
	}
	if c.JSON {
		err = terminal.PrintJSON(std.text(), report)
	} else {
		err = fileprocess.Print(std.text(), o, report)
	}
	if err != nil {
		return err
	}
	return report.Err(c.Output)
}
