package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/target"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// targetCmd looks after the targets beside live.
type targetCmd struct {
	List     targetListCmd     `cmd:"" help:"List the targets: their names, how full they are, which processors feed them, which one readers see."`
	Diff     targetDiffCmd     `cmd:"" help:"Compare the current rows and the aggregates of two targets. Exit 1 if anything differs."`
	Promote  targetPromoteCmd  `cmd:"" help:"Show a target to readers: the API and the views of SCHEMA_serving change to it within a second."`
	Rollback targetRollbackCmd `cmd:"" help:"Show readers the target before the last promote again."`
	Drop     targetDropCmd     `cmd:"" help:"Remove a target that readers do not see: schema, keys, topics, group."`
}

// targetSettings are live's names, from which those of the other targets follow.
type targetSettings struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`
	Group    string          `name:"kafka-group" default:"pitchstream" placeholder:"NAME" group:"Kafka" help:"Consumer group of live. Default: pitchstream."`
	TopicRaw string          `name:"topic-raw" default:"pitches.raw" placeholder:"TOPIC" group:"Kafka" help:"Topic that all targets are fed from. Default: pitches.raw."`
}

func (s targetSettings) live() target.Options {
	return target.Options{Postgres: s.Postgres, Group: s.Group, TopicRaw: s.TopicRaw}
}

type targetListCmd struct {
	Live targetSettings `embed:""`
	JSON bool           `env:"-" name:"json" help:"Print one JSON array."`
}

// Run lists the targets.
func (c *targetListCmd) Run(ctx context.Context, std *stdio) error {
	list, err := target.List(ctx, c.Live.live())
	switch {
	case err != nil:
		return err
	case c.JSON:
		return terminal.PrintJSON(std.Out, list)
	}
	t := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TARGET\tREADERS\tPITCHES\tBEHIND\tFED BY\tSCHEMA\tGROUP")
	for _, s := range list {
		readers, feeder := "", "nobody: pitchstream run --target "+s.Name
		switch {
		case s.Serving:
			readers = "see it"
		case s.Previous:
			readers = "saw it"
		}
		switch {
		case s.Processors > 0:
			feeder = terminal.Counted(int64(s.Processors), "processor")
		case s.Unfinished > 0:
			feeder = "a replay"
		case s.Name == config.Live:
			feeder = "nobody: pitchstream run"
		}
		pitches, behind := terminal.Count(s.Pitches), terminal.Counted(s.Behind, "record")
		columns := []string{s.Name, readers, pitches, behind, feeder, s.Schema, s.Group}
		fmt.Fprintln(t, strings.Join(columns, "\t"))
	}
	return t.Flush()
}

type targetDiffCmd struct {
	Live targetSettings `embed:""`
	A    string         `arg:"" help:"A target."`
	B    string         `arg:"" help:"Another one."`
	JSON bool           `env:"-" name:"json" help:"Print one JSON object instead of text."`
}

// Help is the text of target diff --help below its first line.
func (*targetDiffCmd) Help() string {
	return `
Compares two targets at one moment: rows (every column of pitches but when, and by which build and core, they were computed),
and the aggregates of batters and pitchers, over all games and in each. Prints the lines that only one target has, and for each
column in how many lines it differs, by how much at most and on average, with examples. Pitches that only one target has read
so far are counted as moving, and not compared; so are their players.

  pitchstream target diff live better

Exit status: 0 no difference; 1 a difference, or it failed; 2 wrong usage.`
}

// Run compares two targets.
func (c *targetDiffCmd) Run(ctx context.Context, std *stdio) error {
	d, err := target.Diff(ctx, c.Live.live(), c.A, c.B)
	if err != nil {
		return err
	}
	if c.JSON {
		err = terminal.PrintJSON(std.Out, d)
	} else {
		printTable(std.text(), d, "rows", d.Rows)
		printTable(std.text(), d, "batters", d.Batters)
		printTable(std.text(), d, "batter-games", d.BatterGames)
		printTable(std.text(), d, "pitchers", d.Pitchers)
		printTable(std.text(), d, "pitcher-games", d.PitcherGames)
		if d.OtherCore > 0 {
			rows := terminal.Counted(d.OtherCore, "row")
			fmt.Fprintf(std.Out, "%s were computed by another version of the core\n", rows)
		}
	}
	return orDifference(err, d.Different())
}

func printTable(w io.Writer, d schemas.TargetDiff, name string, t schemas.TableDiff) {
	fmt.Fprintf(w, "%-13s  %s in %s, %s in %s: ", name, terminal.Count(t.InA), d.A, terminal.Count(t.InB), d.B)
	fmt.Fprintf(w, "%s only in %s, %s only in %s, ", terminal.Count(t.OnlyA), d.A, terminal.Count(t.OnlyB), d.B)
	fmt.Fprintf(w, "%s differ", terminal.Count(t.Differ))
	if t.Moving > 0 {
		fmt.Fprintf(w, "; %s moving, left out", terminal.Count(t.Moving))
	}
	fmt.Fprintln(w)
	if len(t.OnlyInA) > 0 {
		fmt.Fprintf(w, "  only in %s: %s\n", d.A, strings.Join(t.OnlyInA, ", "))
	}
	if len(t.OnlyInB) > 0 {
		fmt.Fprintf(w, "  only in %s: %s\n", d.B, strings.Join(t.OnlyInB, ", "))
	}
	for _, c := range t.Columns {
		fmt.Fprintf(w, "  %-24s %s differ", c.Name, terminal.Count(c.Differ))
		switch {
		case c.PresentA == 0:
			fmt.Fprintf(w, ", a new column: all %s missing in %s", terminal.Counted(c.PresentB, "value"), d.A)
		case c.PresentB == 0:
			fmt.Fprintf(w, ", all %s missing in %s", terminal.Counted(c.PresentA, "value"), d.B)
		}
		if c.Max.Present {
			fmt.Fprintf(w, ", by %.6g at most, %.6g on average", c.Max.Value, c.Mean.Value)
		}
		fmt.Fprintln(w)
		for _, e := range c.Examples {
			a, b := terminal.Shown(cmp.Or(e.A, "missing")), terminal.Shown(cmp.Or(e.B, "missing"))
			fmt.Fprintf(w, "    %s: %s, %s\n", e.Key, a, b)
		}
	}
}

type targetPromoteCmd struct {
	Live    targetSettings  `embed:""`
	Name    string          `arg:"" help:"The target that readers are to see: live, or one beside it."`
	Force   bool            `env:"-" help:"Promote it although it is behind, or no processor feeds it."`
	MaxLag  config.Duration `env:"-" name:"max-lag" default:"10s" placeholder:"TIME" help:"The longest that a record may wait for a target that is caught up. Default: 10s."`
	Missing int64           `env:"-" name:"accept-missing" placeholder:"N" help:"Promote it although it lacks up to N pitches whose records were deleted from the topic before the replay. The refusal says how many, and where they were. Default: 0."`
	JSON    bool            `env:"-" name:"json" help:"Print one JSON object instead of text."`
}

// Help is the text of target promote --help below its first line.
func (*targetPromoteCmd) Help() string {
	return `
Moves one row, SCHEMA_serving.pointer, and the views beside it to the target, in one transaction. The API changes within a
quarter of a second, without a restart: each answer is from one target, which its header X-Pitchstream-Target names. The
target before it keeps being fed by its own processors until it is dropped: pitchstream target rollback goes back to it.

Refuses a target that has not read as far as the one that readers see, into which a replay has not reached its end, that
no processor feeds, or that lacks pitches whose records the topic no longer holds (--accept-missing).

Exit status: 0 readers see it; 1 it was refused, or it failed; 2 wrong usage.`
}

// Run promotes a target.
func (c *targetPromoteCmd) Run(ctx context.Context, std *stdio) error {
	m, err := target.Promote(ctx, target.PromoteOptions{
		Live: c.Live.live(), Name: c.Name, MaxLag: time.Duration(c.MaxLag), Force: c.Force,
		AcceptMissing: c.Missing,
	})
	if _, ok := errors.AsType[*target.NotReadyError](err); ok {
		return fmt.Errorf("%w; --force promotes it all the same", err)
	}
	return printMove(std.Out, m, err, c.JSON)
}

func printMove(w io.Writer, m target.Move, err error, asJSON bool) error {
	switch {
	case err != nil:
		return err
	case asJSON:
		return terminal.PrintJSON(w, object{
			"from": m.From, "to": m.To, "change": m.Generation, "seconds": m.Took.Seconds(),
			"not_ready": append([]string{}, m.NotReady...),
		})
	case m.From == m.To:
		fmt.Fprintf(w, "readers see %s already\n", m.To)
	default:
		took := m.Took.Round(time.Millisecond)
		fmt.Fprintf(w, "readers see %s, no longer %s (change %d, %v)\n", m.To, m.From, m.Generation, took)
		fmt.Fprintf(w, "%s stays, as long as its processors feed it: pitchstream target rollback\n", m.From)
	}
	return nil
}

type targetRollbackCmd struct {
	Live targetSettings `embed:""`
	JSON bool           `env:"-" name:"json" help:"Print one JSON object instead of text."`
}

// Run goes back to the target before the last promote.
func (c *targetRollbackCmd) Run(ctx context.Context, std *stdio) error {
	m, err := target.Rollback(ctx, c.Live.live())
	for _, reason := range m.NotReady {
		fmt.Fprintf(std.Err, "%s: %s\n", m.To, reason)
	}
	return printMove(std.Out, m, err, c.JSON)
}

type targetDropCmd struct {
	Name string `arg:"" help:"The target: not live, and not the one that readers see."`
	Yes  bool   `env:"-" help:"Confirm. DANGER: only another replay brings back what is dropped."`
	JSON bool   `env:"-" name:"json" help:"Print one JSON object instead of text."`

	Kafka    config.Kafka    `embed:"" group:"Kafka"`
	Postgres config.Postgres `embed:"" group:"Postgres"`
	Redis    config.Redis    `embed:"" group:"Redis"`
}

// Validate refuses live, a name that no target can have, and a drop that is not confirmed.
func (c *targetDropCmd) Validate() error {
	if c.Name == config.Live {
		return errors.New("live cannot be dropped, because it is the target that the settings name")
	}
	if err := config.CheckTarget("name", c.Name); err != nil {
		return err
	}
	if !c.Yes {
		return fmt.Errorf("this removes the schema, the keys, the topics and the group of %s: give --yes", c.Name)
	}
	return nil
}

// Run drops a target.
func (c *targetDropCmd) Run(ctx context.Context, std *stdio) error {
	o := target.DropOptions{Kafka: c.Kafka, Postgres: c.Postgres, Redis: c.Redis, Name: c.Name}
	d, err := target.Drop(ctx, o)
	if err != nil {
		return err
	}
	t := d.Target
	if c.JSON {
		return terminal.PrintJSON(std.Out, object{
			"target": t.Name, "schema": t.Schema, "prefix": t.Prefix, "keys": d.Keys,
			"topics": []string{t.Rows, t.Dead}, "group": t.Group,
		})
	}
	fmt.Fprintf(std.Out, "dropped %s: schema %s, %s below %s, topics %s and %s, group %s\n",
		t.Name, t.Schema, terminal.Counted(d.Keys, "key"), t.Prefix, t.Rows, t.Dead, t.Group)
	return nil
}
