package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pitchstream/pitchstream/internal/deadletter"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

type dlqShowCmd struct {
	Places []string `arg:"" optional:"" name:"partition:offset" help:"Where the dead letters are in their topic, as dlq ls names them: 3:1042. Without: the first ones that the filter takes."`

	Limit  int  `env:"-" name:"limit" default:"3" placeholder:"N" help:"At most so many dead letters; 0: all. Default: 3."`
	Around int  `env:"-" name:"around" default:"120" placeholder:"BYTES" help:"How much of the record to show on either side of the fault. Default: 120."`
	JSON   bool `env:"-" name:"json" help:"Print one JSON object a line instead of text."`

	Which   dlqFilter  `embed:""`
	Servers dlqServers `embed:""`
}

// Help returns the text of dlq show --help below its first line.
func (*dlqShowCmd) Help() string {
	return `
Prints what a dead letter says, what was decided about it, what this build's core would make of it, and the record around the
place that the message names (a JSON path, a byte offset, a header), with that place marked. Of the headers it prints the
record's own; those about the failure are in the text (--json has them all).

  pitchstream dlq show 3:1042
  pitchstream dlq show --code malformed_json --limit 1
  pitchstream dlq show 3:1042 --json | jq .headers

Exit status: 0 success; 1 failure, or there is no such dead letter; 2 wrong usage.`
}

// Validate checks the flags.
func (c *dlqShowCmd) Validate() error {
	if _, err := letterPlaces(c.Places); err != nil {
		return err
	}
	if c.Limit < 0 || c.Around < 0 {
		return errors.New("--limit and --around: want 0 or more")
	}
	return nil
}

// Run prints the selected dead letters.
func (c *dlqShowCmd) Run(ctx context.Context, std *stdio) error {
	w := bufio.NewWriter(std.Out)
	text := terminal.Plain(w)
	show := func(ctx context.Context, desk *deadletter.Desk, filter deadletter.Filter) error {
		shown := 0
		err := desk.Each(ctx, filter, func(l *deadletter.Letter) (bool, error) {
			judged, err := desk.Judge(ctx, l)
			if err != nil {
				return false, err
			}
			shown++
			if c.JSON {
				err = terminal.PrintJSON(w, deadletter.Shown{
					Exported: deadletter.ExportedOf(l), Status: judged.Status.String(), Decision: judged.Decision,
					Today: judged.Today(), Fault: l.Fault(coreLimits(c.Servers.Limits)),
				})
			} else {
				c.print(text, l, &judged, shown)
			}
			enough := c.Limit > 0 && shown == c.Limit || len(filter.At) > 0 && shown == len(filter.At)
			return !enough, err
		})
		if err == nil && shown == 0 {
			err = errors.New("there is no such letter")
		}
		return errors.Join(err, w.Flush())
	}
	return c.Servers.run(ctx, &c.Which, dlqRun{places: c.Places, do: show})
}

func (c *dlqShowCmd) print(w io.Writer, l *deadletter.Letter, j *deadletter.Judgement, n int) {
	line := func(name, format string, args ...any) {
		oneLine := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", `\n`)
		fmt.Fprintf(w, "  %-9s %s\n", name, oneLine)
	}
	if n > 1 {
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "letter %d:%d of %s, written %s\n", l.At.Partition, l.At.Offset, l.At.Topic,
		schemas.TimeMS(l.At.TimestampMS))
	line("code", "%s", cmp.Or(terminal.TextOrBytes([]byte(l.Code)), noCode))
	line("message", "%s", terminal.TextOrBytes([]byte(l.Message)))
	if l.HasOrigin {
		line("origin", "%s/%d@%d of %s; failed %s, first %s", l.ID.Origin.Topic, l.ID.Origin.Partition,
			l.ID.Origin.Offset,
			schemas.TimeMS(l.ID.Origin.TimestampMS), terminal.Counted(int64(l.ID.Attempts), "time"), l.FirstFailedAt)
	} else {
		line("origin", "none that can be read: a foreign letter, which retry passes over")
	}
	if l.Failed.Topic != "" {
		line("failed", "%s/%d@%d at %s, rejected by the group %s, build %s", l.Failed.Topic, l.Failed.Partition,
			l.Failed.Offset, l.FailedAt, l.Group, l.Build)
	}
	line("status", "%s", decisionText(j))
	line("today", "%s", j.Today())
	line("key", "%s", terminal.TextOrBytes(l.Key))
	for i, h := range l.Own() {
		name := ""
		if i == 0 {
			name = "headers"
		}
		line(name, "%s: %s", terminal.TextOrBytes([]byte(h.Key)), terminal.TextOrBytes(h.Value))
	}
	line("value", "%s, SHA-256 %x", terminal.Bytes(int64(len(l.Value))), sha256.Sum256(l.Value))
	c.printFault(w, l)
}

// printFault writes the record around its fault, with carets below it.
func (c *dlqShowCmd) printFault(w io.Writer, l *deadletter.Letter) {
	p := l.Fault(coreLimits(c.Servers.Limits))
	text, from, to := l.Shown(p, c.Around)
	switch {
	case p.Header:
		fmt.Fprintf(w, "  the fault is in the header %s\n", p.Path)
	case p.From < 0:
		fmt.Fprintln(w, "  the message names no place in the value, which begins:")
	case p.Parent:
		fmt.Fprintf(w, "  there is no %s: this should have held it (byte %d)\n", p.Path, p.From)
	case p.Path != "":
		fmt.Fprintf(w, "  %s (byte %d)\n", p.Path, p.From)
	default:
		fmt.Fprintf(w, "  byte %d\n", p.From)
	}
	if p.Header || text == "" && p.From < 0 {
		return
	}
	fmt.Fprintf(w, "    %s\n", text)
	if from >= 0 {
		fmt.Fprintf(w, "    %s%s\n", strings.Repeat(" ", from), strings.Repeat("^", to-from))
	}
}

func decisionText(j *deadletter.Judgement) string {
	if j.Decision == nil {
		return j.Status.String()
	}
	d := j.Decision
	text := fmt.Sprintf("%s by %s at %s", d.Action, d.By, d.At)
	if d.Raw.Topic != "" {
		text += fmt.Sprintf(", now %s/%d@%d", d.Raw.Topic, d.Raw.Partition, d.Raw.Offset)
	}
	if d.Reason != "" {
		text += ": " + d.Reason
	}
	return text
}
