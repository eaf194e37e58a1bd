package qualityrun

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// Print prints a report as a table, abnormal figures first. Without everything it omits the normal
// figures of single venues.
func Print(out io.Writer, r schemas.QualityReport, everything bool) error {
	if r.Games == 0 {
		fmt.Fprintf(out, "no figures of %s: there is no pitch, or no processor has computed them yet\n",
			cmp.Or(r.Day, "any day"))
		return nil
	}
	fmt.Fprintf(out, "%s   %s, %s", r.Day, terminal.Counted(r.Games, "game"),
		terminal.Counted(r.Pitches, "pitch", "pitches"))
	switch n := len(r.BaselineDays); n {
	case 0:
		fmt.Fprint(out, "; no day before it to hold it against\n\n")
	default:
		fmt.Fprintf(out, "; held against %s, %s to %s\n\n", terminal.Counted(int64(n), "game day"),
			r.BaselineDays[0], r.BaselineDays[n-1])
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "\tCHECK\tVENUE\tDAY\tBEFORE\tCHANGE\tOF\tGAMES\tLIMIT\n")
	for _, f := range r.Findings {
		if f.Abnormal || everything || f.Venue == "all" {
			printFinding(w, &f)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	if r.Abnormal == 0 {
		fmt.Fprintln(out, "nothing is beyond its limits")
		return nil
	}
	fmt.Fprintf(out, "%s beyond their limits:\n", strings.ToUpper(terminal.Counted(r.Abnormal, "figure")))
	for _, f := range r.Findings {
		if f.Abnormal {
			fmt.Fprintf(out, "  %s%s: %s. %s.\n", f.Check, where(&f), f.What, f.Do)
		}
	}
	return nil
}

func where(f *schemas.QualityFinding) (text string) {
	if f.Item != "" {
		text += " " + f.Item
	}
	if f.Venue != "all" {
		text += " at " + f.Venue
	}
	return text
}

func printFinding(w io.Writer, f *schemas.QualityFinding) {
	mark, change, before := "", "", ""
	if f.Abnormal {
		mark = "!"
	}
	if f.Baseline.Present {
		before = qualityFigure(f.Baseline.Value, f.Unit)
		change = signed(f.Value-f.Baseline.Value, f.Unit)
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", mark,
		terminal.OneLine(strings.TrimSpace(f.Check+" "+f.Item)), terminal.OneLine(string(f.Venue)),
		qualityFigure(f.Value, f.Unit), before, change, terminal.Count(f.Of), terminal.Count(f.Games), f.Limit)
}

// qualityFigure formats a value with its unit.
func qualityFigure(v float64, unit string) string {
	switch unit {
	case "share":
		return fmt.Sprintf("%.1f %%", 100*v)
	case "games", "pitches":
		return terminal.Count(int64(math.Round(v)))
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}

func signed(v float64, unit string) string {
	if unit == "share" {
		return fmt.Sprintf("%+.1f", 100*v)
	}
	return fmt.Sprintf("%+.1f", v)
}
