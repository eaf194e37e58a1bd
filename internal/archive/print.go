package archive

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/terminal"
)

// Print prints the report of Run, whose store is at a place.
func Print(out io.Writer, place string, r Report) {
	records, segments := terminal.Counted(r.Records, "record"), terminal.Counted(r.Segments, "segment")
	fmt.Fprintf(out, "archived %s of %s to %s: %s, %s (%s before packing)\n", records, r.Topic, place, segments,
		terminal.Bytes(r.Bytes), terminal.Bytes(r.RawBytes))
	if r.Adopted > 0 {
		fmt.Fprintf(out, "listed %s of a run that was killed\n", terminal.Counted(r.Adopted, "segment"))
	}
	printGaps(out, r.Gaps)
}

func printGaps(out io.Writer, gaps []kafkaread.Span) {
	for _, g := range gaps {
		fmt.Fprintf(out, "missing: offsets %d to %d of partition %d\n", g.From, g.To-1, g.Partition)
	}
}

// PrintContents prints what List or Verify found.
func PrintContents(out io.Writer, all []Content) error {
	w := bufio.NewWriter(out)
	id := ""
	for _, c := range all {
		if id != c.TopicID {
			id = c.TopicID
			fmt.Fprintf(w, "%s, topic ID %s\n", c.Topic, id)
		}
		fmt.Fprintf(w, "  partition %d: %s in %s, %s, offsets %d to %d, %s to %s\n", c.Partition,
			terminal.Counted(c.Records, "record"), terminal.Counted(int64(c.Segments), "segment"),
			terminal.Bytes(c.Bytes), c.First, c.Next-1, dayOf(c.From.Time()), dayOf(c.To.Time()))
		for _, s := range c.Files {
			fmt.Fprintf(w, "    %d to %d: %s, %s, sha256 %s\n", s.First, s.Last,
				terminal.Counted(s.Records, "record"), terminal.Bytes(s.Bytes), s.SHA256)
		}
		for _, g := range c.Gaps {
			fmt.Fprintf(w, "    gap: offsets %d to %d\n", g.From, g.To-1)
		}
		for _, name := range c.Unlisted {
			fmt.Fprintf(w, "    not listed by the manifest: %s (archive compact removes it)\n", name)
		}
		for _, p := range c.Problems {
			fmt.Fprintf(w, "    WRONG: %s\n", p)
		}
	}
	return w.Flush()
}

func dayOf(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// PrintChanges prints what Compact or Prune changed, or with isDry would change.
func PrintChanges(out io.Writer, all []Change, isDry bool) {
	for _, c := range all {
		word := "removed"
		if isDry {
			word = "would be removed"
		}
		fmt.Fprintf(out, "%s %s, partition %d: %d → %s, %s of %s %s\n", c.Topic, c.TopicID, c.Partition,
			c.Before, terminal.Counted(int64(c.After), "segment"), terminal.Counted(int64(c.Removed), "file"),
			terminal.Bytes(c.Bytes), word)
		if c.Removed > 0 && c.Records > 0 {
			fmt.Fprintf(out, "  %s of %s to %s, archived %s to %s\n", terminal.Counted(c.Records, "record"),
				dayOf(c.From.Time()), dayOf(c.To.Time()), dayOf(c.ArchivedFrom.Time()), dayOf(c.ArchivedTo.Time()))
		}
	}
}
