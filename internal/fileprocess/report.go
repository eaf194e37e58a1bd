package fileprocess

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// Report is report.json. Its counts balance: records.in = rows + superseded + rejected, and deletes and
// identifies, which only lines with headers have. Everything but Time is the same for the same files.
type Report struct {
	Build       string `json:"build"`
	CoreVersion int32  `json:"core_version"`

	Records struct {
		In         int64 `json:"in"`
		Rows       int64 `json:"rows"`
		Superseded int64 `json:"superseded"` // a later record of the same pitch is current
		Rejected   int64 `json:"rejected"`
		Deletes    int64 `json:"deletes,omitempty"`    // records that take a pitch back
		Identifies int64 `json:"identifies,omitempty"` // records that name the batter of a pitch
	} `json:"records"`
	fileoutput.Findings
	Batters  int                    `json:"batters"`
	Pitchers int                    `json:"pitchers"`
	Rejected map[schemas.Code]int64 `json:"rejected"`
	Notes    []string               `json:"notes"`

	Inputs struct {
		Files        int                 `json:"files"`
		Bytes        int64               `json:"bytes"`        // of the records
		BytesRead    int64               `json:"bytes_read"`   // of the files, as they are stored
		NamedByIDs   int64               `json:"named_by_ids"` // records that the identifiers name
		Problems     []fileinput.Problem `json:"problems"`
		MoreProblems int64               `json:"more_problems"`
	} `json:"inputs"`
	Files []string `json:"files"`
	Time  Time     `json:"time"`

	Unread int64 `json:"-"` // files that could not be read
}

// Err returns an error if the tables, which are written, lack something: no record is a pitch, or a file
// could not be read. output is the folder as the user named it.
func (r *Report) Err(output string) error {
	if r.Records.In > 0 && r.Records.Rejected == r.Records.In {
		return fmt.Errorf("none of %s is a pitch: %s says of each what is wrong",
			terminal.Counted(r.Records.In, "record"), blob.Join(output, RejectedName))
	}
	if r.Unread > 0 {
		return fmt.Errorf("%s could not be read; the tables hold the others",
			terminal.Counted(r.Unread, "input"))
	}
	return nil
}

// Time says how long the stages were busy, not counting the time that they waited. Measuring is the sum of
// all workers.
type Time struct {
	Workers              int     `json:"workers"`
	Seconds              float64 `json:"seconds"`
	ReadingBusySeconds   float64 `json:"reading_busy_seconds"`
	MeasuringBusySeconds float64 `json:"measuring_busy_seconds"`
	KeepingBusySeconds   float64 `json:"keeping_busy_seconds"`
	WritingBusySeconds   float64 `json:"writing_busy_seconds"`
	RecordsPerSecond     float64 `json:"records_per_second"`
	BytesPerSecond       float64 `json:"bytes_per_second"`
	BytesPerBusySecond   float64 `json:"measuring_bytes_per_busy_second"` // of one core
}

// The notes are part of report.json, whose bytes must not change. They therefore name the flag of the
// command.
const (
	noteNoIDs = "batters are named only where the ball was hit, so whiff rates are not to be had of them: " +
		"they need the games' log, --ids FILE.csv"
	noteNoneNamed = "no record has an event_id of the games' log: is --ids the log of these games?"
)

// writeReport completes and writes the report of a run whose tables are written.
func (p *processor) writeReport(context.Context) error {
	r := &p.report
	r.Build, r.CoreVersion = p.o.Build, features.CoreVersion
	r.Findings, r.Rejected = p.survey.Findings(), p.rejects.Counts
	r.Batters, r.Pitchers = p.batters.Len(), p.pitchers.Len()
	r.Files = []string{p.o.Format.FileName(), BattersName, PitchersName, RejectedName}
	r.Notes, r.Inputs.Problems = []string{}, []fileinput.Problem{}
	switch {
	case p.ids == nil && r.Swings > 0:
		r.Notes = append(r.Notes, noteNoIDs)
	case p.ids != nil && r.Inputs.NamedByIDs == 0 && r.Records.In > 0:
		r.Notes = append(r.Notes, noteNoneNamed)
	}
	r.Inputs.Files, r.Inputs.BytesRead = len(p.in.Files()), p.in.BytesRead()
	problems, more, failures := p.in.Problems()
	for _, x := range problems {
		x.Source = utf8Of(x.Source)
		r.Inputs.Problems = append(r.Inputs.Problems, x)
	}
	r.Inputs.MoreProblems, r.Unread = more, failures
	seconds := max(time.Since(p.begun).Seconds(), 1e-3)
	r.Time = Time{
		Workers: p.o.Workers, Seconds: seconds,
		ReadingBusySeconds: p.reading.seconds(), MeasuringBusySeconds: p.measuring.seconds(),
		KeepingBusySeconds: p.keeping.seconds(), WritingBusySeconds: p.writing.seconds(),
		RecordsPerSecond: float64(r.Records.In) / seconds, BytesPerSecond: float64(r.Inputs.Bytes) / seconds,
		BytesPerBusySecond: float64(r.Inputs.Bytes) / max(p.measuring.seconds(), 1e-3),
	}
	return p.folder.WriteFile(ReportName, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(r)
	})
}
