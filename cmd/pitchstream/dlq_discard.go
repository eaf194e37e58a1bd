package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/deadletter"
	"github.com/pitchstream/pitchstream/internal/terminal"
)

type dlqDiscardCmd struct {
	Places []string `arg:"" optional:"" name:"PARTITION:OFFSET" help:"Where the dead letters are in their topic: 3:1042. Without: all open ones that the filter takes."`

	Reason string `env:"-" name:"reason" required:"" placeholder:"TEXT" help:"Why nobody wants them; kept, with who decided and when."`
	Yes    bool   `env:"-" name:"yes" help:"Do not ask. Without it a terminal is asked, and anything else is refused."`
	JSON   bool   `env:"-" name:"json" help:"Print one JSON object instead of text."`

	Which   dlqFilter  `embed:""`
	Servers dlqServers `embed:""`
}

// Help returns the text of dlq discard --help below its first line.
func (*dlqDiscardCmd) Help() string {
	return `
Records in the table letter_decisions that the open dead letters are discarded: dlq ls counts them apart, and dlq retry skips
them. They stay in their topic as long as it keeps them; pitchstream dlq retry --again sends one nevertheless.

  pitchstream dlq discard 3:1042 --reason "a test pitch of the crew"
  pitchstream dlq discard --code not_a_pitch --until 2026-04-01T00:00:00Z --reason "calibration frames" --yes

Exit status: 0 success; 1 failure, or nobody agreed; 2 wrong usage.`
}

const maxReasonBytes = 1000

// Validate checks the flags.
func (c *dlqDiscardCmd) Validate() error {
	if _, err := letterPlaces(c.Places); err != nil {
		return err
	}
	if n := len(strings.TrimSpace(c.Reason)); n == 0 || n > maxReasonBytes || strings.ContainsRune(c.Reason, 0) {
		return fmt.Errorf("--reason: want 1 to %d bytes of text", maxReasonBytes)
	}
	return config.Postgres(c.Servers.Postgres).Validate()
}

// Run asks for confirmation and discards the dead letters.
func (c *dlqDiscardCmd) Run(ctx context.Context, std *stdio) error {
	discard := func(ctx context.Context, desk *deadletter.Desk, filter deadletter.Filter) error {
		if !c.Yes {
			n, err := desk.Open(ctx, filter)
			if err != nil {
				return err
			}
			if n == 0 {
				return c.print(std, n)
			}
			question := fmt.Sprintf("discard %s (%s)?", terminal.Counted(n, "open dead letter"), c.Reason)
			if err := confirm(std, question); err != nil {
				return err
			}
		}
		n, err := desk.Discard(ctx, filter, strings.TrimSpace(c.Reason))
		if err == nil || n > 0 {
			err = errors.Join(err, c.print(std, n))
		}
		return err
	}
	return c.Servers.run(ctx, &c.Which, dlqRun{places: c.Places, do: discard})
}

// print prints how many dead letters were discarded.
func (c *dlqDiscardCmd) print(std *stdio, n int64) error {
	switch {
	case c.JSON:
		return terminal.PrintJSON(std.Out, object{"discarded": n})
	case n == 0 && !c.Yes:
		fmt.Fprintln(std.Out, "no open dead letter: nothing to discard")
	default:
		fmt.Fprintf(std.Out, "%s discarded\n", terminal.Counted(n, "dead letter"))
	}
	return nil
}

// confirm asks on a terminal; without a terminal it returns an error.
func confirm(std *stdio, question string) error {
	in, ok := std.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return fmt.Errorf("%s give --yes, or ask from a terminal", question)
	}
	return ask(std.In, std.Err, question)
}

func ask(in io.Reader, out io.Writer, question string) error {
	fmt.Fprintf(out, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nobody agreed: nothing was done")
}
