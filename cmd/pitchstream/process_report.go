package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"pitchstream/features"
	"pitchstream/internal/tables"
	"pitchstream/schemas"
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
	tables.Findings
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

// newReport sums up a run whose tables are written.
func (p *processor) newReport() *processReport {
	r := &processReport{
		Build: buildName(), CoreVersion: features.CoreVersion, Findings: p.survey.Findings(), Batters: p.batters.Len(),
		Rejected: p.rejects.Counts, Notes: []string{},
		Files: []string{tables.Format(p.c.Format).FileName(), battersName, rejectedName},
	}
	r.Records.In, r.Records.Rows = p.tally.records, p.tally.written
	r.Records.Superseded, r.Records.Rejected = p.spool.Superseded(), p.rejects.Total
	if p.ids == nil {
		r.Notes = append(r.Notes, noteNoIDs)
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

// printReport prints the report once its files are there.
func (p *processor) printReport(out io.Writer, r *processReport) error {
	w := bufio.NewWriter(out)
	t := reportText{w: w, r: r}
	fmt.Fprintf(w, "processed into %s in %s\n", p.c.Output, durationText(r.Time.Seconds))
	t.records()
	t.swings()
	t.coverage()
	t.issues()
	t.pitchTypes()
	t.percentiles()
	t.problems()
	t.time()
	t.line("files", "%s, %s in %s", strings.Join(t.r.Files, ", "), reportName, p.c.Output)
	for _, name := range rowsNames() {
		if _, err := os.Stat(p.folder.Path(name)); err == nil && name != t.r.Files[0] {
			t.line("", "%s is of an earlier run", name)
		}
	}
	return w.Flush()
}

// reportText writes a report for people.
type reportText struct {
	w io.Writer
	r *processReport
}

func (t *reportText) line(name, format string, args ...any) {
	fmt.Fprintf(t.w, "  %-12s "+format+"\n", append([]any{name}, args...)...)
}

func (t *reportText) records() {
	n := t.r.Records
	t.line("records", "%s in = %s rows + %s superseded + %s rejected", countText(n.In), countText(n.Rows), countText(n.Superseded), countText(n.Rejected))
	for _, code := range schemas.Codes {
		if n := t.r.Rejected[code]; n > 0 {
			t.line("rejected", "%s %s", countText(n), code)
		}
	}
	t.line("pitches", "%s in %s", countText(t.r.Pitches), counted(t.r.Games, "game"))
}

func (t *reportText) swings() {
	r := t.r
	t.line("swings", "%s = %s confirmed + %s suspected", countText(r.Swings), countText(r.SwingsConfirmed), countText(r.SwingsSuspected))
	t.line("", "%s name no batter", shareText(r.SwingsWithoutBatter, r.SwingsWithoutBatterPct))
	t.line("bat speed", "median %s of %s", optText(r.MedianBatSpeedMPH, "mph"), counted(r.ReliableBatSpeeds, "reliable one", "reliable ones"))
	t.line("batters", "%s", countText(int64(r.Batters)))
	if r.Inputs.NamedByIDs > 0 {
		t.line("", "%s found in the games' log", counted(r.Inputs.NamedByIDs, "record"))
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
	t.line(name, "whole: %s", strings.Join(whole, ", "))
}

func (t *reportText) issues() {
	name := "issues"
	if len(t.r.Issues) == 0 {
		t.line(name, "none")
	}
	for _, i := range t.r.Issues {
		t.line(name, "%-19s %-8s %s", i.Column, i.Kind, counted(i.Rows, "row"))
		name = ""
	}
}

// maxTypes is how many pitch types are printed; report.json has them all.
const maxTypes = 30

func (t *reportText) pitchTypes() {
	if t.r.Pitches == 0 {
		return
	}
	t.line("pitch types", "%-24s %9s %9s %9s %9s", "", "pitches", "swings", "whiffs", "whiff %")
	for i, x := range t.r.PitchTypes {
		if i == maxTypes {
			t.line("", "and %s more", countText(int64(len(t.r.PitchTypes)-maxTypes)))
			return
		}
		t.line("", "%-24s %9s %9s %9s %9s", x.PitchType, countText(x.Pitches), countText(x.Swings), countText(x.Whiffs), optText(x.WhiffRatePct, ""))
	}
}

func (t *reportText) percentiles() {
	if len(t.r.Percentiles) == 0 {
		return
	}
	t.line("percentiles", "%-19s %9s %9s %9s %9s %9s %9s %9s %9s", "", "count", "min", "5 %", "25 %", "50 %", "75 %", "95 %", "max")
	for _, p := range t.r.Percentiles {
		t.line("", "%-19s %9s %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f", p.Column, countText(p.Count), p.Min, p.P5, p.P25, p.P50, p.P75, p.P95, p.Max)
	}
}

func (t *reportText) problems() {
	for _, p := range t.r.Inputs.Problems {
		t.line("input", "%s: %s", p.Source, p.Message)
	}
	if more := t.r.Inputs.MoreProblems; more > 0 {
		t.line("input", "and %s more remarks", countText(more))
	}
}

func (t *reportText) time() {
	x := t.r.Time
	t.line("bytes", "%s in %s", bytesText(t.r.Inputs.Bytes), counted(int64(t.r.Inputs.Files), "input"))
	t.line("rate", "%s/s, %s records/s with %s; measuring %s/s a core", bytesText(int64(x.BytesPerSecond)), countText(int64(x.RecordsPerSecond)),
		counted(int64(x.Workers), "core"), bytesText(int64(x.BytesPerBusySecond)))
	t.line("busy", "reading %.1fs, measuring %.1fs, keeping %.1fs, writing %.1fs", x.ReadingBusySeconds, x.MeasuringBusySeconds, x.KeepingBusySeconds, x.WritingBusySeconds)
}

// shareText is a count with its share, as 302 (48.1 %).
func shareText(n int64, pct schemas.Opt[float64]) string {
	if !pct.Present {
		return countText(n)
	}
	return fmt.Sprintf("%s (%.1f %%)", countText(n), pct.Value)
}

// optText is a number with its unit, or a dash where it is missing.
func optText(v schemas.Opt[float64], unit string) string {
	if !v.Present {
		return "–"
	}
	return strings.TrimSpace(fmt.Sprintf("%.1f %s", v.Value, unit))
}
