package verify

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// PrintOptions say what a report is about, and what to do about it in the words of who prints it.
type PrintOptions struct {
	RawTopic, RedisPrefix string
	Target                string // whose rows topic a repair does not write
	Show                  int    // differences of each part; 0: all
	Repair                bool   // they were repaired, where that can be done
	// Hints say how to wait for processors, how to see all differences, and what cannot repair the rest.
	Hints struct{ Wait, All, Left string }
}

// Print writes the report: of each part first its counts and sums, then its differences.
func Print(out io.Writer, r Report, o PrintOptions) error {
	w := bufio.NewWriter(out)
	if r.Topic != nil {
		o.printTopic(w, r.Topic)
	}
	if a := r.Aggregates; a != nil {
		fmt.Fprintf(w, "%-12sPostgres, of %s and %s\n", Aggregates,
			terminal.Counted(a.Batters, "batter"), terminal.Counted(a.Pitchers, "pitcher"))
		printSums(w, "rows", a.Rows, "batters")
		printSums(w, "totals", a.Totals, "batters")
		printSums(w, "rows", a.PitcherRows, "pitchers")
		printSums(w, "totals", a.PitcherTotals, "pitchers")
		o.printDifferences(w, a.Differences)
	}
	if p := r.Redis; p != nil {
		keys, moving := terminal.Counted(p.Keys, "key"), terminal.Count(p.Moving)
		fmt.Fprintf(w, "%-12sPostgres and Redis: %s under %s, ", Redis, keys, o.RedisPrefix)
		fmt.Fprintf(w, "%s moving\n", moving)
		printSums(w, "Postgres", p.Postgres, "batters")
		printSums(w, "Redis", p.Redis, "batters")
		printSums(w, "Postgres", p.PostgresGames, "batter-games")
		printSums(w, "Redis", p.RedisGames, "batter-games")
		printSums(w, "Postgres", p.Pitchers.Postgres, "pitchers")
		printSums(w, "Redis", p.Pitchers.Redis, "pitchers")
		printSums(w, "Postgres", p.Pitchers.PostgresGames, "pitcher-games")
		printSums(w, "Redis", p.Pitchers.RedisGames, "pitcher-games")
		o.printDifferences(w, p.Differences)
	}
	if s := r.Scores; s != nil {
		fmt.Fprintf(w, "%-12sPostgres: %s of %s", Scores,
			terminal.Counted(s.Scores, "score"), terminal.Counted(s.Pitches, "pitch", "pitches"))
		fmt.Fprintf(w, ", %s not scored, because they were written before the model scored\n",
			terminal.Count(s.Unscored))
		o.printDifferences(w, s.Differences)
	}
	fmt.Fprintln(w, o.lastLine(r))
	return w.Flush()
}

// lastLine returns the result that the exit status has, too.
func (o *PrintOptions) lastLine(r Report) string {
	found := terminal.Counted(int64(r.Differences), "difference")
	switch {
	case r.Differences == 0 && r.Topic != nil && len(r.Topic.Held) > 0:
		return fmt.Sprintf("no difference in what can be compared; %s held by a gap, "+
			"or it is accepted and not read yet: see /readyz of the processors",
			terminal.Counted(int64(len(r.Topic.Held)), "partition is", "partitions are"))
	// guard: verify: the last line names what was not compared | r.Topic.Behind > 0 -> false
	case r.Differences == 0 && r.Topic != nil && r.Topic.Behind > 0:
		return fmt.Sprintf("no difference in what can be compared; %s not processed yet",
			terminal.Counted(r.Topic.Behind, "record is", "records are"))
	case r.Differences == 0:
		return "no difference"
	case r.Left == 0:
		return found + " found, all repaired: nothing is left"
	case o.Repair:
		return fmt.Sprintf("%s FOUND, %s repaired, %s LEFT, %s",
			strings.ToUpper(found), terminal.Count(int64(r.Repaired)), terminal.Count(int64(r.Left)), o.Hints.Left)
	default:
		return strings.ToUpper(found)
	}
}

func (o *PrintOptions) printTopic(w io.Writer, r *TopicReport) {
	partitions := terminal.Counted(int64(len(r.Partitions)), "partition")
	fmt.Fprintf(w, "%-12s%s and Postgres: %s of %s\n",
		Topic, o.RawTopic, terminal.Counted(r.Records, "record"), partitions)
	fmt.Fprintf(w, "  pitches   %s current in the topic, %s in Postgres; %s moving, %s not checkable\n",
		terminal.Count(r.Topic), terminal.Count(r.Postgres),
		terminal.Count(r.Moving), terminal.Count(r.NotCheckable))
	if r.Behind > 0 {
		fmt.Fprintf(w, "  behind    %s not processed yet, and not compared; %s\n",
			terminal.Counted(r.Behind, "record"), o.Hints.Wait)
	}
	for _, held := range r.Held {
		fmt.Fprintf(w, "  held      %s\n", held)
	}
	l := r.Letters
	fmt.Fprintf(w, "  letters   %s rejected, ", terminal.Counted(l.Rejected, "record"))
	fmt.Fprint(w, terminal.Counted(l.Found, "dead letter"))
	for _, more := range []terminal.CountOf{
		{N: l.SinkRejected, What: "refused by Postgres"},
		{N: l.OtherBuild, What: "by another build"},
		{N: l.NotCheckable, What: "not checkable"},
	} {
		if more.N > 0 {
			fmt.Fprintf(w, ", %s %s", terminal.Count(more.N), more.What)
		}
	}
	fmt.Fprintln(w)
	for _, g := range r.Games {
		printGroup(w, "game", g)
	}
	for i, b := range r.Batters {
		if o.Show > 0 && i == o.Show {
			fmt.Fprintf(w, "  and %s more\n", terminal.Counted(int64(len(r.Batters)-i), "batter"))
			break
		}
		printGroup(w, "batter", b)
	}
	o.printDifferences(w, r.Differences)
	if r.RowsNotSent > 0 {
		fmt.Fprintf(w, "  ! %s of the repair not sent to the rows topic; this sends them: ",
			terminal.Counted(r.RowsNotSent, "row"))
		fmt.Fprintf(w, "pitchstream replay --into %s --from %s\n",
			o.Target, r.RowsNotSentSince.Time().UTC().Format(time.RFC3339))
	}
}

func printGroup(w io.Writer, noun string, g Group) {
	fmt.Fprintf(w, "  %s %s: %s in the topic, %s in Postgres, %s\n", noun, cmp.Or(g.Name, "(none)"),
		terminal.Count(g.Topic), terminal.Count(g.Postgres), terminal.Counted(g.Differ, "differs", "differ"))
}

func printSums(w io.Writer, side string, s schemas.Sums, noun string) {
	fmt.Fprintf(w, "  %-9s %s %s: %s pitches, %s swings, %s whiffs, %s contacts, %s hard hits\n", side,
		terminal.Count(s.Groups), noun, terminal.Count(s.Pitches), terminal.Count(s.Swings),
		terminal.Count(s.Whiffs), terminal.Count(s.Contacts), terminal.Count(s.HardHits))
}

func (o *PrintOptions) printDifferences(w io.Writer, all []schemas.Difference) {
	if len(all) == 0 {
		fmt.Fprintln(w, "  ✓ no difference")
		return
	}
	for i, d := range all {
		if o.Show > 0 && i == o.Show {
			fmt.Fprintf(w, "  and %s more; %s\n", terminal.Count(int64(len(all)-i)), o.Hints.All)
			return
		}
		fmt.Fprintf(w, "  ✗ %s\n", differenceText(d))
	}
}

// differenceText returns one line, such as: content ps:live:batter:{1}: pitches is "99", want "7" (repaired).
func differenceText(d schemas.Difference) string {
	var b strings.Builder
	b.WriteString(d.Kind)
	switch {
	case d.PitchID != nil:
		fmt.Fprintf(&b, " pitch %s", d.PitchID)
	case strings.Contains(d.Key, ":"), strings.HasPrefix(d.Key, "letter"):
		fmt.Fprintf(&b, " %s", d.Key)
		return b.String() + fieldsText(d)
	}
	if d.BatterID != nil {
		fmt.Fprintf(&b, " batter %d", *d.BatterID)
	}
	if d.PitcherID != nil {
		fmt.Fprintf(&b, " pitcher %d", *d.PitcherID)
	}
	switch {
	case d.GamePK != "":
		fmt.Fprintf(&b, " game %s", d.GamePK)
	case d.Key != "":
		fmt.Fprintf(&b, " %s", d.Key)
	}
	return b.String() + fieldsText(d)
}

// shownFields is the number of fields of one difference that are printed.
const shownFields = 3

func fieldsText(d schemas.Difference) string {
	var b strings.Builder
	for i, f := range d.Fields {
		if i == shownFields {
			fmt.Fprintf(&b, ", and %s more", terminal.Counted(int64(len(d.Fields)-i), "field"))
			break
		}
		name := strings.TrimSuffix(f.Name, " "+d.Kind)
		b.WriteString([2]string{":", ","}[min(i, 1)])
		fmt.Fprintf(&b, " %s is %s, want %s", name, terminal.Shown(f.Got), terminal.Shown(f.Want))
	}
	if d.Repaired {
		b.WriteString(" (repaired)")
	}
	return b.String()
}
