package models

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pitchstream/pitchstream/internal/scoring"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// PrintList writes versions as a table.
func PrintList(out io.Writer, list []schemas.ModelEntry) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MODEL\tVERSION\tKIND\tSTATE\tADDED\tBY\tTRAINED ON\tFIGURES")
	for _, m := range list {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", m.Name, m.Version, m.Kind, m.State,
			m.AddedAt.Time().Format("2006-01-02 15:04"), m.AddedBy, trainedText(m.Trained), figuresText(m.Figures))
	}
	return t.Flush()
}

func trainedText(raw json.RawMessage) string {
	var t scoring.Trained
	if json.Unmarshal(raw, &t) != nil || t.Rows == 0 {
		return t.By
	}
	day := func(s string) string { s, _, _ = strings.Cut(s, "T"); return s }
	return fmt.Sprintf("%s, %s to %s, core %d",
		terminal.Counted(int64(t.Rows), "row"), day(t.From), day(t.To), t.CoreVersion)
}

func figuresText(raw json.RawMessage) string {
	var figures map[string]float64
	if json.Unmarshal(raw, &figures) != nil {
		return ""
	}
	return FigureList(figures)
}

// FigureList returns figures as text, sorted by name.
func FigureList(figures map[string]float64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		parts = append(parts, fmt.Sprintf("%s %.4g", name, figures[name]))
	}
	return strings.Join(parts, ", ")
}

// PrintDetail writes all that is known of a version, but its file.
func PrintDetail(out io.Writer, d Detail) error {
	fmt.Fprintf(out, "%s %d: %s, %s\n", d.Name, d.Version, d.Kind, d.State)
	fmt.Fprintf(out, "  content  %s, sha256 %s\n", terminal.Counted(d.Bytes, "byte"), d.SHA256)
	fmt.Fprintf(out, "  trained  %s\n  figures  %s\n", trainedText(d.Trained), figuresText(d.Figures))
	for _, column := range d.Columns {
		fmt.Fprintf(out, "  reads    %s %s\n", column.Name, column.Unit)
	}
	for _, change := range d.Changes {
		fmt.Fprintf(out, "  %s  %s, by %s\n", change.At.Time().Format(time.RFC3339), change.State, change.By)
	}
	for _, r := range d.Refits {
		var beyond []string
		for _, c := range r.Checks {
			if !c.IsWithin {
				name := strings.TrimSpace(c.Check + " " + c.Column)
				beyond = append(beyond, fmt.Sprintf("; %s %s, limit %.4g", name, figure(c.Value), c.Limit))
			}
		}
		fmt.Fprintf(out, "  %s  refit: %s, by %s%s\n", r.At.Time().Format(time.RFC3339), r.Result, r.By,
			strings.Join(beyond, ""))
	}
	return printClusters(out, d.Content)
}

func printClusters(out io.Writer, content []byte) error {
	f, err := scoring.Parse(content)
	if err != nil || f.Archetypes == nil {
		return nil //nolint:nilerr // a file that this build does not read has been named by Show
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "ARCHETYPE\tSHARE")
	for _, c := range f.Columns {
		fmt.Fprintf(t, "\t%s", c.Name)
	}
	fmt.Fprintln(t)
	for _, cluster := range f.Archetypes.Clusters {
		fmt.Fprintf(t, "%s\t%.0f %%", cluster.Name, 100*cluster.Share)
		for i, z := range cluster.Center {
			fmt.Fprintf(t, "\t%.4g", f.Archetypes.Mean[i]+z*f.Archetypes.Scale[i])
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}
