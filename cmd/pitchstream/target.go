package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
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
	History  targetHistoryCmd  `cmd:"" help:"List who had readers see which target, when and why."`
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
	A    string         `arg:"" name:"NAME" help:"A target."`
	B    string         `arg:"" name:"OTHER" help:"Another one."`
	HTML string         `env:"-" name:"html" placeholder:"FILE" help:"Also write the comparison as one page to look at, with the distributions before and after."`
	JSON bool           `env:"-" name:"json" help:"Print one JSON object instead of text."`
}

// Help is the text of target diff --help below its first line.
func (*targetDiffCmd) Help() string {
	return `
Compares two targets at one moment: rows (every column of pitches but when, and by which build and core, they were computed),
and the aggregates of batters and pitchers, over all games and in each. Prints the lines that only one target has, and for each
column in how many lines it differs, by how much at most and on average, with examples. Pitches that only one target has read
so far are counted as moving, and not compared; so are their players.

Then it says in what way they differ: of each measure the share that is missing, the mean and the median before and after; which
words became which; the pitches, games and venues that changed most. --html draws it, --json has all of it.

  pitchstream target diff live better
  pitchstream target diff live better --html diff.html

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
		target.PrintReport(std.text(), d)
	}
	if c.HTML != "" && err == nil {
		err = target.WriteHTMLFile(c.HTML, d, time.Now())
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
	Live        targetSettings  `embed:""`
	Name        string          `arg:"" name:"NAME" help:"The target that readers are to see: live, or one beside it."`
	Force       bool            `env:"-" help:"Promote it although something stands against it. Needs --reason."`
	Reason      string          `env:"-" placeholder:"TEXT" help:"Why, for target history. Default: none."`
	MaxLag      config.Duration `env:"-" name:"max-lag" default:"10s" placeholder:"TIME" help:"The longest that a record may wait for a target that is caught up. Default: 10s."`
	Missing     int64           `env:"-" name:"accept-missing" placeholder:"N" help:"Promote it although it lacks up to N pitches that readers see now. The refusal says how many, and where they were. Default: 0."`
	Batters     int64           `env:"-" name:"accept-missing-batters" placeholder:"N" help:"Promote it although it lacks up to N batters that readers see now. Default: 0."`
	MaxChanged  float64         `name:"promote-max-changed" default:"0.05" placeholder:"SHARE" help:"The largest share of the pitches, 0 to 1, in which a value may be another than readers see now, or missing. A value where there was none is no change. Default: 0.05."`
	MaxFindings int             `name:"promote-max-findings" default:"0" placeholder:"N" help:"How many findings of quality it may have, in its newest seven days, that are not in what readers see now. Default: 0."`
	JSON        bool            `env:"-" name:"json" help:"Print one JSON object instead of text."`
}

// Help is the text of target promote --help below its first line.
func (*targetPromoteCmd) Help() string {
	return `
Moves one row, SCHEMA_serving.pointer, and the views beside it to the target, in one transaction. The API changes within a
quarter of a second, without a restart: each answer is from one target, which its header X-Pitchstream-Target names. The
target before it keeps being fed by its own processors until it is dropped: pitchstream target rollback goes back to it.

Refuses a target that has not read as far as the one that readers see, into which a replay has not reached its end, that
no processor feeds, that lacks pitches or batters, in which too many pitches changed, or in which quality finds what it does not
find in the other. The refusal names each, and the setting that takes it. --force --reason TEXT promotes it all the same.
Who did so, when and why is in SCHEMA_serving.promotions: pitchstream target history.

Exit status: 0 readers see it; 1 it was refused, or it failed; 2 wrong usage.`
}

// Validate checks the limits.
func (c *targetPromoteCmd) Validate() error {
	switch {
	case c.Force && strings.TrimSpace(c.Reason) == "":
		return errors.New("--force: say why with --reason TEXT, which target history shows")
	case len(c.Reason) > 1000:
		return errors.New("--reason: want at most 1,000 bytes")
	case !(c.MaxChanged >= 0 && c.MaxChanged <= 1):
		return fmt.Errorf("--promote-max-changed=%v: want a share from 0 to 1", c.MaxChanged)
	case c.Missing < 0 || c.Batters < 0 || c.MaxFindings < 0:
		return errors.New("want 0 or more missing pitches, batters and findings")
	}
	return nil
}

// Run promotes a target.
func (c *targetPromoteCmd) Run(ctx context.Context, std *stdio) error {
	m, err := target.Promote(ctx, target.PromoteOptions{
		Live: c.Live.live(), Name: c.Name, MaxLag: time.Duration(c.MaxLag), Force: c.Force, Reason: c.Reason,
		AcceptMissing: c.Missing, AcceptMissingBatters: c.Batters, MaxChanged: c.MaxChanged,
		MaxFindings: c.MaxFindings, By: terminal.User(),
	})
	if _, ok := errors.AsType[*target.NotReadyError](err); ok {
		return fmt.Errorf("%w; --force --reason TEXT promotes it all the same", err)
	}
	return printMove(std.Out, m, err, c.JSON)
}

type targetHistoryCmd struct {
	Live targetSettings `embed:""`
	JSON bool           `env:"-" name:"json" help:"Print one JSON array."`
}

// Run lists the promotes and rollbacks, the newest first.
func (c *targetHistoryCmd) Run(ctx context.Context, std *stdio) error {
	list, err := target.History(ctx, c.Live.live())
	switch {
	case err != nil:
		return err
	case c.JSON:
		return terminal.PrintJSON(std.Out, append([]schemas.Promotion{}, list...))
	}
	for _, p := range list {
		forced := ""
		if p.Forced {
			forced = ", forced"
		}
		fmt.Fprintf(std.text(), "%d  %s  %s %s → %s  %s as %s%s\n", p.Generation, p.At.UTC().Format(time.RFC3339),
			p.Kind, p.From, p.To, p.By, p.Role, forced)
		for _, line := range slices.Concat(p.NotReady, []string{p.Reason}) {
			if line != "" {
				fmt.Fprintf(std.text(), "     %s\n", line)
			}
		}
	}
	return nil
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
	m, err := target.Rollback(ctx, c.Live.live(), terminal.User())
	for _, reason := range m.NotReady {
		fmt.Fprintf(std.Err, "%s: %s\n", m.To, reason)
	}
	return printMove(std.Out, m, err, c.JSON)
}

type targetDropCmd struct {
	Name string `arg:"" name:"NAME" help:"The target: not live, and not the one that readers see."`
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
