package main

import (
	"encoding/json"
	"io"
	"time"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/schemas"
)

// processReport is report.json. Its counts balance: records.in = rows + superseded + rejected. All of it but time is the
// same for the same files.
type processReport struct {
	Build       string `json:"build"`
	CoreVersion int32  `json:"core_version"`

	Records struct {
		In         int64 `json:"in"`
		Rows       int64 `json:"rows"`
		Superseded int64 `json:"superseded"` // of pitches of which a later record stands
		Rejected   int64 `json:"rejected"`
	} `json:"records"`
	fileoutput.Findings
	Batters  int                    `json:"batters"`
	Rejected map[schemas.Code]int64 `json:"rejected"`
	Notes    []string               `json:"notes"`

	Inputs struct {
		Files        int             `json:"files"`
		Bytes        int64           `json:"bytes"`        // of the records
		BytesRead    int64           `json:"bytes_read"`   // of the files, as they are stored
		NamedByIDs   int64           `json:"named_by_ids"` // records that --ids names
		Problems     []reportProblem `json:"problems"`
		MoreProblems int64           `json:"more_problems"`
	} `json:"inputs"`
	Files []string   `json:"files"`
	Time  reportTime `json:"time"`
}

type reportProblem struct {
	Source     string `json:"source"`
	Kind       string `json:"kind"`
	Record     int64  `json:"record"`
	ByteOffset int64  `json:"byte_offset"`
	Message    string `json:"message"`
	Failure    bool   `json:"failure"`
}

// reportTime is where the time went. A stage is busy, not waiting; measuring is the sum of all workers.
type reportTime struct {
	Workers              int     `json:"workers"`
	Seconds              float64 `json:"seconds"`
	ReadingBusySeconds   float64 `json:"reading_busy_seconds"`
	MeasuringBusySeconds float64 `json:"measuring_busy_seconds"`
	KeepingBusySeconds   float64 `json:"keeping_busy_seconds"`
	WritingBusySeconds   float64 `json:"writing_busy_seconds"`
	RecordsPerSecond     float64 `json:"records_per_second"`
	BytesPerSecond       float64 `json:"bytes_per_second"`
	BytesPerBusySecond   float64 `json:"measuring_bytes_per_busy_second"` // one core
}

const noteNoIDs = "batters are named only where the ball was hit, so whiff rates are not to be had of them: they need the games' log, --ids FILE.csv"

// noteNoneNamed is told where a log was given in vain.
const noteNoneNamed = "no record has an event_id of the games' log: is --ids the log of these games?"

// newReport sums up a run whose tables are written.
func (p *processor) newReport() *processReport {
	r := &processReport{
		Build: obs.Build(), CoreVersion: features.CoreVersion, Findings: p.survey.Findings(), Batters: p.batters.Len(),
		Rejected: p.rejects.Counts, Notes: []string{},
		Files: []string{fileoutput.Format(p.c.Format).FileName(), battersName, rejectedName},
	}
	r.Records.In, r.Records.Rows = p.tally.records, p.tally.written
	r.Records.Superseded, r.Records.Rejected = p.spool.Superseded(), p.rejects.Total
	switch {
	case p.ids == nil && r.Swings > 0:
		r.Notes = append(r.Notes, noteNoIDs)
	case p.ids != nil && p.tally.named == 0 && p.tally.records > 0:
		r.Notes = append(r.Notes, noteNoneNamed)
	}
	r.Inputs.Files, r.Inputs.Bytes, r.Inputs.BytesRead = len(p.in.Files()), p.tally.bytes, p.in.BytesRead()
	r.Inputs.NamedByIDs, r.Inputs.Problems = p.tally.named, []reportProblem{}
	problems, more, _ := p.in.Problems()
	for _, x := range problems {
		r.Inputs.Problems = append(r.Inputs.Problems, reportProblem{utf8Of(x.Source), string(x.Kind), x.Record, x.ByteOffset, x.Message, x.Failure})
	}
	r.Inputs.MoreProblems = more
	r.Time = p.timeReport()
	return r
}

func (p *processor) timeReport() reportTime {
	t := &p.tally
	seconds := max(time.Since(p.begun).Seconds(), 1e-3)
	return reportTime{
		Workers: p.c.Workers, Seconds: seconds, ReadingBusySeconds: t.reading.seconds(), MeasuringBusySeconds: t.measuring.seconds(),
		KeepingBusySeconds: t.keeping.seconds(), WritingBusySeconds: t.writing.seconds(),
		RecordsPerSecond: float64(t.records) / seconds, BytesPerSecond: float64(t.bytes) / seconds,
		BytesPerBusySecond: float64(t.bytes) / max(t.measuring.seconds(), 1e-3),
	}
}

func (r *processReport) write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
