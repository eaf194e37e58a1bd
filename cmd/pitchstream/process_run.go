package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// The names in the folder, beside rows.FORMAT.
const (
	battersName  = "batters.csv"
	rejectedName = "rejected.jsonl"
	reportName   = "report.json"
	spoolName    = "spool" // never published
)

func rowsNames() (names []string) {
	for _, f := range fileoutput.Formats {
		names = append(names, f.FileName())
	}
	return names
}

func fileIn(dir, name string) string { return filepath.Join(dir, name) }

// processTally counts what a run reads, and how long its stages are busy.
type processTally struct {
	records int64 // read
	bytes   int64 // of them
	named   int64 // found in --ids
	written int64 // rows in the table

	reading, measuring, keeping, writing busy
}

// busy is time that a stage was at work; of several workers the sum.
type busy struct{ nanoseconds atomic.Int64 }

func (b *busy) add(from, to time.Time) { b.nanoseconds.Add(int64(to.Sub(from))) }

func (b *busy) seconds() float64 { return time.Duration(b.nanoseconds.Load()).Seconds() }

// run goes through all records, then through all rows:
//
//	records ─▶ measure ─▶ keep: the spool, rejected.jsonl
//	spool, the rows that stand ─▶ rows.FORMAT, batters.csv, report.json
//
// and publishes the files when their counts balance.
func (p *processor) run(ctx context.Context) (*processReport, error) {
	spool, err := p.folder.Create(spoolName)
	if err != nil {
		return nil, err
	}
	defer spool.Close()
	p.spool = fileoutput.NewSpool(spool)
	err = p.folder.WriteFile(rejectedName, func(w io.Writer) error {
		p.rejects = fileoutput.NewRejects(w)
		return errors.Join(p.readAll(ctx), p.rejects.Close())
	})
	if err == nil {
		err = p.writeTables(ctx)
	}
	if err == nil {
		err = p.balance()
	}
	if err != nil {
		return nil, err
	}
	report := p.newReport()
	if err := p.folder.WriteFile(reportName, report.write); err != nil {
		return nil, err
	}
	return report, p.folder.Publish(append(report.Files, reportName)...)
}

// readAll measures and keeps all records, in their order.
func (p *processor) readAll(ctx context.Context) error {
	if p.c.Workers == 1 {
		return p.readInTurn()
	}
	return p.readSideBySide(ctx)
}

// readInTurn is the plain way: a record after the other.
func (p *processor) readInTurn() error {
	for {
		begun := time.Now()
		item, err := p.in.Next()
		read := time.Now()
		p.tally.reading.add(begun, read)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		m := p.measure(&item, p.tally.records)
		measured := time.Now()
		p.tally.measuring.add(read, measured)
		if err := p.keep(&item, &m); err != nil {
			return err
		}
		p.tally.keeping.add(measured, time.Now())
	}
}

// measurement is what became of a record: a row, or the reason why there is none.
type measurement struct {
	row       *schemas.Row // nil: rejected
	eventTime schemas.Opt[schemas.TimeMS]
	named     bool // in --ids
	rejection *features.Rejection
}

// measure makes the row of a record as the stream would from what load sends: the game is its key, identifiers are its
// headers. A file has no topic, and no timestamps: a record's version is its number among all that are read. It is safe
// for concurrent use.
func (p *processor) measure(item *fileinput.Item, number int64) (m measurement) {
	if item.TooLarge {
		m.rejection = &features.Rejection{Code: schemas.CodeTooLarge, Offset: -1,
			Message: fmt.Sprintf("the value has %d bytes, more than the limit of %d", item.SizeBytes, p.c.MaxRecordBytes)}
		return m
	}
	rec := schemas.Record{Value: item.Value, Coordinates: schemas.Coordinates{Offset: number}}
	game := item.GamePK
	if id, ok := p.identity(item.Value); ok {
		m.named, m.eventTime = true, id.EventTime
		rec.Headers = id.Headers()
		if p.c.Game == "" && id.GamePK != "" {
			game = id.GamePK
		}
	}
	if game != "" {
		rec.Key = []byte(game)
	}
	var change schemas.Change
	change, m.rejection = features.Transform(rec, p.limits())
	m.row = change.Row
	return m
}

func (p *processor) identity(record []byte) (fileinput.Identity, bool) {
	if p.ids == nil {
		return fileinput.Identity{}, false
	}
	eventID, ok := fileinput.EventID(record)
	if !ok {
		return fileinput.Identity{}, false
	}
	return p.ids.Lookup(eventID)
}

// keep takes a measured record, in the order of the input.
func (p *processor) keep(item *fileinput.Item, m *measurement) error {
	p.tally.records++
	p.tally.bytes += item.SizeBytes
	if m.named {
		p.tally.named++
	}
	p.progress.AddRecords(1)
	p.progress.SetBytes(p.in.BytesRead())
	if m.rejection != nil {
		return p.rejects.Add(&fileoutput.Reject{
			Source: utf8Of(item.Source), Record: item.Record, ByteOffset: item.ByteOffset, SizeBytes: item.SizeBytes,
			Code: m.rejection.Code, Message: m.rejection.Error(), Value: item.Value,
		})
	}
	return p.spool.Add(&fileoutput.Row{Row: *m.row, EventTime: m.eventTime, Source: utf8Of(item.Source), Record: item.Record})
}

// writeTables writes the rows that stand, and the batters that they add up to.
func (p *processor) writeTables(ctx context.Context) error {
	begun := time.Now()
	defer func() { p.tally.writing.add(begun, time.Now()) }()
	p.progress.Stop()
	p.progress = terminal.StartProgress(p.log, terminal.ProgressOptions{Title: "process: writing", TotalRecords: p.spool.Rows(), Noun: "rows"})
	format := fileoutput.Format(p.c.Format)
	err := p.folder.WriteFile(format.FileName(), func(w io.Writer) error {
		rows, err := fileoutput.NewWriter(format, w, features.CoreVersion)
		if err != nil {
			return err
		}
		return errors.Join(p.writeRows(ctx, rows), rows.Close())
	})
	if err != nil {
		return err
	}
	return p.folder.WriteFile(battersName, p.batters.WriteCSV)
}

func (p *processor) writeRows(ctx context.Context, rows fileoutput.Writer) error {
	return p.spool.Standing(func(r *fileoutput.Row) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.tally.written++
		p.progress.AddRecords(1)
		p.batters.Add(r)
		p.survey.Add(r)
		return rows.Write(r)
	})
}

// balance is whether every record that was read is a row, superseded or rejected, and none is twice.
func (p *processor) balance() error {
	t := &p.tally
	if t.records == t.written+p.spool.Superseded()+p.rejects.Total {
		return nil
	}
	return fmt.Errorf("the counts do not balance, so nothing is published: %d records in, %d rows + %d superseded + %d rejected",
		t.records, t.written, p.spool.Superseded(), p.rejects.Total)
}
