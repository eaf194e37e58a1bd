package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pitchstream/pitchstream/internal/deadletter"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

type dlqLsCmd struct {
	JSON bool `env:"-" name:"json" help:"Print one JSON object instead of text."`

	Which   dlqFilter  `embed:""`
	Servers dlqServers `embed:""`
}

// Help returns the text of dlq ls --help below its first line.
func (*dlqLsCmd) Help() string {
	return `
Reads the dead-letter topic once, up to its present end, and groups the dead letters by code and by message, without numbers,
identifiers and quoted data. So records with the same fault are one line, the largest group first, with its share, its first and
last failure, and the place of one to look at (pitchstream dlq show PLACE).

The origin of its record and the number of attempts identify a dead letter; each is counted once. It is
  open          nobody has decided, and its record has not failed again
  retried       its record was sent again, by dlq retry
  discarded     nobody wants it, by dlq discard
  failed again  its record was sent again, by anybody, and a later dead letter is open for it
  foreign       its headers name no origin: another program wrote it

This build's core runs on the open ones, so that the list says how many would pass, and how many of these are superseded: the
current version is as new or newer, and they would change nothing. Without --postgres-url neither decisions nor current
versions are known. Memory: some 50 bytes per dead letter.

  pitchstream dlq ls
  pitchstream dlq ls --since 24h --code malformed_json,not_a_pitch
  pitchstream dlq ls --game 745804 --json

Exit status: 0 success, with or without dead letters; 1 failure; 2 wrong usage.`
}

// Run reads the topic and prints the groups.
func (c *dlqLsCmd) Run(ctx context.Context, std *stdio) error {
	bar := terminal.NewLateProgress(std.Err, terminal.ProgressOptions{Title: "dlq ls", Noun: "letters"})
	defer bar.Stop()
	list := func(ctx context.Context, desk *deadletter.Desk, filter deadletter.Filter) error {
		report, err := desk.Survey(ctx, deadletter.Question{Filter: filter, Predict: true})
		bar.Stop()
		switch {
		case err != nil:
			return err
		case c.JSON:
			return terminal.PrintJSON(std.Out, report)
		}
		return printLetters(std.text(), c.Servers.Topics.TopicDead, report)
	}
	return c.Servers.run(ctx, &c.Which, dlqRun{progress: bar.Set, coreOnly: true, do: list})
}

func printLetters(out io.Writer, topic string, r deadletter.Report) error {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "%s in %s: %s\n", terminal.Counted(r.Letters, "dead letter"), topic, statusText(r.Sums))
	if r.Repeated > 0 {
		fmt.Fprintf(w, "%s of an identity that was there already: not counted\n",
			terminal.Counted(r.Repeated, "dead letter"))
	}
	if !r.Known && r.Letters > 0 {
		fmt.Fprintln(w, "without --postgres-url, decisions and current versions are not known")
	}
	if r.Selected > 0 {
		fmt.Fprintln(w, predictionText(r))
	}
	if r.Tried > 0 {
		fmt.Fprintln(w, triedText(r.Tried))
	}
	for _, g := range r.Groups {
		fmt.Fprintf(w, "\n%4.0f%%  %s  %s\n", 100*g.Share, terminal.Count(g.Letters),
			cmp.Or(terminal.TextOrBytes([]byte(g.Shape)), terminal.TextOrBytes([]byte(g.Code)), deadletter.NoCode))
		fmt.Fprintf(w, "       %s", statusText(g.Sums))
		if g.Tried > 0 {
			fmt.Fprintf(w, ", %s of them tried with this build", terminal.Count(g.Tried))
		}
		if g.Selected > 0 {
			fmt.Fprintf(w, "; %s would pass", terminal.Count(g.WouldPass+g.Superseded))
		}
		if g.Superseded > 0 {
			fmt.Fprintf(w, ", %s superseded", terminal.Count(g.Superseded))
		}
		fmt.Fprintf(w, "\n       first %s, last %s\n", g.First, g.Last)
		game := terminal.TextOrBytes([]byte(g.Example.GamePK))
		if game != "" {
			game = " of game " + game
		}
		fmt.Fprintf(w, "       such as %d:%d%s: %s\n", g.Example.Partition, g.Example.Offset, game,
			cmp.Or(terminal.TextOrBytes([]byte(g.Example.Message)), "(no message)"))
	}
	return w.Flush()
}

// statusText returns the counts by status, as: 418 open, 12 retried.
func statusText(s deadletter.Sums) string {
	var parts []string
	for _, p := range []terminal.CountOf{
		{N: s.Open, What: "open"},
		{N: s.Retried, What: "retried"},
		{N: s.Discarded, What: "discarded"},
		{N: s.FailedAgain, What: "failed again"},
		{N: s.Foreign, What: "foreign"},
	} {
		if p.N > 0 {
			parts = append(parts, terminal.Count(p.N)+" "+p.What)
		}
	}
	if len(parts) == 0 {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}

// predictionText returns the prediction, as:
//
//	412 of 430 would pass, 3 of them superseded: …; 18 would fail again: malformed_json 18
func predictionText(r deadletter.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s would pass", terminal.Count(r.WouldPass+r.Superseded), terminal.Count(r.Selected))
	if r.Superseded > 0 {
		fmt.Fprintf(&b, ", %s of them superseded (the current version is as new or newer: nothing would change)",
			terminal.Count(r.Superseded))
	}
	if r.WouldFail > 0 {
		fmt.Fprintf(&b, "; %s would fail again:%s", terminal.Count(r.WouldFail), codesOf(r.FailCodes))
	}
	return b.String()
}

func triedText(n int64) string {
	return terminal.Count(n) +
		" were retried before, this build rejected them, and they would fail the same way: a retry passes over them"
}

func codesOf(counts map[schemas.Code]int64) string {
	var b strings.Builder
	for _, c := range append(slices.Clone(schemas.Codes), "") {
		if n := counts[c]; n > 0 {
			fmt.Fprintf(&b, " %s %s", cmp.Or(string(c), deadletter.NoCode), terminal.Count(n))
		}
	}
	return b.String()
}
