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
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

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
	Undated        int64 // pitches without a game date that were not exported, because From or To is set
}

// Run writes the missing dates, or with Overwrite all of them.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	folder, err := fileoutput.OpenFolder(o.Output)
	if err != nil {
		return nil, fmt.Errorf("output folder: %w", err)
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	view, err := pgadmin.OpenExport(ctx, o.Postgres)
	if err != nil {
		return nil, err
	}
	defer view.Close(ctx)
	e := &exporter{o: o, folder: folder, view: view}
	if err := e.run(ctx); err != nil {
		return nil, err
	}
	return &e.report, nil
}

// exporter is one run. One goroutine owns it.
type exporter struct {
	o      Options
	folder *fileoutput.Folder
	view   *pgadmin.Export
	report Report

	file  *os.File // of the current day; nil between days
	table *fileoutput.StoredWriter
	day   schemas.Text
	rows  int64 // of the current day
}

func (e *exporter) run(ctx context.Context) error {
	days, err := e.view.Days(ctx, e.o.From, e.o.To)
	if err != nil {
		return err
	}
	todo, total := e.choose(days)
	options := terminal.ProgressOptions{Title: "export", TotalRecords: total, Noun: "pitches"}
	progress := terminal.StartProgress(e.o.ProgressTo, options)
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
		return fmt.Errorf("postgres returned %d of %d dates", next, len(todo))
	}
	return e.removeOthers(days)
}

// choose returns the days to write, and how many pitches they have.
func (e *exporter) choose(days []pgadmin.Day) (todo []pgadmin.Day, pitches int64) {
	for _, d := range days {
		if d.Date == "" && e.o.From+e.o.To != "" && !e.o.Undated {
			e.report.Undated = d.Pitches
			continue
		}
		// guard: export: dates that are there are passed over | !e.o.Overwrite -> false
		if _, err := os.Stat(e.folder.Path(partOf(d.Date))); err == nil && !e.o.Overwrite {
			e.report.Skipped++
			continue
		}
		todo = append(todo, d)
		pitches += d.Pitches
	}
	return todo, pitches
}

const (
	undatedName    = "__HIVE_DEFAULT_PARTITION__" // Hive's name for a missing value
	partName       = "part-0.parquet"
	partitionStart = "game_date="
)

// partOf returns the path of a day's file below the folder.
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
	e.table = fileoutput.NewStoredWriter(e.file, features.CoreVersion)
	e.day, e.rows = day, 0
	return nil
}

// finish moves the file of the current day to its place, if it has all pitches that the same snapshot
// counted.
func (e *exporter) finish(todo []pgadmin.Day, next *int) error {
	if e.file == nil {
		return nil
	}
	want := todo[*next]
	err := e.table.Close()
	if info, statErr := e.file.Stat(); statErr == nil {
		e.report.Bytes += info.Size()
	}
	err = errors.Join(err, fileoutput.Finish(e.file))
	e.file = nil
	if err == nil && (want.Date != e.day || want.Pitches != e.rows) {
		err = fmt.Errorf("%s: postgres returned %d pitches of %d", partOf(e.day), e.rows, want.Pitches)
	}
	if err != nil {
		return err
	}
	*next++
	e.report.Dates++
	e.report.Pitches += e.rows
	// guard: export: a day with fewer pitches than counted is incomplete | e.folder.Place(partName, partOf(e.day)) -> nil
	return e.folder.Place(partName, partOf(e.day))
}

// removeOthers removes, with Overwrite, the files of dates in the range that have no pitches any more.
func (e *exporter) removeOthers(days []pgadmin.Day) error {
	if !e.o.Overwrite {
		return nil
	}
	current := map[string]bool{}
	for _, d := range days {
		current[partOf(d.Date)] = true
	}
	files, err := filepath.Glob(e.folder.Path(filepath.Join(partitionStart+"*", partName)))
	if err != nil {
		return err
	}
	for _, file := range files {
		date := filepath.Base(filepath.Dir(file))[len(partitionStart):]
		if current[filepath.Join(partitionStart+date, partName)] || !e.covers(date) {
			continue
		}
		// guard: export: dates that have no pitches any more go | os.Remove(file) -> error(nil)
		if err := os.Remove(file); err != nil {
			return err
		}
		_ = os.Remove(filepath.Dir(file)) // fails if it holds other files, which stay
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
