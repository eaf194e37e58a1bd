package models

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/pitchstream/pitchstream/internal/scoring"
	"github.com/pitchstream/pitchstream/schemas"
)

// Compare compares what a shadow version says with what the live version says about the same rows.
func Compare(
	ctx context.Context, o Options, name string, shadow int32,
) (c schemas.ScoreComparison, err error) {
	e, err := o.open(ctx)
	if err != nil {
		return c, err
	}
	defer e.store.Close()
	if c, err = e.books.Compare(ctx, name, shadow); err == nil {
		agree(&c)
	}
	return c, err
}

// agree says how well the labels agree, over the rows that have one by either version. A label that the other
// version does not give is another label.
func agree(c *schemas.ScoreComparison) {
	all, same, both := 0, 0, map[[2]schemas.Text]int{}
	for _, p := range c.Labels {
		both[[2]schemas.Text{p.Live, p.Shadow}] = int(p.Rows)
		all += int(p.Rows)
		if p.Live == p.Shadow {
			same += int(p.Rows)
		}
	}
	if all > 0 {
		c.Agree = schemas.Some(float64(same) / float64(all))
	}
	if all > 1 {
		c.Rand = schemas.Some(scoring.AdjustedRandOf(both))
	}
}

// shownLabels is the number of pairs of labels that PrintComparison shows.
const shownLabels = 20

// PrintComparison writes a comparison as text.
func PrintComparison(out io.Writer, c schemas.ScoreComparison) error {
	fmt.Fprintf(out, "%s, %s: %d rows scored by %d (live) and %d (shadow)",
		c.Model, c.Kind, c.Rows, c.Live, c.Shadow)
	if c.From.Present {
		fmt.Fprintf(out, ", thrown from %s to %s", clock(c.From.Value), clock(c.To.Value))
	}
	fmt.Fprintf(out, "\n  of the newest %d pitches, %d have a score of the live version alone, "+
		"%d of the shadow alone\n", c.Read, c.LiveOnly, c.ShadowOnly)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if c.Agree.Present {
		fmt.Fprintf(out, "  labels agree on %.1f %% of rows; adjusted Rand index, whatever the names: %s\n",
			100*c.Agree.Value, figure(c.Rand))
		fmt.Fprint(t, "LIVE LABEL\tSHADOW LABEL\tROWS\n")
		for _, p := range c.Labels[:min(len(c.Labels), shownLabels)] {
			fmt.Fprintf(t, "%s\t%s\t%d\n", word(p.Live), word(p.Shadow), p.Rows)
		}
		_ = t.Flush()
	}
	fmt.Fprint(t, "COLUMN\tROWS\tLIVE ONLY\tSHADOW ONLY\tCORRELATION\t"+
		"LIVE MEAN\tSHADOW MEAN\tSHIFT\tGREATEST CHANGE\n")
	for _, s := range c.Columns {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\n", s.Column, s.Rows, s.LiveOnly, s.ShadowOnly,
			figure(s.Correlation), figure(s.Live), figure(s.Shadow), figure(s.Shift), figure(s.Most))
	}
	_ = t.Flush()
	if len(c.Changed) > 0 {
		fmt.Fprint(t, "CHANGED MOST\tTHROWN\tLIVE\tSHADOW\tLIVE VALUE\tSHADOW VALUE\n")
	}
	for _, p := range c.Changed {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", p.PitchID, clock(p.EventTime), word(p.LiveLabel),
			word(p.ShadowLabel), figure(p.LiveValue), figure(p.ShadowValue))
	}
	return t.Flush()
}

func clock(t schemas.TimeMS) string { return t.Time().UTC().Format(time.RFC3339) }

func figure(v schemas.Opt[float64]) string {
	if !v.Present {
		return "–"
	}
	return fmt.Sprintf("%.4g", v.Value)
}

func word(t schemas.Text) string {
	if t == "" {
		return "–"
	}
	return string(t)
}
