package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// Print writes all of a pitch, in the order in which it came about. With windows it lists every window of the
// bat speed, too.
func Print(w io.Writer, p *Pitch, windows bool) {
	printFound(w, p)
	if p.Explained >= 0 {
		printStages(w, p)
		printSwing(w, p.Explanation, windows)
		printFlight(w, p.Explanation.Flight)
		printContact(w, p.Explanation.Contact)
	}
	if p.Row != nil {
		printRow(w, p)
	}
	printAggregates(w, p.Aggregates)
	printItsLetters(w, p)
}

func section(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, "\n%s\n", fmt.Sprintf(format, args...))
}

func field(w io.Writer, name, format string, args ...any) {
	fmt.Fprintf(w, "  %-24s %s\n", name, terminal.OneLine(fmt.Sprintf(format, args...)))
}

func printFound(w io.Writer, p *Pitch) {
	fmt.Fprintf(w, "pitch %s: %s\n", p.ID, p.Standing())
	if p.Searched == nil {
		section(w, "version")
	} else {
		var parts []string
		for _, id := range slices.Sorted(maps.Keys(p.Searched)) {
			s := p.Searched[id]
			parts = append(parts, fmt.Sprintf("partition %d offsets %d to %d", id, s.From, max(s.From, s.To)))
		}
		section(w, "versions: %s in %s searched", terminal.Counted(int64(len(p.Versions)), "record"),
			strings.Join(parts, ", "))
	}
	for _, v := range p.Versions {
		mark, current, at := " ", "", "standard input"
		if v.Current {
			mark, current = "●", "  stands"
		}
		if p.Searched != nil {
			at = placeText(v.Record.Coordinates) + "  " + schemas.TimeMS(v.Record.TimestampMS).String()
		}
		fmt.Fprintf(w, "  %s %-9s %s  %s%s%s\n", mark, v.Op(), at, terminal.Bytes(int64(len(v.Record.Value))),
			versionText(&v), current)
	}
}

func placeText(c schemas.Coordinates) string {
	return fmt.Sprintf("%s/%d@%d", c.Topic, c.Partition, c.Offset)
}

// versionText returns the revision of a version, where it came from and whom it names, or why it was
// rejected.
func versionText(v *Version) string {
	if v.Rejection != nil {
		return "\n      " + v.Rejection.Error()
	}
	text := fmt.Sprintf("  revision %d", v.Change.Version.Revision)
	if o := v.Change.Origin; placeText(o) != placeText(v.Record.Coordinates) {
		text += fmt.Sprintf(", sent again; first %s of %s", placeText(o), schemas.TimeMS(o.TimestampMS))
	}
	if v.Change.Op == schemas.OpIdentify {
		var names []string
		ids := v.Change.IDs
		for i, id := range []schemas.Opt[int64]{ids.BatterID, ids.PitcherID, ids.TeamID} {
			if id.Present {
				names = append(names, fmt.Sprintf("%s %d", [3]string{"batter", "pitcher", "team"}[i], id.Value))
			}
		}
		if ids.AtBatNumber.Present {
			names = append(names, fmt.Sprintf("at-bat %d", ids.AtBatNumber.Value))
		}
		if ids.PitchNumber.Present {
			names = append(names, fmt.Sprintf("pitch %d", ids.PitchNumber.Value))
		}
		if ids.BatterSide != "" {
			names = append(names, "bats "+string(ids.BatterSide))
		}
		if ids.PitcherHand != "" {
			names = append(names, "throws "+string(ids.PitcherHand))
		}
		text += ": " + strings.Join(names, ", ")
	}
	return text
}

// printStages writes what each stage made of the version.
func printStages(w io.Writer, p *Pitch) {
	e, v := p.Explanation, &p.Versions[p.Explained]
	of := ""
	if p.Searched != nil {
		of = " of " + placeText(v.Record.Coordinates)
	}
	section(w, "stages%s", of)
	fmt.Fprintln(w, " headers")
	for _, r := range e.Headers {
		field(w, r.Name, "%s", r.Text)
	}
	if len(v.Record.Key) > 0 {
		field(w, "(the record's key)", "%s", terminal.TextOrBytes(v.Record.Key))
	}
	fmt.Fprintln(w, " decoded")
	for _, r := range e.Decoded {
		fmt.Fprintf(w, "  %-44s %-7s %s\n", r.Name, r.Kind, terminal.OneLine(r.Text))
	}
	if e.Flattened != nil {
		t := e.Tracks
		fmt.Fprintf(w, "  %-44s %d samples, %d with a time, %d duplicates%s\n", "samples_bat", t.Bat, t.BatTimed,
			t.BatDuplicate, map[bool]string{true: ", in conflict"}[t.BatConflict])
		fmt.Fprintf(w, "  %-44s %d samples, %d duplicates\n", "samples_ball", t.Ball, t.BallDuplicate)
	}
	if e.Rejection != nil {
		field(w, "rejected", "%s", e.Rejection.Error())
		return
	}
	if e.Flattened == nil {
		return
	}
	fmt.Fprintln(w, " flattened")
	printColumns(w, e.Flattened.Row, schemas.Row{})
	printIssues(w, e.Flattened.Issues)
	fmt.Fprintln(w, " derived")
	field(w, "swing", "%s", e.Swing)
	printColumns(w, e.Derived.Row, e.Flattened.Row)
	fmt.Fprintln(w, " validated")
	printColumns(w, e.Validated.Row, e.Derived.Row)
	printIssues(w, e.Validated.Issues)
}

func printIssues(w io.Writer, issues []string) {
	if len(issues) > 0 {
		field(w, "issues", "%s", strings.Join(issues, ", "))
	}
}

// printColumns writes the columns that are otherwise than they were, with their units.
func printColumns(w io.Writer, now, was schemas.Row) {
	nowText, wasText := columnTexts(now), columnTexts(was)
	for _, c := range schemas.RowColumns {
		if c.Name == "issues" || nowText[c.Name] == wasText[c.Name] {
			continue
		}
		text := nowText[c.Name]
		if text == "null" {
			text = "missing (was " + strings.Trim(wasText[c.Name], `"`) + ")"
		} else if c.Unit != "" {
			text += " " + c.Unit
		}
		field(w, c.Name, "%s", strings.Trim(text, `"`))
	}
}

// columnTexts are a row's columns as JSON.
func columnTexts(row any) map[string]string {
	b, err := json.Marshal(row)
	out := map[string]string{}
	var raw map[string]json.RawMessage
	if err == nil && json.Unmarshal(b, &raw) == nil {
		for k, v := range raw {
			out[k] = string(v)
		}
	}
	return out
}

func printSwing(w io.Writer, e *features.Explanation, all bool) {
	if a := e.AttackAngle; a != nil {
		section(w, "attack angle: %s", a.Explanation)
		if a.AngleDeg.Present {
			field(w, "angle", "%.2f degree, from %s to %s", a.AngleDeg.Value, seconds(a.FromS.Value),
				seconds(a.ToS.Value))
			field(w, "head", "%.1f ft/s over the ground, %+.3f ft up", a.GroundFTPS.Value, a.RiseFT.Value)
		}
		field(w, "samples with a head", "%d", a.Heads)
	}
	b := e.BatSpeed
	if b == nil {
		return
	}
	section(w, "bat speed: %s, because %s", b.Confidence, b.Why)
	if b.SpeedMPH.Present {
		win := b.Windows[b.Fastest]
		field(w, "fastest window", "%.2f mph from %s to %s: %.3f ft in %.2f ms", b.SpeedMPH.Value,
			seconds(win.FromS), seconds(win.ToS), win.DistanceFT, 1000*win.DurationS)
	}
	field(w, "samples", "%d of %d with a time have a sweet spot", b.Spots, b.Samples)
	printReasons(w, "without", b.Without)
	field(w, "windows", "%d accepted, %d rejected", b.Accepted, b.Rejected)
	printReasons(w, "rejected", b.Windows)
	if !all {
		return
	}
	for _, win := range b.Windows {
		verdict := win.Reason + ": " + win.Detail
		if win.SpeedMPH.Present {
			verdict = fmt.Sprintf("%.2f mph", win.SpeedMPH.Value)
		}
		fmt.Fprintf(w, "    %s to %s  %6.2f ms  %7.4f ft  %s\n", seconds(win.FromS), seconds(win.ToS),
			1000*win.DurationS, win.DistanceFT, verdict)
	}
}

// printFlight writes the fit of the pitch's flight.
func printFlight(w io.Writer, f *features.FlightView) {
	if f == nil {
		return
	}
	section(w, "flight: %s", f.Why)
	if f.PlateS.Present {
		field(w, "at 50 ft, at the plate", "%s, %s", seconds(f.ReleaseS.Value), seconds(f.PlateS.Value))
		at := f.At(f.PlateS.Value)
		field(w, "crosses the plate", "%.3f ft to the right, %.3f ft up; the zone is %.2f to %.2f ft", at[0], at[2],
			f.ZoneBottomFT, f.ZoneTopFT)
	}
	if f.DepartureS.Present {
		field(w, "off the bat", "first seen at %s", seconds(f.DepartureS.Value))
	}
}

// printContact writes how the speed at contact came about, and how far it can be trusted.
func printContact(w io.Writer, c *features.ContactView) {
	if c == nil {
		return
	}
	section(w, "contact: %s", c.Why)
	if c.FromS.Present {
		field(w, "searched", "%s to %s", seconds(c.FromS.Value), seconds(c.ToS.Value))
	}
	if c.TimeS.Present {
		field(w, "time", "%s", seconds(c.TimeS.Value))
	}
	for _, f := range c.Frames {
		field(w, "  frame", "%s  %6.2f mph  attack %+7.2f°  direction %+8.2f°", seconds(f.TimeS), f.SpeedMPH,
			f.AttackDeg, f.DirectionDeg)
	}
	if c.SpeedMPH.Present {
		field(w, "speed", "%.2f ± %.2f mph, by a quadratic through the frames", c.SpeedMPH.Value, c.ErrorMPH.Value)
		field(w, "last three frames", "%.2f mph", c.LateMPH.Value)
		if c.CubicMPH.Present {
			field(w, "cubic through positions", "%.2f mph", c.CubicMPH.Value)
		}
		field(w, "spread", "%.2f mph between the estimates", c.SpreadMPH.Value)
		doubts := "none: reliable"
		if len(c.Doubts) > 0 {
			doubts = strings.Join(c.Doubts, ", ")
		}
		field(w, "doubts", "%s", doubts)
	}
	for _, at := range []struct {
		name string
		pos  schemas.Opt[schemas.Point]
	}{{"head", c.Head}, {"handle", c.Handle}, {"ball", c.Ball}} {
		if at.pos.Present {
			field(w, at.name, "x %.3f  y %.3f  z %.3f ft", at.pos.Value[0], at.pos.Value[1], at.pos.Value[2])
		}
	}
}

func seconds(s float64) string { return strconv.FormatFloat(s, 'f', 4, 64) + " s" }

// printReasons counts why windows, or samples, were left out, with the first of each.
func printReasons(w io.Writer, what string, windows []features.Window) {
	var first []features.Window
	n := map[string]int64{}
	for _, win := range windows {
		if n[win.Reason]++; win.Reason != "" && n[win.Reason] == 1 {
			first = append(first, win)
		}
	}
	for _, win := range first {
		detail := ""
		if win.Detail != "" {
			detail = ", " + win.Detail
		}
		field(w, "  "+what, "%s: %s; the first at %s%s", terminal.Count(n[win.Reason]), win.Reason,
			seconds(win.FromS), detail)
	}
}

func printRow(w io.Writer, p *Pitch) {
	section(w, "row")
	text := columnTexts(*p.Row)
	for _, c := range schemas.StoredColumns {
		switch v := text[c.Name]; {
		case p.Searched == nil && (c.Name == "build" || c.Name == "processed_at" ||
			c.Name == "event_time" || c.Name == "record_ts_ms" || strings.HasPrefix(c.Name, "source_")):
		case v == "null":
			field(w, c.Name, "–")
		default:
			field(w, c.Name, "%s", strings.TrimSpace(strings.Trim(v, `"`)+" "+c.Unit))
		}
	}
}

func printAggregates(w io.Writer, a *Aggregates) {
	if a == nil {
		section(w, "aggregates: the row has neither a batter nor a pitcher, and counts nowhere")
		return
	}
	show := func(who string, id int64, columns []schemas.Column, before, after, gameBefore, gameAfter any) {
		section(w, "aggregates of %s %d: before, after, difference", who, id)
		printStats(w, columns, before, after)
		if gameAfter != nil {
			section(w, "aggregates of %s %d in game %s: before, after, difference", who, id, a.GamePK)
			printStats(w, columns, gameBefore, gameAfter)
		}
	}
	if a.Batter != nil {
		var gameBefore, gameAfter any
		if a.Game != nil {
			gameBefore, gameAfter = a.Game.Before, a.Game.After
		}
		show("batter", a.BatterID, schemas.StatsColumns, a.Batter.Before, a.Batter.After, gameBefore, gameAfter)
	} else {
		section(w, "aggregates: the row has no batter, and counts for none")
	}
	if a.Pitcher != nil {
		var gameBefore, gameAfter any
		if a.PitcherGame != nil {
			gameBefore, gameAfter = a.PitcherGame.Before, a.PitcherGame.After
		}
		show("pitcher", a.PitcherID, schemas.PitcherStatsColumns,
			a.Pitcher.Before, a.Pitcher.After, gameBefore, gameAfter)
	} else {
		section(w, "aggregates: the row has no pitcher, and counts for none")
	}
}

func printStats(w io.Writer, columns []schemas.Column, beforeStats, afterStats any) {
	before, after := columnTexts(beforeStats), columnTexts(afterStats)
	for _, column := range columns {
		b, a := before[column.Name], after[column.Name]
		switch {
		case column.Name == "by_pitch_type":
			printTypes(w, b, a)
		case column.Name != "last_pitch":
			field(w, column.Name, "%14s %14s  %s", shortNumber(b), shortNumber(a), differenceOf(b, a))
		case a != b:
			field(w, column.Name, "%s", a)
		}
	}
}

// printTypes prints the types of pitches that differ; a row changes one of them.
func printTypes(w io.Writer, before, after string) {
	var b, a map[string]json.RawMessage
	_, _ = json.Unmarshal([]byte(before), &b), json.Unmarshal([]byte(after), &a)
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if string(a[name]) != string(b[name]) {
			field(w, "by_pitch_type", "%s %s", name, a[name])
		}
	}
}

func shortNumber(text string) string {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return "–"
	}
	return fmt.Sprintf("%.14s", strconv.FormatFloat(f, 'f', -1, 64))
}

func differenceOf(before, after string) string {
	b, err1 := strconv.ParseFloat(before, 64)
	a, err2 := strconv.ParseFloat(after, 64)
	switch {
	case err2 != nil || before == after:
		return ""
	case err1 != nil:
		return "new"
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%+.4f", a-b), "0"), ".")
}

func printItsLetters(w io.Writer, p *Pitch) {
	if p.Searched == nil {
		return
	}
	section(w, "dead letters: %s", terminal.Count(int64(len(p.Letters))))
	for _, l := range p.Letters {
		fmt.Fprintf(w, "  %d:%d of %s, failed %s at %s: %s\n", l.At.Partition, l.At.Offset, l.At.Topic,
			terminal.Counted(int64(l.ID.Attempts), "time"), l.FailedAt, terminal.OneLine(l.Message))
	}
}
