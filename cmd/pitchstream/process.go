package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
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

// Run makes the tables, and prints the report once they are there.
func (c *processCmd) Run(ctx context.Context, std *stdio) (err error) {
	if c.Workers > 0 { // what runs beside the workers has these cores, too, and no others
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(c.Workers))
	}
	c.Workers = runtime.GOMAXPROCS(0)
	p, err := c.open(ctx, std)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	report, err := p.run(ctx)
	p.progress.Stop()
	switch {
	case err != nil && ctx.Err() != nil:
		return errInterrupted
	case err != nil:
		return err
	}
	if err := p.printReport(std.Out, report); err != nil {
		return err
	}
	if _, _, unread := p.in.Problems(); unread > 0 {
		return fmt.Errorf("%s could not be read; the tables hold the others", terminal.Counted(unread, "input"))
	}
	return nil
}

// processor is one run of process.
type processor struct {
	c     *processCmd
	log   io.Writer
	begun time.Time
	in    *fileinput.Reader
	// stopReading ends the reading, for that reason.
	stopReading context.CancelCauseFunc
	ids         *fileinput.IDs // nil: none
	folder      *fileoutput.Folder
	spool       *fileoutput.Spool
	rejects     *fileoutput.Rejects
	batters     *fileoutput.Batters
	survey      *fileoutput.Survey
	progress    *terminal.Progress
	tally       processTally
}

// open opens what a run needs, the cheapest to be wrong first.
func (c *processCmd) open(ctx context.Context, std *stdio) (_ *processor, err error) {
	p := &processor{c: c, log: std.Err, begun: time.Now(), batters: fileoutput.NewBatters(), survey: fileoutput.NewSurvey(c.Percentiles)}
	if c.IDs != "" {
		if p.ids, err = fileinput.LoadIDs(ctx, c.IDs); err != nil {
			return nil, fmt.Errorf("--ids: %w", err)
		}
	}
	ctx, p.stopReading = context.WithCancelCause(ctx)
	if p.in, err = fileinput.Open(ctx, c.inputOptions(std)); err != nil {
		return nil, err
	}
	if err := c.checkOverlap(p.in.Files()); err != nil {
		p.in.Close()
		return nil, err
	}
	if p.folder, err = fileoutput.OpenFolder(c.Output); err != nil {
		p.in.Close()
		return nil, fmt.Errorf("--output: %w", err)
	}
	p.progress = startReading(std.Err, "process", p.in, c.IDs, p.ids)
	return p, nil
}

func (c *processCmd) inputOptions(std *stdio) fileinput.Options {
	o := fileinput.Options{
		Paths: c.Paths, Game: c.Game, Stdin: std.In, Exclude: []string{c.Output},
		MaxRecordBytes: int(c.MaxRecordBytes) + 1<<20, // a little too large is still rejected whole
	}
	if c.IDs != "" {
		o.Exclude = append(o.Exclude, c.IDs)
	}
	return o
}

// checkOverlap refuses to read what would be written over.
func (c *processCmd) checkOverlap(files []*fileinput.File) error {
	var outputs []os.FileInfo
	for _, name := range append([]string{battersName, rejectedName, reportName}, rowsNames()...) {
		if info, err := os.Stat(fileIn(c.Output, name)); err == nil {
			outputs = append(outputs, info)
		}
	}
	if len(outputs) == 0 {
		return nil
	}
	for _, f := range files {
		info, err := os.Stat(f.Path)
		if err != nil {
			continue // standard input, or a file that is told when it is opened
		}
		for _, o := range outputs {
			if os.SameFile(info, o) {
				return fmt.Errorf("%s is an input, and a table that would be written: give --output another folder", f.Path)
			}
		}
	}
	return nil
}

func (p *processor) limits() features.Limits {
	return features.Limits{MaxRecordBytes: int(p.c.MaxRecordBytes)}
}

// close lets go of everything; what was not published is taken away.
func (p *processor) close() error {
	p.progress.Stop()
	p.stopReading(nil)
	p.in.Close()
	return p.folder.Close()
}

// utf8Of is a path for a table: names of files need not be UTF-8, texts in tables must be.
func utf8Of(path string) string { return strings.ToValidUTF8(path, "\uFFFD") }

// startReading begins for a command that reads files, and tells what was odd about the ids, nil for none.
func startReading(w io.Writer, title string, in *fileinput.Reader, idsFile string, ids *fileinput.IDs) *terminal.Progress {
	total, _ := in.BytesTotal()
	p := terminal.StartProgress(w, terminal.ProgressOptions{Title: title, TotalBytes: total})
	if ids != nil {
		for _, note := range ids.Notes {
			p.Note("%s: %s: %s", title, idsFile, note)
		}
	}
	return p
}
