package load

import (
	"bufio"
	"fmt"
	"io"

	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// Print writes the summary as text:
//
//	loaded into pitches.raw in 12s
//	  records      1,254 read = 1,254 sent + 0 failed
//	  …
//
// or as one JSON object.
func (r *Report) Print(out io.Writer, o Options, asJSON bool) error {
	if asJSON {
		return terminal.PrintJSON(out, map[string]any{
			"topic": o.Topic, "checked": o.Check, "seconds": r.Seconds, "records": r.Records,
			"sent": r.Sent, "sent_before": r.SentBefore, "failed": r.Refused + r.Unconfirmed,
			"unconfirmed": r.Unconfirmed, "failures": append([]string{}, r.Refusals...), "bytes": r.Bytes,
			"inputs": r.Inputs, "unread": r.Unread, "games": r.Games, "without_game": r.NoGame, "named": r.Named,
			"rows": r.Rows, "dead_letters": r.DeadLetters, "more_problems": r.MoreProblems,
			"problems": schemas.Map(r.Problems, fileinput.Problem.String),
		})
	}
	w := bufio.NewWriter(out)
	line := terminal.Lines(w)
	lineOf := func(n int64, name, format string) { // nothing for 0
		if n > 0 {
			line(name, format, terminal.Count(n))
		}
	}
	head, records := "loaded into "+o.Topic+" in %s\n", "%s read = %s sent + %s failed"
	if o.Check {
		head, records = "checked in %s, nothing was sent\n", "%s read = %s to send + %s that would fail"
	}
	fmt.Fprintf(w, head, terminal.Duration(r.Seconds))
	line("records", records,
		terminal.Count(r.Records), terminal.Count(r.Sent), terminal.Count(r.Refused+r.Unconfirmed))
	if o.Check {
		line("rows", "%s", terminal.Count(r.Rows))
		for _, code := range schemas.Codes {
			lineOf(r.DeadLetters[code], "dead letters", "%s "+string(code))
		}
	}
	lineOf(r.Unconfirmed, "", "%s of the failed were not acknowledged when it ended; they may have arrived")
	if o.StatePath != "" {
		line("sent before", "%s by earlier runs, as %s says", terminal.Count(r.SentBefore), o.StatePath)
	}
	line("bytes", "%s in %s", terminal.Bytes(r.Bytes), terminal.Counted(int64(r.Inputs), "input"))
	line("games", "%s", terminal.Count(r.Games))
	if r.NoGame > 0 {
		line("", "%s no game: name it by --game, or name files GAME_FRAME.jsonl",
			terminal.Counted(r.NoGame, "record has", "records have"))
	}
	switch {
	case o.IDsPath != "":
		line("batters", "%s found in %s", terminal.Counted(r.Named, "record"), o.IDsPath)
	case r.NoBatter > 0:
		line("batters", "%s no batter, who is known then only where the ball was hit: "+
			"whiff rates lack the others; --ids FILE.csv names them",
			terminal.Counted(r.NoBatter, "record names", "records name"))
	}
	if r.NoTime > 0 {
		line("time", "%s no time, and got that of this load: their games look like today's; "+
			"--ids FILE.csv or --timestamp TIME dates them", terminal.Counted(r.NoTime, "record has", "records have"))
	}
	for _, refusal := range r.Refusals {
		line("failed", "%s", refusal)
	}
	lineOf(r.Refused-int64(len(r.Refusals)), "failed", "and %s more")
	for _, p := range r.Problems {
		line("input", "%s", p)
	}
	lineOf(r.MoreProblems, "input", "and %s more remarks")
	return w.Flush()
}
