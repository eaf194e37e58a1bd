package main

import (
	"bufio"
	"context"
	"errors"

	"github.com/pitchstream/pitchstream/internal/deadletter"
	"github.com/pitchstream/pitchstream/internal/terminal"
)

type dlqShowCmd struct {
	Places []string `arg:"" optional:"" name:"PARTITION:OFFSET" help:"Where the dead letters are in their topic, as dlq ls names them: 3:1042. Without: the first ones that the filter takes."`

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
				l.Print(text, &judged, deadletter.PrintOptions{
					Number: shown, Around: c.Around, Limits: coreLimits(c.Servers.Limits),
				})
			}
			enough := c.Limit > 0 && shown == c.Limit || len(filter.At) > 0 && shown == len(filter.At)
			return !enough, err
		})
		if err == nil && shown == 0 {
			err = errors.New("there is no such dead letter")
		}
		return errors.Join(err, w.Flush())
	}
	return c.Servers.run(ctx, &c.Which, dlqRun{places: c.Places, do: show})
}
