package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// printReport prints the report once its files are there.
func (p *processor) printReport(out io.Writer, r *processReport) error {
	w := bufio.NewWriter(out)
	t := reportText{w: w, r: r, hasIDs: p.ids != nil}
	fmt.Fprintf(w, "processed into %s in %s\n", p.c.Output, tookText(r.Time.Seconds))
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
	w      io.Writer
	r      *processReport
	hasIDs bool // --ids was given
}

func (t *reportText) line(name, format string, args ...any) {
	fmt.Fprintf(t.w, "  %-12s "+format+"\n", append([]any{name}, args...)...)
}

func (t *reportText) records() {
	n := t.r.Records
	t.line("records", "%s in = %s rows + %s superseded + %s rejected", terminal.Count(n.In), terminal.Count(n.Rows), terminal.Count(n.Superseded), terminal.Count(n.Rejected))
	for _, code := range schemas.Codes {
		if n := t.r.Rejected[code]; n > 0 {
			t.line("rejected", "%s %s", terminal.Count(n), code)
		}
	}
	t.line("pitches", "%s in %s", terminal.Count(t.r.Pitches), terminal.Counted(t.r.Games, "game"))
}

func (t *reportText) swings() {
	r := t.r
	t.line("swings", "%s = %s confirmed + %s suspected", terminal.Count(r.Swings), terminal.Count(r.SwingsConfirmed), terminal.Count(r.SwingsSuspected))
	t.line("", "%s name no batter", shareText(r.SwingsWithoutBatter, r.SwingsWithoutBatterPct))
	t.line("whiffs", "%s of the swings", shareText(r.Whiffs, r.WhiffRatePct))
	t.line("bat speed", "median %s of %s", optText(r.MedianBatSpeedMPH, "mph"), terminal.Counted(r.ReliableBatSpeeds, "reliable one", "reliable ones"))
	t.line("batters", "%s", terminal.Count(int64(r.Batters)))
	if t.hasIDs {
		t.line("", "%s of %s found in the games' log", terminal.Count(r.Inputs.NamedByIDs), terminal.Counted(r.Records.In, "record"))
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
	for _, names := range folded(whole, coverageWidth) {
		t.line(name, "%s", names)
		name = ""
	}
}

// coverageWidth is how many columns of a terminal the names of whole columns may take.
const coverageWidth = 84

// folded are lines of "whole: name, name, …", none wider than width where a name allows it.
func folded(names []string, width int) (lines []string) {
	line := "whole:"
	for i, name := range names {
		if i < len(names)-1 {
			name += ","
		}
		if len(line)+1+len(name) > width {
			lines, line = append(lines, line), strings.Repeat(" ", len("whole:"))
		}
		line += " " + name
	}
	return append(lines, line)
}

func (t *reportText) issues() {
	name := "issues"
	if len(t.r.Issues) == 0 {
		t.line(name, "none")
	}
	for _, i := range t.r.Issues {
		t.line(name, "%-19s %-8s %s", i.Column, i.Kind, terminal.Counted(i.Rows, "row"))
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
			t.line("", "and %s more", terminal.Count(int64(len(t.r.PitchTypes)-maxTypes)))
			return
		}
		t.line("", "%-24s %9s %9s %9s %9s", x.PitchType, terminal.Count(x.Pitches), terminal.Count(x.Swings), terminal.Count(x.Whiffs), optText(x.WhiffRatePct, ""))
	}
}

func (t *reportText) percentiles() {
	if len(t.r.Percentiles) == 0 {
		return
	}
	t.line("percentiles", "%-19s %9s %9s %9s %9s %9s %9s %9s %9s", "", "count", "min", "5 %", "25 %", "50 %", "75 %", "95 %", "max")
	for _, p := range t.r.Percentiles {
		t.line("", "%-19s %9s %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f", p.Column, terminal.Count(p.Count), p.Min, p.P5, p.P25, p.P50, p.P75, p.P95, p.Max)
	}
}

func (t *reportText) problems() {
	for _, p := range t.r.Inputs.Problems {
		t.line("input", "%s: %s", p.Source, p.Message)
	}
	if more := t.r.Inputs.MoreProblems; more > 0 {
		t.line("input", "and %s more remarks", terminal.Count(more))
	}
}

func (t *reportText) time() {
	x := t.r.Time
	t.line("bytes", "%s in %s", terminal.Bytes(t.r.Inputs.Bytes), terminal.Counted(int64(t.r.Inputs.Files), "input"))
	t.line("rate", "%s/s, %s records/s with %s; measuring %s/s a core", terminal.Bytes(int64(x.BytesPerSecond)), terminal.Count(int64(x.RecordsPerSecond)),
		terminal.Counted(int64(x.Workers), "core"), terminal.Bytes(int64(x.BytesPerBusySecond)))
	t.line("busy", "reading %.1fs, measuring %.1fs, keeping %.1fs, writing %.1fs", x.ReadingBusySeconds, x.MeasuringBusySeconds, x.KeepingBusySeconds, x.WritingBusySeconds)
}

// shareText is a count with its share, as 302 (48.1 %).
func shareText(n int64, pct schemas.Opt[float64]) string {
	if !pct.Present {
		return terminal.Count(n)
	}
	return fmt.Sprintf("%s (%.1f %%)", terminal.Count(n), pct.Value)
}

// optText is a number with its unit, or a dash where it is missing.
func optText(v schemas.Opt[float64], unit string) string {
	if !v.Present {
		return "–"
	}
	return strings.TrimSpace(fmt.Sprintf("%.1f %s", v.Value, unit))
}

// tookText is how long a run took, as 2.2s, 4m10s.
func tookText(seconds float64) string {
	if seconds < 59.95 {
		return fmt.Sprintf("%.1fs", seconds)
	}
	return terminal.Duration(seconds)
}
