package fileprocess

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// Print prints the report of a run for people.
func Print(out io.Writer, o Options, r *Report) error {
	w := bufio.NewWriter(out)
	line := terminal.Lines(w)
	fmt.Fprintf(w, "processed into %s in %s\n", o.Output, tookText(r.Time.Seconds))
	n := r.Records
	text := fmt.Sprintf("%s in = %s rows + %s superseded + %s rejected",
		terminal.Count(n.In), terminal.Count(n.Rows), terminal.Count(n.Superseded), terminal.Count(n.Rejected))
	if n.Deletes+n.Identifies > 0 {
		text += fmt.Sprintf(" + %s deletes + %s identifies", terminal.Count(n.Deletes),
			terminal.Count(n.Identifies))
	}
	line("records", "%s", text)
	for _, code := range schemas.Codes {
		if n := r.Rejected[code]; n > 0 {
			line("rejected", "%s %s", terminal.Count(n), code)
		}
	}
	line("pitches", "%s in %s", terminal.Count(r.Pitches), terminal.Counted(r.Games, "game"))
	printSwings(line, o, r)
	printCoverage(line, r)
	printPitchTypes(line, r)
	printPercentiles(line, r)
	printInputs(line, r)
	line("files", "%s, %s in %s", strings.Join(r.Files, ", "), ReportName, o.Output)
	for _, f := range fileoutput.Formats {
		if _, err := os.Stat(filepath.Join(o.Output, f.FileName())); err == nil && f.FileName() != r.Files[0] {
			line("", "%s is of an earlier run", f.FileName())
		}
	}
	return w.Flush()
}

func printSwings(line terminal.Line, o Options, r *Report) {
	line("swings", "%s = %s confirmed + %s suspected",
		terminal.Count(r.Swings), terminal.Count(r.SwingsConfirmed), terminal.Count(r.SwingsSuspected))
	line("", "%s name no batter", shareText(r.SwingsWithoutBatter, r.SwingsWithoutBatterPct))
	line("whiffs", "%s of the swings", shareText(r.Whiffs, r.WhiffRatePct))
	line("bat speed", "median %s of %s",
		optText(r.MedianBatSpeedMPH, "mph"), terminal.Counted(r.ReliableBatSpeeds, "reliable one", "reliable ones"))
	line("batters", "%s", terminal.Count(int64(r.Batters)))
	line("pitchers", "%s", terminal.Count(int64(r.Pitchers)))
	if o.IDsPath != "" {
		line("", "%s of %s found in the games' log",
			terminal.Count(r.Inputs.NamedByIDs), terminal.Counted(r.Records.In, "record"))
	}
	for _, note := range r.Notes {
		line("", "%s", note)
	}
}

// printCoverage prints how many rows have a value in each column, and the issues of the columns.
func printCoverage(line terminal.Line, r *Report) {
	name := "coverage"
	var complete []string
	for _, c := range r.Coverage {
		switch {
		case r.Pitches == 0:
		case c.Present == r.Pitches:
			complete = append(complete, c.Column)
		default:
			line(name, "%-19s %s", c.Column, shareText(c.Present, c.PresentPct))
			name = ""
		}
	}
	if r.Pitches > 0 {
		for _, names := range folded(complete, coverageWidth) {
			line(name, "%s", names)
			name = ""
		}
	}
	name = "issues"
	if len(r.Issues) == 0 {
		line(name, "none")
	}
	for _, i := range r.Issues {
		line(name, "%-19s %-8s %s", i.Column, i.Kind, terminal.Counted(i.Rows, "row"))
		name = ""
	}
}

// coverageWidth bounds the lines that name the columns without a missing value, in characters.
const coverageWidth = 84

// folded returns lines of the form "whole: name, name, …", at most width wide unless a single name is wider.
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

// maxTypes bounds the pitch types that are printed; report.json has all.
const maxTypes = 30

func printPitchTypes(line terminal.Line, r *Report) {
	if r.Pitches == 0 {
		return
	}
	const columns = "%-24s %9s %9s %9s %9s"
	line("pitch types", columns, "", "pitches", "swings", "whiffs", "whiff %")
	for i, x := range r.PitchTypes {
		if i == maxTypes {
			line("", "and %s more", terminal.Count(int64(len(r.PitchTypes)-maxTypes)))
			return
		}
		line("", columns, x.PitchType,
			terminal.Count(x.Pitches), terminal.Count(x.Swings), terminal.Count(x.Whiffs), optText(x.WhiffRatePct, ""))
	}
}

func printPercentiles(line terminal.Line, r *Report) {
	for i, p := range r.Percentiles {
		if i == 0 {
			line("percentiles", "%-19s %9s %9s %9s %9s %9s %9s %9s %9s",
				"", "count", "min", "5 %", "25 %", "50 %", "75 %", "95 %", "max")
		}
		line("", "%-19s %9s %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f",
			p.Column, terminal.Count(p.Count), p.Min, p.P5, p.P25, p.P50, p.P75, p.P95, p.Max)
	}
}

// printInputs prints the problems of the inputs, and how fast they were processed.
func printInputs(line terminal.Line, r *Report) {
	for _, p := range r.Inputs.Problems {
		line("input", "%s", p)
	}
	if more := r.Inputs.MoreProblems; more > 0 {
		line("input", "and %s more remarks", terminal.Count(more))
	}
	x := r.Time
	line("bytes", "%s in %s", terminal.Bytes(r.Inputs.Bytes), terminal.Counted(int64(r.Inputs.Files), "input"))
	line("rate", "%s/s, %s records/s with %s; measuring %s/s a core",
		terminal.Bytes(int64(x.BytesPerSecond)), terminal.Count(int64(x.RecordsPerSecond)),
		terminal.Counted(int64(x.Workers), "core"), terminal.Bytes(int64(x.BytesPerBusySecond)))
	line("busy", "reading %.1fs, measuring %.1fs, keeping %.1fs, writing %.1fs",
		x.ReadingBusySeconds, x.MeasuringBusySeconds, x.KeepingBusySeconds, x.WritingBusySeconds)
}

// shareText formats a count with its share: 302 (48.1 %).
func shareText(n int64, pct schemas.Opt[float64]) string {
	if !pct.Present {
		return terminal.Count(n)
	}
	return fmt.Sprintf("%s (%.1f %%)", terminal.Count(n), pct.Value)
}

// optText formats a number with its unit, or a dash if it is missing.
func optText(v schemas.Opt[float64], unit string) string {
	if !v.Present {
		return "–"
	}
	return strings.TrimSpace(fmt.Sprintf("%.1f %s", v.Value, unit))
}

// tookText formats how long a run took: 2.2s, 4m10s.
func tookText(seconds float64) string {
	if seconds < 59.95 {
		return fmt.Sprintf("%.1fs", seconds)
	}
	return terminal.Duration(seconds)
}
