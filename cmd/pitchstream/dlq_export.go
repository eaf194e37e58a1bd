package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/pitchstream/pitchstream/internal/deadletter"
	"github.com/pitchstream/pitchstream/internal/fileprocess"
	"github.com/pitchstream/pitchstream/internal/terminal"
)

type dlqExportCmd struct {
	Dir string `env:"-" short:"o" name:"output" placeholder:"DIR" help:"Write DIR/rejected.jsonl, which must not exist, instead of standard output."`

	Which   dlqFilter  `embed:""`
	Servers dlqServers `embed:""`
}

// Help returns the text of dlq export --help below its first line.
func (*dlqExportCmd) Help() string {
	return `
Writes one JSON object per dead letter and line, in the format of the rejected.jsonl that process writes: source (the
dead-letter topic and its partition), record (the offset there), code, message, value_base64. Each also has key, headers,
origin, attempts and failed_at; bytes that are not UTF-8 are in key_base64 and value_base64. Retried and discarded dead
letters are exported too.

  pitchstream dlq export > letters.jsonl
  pitchstream dlq export --code malformed_json -o broken/
  pitchstream dlq export --since 24h | jq -r .value_base64 | head -1 | base64 -d

Exit status: 0 success; 1 failure; 2 wrong usage.`
}

// Run writes the dead letters to standard output or to a file.
func (c *dlqExportCmd) Run(ctx context.Context, std *stdio) error {
	bar := terminal.NewLateProgress(std.Err, terminal.ProgressOptions{Title: "dlq export", Noun: "letters"})
	defer bar.Stop()
	write := func(ctx context.Context, desk *deadletter.Desk, filter deadletter.Filter) error {
		if c.Dir == "" {
			_, err := desk.Export(ctx, filter, std.Out)
			return err
		}
		name := filepath.Join(c.Dir, fileprocess.RejectedName)
		n, err := desk.ExportFile(ctx, filter, name)
		if err == nil {
			fmt.Fprintf(std.Out, "%s in %s\n", terminal.Counted(n, "dead letter"), name)
		}
		return err
	}
	return c.Servers.run(ctx, &c.Which, dlqRun{progress: bar.Set, do: write})
}
