package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/internal/verify"
	"github.com/pitchstream/pitchstream/schemas"
)

// print writes the report: of each part first its counts and sums, then its differences.
func (c *verifyCmd) print(out io.Writer, r verify.Report) error {
	if c.JSON {
		return terminal.PrintJSON(out, r)
	}
	w := bufio.NewWriter(out)
	if r.Topic != nil {
		c.printTopic(w, r.Topic)
	}
	if a := r.Aggregates; a != nil {
		fmt.Fprintf(w, "%-12sPostgres, of %s and %s\n", verify.Aggregates,
			terminal.Counted(a.Batters, "batter"), terminal.Counted(a.Pitchers, "pitcher"))
		printSums(w, "rows", a.Rows, "batters")
		printSums(w, "totals", a.Totals, "batters")
		printSums(w, "rows", a.PitcherRows, "pitchers")
		printSums(w, "totals", a.PitcherTotals, "pitchers")
		c.printDifferences(w, a.Differences)
	}
	if p := r.Redis; p != nil {
		keys, moving := terminal.Counted(p.Keys, "key"), terminal.Count(p.Moving)
		fmt.Fprintf(w, "%-12sPostgres and Redis: %s under %s, ", verify.Redis, keys, c.Redis.Prefix)
		fmt.Fprintf(w, "%s moving\n", moving)
		printSums(w, "Postgres", p.Postgres, "batters")
		printSums(w, "Redis", p.Redis, "batters")
		printSums(w, "Postgres", p.PostgresGames, "batter-games")
		printSums(w, "Redis", p.RedisGames, "batter-games")
		printSums(w, "Postgres", p.Pitchers.Postgres, "pitchers")
		printSums(w, "Redis", p.Pitchers.Redis, "pitchers")
		printSums(w, "Postgres", p.Pitchers.PostgresGames, "pitcher-games")
		printSums(w, "Redis", p.Pitchers.RedisGames, "pitcher-games")
		c.printDifferences(w, p.Differences)
	}
	fmt.Fprintln(w, c.lastLine(r))
	return w.Flush()
}

// lastLine returns the result that the exit status has, too.
func (c *verifyCmd) lastLine(r verify.Report) string {
	found := terminal.Counted(int64(r.Differences), "difference")
	switch {
	case r.Differences == 0:
		return "no difference"
	case r.Left == 0:
		return found + " found, all repaired: nothing is left"
	case c.Repair:
		return fmt.Sprintf("%s FOUND, %s repaired, %s LEFT, which --repair cannot repair",
			strings.ToUpper(found), terminal.Count(int64(r.Repaired)), terminal.Count(int64(r.Left)))
	default:
		return strings.ToUpper(found)
	}
}

func (c *verifyCmd) printTopic(w io.Writer, r *verify.TopicReport) {
	partitions := terminal.Counted(int64(len(r.Partitions)), "partition")
	fmt.Fprintf(w, "%-12s%s and Postgres: %s of %s\n",
		verify.Topic, c.Topics.TopicRaw, terminal.Counted(r.Records, "record"), partitions)
	fmt.Fprintf(w, "  pitches   %s stand in the topic, %s in Postgres; %s moving, %s not checkable\n",
		terminal.Count(r.Topic), terminal.Count(r.Postgres),
		terminal.Count(r.Moving), terminal.Count(r.NotCheckable))
	if r.Behind > 0 {
		fmt.Fprintf(w, "  behind    %s not processed yet, and not compared; --wait TIME waits for them\n",
			terminal.Counted(r.Behind, "record"))
	}
	l := r.Letters
	fmt.Fprintf(w, "  letters   %s rejected, ", terminal.Counted(l.Rejected, "record"))
	fmt.Fprint(w, terminal.Counted(l.Found, "letter"))
	for _, more := range []countOf{
		{l.SinkRejected, "refused by Postgres"}, {l.OtherBuild, "by another build"},
		{l.NotCheckable, "not checkable"},
	} {
		if more.n > 0 {
			fmt.Fprintf(w, ", %s %s", terminal.Count(more.n), more.what)
		}
	}
	fmt.Fprintln(w)
	for _, g := range r.Games {
		printGroup(w, "game", g)
	}
	for i, b := range r.Batters {
		if c.Show > 0 && i == c.Show {
			fmt.Fprintf(w, "  and %s more\n", terminal.Counted(int64(len(r.Batters)-i), "batter"))
			break
		}
		printGroup(w, "batter", b)
	}
	c.printDifferences(w, r.Differences)
}

func printGroup(w io.Writer, noun string, g verify.Group) {
	fmt.Fprintf(w, "  %s %s: %s in the topic, %s in Postgres, %s\n", noun, cmp.Or(g.Name, "(none)"),
		terminal.Count(g.Topic), terminal.Count(g.Postgres), terminal.Counted(g.Differ, "differs", "differ"))
}

func printSums(w io.Writer, side string, s schemas.Sums, noun string) {
	fmt.Fprintf(w, "  %-9s %s %s: %s pitches, %s swings, %s whiffs, %s contacts, %s hard hits\n", side,
		terminal.Count(s.Groups), noun, terminal.Count(s.Pitches), terminal.Count(s.Swings),
		terminal.Count(s.Whiffs), terminal.Count(s.Contacts), terminal.Count(s.HardHits))
}

func (c *verifyCmd) printDifferences(w io.Writer, all []schemas.Difference) {
	if len(all) == 0 {
		fmt.Fprintln(w, "  ✓ no difference")
		return
	}
	for i, d := range all {
		if c.Show > 0 && i == c.Show {
			fmt.Fprintf(w, "  and %s more; --show 0 prints all\n", terminal.Count(int64(len(all)-i)))
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
		fmt.Fprintf(&b, " %s is %s, want %s", name, valueText(f.Got), valueText(f.Want))
	}
	if d.Repaired {
		b.WriteString(" (repaired)")
	}
	return b.String()
}

// valueText returns a value in at most 61 characters.
func valueText(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return cmp.Or(s, "nothing")
}
