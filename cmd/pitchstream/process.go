package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/fileprocess"
	"github.com/pitchstream/pitchstream/internal/load"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// processCmd makes tables of files, without any server.
type processCmd struct {
	Paths []string `arg:"" name:"path" help:"Files, folders (with everything below them), globs, or - for standard input."`

	Output      string `env:"-" name:"output" short:"o" required:"" placeholder:"DIR" help:"Folder for the tables, created if it does not exist. Tables of an earlier run in it are replaced."`
	Format      string `env:"-" default:"parquet" enum:"parquet,csv,jsonl" placeholder:"parquet|csv|jsonl" help:"Format of the rows: rows.parquet, rows.csv or rows.jsonl. Default: parquet."`
	IDs         string `env:"-" name:"ids" placeholder:"FILE.csv" help:"Identifiers from the games' log: event_id, batter_id, pitcher_id, team_id, game_date, venue, and also game_pk and event_time. Tracking files name a batter only if the ball was hit, so whiff rates need it."`
	Game        string `env:"-" placeholder:"PK" help:"game_pk of all records. Default: GAME of a file named GAME_FRAME.jsonl."`
	CSVGuard    bool   `env:"-" name:"csv-guard" help:"In CSV, write an apostrophe before texts that begin with = + - @, a tab or CR, so that no spreadsheet runs them as formulas. Other programs then read the apostrophe as part of the text. Default: texts as they are."`
	Percentiles bool   `env:"-" help:"Also report the percentiles of each column of numbers. Takes about 100 bytes of memory per pitch."`
	JSON        bool   `env:"-" name:"json" help:"Print the report as one JSON object, as in report.json."`
	Workers     int    `env:"-" placeholder:"N" help:"Cores to use, 1 to 1024. Default: all."`

	MaxRecordBytes config.Bytes `env:"PITCHSTREAM_MAX_RECORD_BYTES" name:"max-record-bytes" default:"16MiB" placeholder:"SIZE" help:"The largest record, in bytes (16MiB, 1048576): a larger one is rejected, too_large. Default: 16MiB. The limit of run gives the same rows."`
}

// maxWorkers is more than any machine has cores.
const maxWorkers = 1024

// Help returns the text that process --help prints below its first line.
func (*processCmd) Help() string {
	return `
The layout and compression of a file are detected from its content: JSON Lines, a JSON array, one record per file, or values
one after the other; plain, gzip or zstd. tar and zip archives are read like folders. Of lines that hold a record with its key
and headers (dlq export, rejected.jsonl, simulate --envelope, kcat -J) the record is taken. If a file is cut short, its torn
end is a rejected record, and the report gives its byte offset.

  pitchstream process season/ -o out/                     a folder of GAME_FRAME.jsonl files
  pitchstream process --game 746437 raw.json.gz -o out/   one game, an array
  zcat old/*.gz | pitchstream process - -o out/           standard input
  pitchstream process --ids log.csv season/ -o out/       with the game's log: whiff rates count every swing

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
others), no record is a pitch, a table could not be written, or it was interrupted; 2 wrong usage.`
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
	case c.Game != "" && !isGamePK(c.Game):
		return fmt.Errorf("--game=%q: want 1 to 64 bytes of UTF-8 without control characters", c.Game)
	}
	return config.Limits{MaxRecordBytes: c.MaxRecordBytes}.Validate()
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
	report, err := fileprocess.Run(ctx, fileprocess.Options{
		Paths: c.Paths, Stdin: std.In, Game: c.Game, IDsPath: c.IDs, MaxRecordBytes: int(c.MaxRecordBytes),
		Output: c.Output, Format: format, Percentiles: c.Percentiles,
		Workers: runtime.GOMAXPROCS(0), Build: obs.Build(), ProgressTo: std.Err,
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return load.ErrInterrupted
	case err != nil:
		return err
	}
	if err := c.print(std.text(), report); err != nil {
		return err
	}
	if report.Records.In > 0 && report.Records.Rejected == report.Records.In {
		return fmt.Errorf("none of %s is a pitch: %s says of each what is wrong",
			terminal.Counted(report.Records.In, "record"), filepath.Join(c.Output, fileprocess.RejectedName))
	}
	if report.Unread > 0 {
		unread := terminal.Counted(report.Unread, "input")
		return fmt.Errorf("%s could not be read; the tables hold the others", unread)
	}
	return nil
}

// print prints the report for people.
func (c *processCmd) print(out io.Writer, r *fileprocess.Report) error {
	if c.JSON {
		return terminal.PrintJSON(out, r)
	}
	w := bufio.NewWriter(out)
	line := lineTo(w)
	fmt.Fprintf(w, "processed into %s in %s\n", c.Output, tookText(r.Time.Seconds))
	n := r.Records
	text := fmt.Sprintf("%s in = %s rows + %s superseded + %s rejected",
		terminal.Count(n.In), terminal.Count(n.Rows), terminal.Count(n.Superseded), terminal.Count(n.Rejected))
	if n.Deletes+n.Identifies > 0 {
		text += fmt.Sprintf(" + %s deletes + %s identifies", terminal.Count(n.Deletes),
			terminal.Count(n.Identifies))
	}
	line("records", "%s", text)
	for _, code := range schemas.Codes {
		if n := r.Rejected[code]; n > 0 {
			line("rejected", "%s %s", terminal.Count(n), code)
		}
	}
	line("pitches", "%s in %s", terminal.Count(r.Pitches), terminal.Counted(r.Games, "game"))
	c.printSwings(line, r)
	printCoverage(line, r)
	printPitchTypes(line, r)
	printPercentiles(line, r)
	printInputs(line, r)
	line("files", "%s, %s in %s", strings.Join(r.Files, ", "), fileprocess.ReportName, c.Output)
	for _, f := range fileoutput.Formats {
		if _, err := os.Stat(filepath.Join(c.Output, f.FileName())); err == nil && f.FileName() != r.Files[0] {
			line("", "%s is of an earlier run", f.FileName())
		}
	}
	return w.Flush()
}

// writeLine writes one line of a report; see lineTo.
type writeLine = func(name, format string, args ...any)

func (c *processCmd) printSwings(line writeLine, r *fileprocess.Report) {
	line("swings", "%s = %s confirmed + %s suspected",
		terminal.Count(r.Swings), terminal.Count(r.SwingsConfirmed), terminal.Count(r.SwingsSuspected))
	line("", "%s name no batter", shareText(r.SwingsWithoutBatter, r.SwingsWithoutBatterPct))
	line("whiffs", "%s of the swings", shareText(r.Whiffs, r.WhiffRatePct))
	line("bat speed", "median %s of %s",
		optText(r.MedianBatSpeedMPH, "mph"), terminal.Counted(r.ReliableBatSpeeds, "reliable one", "reliable ones"))
	line("batters", "%s", terminal.Count(int64(r.Batters)))
	line("pitchers", "%s", terminal.Count(int64(r.Pitchers)))
	if c.IDs != "" {
		line("", "%s of %s found in the games' log",
			terminal.Count(r.Inputs.NamedByIDs), terminal.Counted(r.Records.In, "record"))
	}
	for _, note := range r.Notes {
		line("", "%s", note)
	}
}

// printCoverage prints how many rows have a value in each column, and the issues of the columns.
func printCoverage(line writeLine, r *fileprocess.Report) {
	name := "coverage"
	var complete []string
	for _, c := range r.Coverage {
		switch {
		case r.Pitches == 0:
		case c.Present == r.Pitches:
			complete = append(complete, c.Column)
		default:
			line(name, "%-19s %s", c.Column, shareText(c.Present, c.PresentPct))
			name = ""
		}
	}
	if r.Pitches > 0 {
		for _, names := range folded(complete, coverageWidth) {
			line(name, "%s", names)
			name = ""
		}
	}
	name = "issues"
	if len(r.Issues) == 0 {
		line(name, "none")
	}
	for _, i := range r.Issues {
		line(name, "%-19s %-8s %s", i.Column, i.Kind, terminal.Counted(i.Rows, "row"))
		name = ""
	}
}

// coverageWidth bounds the lines that name the columns without a missing value, in characters.
const coverageWidth = 84

// folded returns lines of the form "whole: name, name, …", at most width wide unless a single name is wider.
func folded(names []string, width int) (lines []string) {
	line := "whole:"
	for i, name := range names {
		if i < len(names)-1 {
			name += ","
		}
		if len(line)+1+len(name) > width {
			lines, line = append(lines, line), strings.Repeat(" ", len("whole:"))
		}
		line += " " + name
	}
	return append(lines, line)
}

// maxTypes bounds the pitch types that are printed; report.json has all.
const maxTypes = 30

func printPitchTypes(line writeLine, r *fileprocess.Report) {
	if r.Pitches == 0 {
		return
	}
	const columns = "%-24s %9s %9s %9s %9s"
	line("pitch types", columns, "", "pitches", "swings", "whiffs", "whiff %")
	for i, x := range r.PitchTypes {
		if i == maxTypes {
			line("", "and %s more", terminal.Count(int64(len(r.PitchTypes)-maxTypes)))
			return
		}
		line("", columns, x.PitchType,
			terminal.Count(x.Pitches), terminal.Count(x.Swings), terminal.Count(x.Whiffs), optText(x.WhiffRatePct, ""))
	}
}

func printPercentiles(line writeLine, r *fileprocess.Report) {
	for i, p := range r.Percentiles {
		if i == 0 {
			line("percentiles", "%-19s %9s %9s %9s %9s %9s %9s %9s %9s",
				"", "count", "min", "5 %", "25 %", "50 %", "75 %", "95 %", "max")
		}
		line("", "%-19s %9s %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f",
			p.Column, terminal.Count(p.Count), p.Min, p.P5, p.P25, p.P50, p.P75, p.P95, p.Max)
	}
}

// printInputs prints the problems of the inputs, and how fast they were processed.
func printInputs(line writeLine, r *fileprocess.Report) {
	for _, p := range r.Inputs.Problems {
		line("input", "%s", p)
	}
	if more := r.Inputs.MoreProblems; more > 0 {
		line("input", "and %s more remarks", terminal.Count(more))
	}
	x := r.Time
	line("bytes", "%s in %s", terminal.Bytes(r.Inputs.Bytes), terminal.Counted(int64(r.Inputs.Files), "input"))
	line("rate", "%s/s, %s records/s with %s; measuring %s/s a core",
		terminal.Bytes(int64(x.BytesPerSecond)), terminal.Count(int64(x.RecordsPerSecond)),
		terminal.Counted(int64(x.Workers), "core"), terminal.Bytes(int64(x.BytesPerBusySecond)))
	line("busy", "reading %.1fs, measuring %.1fs, keeping %.1fs, writing %.1fs",
		x.ReadingBusySeconds, x.MeasuringBusySeconds, x.KeepingBusySeconds, x.WritingBusySeconds)
}

// shareText formats a count with its share: 302 (48.1 %).
func shareText(n int64, pct schemas.Opt[float64]) string {
	if !pct.Present {
		return terminal.Count(n)
	}
	return fmt.Sprintf("%s (%.1f %%)", terminal.Count(n), pct.Value)
}

// optText formats a number with its unit, or a dash if it is missing.
func optText(v schemas.Opt[float64], unit string) string {
	if !v.Present {
		return "–"
	}
	return strings.TrimSpace(fmt.Sprintf("%.1f %s", v.Value, unit))
}

// tookText formats how long a run took: 2.2s, 4m10s.
func tookText(seconds float64) string {
	if seconds < 59.95 {
		return fmt.Sprintf("%.1fs", seconds)
	}
	return terminal.Duration(seconds)
}
