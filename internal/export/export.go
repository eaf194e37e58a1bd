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
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/lineage"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
)

// Options of Run. Postgres and Output are required.
type Options struct {
	Postgres pgsink.Config
	Output   string // folder, created if necessary, or a URL of storage

	From, To   schemas.Text // game dates, YYYY-MM-DD; "": no bound
	Undated    bool         // export pitches without a game date although From or To is set
	Overwrite  bool         // write existing dates again, and remove the files of dates without pitches
	ProgressTo io.Writer
	Lineage    *lineage.Emitter // gets what is read and written; nil: nothing is reported
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
func Run(ctx context.Context, o Options) (report *Report, err error) {
	in := lineage.Table(o.Postgres.URL, o.Postgres.Schema, "pitches", schemas.StoredColumns)
	out := lineage.Path(o.Output)
	out.Columns = schemas.StoredColumns
	job := lineage.Job{Name: "export", Inputs: []lineage.Dataset{in}, Outputs: []lineage.Dataset{out}}
	run := o.Lineage.Begin(job)
	defer func() {
		if err == nil {
			in, out = in.Count(report.Pitches), out.Count(report.Pitches)
			out.Bytes, out.Files = schemas.Some(report.Bytes), schemas.Some(int64(report.Dates))
		}
		run.End(ctx, err, []lineage.Dataset{in}, []lineage.Dataset{out})
	}()
	folder, err := fileoutput.OpenFolder(ctx, o.Output)
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
	todo   []pgadmin.Day    // that remain, the current one first
	file   *fileoutput.File // of the current day; nil between days
	there  map[string]bool  // the files of an earlier run
	table  fileoutput.Writer
	day    schemas.Text
	rows   int64 // of the current day
}

func (e *exporter) run(ctx context.Context) error {
	days, err := e.view.Days(ctx, e.o.From, e.o.To)
	if err != nil {
		return err
	}
	if e.there, err = e.folder.Exists(partitionStart); err != nil {
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
		if e.file != nil {
			_ = e.file.Finish()
		}
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
		if e.there[partOf(d.Date)] && !e.o.Overwrite {
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
	return path.Join(partitionStart+string(cmp.Or(day, undatedName)), partName)
}

// begin finishes the file of the day before and begins one, unless day is the current one.
func (e *exporter) begin(day schemas.Text) (err error) {
	if e.file != nil && e.day == day {
		return nil
	}
	if err := e.finish(); err != nil {
		return err
	}
	e.file, err = e.folder.Create(partOf(day))
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
	e.report.Bytes += e.file.Bytes()
	err = errors.Join(err, e.file.Finish())
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
	// guard: export: a day with fewer pitches than counted is incomplete | e.folder.Place(partOf(e.day)) -> nil
	return e.folder.Place(partOf(e.day))
}

// removeOthers removes, with Overwrite, the files of dates in the range that have no pitches any more.
func (e *exporter) removeOthers(days []pgadmin.Day) error {
	if !e.o.Overwrite {
		return nil
	}
	for _, file := range slices.Sorted(maps.Keys(e.there)) {
		date, isPart := strings.CutSuffix(file[len(partitionStart):], "/"+partName)
		isDate := func(d pgadmin.Day) bool { return cmp.Or(string(d.Date), undatedName) == date }
		if !isPart || slices.ContainsFunc(days, isDate) || !e.covers(date) {
			continue
		}
		// guard: export: dates that have no pitches any more go | e.folder.Remove(file) -> error(nil)
		if err := e.folder.Remove(file); err != nil {
			return err
		}
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

// Print writes the report as text, or as one JSON object. output is the folder as the user named it.
func (r *Report) Print(out io.Writer, output string, asJSON bool) error {
	if asJSON {
		return terminal.PrintJSON(out, map[string]any{
			"output": output, "pitches": r.Pitches, "bytes": r.Bytes, "dates": r.Dates, "skipped": r.Skipped,
			"removed": r.Removed, "undated": r.LeftOut,
		})
	}
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "exported %s of %s, %s, to %s\n", terminal.Counted(r.Pitches, "pitch", "pitches"),
		terminal.Counted(int64(r.Dates), "date"), terminal.Bytes(r.Bytes), output)
	if r.Skipped > 0 {
		fmt.Fprintf(w, "%s there already, and skipped (--overwrite writes them again)\n",
			terminal.Counted(int64(r.Skipped), "date was", "dates were"))
	}
	if r.Removed > 0 {
		fmt.Fprintf(w, "%s without pitches removed\n", terminal.Counted(int64(r.Removed), "date"))
	}
	if r.LeftOut > 0 {
		fmt.Fprintf(w, "%s without a game date not exported (--undated exports them)\n",
			terminal.Counted(r.LeftOut, "pitch", "pitches"))
	}
	return w.Flush()
}
