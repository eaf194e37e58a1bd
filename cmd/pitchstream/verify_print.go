package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// print writes the report: counts and sums of each part first, then what differs.
func (v *verifier) print(out io.Writer) error {
	w := bufio.NewWriter(out)
	if v.c.JSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		if err := e.Encode(v.report); err != nil {
			return err
		}
		return w.Flush()
	}
	v.printTopic(w)
	v.printAggregates(w)
	v.printRedis(w)
	fmt.Fprintln(w, v.lastLine())
	return w.Flush()
}

// lastLine says whether all is well now, as the exit status does.
func (v *verifier) lastLine() string {
	r, found := v.report, terminal.Counted(int64(v.report.Differences), "difference")
	switch {
	case r.Differences == 0:
		return "no difference"
	case r.Left == 0:
		return found + " found, all repaired: nothing is left"
	case v.c.Repair:
		return fmt.Sprintf("%s FOUND, %s repaired, %s LEFT, which --repair does not mend", strings.ToUpper(found), terminal.Count(int64(r.Repaired)), terminal.Count(int64(r.Left)))
	default:
		return strings.ToUpper(found)
	}
}

func (v *verifier) printTopic(w io.Writer) {
	r := v.report.Topic
	if r == nil {
		return
	}
	fmt.Fprintf(w, "%-12s%s and Postgres: %s of %s\n", partTopic, v.c.Topics.TopicRaw, terminal.Counted(r.Records, "record"), terminal.Counted(int64(len(r.Partitions)), "partition"))
	fmt.Fprintf(w, "  pitches   %s stand in the topic, %s in Postgres; %s moving, %s not checkable\n", terminal.Count(r.Topic), terminal.Count(r.Postgres), terminal.Count(r.Moving), terminal.Count(r.NotCheckable))
	l := r.Letters
	fmt.Fprintf(w, "  letters   %s rejected, %s", terminal.Counted(l.Rejected, "record"), terminal.Counted(l.Found, "letter"))
	for _, more := range []struct {
		n    int64
		what string
	}{{l.SinkRejected, "refused by Postgres"}, {l.OtherBuild, "by another build"}, {l.NotCheckable, "not checkable"}} {
		if more.n > 0 {
			fmt.Fprintf(w, ", %s %s", terminal.Count(more.n), more.what)
		}
	}
	fmt.Fprintln(w)
	for _, g := range r.Games {
		fmt.Fprintf(w, "  game %s: %s in the topic, %s in Postgres, %s\n", quoted(g.Name), terminal.Count(g.Topic), terminal.Count(g.Postgres), terminal.Counted(g.Differ, "differs", "differ"))
	}
	for i, b := range r.Batters {
		if v.c.Show > 0 && i == v.c.Show {
			fmt.Fprintf(w, "  and %s more\n", terminal.Counted(int64(len(r.Batters)-i), "batter"))
			break
		}
		fmt.Fprintf(w, "  batter %s: %s in the topic, %s in Postgres, %s\n", b.Name, terminal.Count(b.Topic), terminal.Count(b.Postgres), terminal.Counted(b.Differ, "differs", "differ"))
	}
	v.printDifferences(w, r.Differences)
}

func quoted(game string) string {
	if game == "" {
		return "(none)"
	}
	return game
}

func (v *verifier) printAggregates(w io.Writer) {
	if r := v.report.Aggregates; r != nil {
		fmt.Fprintf(w, "%-12sPostgres, of %s\n", partAggregates, terminal.Counted(r.Batters, "batter"))
		printSums(w, "rows", r.Rows, "totals", r.Totals, "batters")
		v.printDifferences(w, r.Differences)
	}
}

func (v *verifier) printRedis(w io.Writer) {
	if r := v.report.Redis; r != nil {
		fmt.Fprintf(w, "%-12sPostgres and Redis: %s under %s, %s moving\n", partRedis, terminal.Counted(r.Keys, "key"), v.c.Redis.Prefix, terminal.Count(r.Moving))
		printSums(w, "Postgres", r.Postgres, "Redis", r.Redis, "batters")
		printSums(w, "Postgres", r.PostgresGames, "Redis", r.RedisGames, "batter-games")
		v.printDifferences(w, r.Differences)
	}
}

// printSums writes both sides below each other.
func printSums(w io.Writer, one string, a schemas.Sums, other string, b schemas.Sums, noun string) {
	for _, side := range []struct {
		name string
		schemas.Sums
	}{{one, a}, {other, b}} {
		fmt.Fprintf(w, "  %-9s %s %s: %s pitches, %s swings, %s whiffs, %s contacts, %s hard hits\n", side.name, terminal.Count(side.Groups), noun,
			terminal.Count(side.Pitches), terminal.Count(side.Swings), terminal.Count(side.Whiffs), terminal.Count(side.Contacts), terminal.Count(side.HardHits))
	}
}

func (v *verifier) printDifferences(w io.Writer, all []schemas.Difference) {
	if len(all) == 0 {
		fmt.Fprintln(w, "  ✓ no difference")
		return
	}
	for i, d := range all {
		if v.c.Show > 0 && i == v.c.Show {
			fmt.Fprintf(w, "  and %s more; --show 0 prints all\n", terminal.Count(int64(len(all)-i)))
			return
		}
		fmt.Fprintf(w, "  ✗ %s\n", differenceText(d))
	}
}

// differenceText is one line, as: content ps:live:batter:{1}: pitches is "99", want "7" (repaired).
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
	switch {
	case d.GamePK != "":
		fmt.Fprintf(&b, " game %s", d.GamePK)
	case d.Key != "":
		fmt.Fprintf(&b, " %s", d.Key)
	}
	return b.String() + fieldsText(d)
}

// shownFields is how many fields of one difference are printed.
const shownFields = 3

func fieldsText(d schemas.Difference) string {
	var b strings.Builder
	for i, f := range d.Fields {
		switch {
		case i == shownFields:
			fmt.Fprintf(&b, ", and %s more", terminal.Counted(int64(len(d.Fields)-i), "field"))
		case i < shownFields:
			fmt.Fprintf(&b, "%s %s is %s, want %s", [2]string{":", ","}[min(i, 1)], strings.TrimSuffix(f.Name, " "+d.Kind), valueText(f.Got), valueText(f.Want))
		}
	}
	if d.Repaired {
		b.WriteString(" (repaired)")
	}
	return b.String()
}

func valueText(s string) string {
	if s == "" {
		return "nothing"
	}
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return s
}
