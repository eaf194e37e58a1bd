package backfill

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// mostPrinted is how many lines of the audit Print writes.
const mostPrinted = 10

// Print writes a status as text.
func (s *Status) Print(out io.Writer) {
	f := s.Backfill
	fmt.Fprintf(out, "backfill %s into %s: %s of %s\n", f.Name, f.Target, terminal.Count(s.Done),
		terminal.Counted(s.Records, "record"))
	if s.Left.Present {
		fmt.Fprintf(out, "about %s left\n", terminal.Duration(s.Left.Value))
	}
	PrintBatches(out, s.Batches)
	for _, e := range s.Audit[:min(len(s.Audit), mostPrinted)] {
		fmt.Fprintf(out, "%s  %s  %s %s  %s\n", e.At.UTC().Format(time.RFC3339), e.By, e.Action, e.Batch, e.Detail)
	}
}

// PrintBatches writes batches as text, each with the gates that it did not pass.
func PrintBatches(out io.Writer, batches []schemas.BackfillBatch) {
	for _, b := range batches {
		fmt.Fprintf(out, "%3d  %-24s %-9s %s", b.Number, b.Name, b.State, terminal.Counted(b.Records, "record"))
		if c := b.Counts; c.Records > 0 {
			fmt.Fprintf(out, ": %s rows, %s dead letters", terminal.Count(c.Rows), terminal.Count(c.Letters))
		}
		fmt.Fprintln(out)
		for _, g := range b.Gates {
			if !g.Passed {
				named := strings.Join(g.Named, ", ")
				fmt.Fprintf(out, "     %s %.4g, limit %.4g: %s\n", g.Gate, g.Value, g.Limit, named)
			}
		}
		if b.Reason != "" {
			fmt.Fprintf(out, "     accepted: %s\n", b.Reason)
		}
	}
}
