// Package export writes the current pitches of Postgres as Parquet, one file per game date, for a warehouse.
//
//	pg := pgsink.Config{URL: url, Schema: "pitchstream"}
//	report, err := export.Run(ctx, export.Options{Postgres: pg, Output: "lake"})
//
// All rows are read in one snapshot, and memory does not grow with their number. A file appears only when it
// is complete. An interrupted or killed run therefore leaves complete dates only, and the next one continues
// after them.
package export

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
)

// Options of Run. Postgres and Output are required.
type Options struct {
	Postgres pgsink.Config
	Output   string // folder, created if necessary

	From, To   schemas.Text // game dates, YYYY-MM-DD; "": no bound
	Undated    bool         // export pitches without a game date although From or To is set
	Overwrite  bool         // write existing dates again, and remove the files of dates without pitches
	ProgressTo io.Writer
}

// Report says what a run wrote.
type Report struct {
	Pitches, Bytes int64
	Dates          int
	Skipped        int   // dates whose file existed
	Removed        int   // files of dates without pitches
	LeftOut        int64 // pitches without a game date that were not exported, because From or To is set
}

// Run writes the missing dates, or with Overwrite all of them.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	folder, err := fileoutput.OpenFolder(o.Output)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	view, err := pgadmin.OpenExport(ctx, o.Postgres)
	if err != nil {
		return nil, err
	}
	defer view.Close()
	e := &exporter{o: o, folder: folder, view: view}
	return &e.report, e.run(ctx)
}

// exporter is one run. One goroutine owns it.
type exporter struct {
	o      Options
	folder *fileoutput.Folder
	view   *pgadmin.Export
	report Report
	todo   []pgadmin.Day // that remain, the current one first
	file   *os.File      // of the current day; nil between days
	table  fileoutput.Writer
	day    schemas.Text
	rows   int64 // of the current day
}

func (e *exporter) run(ctx context.Context) error {
	days, err := e.view.Days(ctx, e.o.From, e.o.To)
	if err != nil {
		return err
	}
	progress := terminal.StartProgress(e.o.ProgressTo, terminal.ProgressOptions{
		Title: "export", TotalRecords: e.choose(days), Noun: "pitches",
	})
	defer progress.Stop()
	err = e.view.Rows(ctx, e.todo, func(r *schemas.StoredRow) error {
		if err := e.begin(r.GameDate); err != nil {
			return err
		}
		e.rows++
		progress.AddRecords(1)
		return e.table.Write(&fileoutput.Row{
			Row: r.Row, EventTime: schemas.Some(r.EventTime), Provenance: &r.Provenance,
		})
	})
	if err != nil {
		_ = e.file.Close() // of nil, it is only an error
		return err
	}
	if err := e.finish(); err != nil {
		return err
	}
	if len(e.todo) > 0 {
		return fmt.Errorf("postgres returned %d of %d dates", e.report.Dates, e.report.Dates+len(e.todo))
	}
	return e.removeOthers(days)
}

// choose sets the days to write, and returns how many pitches they have.
func (e *exporter) choose(days []pgadmin.Day) (pitches int64) {
	for _, d := range days {
		if d.Date == "" && e.o.From+e.o.To != "" && !e.o.Undated {
			e.report.LeftOut = d.Pitches
			continue
		}
		// guard: export: dates that are there are passed over | !e.o.Overwrite -> false
		if _, err := os.Stat(e.folder.Path(partOf(d.Date))); err == nil && !e.o.Overwrite {
			e.report.Skipped++
			continue
		}
		e.todo = append(e.todo, d)
		pitches += d.Pitches
	}
	return pitches
}

const (
	undatedName    = "__HIVE_DEFAULT_PARTITION__" // Hive's name for a missing value
	partName       = "part-0.parquet"
	partitionStart = "game_date="
)

// partOf returns the path of a day's file below the folder.
func partOf(day schemas.Text) string {
	return filepath.Join(partitionStart+string(cmp.Or(day, undatedName)), partName)
}

// begin finishes the file of the day before and begins one, unless day is the current one.
func (e *exporter) begin(day schemas.Text) (err error) {
	if e.file != nil && e.day == day {
		return nil
	}
	if err := e.finish(); err != nil {
		return err
	}
	e.file, err = e.folder.Create(partName)
	e.table, e.day, e.rows = fileoutput.NewStoredWriter(e.file, features.CoreVersion), day, 0
	return err
}

// finish moves the file of the current day to its place, if it has all pitches that the same snapshot
// counted.
func (e *exporter) finish() error {
	if e.file == nil {
		return nil
	}
	err := e.table.Close()
	if info, statErr := e.file.Stat(); statErr == nil {
		e.report.Bytes += info.Size()
	}
	err = errors.Join(err, fileoutput.Finish(e.file))
	e.file = nil
	want := e.todo[0]
	if err == nil && (want.Date != e.day || want.Pitches != e.rows) {
		err = fmt.Errorf("%s: postgres returned %d pitches of %d", partOf(e.day), e.rows, want.Pitches)
	}
	if err != nil {
		return err
	}
	e.todo = e.todo[1:]
	e.report.Dates++
	e.report.Pitches += e.rows
	// guard: export: a day with fewer pitches than counted is incomplete | e.folder.Place(partName, partOf(e.day)) -> nil
	return e.folder.Place(partName, partOf(e.day))
}

// removeOthers removes, with Overwrite, the files of dates in the range that have no pitches any more.
func (e *exporter) removeOthers(days []pgadmin.Day) error {
	files, err := fs.Glob(os.DirFS(e.o.Output), partitionStart+"*/"+partName)
	if err != nil || !e.o.Overwrite {
		return err
	}
	for _, file := range files {
		date := path.Dir(file)[len(partitionStart):]
		isDate := func(d pgadmin.Day) bool { return cmp.Or(string(d.Date), undatedName) == date }
		if slices.ContainsFunc(days, isDate) || !e.covers(date) {
			continue
		}
		// guard: export: dates that have no pitches any more go | os.Remove(e.folder.Path(file)) -> error(nil)
		if err := os.Remove(e.folder.Path(file)); err != nil {
			return err
		}
		_ = os.Remove(filepath.Dir(e.folder.Path(file))) // fails if it holds other files, which stay
		e.report.Removed++
	}
	return nil
}

// covers reports whether this run exports that date.
func (e *exporter) covers(date string) bool {
	if date == undatedName {
		return e.o.From+e.o.To == "" || e.o.Undated
	}
	return date >= string(e.o.From) && (e.o.To == "" || date <= string(e.o.To))
}
