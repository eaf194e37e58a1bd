package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
)

// exportCmd writes what stands in Postgres as files for a warehouse.
type exportCmd struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`

	Output    string `env:"-" name:"output" short:"o" required:"" placeholder:"DIR" help:"Folder for the files. It is made where there is none."`
	From      string `env:"-" placeholder:"DATE" help:"First game date, YYYY-MM-DD. Default: the first there is."`
	To        string `env:"-" placeholder:"DATE" help:"Last game date, YYYY-MM-DD. Default: the last there is."`
	Undated   bool   `env:"-" help:"With --from or --to: export the pitches that have no game date too. Without these they are exported anyway."`
	Overwrite bool   `env:"-" help:"Write dates that are there already anew, and take away those that have no pitches any more. Default: they are passed over."`
}

// Help is what export --help says below its first line.
func (*exportCmd) Help() string {
	return `
A file a game date, as engines for folders of files expect them (Hive's partitions):

  DIR/game_date=2024-09-28/part-0.parquet
  DIR/game_date=__HIVE_DEFAULT_PARTITION__/part-0.parquet     pitches that have no game date

The columns are those of the view pitches, with their types and, as metadata (column:NAME), what they mean; the rows of a
date stand in the order of their event times. All is read as of one moment, whatever is written meanwhile, and as it comes:
the memory needed does not grow with the rows.

  pitchstream export -o lake/                                     everything
  pitchstream export --from 2024-09-01 --to 2024-09-30 -o lake/   a month
  pitchstream export --from 2024-09-27 --overwrite -o lake/       the last days anew: corrections come late

A file appears when it is whole. A run that was interrupted or killed leaves whole dates only, and the same command goes on
after them. Read it with DuckDB: SELECT * FROM read_parquet('lake/*/*.parquet', hive_partitioning = true)

Exit status: 0 well; 1 the database or the folder is wrong, or it was interrupted; 2 wrong usage.`
}

// Validate finds wrong usage before anything is done. (kong)
func (c *exportCmd) Validate() error {
	if c.Output == "" {
		return errors.New("--output is missing: want a folder, as -o lake/")
	}
	for _, f := range []struct{ flag, date string }{{"from", c.From}, {"to", c.To}} {
		if _, err := time.Parse(time.DateOnly, f.date); f.date != "" && err != nil {
			return fmt.Errorf("--%s=%s: want a date as 2024-09-28", f.flag, f.date)
		}
	}
	if c.From != "" && c.To != "" && c.From > c.To {
		return fmt.Errorf("--from=%s is after --to=%s", c.From, c.To)
	}
	return nil
}

// Run exports, and prints what it wrote.
func (c *exportCmd) Run(ctx context.Context, std *stdio) (err error) {
	folder, err := fileoutput.OpenFolder(c.Output)
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	view, err := pgsink.OpenExport(ctx, pgsink.Config{URL: c.Postgres.URL.Reveal(), Schema: c.Postgres.Schema})
	if err != nil {
		return c.orInterrupted(ctx, err)
	}
	defer view.Close(ctx)
	e := &exporter{c: c, folder: folder, view: view}
	if err := e.run(ctx, std.Err); err != nil {
		return c.orInterrupted(ctx, err)
	}
	e.report(std.Out)
	return nil
}

func (c *exportCmd) orInterrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// exporter is one run of export.
type exporter struct {
	c      *exportCmd
	folder *fileoutput.Folder
	view   *pgsink.Export

	file  *os.File // of the day under way; nil between days
	table *fileoutput.StoredWriter
	day   schemas.Text
	rows  int64 // of the day under way

	pitches, bytes        int64
	days, passed, removed int
	undated               int64 // not exported: the range names dates
}

func (e *exporter) run(ctx context.Context, log io.Writer) error {
	days, err := e.view.Days(ctx, schemas.Text(e.c.From), schemas.Text(e.c.To))
	if err != nil {
		return err
	}
	todo, total := e.choose(days)
	progress := terminal.StartProgress(log, terminal.ProgressOptions{Title: "export", TotalRecords: total, Noun: "pitches"})
	defer progress.Stop()
	next := 0
	err = e.view.Rows(ctx, todo, func(r *schemas.StoredRow) error {
		if e.file == nil || e.day != r.GameDate {
			if err := e.finish(todo, &next); err != nil {
				return err
			}
			if err := e.begin(r.GameDate); err != nil {
				return err
			}
		}
		e.rows++
		progress.AddRecords(1)
		return e.table.Write(r)
	})
	if err != nil {
		if e.file != nil {
			_ = e.file.Close()
		}
		return err
	}
	if err := e.finish(todo, &next); err != nil {
		return err
	}
	if next != len(todo) {
		return fmt.Errorf("postgres gave %d of %d dates", next, len(todo))
	}
	return e.removeOthers(days)
}

// choose are the days to write, and how many pitches they have.
func (e *exporter) choose(days []pgsink.Day) (todo []pgsink.Day, pitches int64) {
	for _, d := range days {
		if d.Date == "" && e.c.From+e.c.To != "" && !e.c.Undated {
			e.undated = d.Pitches
			continue
		}
		// guard: export: dates that are there are passed over | !e.c.Overwrite -> false
		if _, err := os.Stat(e.folder.Path(partOf(d.Date))); err == nil && !e.c.Overwrite {
			e.passed++
			continue
		}
		todo, pitches = append(todo, d), pitches+d.Pitches
	}
	return todo, pitches
}

const (
	undatedName    = "__HIVE_DEFAULT_PARTITION__" // of a missing value, as Hive and all after it write it
	partName       = "part-0.parquet"
	partitionStart = "game_date="
)

// partOf is where the file of a day stands below the folder.
func partOf(day schemas.Text) string {
	if day == "" {
		day = undatedName
	}
	return filepath.Join(partitionStart+string(day), partName)
}

func (e *exporter) begin(day schemas.Text) (err error) {
	if e.file, err = e.folder.Create(partName); err != nil {
		return err
	}
	e.day, e.rows, e.table = day, 0, fileoutput.NewStoredWriter(e.file, features.CoreVersion)
	return nil
}

// finish puts the day under way in its place, when it has all the pitches that the same view counted.
func (e *exporter) finish(todo []pgsink.Day, next *int) error {
	if e.file == nil {
		return nil
	}
	want := todo[*next]
	err := e.table.Close()
	if info, statErr := e.file.Stat(); statErr == nil {
		e.bytes += info.Size()
	}
	err = errors.Join(err, fileoutput.Finish(e.file))
	e.file = nil
	if err == nil && (want.Date != e.day || want.Pitches != e.rows) {
		err = fmt.Errorf("%s: postgres gave %d pitches of %d", partOf(e.day), e.rows, want.Pitches)
	}
	if err != nil {
		return err
	}
	*next++
	e.days++
	e.pitches += e.rows
	// guard: export: a day with fewer pitches than counted is not whole | e.folder.Place(partName, partOf(e.day)) -> nil
	return e.folder.Place(partName, partOf(e.day))
}

// removeOthers takes away, with --overwrite, the files of dates of the range that have no pitches any more.
func (e *exporter) removeOthers(days []pgsink.Day) error {
	if !e.c.Overwrite {
		return nil
	}
	stand := map[string]bool{}
	for _, d := range days {
		stand[partOf(d.Date)] = true
	}
	files, err := filepath.Glob(e.folder.Path(filepath.Join(partitionStart+"*", partName)))
	if err != nil {
		return err
	}
	for _, file := range files {
		date := filepath.Base(filepath.Dir(file))[len(partitionStart):]
		if stand[filepath.Join(partitionStart+date, partName)] || !e.covers(date) {
			continue
		}
		// guard: export: dates that have no pitches any more go | os.Remove(file) -> error(nil)
		if err := os.Remove(file); err != nil {
			return err
		}
		_ = os.Remove(filepath.Dir(file)) // if nobody else has put anything there
		e.removed++
	}
	return nil
}

// covers tells whether this run is about that date.
func (e *exporter) covers(date string) bool {
	if date == undatedName {
		return e.c.From+e.c.To == "" || e.c.Undated
	}
	return date >= e.c.From && (e.c.To == "" || date <= e.c.To)
}

func (e *exporter) report(w io.Writer) {
	fmt.Fprintf(w, "exported %s of %s, %s, to %s\n", terminal.Counted(e.pitches, "pitch", "pitches"), terminal.Counted(int64(e.days), "date"), terminal.Bytes(e.bytes), e.c.Output)
	if e.passed > 0 {
		fmt.Fprintf(w, "%s there already, and passed over (--overwrite writes them anew)\n", areThere(e.passed))
	}
	if e.removed > 0 {
		fmt.Fprintf(w, "%s without pitches taken away\n", terminal.Counted(int64(e.removed), "date"))
	}
	if e.undated > 0 {
		fmt.Fprintf(w, "%s without a game date not exported (--undated exports them)\n", terminal.Counted(e.undated, "pitch", "pitches"))
	}
}

func areThere(n int) string {
	if n == 1 {
		return "1 date was"
	}
	return fmt.Sprintf("%d dates were", n)
}
