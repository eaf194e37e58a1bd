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

	"github.com/pitchstream/pitchstream/internal/fileprocess"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/schemas"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/load"
	"github.com/pitchstream/pitchstream/internal/terminal"
)

// processCmd makes tables of files, without any server.
type processCmd struct {
	Paths []string `arg:"" name:"path" help:"Files, folders (with all below them), globs, or - for standard input."`

	Output      string `env:"-" name:"output" short:"o" required:"" placeholder:"DIR" help:"Folder for the tables. It is made where there is none; tables of an earlier run in it are replaced."`
	Format      string `env:"-" default:"parquet" enum:"parquet,csv,jsonl" placeholder:"parquet|csv|jsonl" help:"Form of the rows: rows.parquet, rows.csv or rows.jsonl. Default: parquet."`
	IDs         string `env:"-" name:"ids" placeholder:"FILE.csv" help:"Identifiers from the games' log: event_id, batter_id, pitcher_id, team_id, game_date, venue, and also game_pk and event_time. Tracking files name a batter only where the ball was hit, so whiff rates need it."`
	Game        string `env:"-" placeholder:"PK" help:"game_pk of all records. Default: GAME of a file named GAME_FRAME.jsonl."`
	Percentiles bool   `env:"-" help:"Report the percentiles of each column of numbers, too. Takes some 100 bytes of memory a pitch."`
	Workers     int    `env:"-" placeholder:"N" help:"Cores to use, 1 to 1024. Default: all there are."`

	MaxRecordBytes config.Bytes `env:"PITCHSTREAM_MAX_RECORD_BYTES" name:"max-record-bytes" default:"16MiB" placeholder:"SIZE" help:"The largest record, in bytes (16MiB, 1048576): a larger one is rejected, too_large. Default: 16MiB. The same as of run gives the same rows."`
}

// maxWorkers is more than any machine has cores.
const maxWorkers = 1024

// Help is what process --help says below its first line.
func (*processCmd) Help() string {
	return `
What a file is, is told by its content: JSON Lines, a JSON array, one record a file, values one after the other; plain, gzip
or zstd. A file cut short gives what is whole; its torn end is a rejected record, and the report names it with its byte
offset.

  pitchstream process season/ -o out/                     a folder of GAME_FRAME.jsonl files
  pitchstream process --game 746437 raw.json.gz -o out/   one game, an array
  zcat old/*.gz | pitchstream process - -o out/           standard input
  pitchstream process --ids log.csv season/ -o out/       with the game's log: whiff rates count every swing

What it writes into the folder:

  rows.parquet    a line a pitch, with the columns of the table pitches; and event_time where --ids names one, source
                  (the file) and record (its number there, from 1)
  batters.csv     a line a batter: swings, whiff rate, exit velocities, bat speeds, …
  rejected.jsonl  the records that are no pitches, whole, each with its place and what is wrong with it
  report.json     what the closing report says

The rows are those that load and run would give. Of several records of one pitch the last one stands, in the order in which
the files are read: as they are named, those of a folder by name, numbers as numbers. The rows keep that order.

Every record is accounted for, and the report says so: records in = rows + superseded (a later record of the same pitch
stands) + rejected. A run whose counts do not balance writes nothing.

Tracking files name a batter only where the ball was hit, so whiff rates need the game's log: --ids FILE.csv.

The files appear together at the end, report.json last: where it stands, the others are whole. A run that was interrupted or
killed leaves nothing that looks like a result, and may simply be run again.

Exit status: 0 well (a file cut short and rejected records are in the report); 1 a file could not be read (what could be is
in the tables), a table could not be written, or it was interrupted; 2 wrong usage.`
}

// Validate finds wrong usage before anything is done. (kong)
func (c *processCmd) Validate() error {
	switch {
	case c.Output == "":
		return errors.New("--output is missing: want a folder, as -o tables/")
	case c.Workers < 0 || c.Workers > maxWorkers:
		return fmt.Errorf("--workers=%d: want 1 to %d", c.Workers, maxWorkers)
	case c.Game != "" && !isGamePK(c.Game):
		return fmt.Errorf("--game=%q: want 1 to 64 bytes of UTF-8 without control characters", c.Game)
	}
	return config.Limits{MaxRecordBytes: c.MaxRecordBytes}.Validate()
}

// Run makes the tables, and prints the report once they exist.
func (c *processCmd) Run(ctx context.Context, std *stdio) error {
	if c.Workers > 0 { // all other goroutines use these cores, too, and no others
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(c.Workers))
	}
	report, err := fileprocess.Run(ctx, fileprocess.Options{
		Paths: c.Paths, Stdin: std.In, Game: c.Game, IDsPath: c.IDs, MaxRecordBytes: int(c.MaxRecordBytes),
		Output: c.Output, Format: fileoutput.Format(c.Format), Percentiles: c.Percentiles,
		Workers: runtime.GOMAXPROCS(0), Build: obs.Build(), ProgressTo: std.Err,
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return load.ErrInterrupted
	case err != nil:
		return err
	}
	if err := c.print(std.Out, report); err != nil {
		return err
	}
	if report.Unread > 0 {
		return fmt.Errorf("%s could not be read; the tables hold the others", terminal.Counted(report.Unread, "input"))
	}
	return nil
}

// print prints the report for people.
func (c *processCmd) print(out io.Writer, r *fileprocess.Report) error {
	w := bufio.NewWriter(out)
	t := reportText{w: w, r: r, hasIDs: c.IDs != ""}
	fmt.Fprintf(w, "processed into %s in %s\n", c.Output, tookText(r.Time.Seconds))
	t.records()
	t.swings()
	t.coverage()
	t.issues()
	t.pitchTypes()
	t.percentiles()
	t.inputs()
	t.line("files", "%s, %s in %s", strings.Join(r.Files, ", "), fileprocess.ReportName, c.Output)
	for _, f := range fileoutput.Formats {
		if _, err := os.Stat(filepath.Join(c.Output, f.FileName())); err == nil && f.FileName() != r.Files[0] {
			t.line("", "%s is of an earlier run", f.FileName())
		}
	}
	return w.Flush()
}

// reportText writes the parts of a report.
type reportText struct {
	w      io.Writer
	r      *fileprocess.Report
	hasIDs bool // --ids was given
}

func (t *reportText) line(name, format string, args ...any) {
	printLine(t.w, name, format, args...)
}

func (t *reportText) records() {
	n := t.r.Records
	t.line("records", "%s in = %s rows + %s superseded + %s rejected",
		terminal.Count(n.In), terminal.Count(n.Rows), terminal.Count(n.Superseded), terminal.Count(n.Rejected))
	for _, code := range schemas.Codes {
		if n := t.r.Rejected[code]; n > 0 {
			t.line("rejected", "%s %s", terminal.Count(n), code)
		}
	}
	t.line("pitches", "%s in %s", terminal.Count(t.r.Pitches), terminal.Counted(t.r.Games, "game"))
}

func (t *reportText) swings() {
	r := t.r
	t.line("swings", "%s = %s confirmed + %s suspected",
		terminal.Count(r.Swings), terminal.Count(r.SwingsConfirmed), terminal.Count(r.SwingsSuspected))
	t.line("", "%s name no batter", shareText(r.SwingsWithoutBatter, r.SwingsWithoutBatterPct))
	t.line("whiffs", "%s of the swings", shareText(r.Whiffs, r.WhiffRatePct))
	t.line("bat speed", "median %s of %s",
		optText(r.MedianBatSpeedMPH, "mph"), terminal.Counted(r.ReliableBatSpeeds, "reliable one", "reliable ones"))
	t.line("batters", "%s", terminal.Count(int64(r.Batters)))
	if t.hasIDs {
		t.line("", "%s of %s found in the games' log",
			terminal.Count(r.Inputs.NamedByIDs), terminal.Counted(r.Records.In, "record"))
	}
	for _, note := range r.Notes {
		t.line("", "%s", note)
	}
}

func (t *reportText) coverage() {
	if t.r.Pitches == 0 {
		return
	}
	var whole []string
	name := "coverage"
	for _, c := range t.r.Coverage {
		if c.Present == t.r.Pitches {
			whole = append(whole, c.Column)
			continue
		}
		t.line(name, "%-19s %s", c.Column, shareText(c.Present, c.PresentPct))
		name = ""
	}
	for _, names := range folded(whole, coverageWidth) {
		t.line(name, "%s", names)
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

func (t *reportText) issues() {
	name := "issues"
	if len(t.r.Issues) == 0 {
		t.line(name, "none")
	}
	for _, i := range t.r.Issues {
		t.line(name, "%-19s %-8s %s", i.Column, i.Kind, terminal.Counted(i.Rows, "row"))
		name = ""
	}
}

// maxTypes bounds the pitch types that are printed; report.json has all.
const maxTypes = 30

func (t *reportText) pitchTypes() {
	if t.r.Pitches == 0 {
		return
	}
	t.line("pitch types", "%-24s %9s %9s %9s %9s", "", "pitches", "swings", "whiffs", "whiff %")
	for i, x := range t.r.PitchTypes {
		if i == maxTypes {
			t.line("", "and %s more", terminal.Count(int64(len(t.r.PitchTypes)-maxTypes)))
			return
		}
		t.line("", "%-24s %9s %9s %9s %9s", x.PitchType,
			terminal.Count(x.Pitches), terminal.Count(x.Swings), terminal.Count(x.Whiffs), optText(x.WhiffRatePct, ""))
	}
}

func (t *reportText) percentiles() {
	if len(t.r.Percentiles) == 0 {
		return
	}
	t.line("percentiles", "%-19s %9s %9s %9s %9s %9s %9s %9s %9s",
		"", "count", "min", "5 %", "25 %", "50 %", "75 %", "95 %", "max")
	for _, p := range t.r.Percentiles {
		t.line("", "%-19s %9s %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f",
			p.Column, terminal.Count(p.Count), p.Min, p.P5, p.P25, p.P50, p.P75, p.P95, p.Max)
	}
}

// inputs prints what was unusual about the inputs, and how fast they were processed.
func (t *reportText) inputs() {
	for _, p := range t.r.Inputs.Problems {
		t.line("input", "%s: %s", p.Source, p.Message)
	}
	if more := t.r.Inputs.MoreProblems; more > 0 {
		t.line("input", "and %s more remarks", terminal.Count(more))
	}
	x := t.r.Time
	t.line("bytes", "%s in %s", terminal.Bytes(t.r.Inputs.Bytes), terminal.Counted(int64(t.r.Inputs.Files), "input"))
	t.line("rate", "%s/s, %s records/s with %s; measuring %s/s a core",
		terminal.Bytes(int64(x.BytesPerSecond)), terminal.Count(int64(x.RecordsPerSecond)),
		terminal.Counted(int64(x.Workers), "core"), terminal.Bytes(int64(x.BytesPerBusySecond)))
	t.line("busy", "reading %.1fs, measuring %.1fs, keeping %.1fs, writing %.1fs",
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
