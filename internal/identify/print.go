package identify

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/pitchstream/pitchstream/internal/terminal"
)

// Print writes the summary:
//
//	game 745804, Final at 2024-09-28T22:00:01Z
//	  pitches      312 named by the feed
//	  sent         3
//	  …
func (r *Report) Print(out io.Writer, o Options, asJSON bool) error {
	if asJSON {
		all := map[string]any{
			"pitches": r.Pitches, "sent": r.Sent, "known": r.Same, "older": r.Older, "without_id": r.WithoutID,
			"nameless": r.Nameless, "failures": r.Failures,
		}
		if o.Feed != "" {
			all["game"], all["state"], all["feed_time"] = r.Game, r.State, r.At.Format(time.RFC3339)
		}
		if o.DryRun {
			all["would_send"] = append([]Play{}, r.News...)
		}
		return terminal.PrintJSON(out, all)
	}
	w := bufio.NewWriter(out)
	line := terminal.Lines(w)
	if o.Feed != "" {
		fmt.Fprintf(w, "game %s, %s at %s\n", r.Game, r.State, r.At.Format(time.RFC3339))
	}
	line("pitches", "%s", terminal.Count(r.Pitches))
	if o.DryRun {
		line("would send", "%s", terminal.Count(int64(len(r.News))))
	} else {
		line("sent", "%s", terminal.Count(r.Sent))
	}
	for _, count := range []terminal.CountOf{
		{N: r.Same, What: "known before"},
		{N: r.Older, What: "of which newer names are known"},
		{N: r.WithoutID, What: "without a play id"},
		{N: r.Nameless, What: "of which nobody is named"},
		{N: r.Failures, What: "failures, tried again"},
	} {
		if count.N > 0 {
			line("", "%s %s", terminal.Count(count.N), count.What)
		}
	}
	for _, p := range r.News {
		line("", "%s  at-bat %s pitch %s  batter %s %s  pitcher %s %s", p.ID, orDash(p.AtBat), orDash(p.Pitch),
			orDash(p.BatterID.Value), p.BatSide, orDash(p.PitcherID.Value), p.PitchHand)
	}
	return w.Flush()
}

// orDash returns a number, or a dash for 0.
func orDash(n int64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}
