package main

import (
	"context"
	"errors"
	"strings"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/deletion"
	"github.com/pitchstream/pitchstream/internal/terminal"
)

// deleteCmd removes pitches.
type deleteCmd struct {
	Pitches []string `arg:"" optional:"" name:"PITCH_ID" help:"The pitches to delete."`
	File    string   `env:"-" name:"file" placeholder:"FILE" help:"A list with one pitch_id a line, at most 100,000."`
	Reason  string   `env:"-" name:"reason" placeholder:"TEXT" help:"Why, kept with your name and the time. Required."`
	Force   bool     `env:"-" name:"force" help:"Delete also pitches that are not known, so that they count for nothing when they come."`
	DryRun  bool     `env:"-" name:"dry-run" help:"Send nothing: list what would be deleted."`
	JSON    bool     `env:"-" name:"json" help:"Print one JSON object instead of text."`

	Kafka    optionalKafka   `embed:"" group:"Kafka"`
	Topics   config.Topics   `embed:"" group:"Kafka"`
	Postgres config.Postgres `embed:"" group:"Postgres"`
}

// Help returns the text of delete --help below its first line.
func (*deleteCmd) Help() string {
	return `
Sends a record with op=delete for each pitch to the raw topic. The processors remove its row and all that it contributed. The
table deletions keeps who deleted it, when and why. A delete is a version: a correction with a greater revision brings the
pitch back. If one pitch is not known, none is deleted.

  pitchstream delete 5d0e2f1c-8a7b-4c3d-9e1f-0a1b2c3d4e5f --reason 'a warm-up pitch'
  pitchstream delete --file pitches.txt --reason 'wrong ballpark' --dry-run

Exit status: 0 sent, or deleted before; 1 refused or failed; 2 wrong usage.`
}

// Validate checks the flags.
func (c *deleteCmd) Validate() error {
	switch {
	case (c.File == "") == (len(c.Pitches) == 0):
		return errors.New("give PITCH_IDs or --file")
	case strings.TrimSpace(c.Reason) == "" && !c.DryRun:
		return deletion.ErrNoReason
	case c.DryRun:
		return nil
	}
	return config.Kafka(c.Kafka).Validate()
}

// Run deletes.
func (c *deleteCmd) Run(ctx context.Context, std *stdio) (err error) {
	o := deletion.Options{
		Reason: c.Reason, By: terminal.User(), Force: c.Force, DryRun: c.DryRun, Topic: c.Topics.TopicRaw,
		Postgres: storeConfig(c.Postgres),
	}
	if o.Pitches, err = deletion.Parse(c.Pitches); err == nil && c.File != "" {
		o.Pitches, err = deletion.ReadFile(ctx, c.File)
	}
	if err == nil && !c.DryRun {
		o.Client, err = config.Kafka(c.Kafka).Options()
	}
	if err != nil {
		return err
	}
	r, err := deletion.Run(ctx, o)
	if err != nil {
		return err
	}
	if c.JSON {
		return terminal.PrintJSON(std.Out, r)
	}
	return r.Print(std.Out)
}
