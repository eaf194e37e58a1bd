// Package fileprocess makes tables of files without any server: the rows of all pitches, a line per batter
// and per pitcher, the rejected records and a report. The rows are those that a load of the same files and
// the processor would give.
//
//	report, err := fileprocess.Run(ctx, fileprocess.Options{
//		Paths: []string{"season/"}, Output: "out", Format: fileoutput.Parquet, Workers: runtime.GOMAXPROCS(0),
//	})
//
// A run has two passes, because which record of a pitch is current is known only after the last record:
//
//	records ─▶ measure ─▶ keep: the spool, rejected.jsonl
//	spool, the current rows ─▶ rows.FORMAT, batters.csv, pitchers.csv, report.json
//
// The files appear together at the end, report.json last, and only if the counts balance. Every record is a
// row, superseded by a later record of its pitch, or rejected; a delete and an identify are counted apart. An
// interrupted or killed run leaves no result.
package fileprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/lineage"
	"github.com/pitchstream/pitchstream/internal/schemaregistry"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// Options say what is read and written. Paths, Output, Format, Workers and MaxRecordBytes are required.
type Options struct {
	Paths          []string  // files, folders, globs, or fileinput.Stdin
	Stdin          io.Reader // what fileinput.Stdin reads
	Game           string    // the game_pk of all records; "": from the name of each file
	IDsPath        string    // CSV file with identifiers; "": none
	MaxRecordBytes int       // a larger record is rejected

	Registry *schemaregistry.Client // for values with its prefix; nil: none

	// AllowEmpty makes empty tables if no record is found. Without it that is an error, and the tables of an
	// earlier run stay.
	AllowEmpty bool

	Output      string // folder, created if necessary, or a URL of storage
	Format      fileoutput.Format
	Percentiles bool   // report them; takes about 100 bytes of memory per pitch
	Workers     int    // goroutines that measure
	Build       string // noted in the report
	ProgressTo  io.Writer
	Lineage     *lineage.Emitter // gets what is read and written; nil: nothing is reported
}

// The names of the files in the output folder, beside rows.FORMAT.
const (
	BattersName  = "batters.csv"
	PitchersName = "pitchers.csv"
	RejectedName = "rejected.jsonl"
	ReportName   = "report.json"
	spoolName    = "spool" // never published
)

// oversizeBytes is by how much a record may exceed MaxRecordBytes and still be written whole to
// rejected.jsonl.
const oversizeBytes = 1 << 20

// Run makes the tables. A file that cannot be read is no error: Report.Unread counts it, and the tables hold
// the others.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	run := o.Lineage.Begin(lineage.Job{Name: "process", Inputs: o.inputs(nil), Outputs: o.outputs(nil)})
	defer func() {
		outcome := err
		if err == nil {
			outcome = report.Err(o.Output)
		}
		run.End(ctx, outcome, o.inputs(report), o.outputs(report))
	}()
	p, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	return p.run(ctx)
}

// processor is one run. open sets its fields. While records are read, the reading goroutine owns in, the
// measuring ones share o and ids for reading, and the keeping one owns all others.
type processor struct {
	o           Options
	begun       time.Time
	in          *fileinput.Reader
	stopReading context.CancelCauseFunc // ends the reading, for that reason
	ids         *fileinput.IDs          // nil: none
	folder      *fileoutput.Folder
	spool       *fileoutput.Spool
	rejects     *fileoutput.Rejects
	batters     *fileoutput.Batters
	pitchers    *fileoutput.Pitchers
	survey      *fileoutput.Survey
	progress    *terminal.Progress
	report      Report // its counts so far; finishReport adds the rest

	reading, measuring, keeping, writing busy
}

// busy is for how many nanoseconds a stage was at work; with several workers, the sum.
type busy struct{ total atomic.Int64 }

func (b *busy) since(begun time.Time) { b.total.Add(int64(time.Since(begun))) }

func (b *busy) seconds() float64 { return time.Duration(b.total.Load()).Seconds() }

// open opens the inputs and the output, the cheapest first, so that a mistake is reported early.
func open(ctx context.Context, o Options) (_ *processor, err error) {
	p := &processor{
		o: o, begun: time.Now(), batters: fileoutput.NewBatters(), pitchers: fileoutput.NewPitchers(),
		survey: fileoutput.NewSurvey(o.Percentiles),
	}
	in := fileinput.Options{
		Paths: o.Paths, Game: o.Game, Stdin: o.Stdin, Exclude: []string{o.Output, o.IDsPath},
		MaxRecordBytes: o.MaxRecordBytes + oversizeBytes,
	}
	if o.IDsPath != "" {
		if p.ids, err = fileinput.LoadIDs(ctx, o.IDsPath); err != nil {
			return nil, fmt.Errorf("identifiers: %w", err)
		}
	}
	outer := ctx
	ctx, p.stopReading = context.WithCancelCause(ctx)
	if p.in, err = fileinput.Open(ctx, in); err != nil {
		return nil, err
	}
	if err = o.refuseOverlap(p.in.Files()); err == nil {
		p.folder, err = fileoutput.OpenFolder(outer, o.Output)
	}
	if err != nil {
		p.in.Close()
		return nil, err
	}
	p.progress = p.in.StartProgress(o.ProgressTo, "process", p.ids)
	return p, nil
}

// refuseOverlap returns an error if an input is a file that the run would replace.
func (o *Options) refuseOverlap(files []*fileinput.File) error {
	names := []string{BattersName, PitchersName, RejectedName, ReportName}
	for _, f := range fileoutput.Formats {
		names = append(names, f.FileName())
	}
	for _, name := range names {
		for _, f := range files {
			// guard: files: a table in storage that would be replaced is no input | blob.Join(o.Output, name) -> ""
			if blob.IsURL(o.Output) && f.Place() == blob.Join(o.Output, name) {
				return isInput(f)
			}
		}
		output, err := os.Stat(filepath.Join(o.Output, name))
		if err != nil {
			continue
		}
		for _, f := range files {
			// Stat fails for standard input, and for files that are reported when they are opened.
			if input, err := os.Stat(f.Path); err == nil && os.SameFile(input, output) {
				return isInput(f)
			}
		}
	}
	return nil
}

func isInput(f *fileinput.File) error {
	return fmt.Errorf("%s is an input, and a table that would be replaced: name another output folder", f.Path)
}

// close closes everything and removes the files that were not published.
func (p *processor) close() error {
	p.progress.Stop()
	p.stopReading(nil)
	p.in.Close()
	return p.folder.Close()
}

func (p *processor) run(ctx context.Context) (*Report, error) {
	spool, err := p.folder.Scratch(spoolName)
	if err != nil {
		return nil, err
	}
	defer spool.Close()
	p.spool = fileoutput.NewSpool(spool)
	err = p.folder.WriteFile(RejectedName, func(w io.Writer) error {
		p.rejects = fileoutput.NewRejects(w)
		return errors.Join(p.readAll(ctx), p.rejects.Close())
	})
	steps := []func(context.Context) error{p.checkAny, p.writeTables, p.checkBalance, p.writeReport}
	for _, step := range steps {
		if err == nil {
			err = step(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	return &p.report, p.folder.Publish(append(p.report.Files, ReportName)...)
}

// checkAny returns an error if no record was found and that is not allowed.
func (p *processor) checkAny(context.Context) error {
	// guard: process: an empty input replaces no tables | p.report.Records.In == 0 -> false
	if !p.o.AllowEmpty && p.report.Records.In == 0 {
		return fmt.Errorf("nothing was written, and earlier tables are as they were: %w", p.in.NothingRead())
	}
	return nil
}

// measurement is the result for one record: a change, or the reason why there is none.
type measurement struct {
	change    schemas.Change
	eventTime schemas.Opt[schemas.TimeMS]
	named     bool // the identifiers name its pitch
	rejection *features.Rejection
}

// measure makes the row that the processor would make of a loaded record: the game is its key, identifiers
// are its headers. number is its version, because a file has no topic and no timestamps. An error is the
// schema registry's. measure is safe for concurrent use.
func (p *processor) measure(
	ctx context.Context, item *fileinput.Item, number int64,
) (m measurement, err error) {
	if item.TooLarge {
		m.rejection = &features.Rejection{
			Code: schemas.CodeTooLarge, Offset: -1, Message: item.WhyTooLarge(p.o.MaxRecordBytes),
		}
		return m, nil
	}
	limits := features.Limits{MaxRecordBytes: p.o.MaxRecordBytes}
	plain, _, err := p.o.Registry.Plain(ctx, schemas.Record{Value: item.Value}, limits)
	if err != nil {
		return m, err
	}
	id, named := p.ids.Identify(plain.Value)
	m.named, m.eventTime = named, id.EventTime
	rec := item.KafkaRecord(p.o.Game, id)
	rec.Offset = number
	if m.change, m.rejection, err = p.o.Registry.Transform(ctx, rec, limits); err != nil {
		return m, err
	}
	if m.rejection == nil && item.Envelope != nil && !id.EventTime.Present {
		// Without the header it is the time of the line, which is 0 where the line has none.
		// guard: process: a time before 1970 is a time | m.change.EventTime != 0 -> m.change.EventTime > 0
		m.eventTime = schemas.Opt[schemas.TimeMS]{Value: m.change.EventTime, Present: m.change.EventTime != 0}
	}
	return m, nil
}

// keep writes a measured record to the spool or the rejected records. It is called in the order of the input.
func (p *processor) keep(item *fileinput.Item, m *measurement) error {
	p.report.Records.In++
	p.report.Inputs.Bytes += item.SizeBytes
	if m.named {
		p.report.Inputs.NamedByIDs++
	}
	p.progress.AddRecords(1)
	p.progress.SetBytes(p.in.BytesRead())
	source := utf8Of(item.File.Path)
	if m.rejection != nil {
		return p.rejects.Add(&fileoutput.Reject{
			Source: source, Record: item.Record, ByteOffset: item.ByteOffset, SizeBytes: item.SizeBytes,
			Code: m.rejection.Code, Message: m.rejection.Error(), Value: item.Value,
		})
	}
	row := &fileoutput.Row{EventTime: m.eventTime, Source: source, Record: item.Record}
	switch m.change.Op {
	case schemas.OpDelete:
		p.report.Records.Deletes++
	case schemas.OpIdentify:
		p.report.Records.Identifies++
	default:
		row.Row = *m.change.Row
	}
	return p.spool.Add(m.change, row)
}

// utf8Of replaces the invalid bytes of a path, because tables hold UTF-8, and names of files need not be.
func utf8Of(path string) string { return strings.ToValidUTF8(path, "\uFFFD") }

// writeTables writes the current rows, and the sums of each batter and pitcher.
func (p *processor) writeTables(ctx context.Context) error {
	begun := time.Now()
	defer func() { p.writing.since(begun) }()
	p.progress.Stop()
	p.progress = terminal.StartProgress(p.o.ProgressTo, terminal.ProgressOptions{
		Title: "process: writing", TotalRecords: p.spool.Rows(), Noun: "rows",
	})
	err := p.folder.WriteFile(p.o.Format.FileName(), func(w io.Writer) error {
		rows, err := fileoutput.NewWriter(p.o.Format, w, features.CoreVersion)
		if err != nil {
			return err
		}
		err = p.spool.Current(func(r *fileoutput.Row, v schemas.Version) error {
			p.report.Records.Rows++
			p.progress.AddRecords(1)
			p.batters.Add(r, v)
			p.pitchers.Add(r, v)
			p.survey.Add(r)
			return errors.Join(context.Cause(ctx), rows.Write(r))
		})
		return errors.Join(err, rows.Close())
	})
	if err != nil {
		return err
	}
	return errors.Join(
		p.folder.WriteFile(BattersName, p.batters.WriteCSV), p.folder.WriteFile(PitchersName, p.pitchers.WriteCSV),
	)
}

// checkBalance returns an error unless every record read is exactly one of row, superseded and rejected.
func (p *processor) checkBalance(context.Context) error {
	n := &p.report.Records
	n.Superseded, n.Rejected = p.spool.Superseded(), p.rejects.Total
	if n.In == n.Rows+n.Superseded+n.Rejected+n.Deletes+n.Identifies {
		return nil
	}
	return fmt.Errorf("the counts do not balance, so nothing is published: "+
		"%d records in, %d rows + %d superseded + %d rejected + %d deletes + %d identifies",
		n.In, n.Rows, n.Superseded, n.Rejected, n.Deletes, n.Identifies)
}
