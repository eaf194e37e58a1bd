package target

import (
	"fmt"
	"io"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// PrintReport prints in what way two targets differ, the first lines of each list; the HTML page and the JSON
// have all of it. The lists are sorted, the greatest change first. It prints nothing where nothing differs.
func PrintReport(w io.Writer, d schemas.TargetDiff) {
	r := d.Report
	if r == nil || !d.Different() {
		return
	}
	const most = 12
	printed := 0
	for _, c := range r.Columns {
		if c.Up+c.Down+c.Lost+c.Gained == 0 && c.Shift == 0 || printed == most {
			continue
		}
		if printed++; printed == 1 {
			fmt.Fprintf(w, "measures that moved most, %s → %s:\n", d.A, d.B)
		}
		fmt.Fprintf(w, "  %-32s missing %.3g %% → %.3g %%, mean %s → %s, median %s → %s; %s\n", c.Name,
			100*c.A.MissingShare(), 100*c.B.MissingShare(), number(c.A.Mean), number(c.B.Mean),
			number(c.A.P50), number(c.B.P50), inWords(c))
	}
	for i, t := range r.Transitions[:min(len(r.Transitions), most)] {
		if i == 0 {
			fmt.Fprintln(w, "texts that changed:")
		}
		pitches := terminal.Counted(t.Pitches, "pitch", "pitches")
		fmt.Fprintf(w, "  %-32s %s → %s  %s\n", t.Column, named(t.A), named(t.B), pitches)
	}
	for _, name := range []string{"games", "venues"} {
		places := r.Games
		if name == "venues" {
			places = r.Venues
		}
		for i, g := range places[:min(len(places), 5)] {
			if i == 0 {
				fmt.Fprintf(w, "%s that changed most:\n", name)
			}
			fmt.Fprintf(w, "  %-32s %s of %s changed, %d only in %s, %d only in %s\n", named(g.Name),
				terminal.Count(g.Changed), terminal.Count(g.Both), g.OnlyA, d.A, g.OnlyB, d.B)
		}
	}
}

func named(text string) string {
	if text == "" {
		return "missing"
	}
	return text
}
