package replay

import (
	"fmt"
	"io"
	"strings"

	"github.com/pitchstream/pitchstream/internal/terminal"
)

// Print writes the report as text: the counts, their sum as an equation, and what is missing.
func (r Report) Print(w io.Writer) {
	state, word := "at its end", "balances"
	if !r.Finished {
		state = "not at its end"
	}
	if !r.Balances {
		word = "DOES NOT BALANCE"
	}
	if len(r.Missing) > 0 {
		word += ", BUT NOT COMPLETE"
	}
	c := r.Counts
	records, took := terminal.Counted(c.Records, "record"), terminal.Duration(r.Seconds)
	fmt.Fprintf(w, "replay %s into %s: %s, %s in %s\n", r.Replay, r.Into, state, records, took)
	var summands []string
	for _, line := range []terminal.CountOf{
		{N: c.Rows, What: "rows"},
		{N: c.Deletes, What: "deletes"},
		{N: c.IDs, What: "ids"},
		{N: c.Letters, What: "letters"},
		{N: c.Superseded, What: "superseded"},
		{N: c.Duplicates, What: "duplicates"},
	} {
		fmt.Fprintf(w, "  %-10s %s\n", line.What, terminal.Count(line.N))
		summands = append(summands, terminal.Count(line.N))
	}
	fmt.Fprintf(w, "%s: %s = %s\n", word, terminal.Count(c.Records), strings.Join(summands, " + "))
	for _, gap := range r.Missing {
		fmt.Fprintf(w, "missing: %s of partition %d, offsets %d to %d, are no longer in the topic\n",
			terminal.Counted(gap.To-gap.From, "record"), gap.Partition, gap.From, gap.To-1)
	}
}
