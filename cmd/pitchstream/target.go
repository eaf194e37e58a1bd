package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
)

// targetCmd looks after the targets.
type targetCmd struct {
	List     targetListCmd     `cmd:"" help:"List the targets: what they are called, how full they are, who feeds them, which one readers see."`
	Diff     targetDiffCmd     `cmd:"" help:"Compare what stands in two targets, rows and aggregates. Exit 1 if anything differs."`
	Promote  targetPromoteCmd  `cmd:"" help:"Have readers see a target: the API and the views of SCHEMA_serving go over within a second."`
	Rollback targetRollbackCmd `cmd:"" help:"Have readers see the target before the last promote."`
	Drop     targetDropCmd     `cmd:"" help:"Remove a target that readers do not see: schema, keys, topics, group."`
}

// targetSettings are what every command of them needs: live's names, from which those of the others follow.
type targetSettings struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`
	Group    string          `name:"kafka-group" default:"pitchstream" placeholder:"NAME" group:"Kafka" help:"Consumer group of live. Default: pitchstream."`
	TopicRaw string          `name:"topic-raw" default:"pitches.raw" placeholder:"TOPIC" group:"Kafka" help:"Topic that all targets are fed from. Default: pitches.raw."`
}

func (c *targetSettings) open() (*pgsink.Targets, error) {
	return pgsink.OpenTargets(pgsink.Config{URL: c.Postgres.URL.Reveal(), Schema: c.Postgres.Schema, Build: buildName()}, c.Postgres.ServingSchema())
}

// all are live and the targets beside it.
func (c *targetSettings) all(ctx context.Context, books *pgsink.Targets) ([]schemas.Target, error) {
	others, err := books.List(ctx)
	return append([]schemas.Target{{Name: config.Live, Schema: c.Postgres.Schema, Group: c.Group}}, others...), err
}

// find gives the target of this name.
func (c *targetSettings) find(ctx context.Context, books *pgsink.Targets, name string) (schemas.Target, error) {
	all, err := c.all(ctx, books)
	if err != nil {
		return schemas.Target{}, err
	}
	var names []string
	for _, t := range all {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return schemas.Target{}, fmt.Errorf("there is no target %s: give one of %s, or make it with `pitchstream replay --into %s`", name, strings.Join(names, ", "), name)
}

// useTarget changes live's settings into those of a target that is there.
func useTarget(ctx context.Context, live config.Targets, name string) error {
	if name != "" && name != config.Live {
		settings := targetSettings{Postgres: *live.Postgres}
		books, err := settings.open()
		if err != nil {
			return err
		}
		defer books.Close()
		if _, err := settings.find(ctx, books, name); err != nil {
			return err
		}
	}
	_, err := live.Use(name)
	return err
}

// feeding is how far a target is, and who feeds it.
type feeding struct {
	Processors int              `json:"processors"` // alive
	LagMS      int64            `json:"lag_ms"`     // of those, the age of the oldest record that waits
	Positions  map[string]int64 `json:"positions"`  // by partition
}

// aliveFor is how old the heartbeat of a processor that is alive can be.
const aliveFor = 5 * time.Second

func (c *targetSettings) feeding(ctx context.Context, t schemas.Target) (f feeding, err error) {
	reader, err := pgsink.OpenReader(pgsink.Config{URL: c.Postgres.URL.Reveal(), Schema: t.Schema, Group: t.Group})
	if err != nil {
		return f, err
	}
	defer reader.Close()
	pulse, err := reader.Pulse(ctx)
	f.Positions = map[string]int64{}
	for field, next := range pulse.Applied {
		if partition, ok := strings.CutPrefix(field, c.TopicRaw+"/"); ok {
			f.Positions[partition] = next
		}
	}
	for _, h := range pulse.Heartbeats {
		if time.Since(h.At.Time()) <= aliveFor {
			f.Processors++
			f.LagMS = max(f.LagMS, h.LagMS)
		}
	}
	return f, err
}

type targetListCmd struct {
	targetSettings
	JSON bool `env:"-" name:"json" help:"Print one JSON array."`
}

// targetLine is what list tells of one target.
type targetLine struct {
	schemas.Target
	Serving    bool  `json:"serving"`
	Previous   bool  `json:"previous"`
	Pitches    int64 `json:"pitches"`
	Behind     int64 `json:"records_behind_the_furthest"`
	Unfinished int64 `json:"unfinished_replays"`
	feeding
}

// Run lists.
func (c *targetListCmd) Run(ctx context.Context, std *stdio) error {
	books, err := c.open()
	if err != nil {
		return err
	}
	defer books.Close()
	lines, err := c.lines(ctx, books)
	if err != nil {
		return err
	}
	if c.JSON {
		return terminal.PrintJSON(std.Out, lines)
	}
	return printTargets(std.Out, lines)
}

func (c *targetListCmd) lines(ctx context.Context, books *pgsink.Targets) (lines []targetLine, err error) {
	pointer, err := books.Pointer(ctx)
	if err != nil {
		return nil, err
	}
	all, err := c.all(ctx, books)
	if err != nil {
		return nil, err
	}
	furthest := map[string]int64{}
	for _, t := range all {
		l := targetLine{Target: t, Serving: t.Name == pointer.Target.Name, Previous: t.Name == pointer.Previous}
		if l.Unfinished, err = books.UnfinishedReplays(ctx, t.Schema); err != nil {
			return nil, err
		}
		if l.Unfinished >= 0 {
			if l.Pitches, err = books.Pitches(ctx, t.Schema); err != nil {
				return nil, err
			}
			if l.feeding, err = c.feeding(ctx, t); err != nil {
				return nil, err
			}
		}
		for partition, next := range l.Positions {
			furthest[partition] = max(furthest[partition], next)
		}
		lines = append(lines, l)
	}
	for i := range lines {
		for partition, next := range furthest {
			lines[i].Behind += next - lines[i].Positions[partition]
		}
	}
	return lines, nil
}

func printTargets(w io.Writer, lines []targetLine) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TARGET\tREADERS\tPITCHES\tBEHIND\tFED BY\tSCHEMA\tGROUP")
	for _, l := range lines {
		readers, fed := "", fmt.Sprintf("nobody: pitchstream run --target %s", l.Name)
		switch {
		case l.Serving:
			readers = "see it"
		case l.Previous:
			readers = "saw it"
		}
		switch {
		case l.Processors > 0:
			fed = terminal.Counted(int64(l.Processors), "processor")
		case l.Unfinished > 0:
			fed = "a replay"
		case l.Name == config.Live:
			fed = "nobody: pitchstream run"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Name, readers, terminal.Count(l.Pitches), terminal.Counted(l.Behind, "record"), fed, l.Schema, l.Group)
	}
	return t.Flush()
}

type targetPromoteCmd struct {
	targetSettings
	Name   string          `arg:"" help:"The target that readers are to see: live, or one beside it."`
	Force  bool            `env:"-" help:"Though it is behind, or nobody feeds it."`
	MaxLag config.Duration `name:"max-lag" default:"10s" placeholder:"TIME" help:"The longest that a record may wait for a target that is caught up. Default: 10s."`
}

// Help is what target promote --help says below its first line.
func (*targetPromoteCmd) Help() string {
	return `
Moves one row, SCHEMA_serving.pointer, and the views beside it to the target, in one transaction. The API goes over within a
quarter of a second, without a restart: each answer is from one target, which its header X-Pitchstream-Target names. The
target before it stays, fed by its own processors, until it is dropped: pitchstream target rollback goes back to it.

A target that has not read as far as the one that readers see, of which a replay has not reached its end, or that no
processor feeds, is refused.

Exit status: 0 readers see it; 1 it was refused, or it failed; 2 wrong usage.`
}

// Run promotes.
func (c *targetPromoteCmd) Run(ctx context.Context, std *stdio) error {
	books, err := c.open()
	if err != nil {
		return err
	}
	defer books.Close()
	if err := books.Ensure(ctx); err != nil {
		return err
	}
	target, err := c.find(ctx, books, c.Name)
	if err != nil {
		return err
	}
	why, err := c.unfit(ctx, books, target, time.Duration(c.MaxLag))
	if err != nil {
		return err
	}
	if len(why) > 0 && !c.Force {
		return fmt.Errorf("%s is not ready for readers: %s; --force promotes it all the same", c.Name, strings.Join(why, "; "))
	}
	return promote(ctx, std, books, c.Name)
}

// unfit says why readers should not see a target.
func (c *targetSettings) unfit(ctx context.Context, books *pgsink.Targets, t schemas.Target, maxLag time.Duration) (why []string, err error) {
	unfinished, err := books.UnfinishedReplays(ctx, t.Schema)
	switch {
	case err != nil:
		return nil, err
	case unfinished < 0:
		return nil, fmt.Errorf("schema %s is not that of this build: run `pitchstream migrate`", t.Schema)
	case unfinished > 0 && t.Name != config.Live:
		why = append(why, "a replay into it has not reached its end")
	}
	is, err := c.feeding(ctx, t)
	if err != nil {
		return nil, err
	}
	pointer, err := books.Pointer(ctx)
	if err != nil {
		return nil, err
	}
	serving, err := c.find(ctx, books, pointer.Target.Name)
	if err != nil {
		return nil, err
	}
	seen, err := c.feeding(ctx, serving)
	if err != nil {
		return nil, err
	}
	missing := 0
	for partition := range seen.Positions {
		if _, ok := is.Positions[partition]; !ok {
			missing++
		}
	}
	if missing > 0 {
		why = append(why, fmt.Sprintf("it has read nothing of %s that %s has", terminal.Counted(int64(missing), "partition"), serving.Name))
	}
	switch {
	// guard: target: one that nobody feeds is not promoted
	case is.Processors == 0:
		why = append(why, fmt.Sprintf("no processor feeds it (pitchstream run --target %s)", t.Name))
	case is.LagMS > maxLag.Milliseconds():
		why = append(why, fmt.Sprintf("a record has waited for %v", time.Duration(is.LagMS)*time.Millisecond))
	}
	return why, nil
}

func promote(ctx context.Context, std *stdio, books *pgsink.Targets, name string) error {
	began := time.Now()
	was, is, err := books.Promote(ctx, name)
	if err != nil {
		return err
	}
	if was.Generation == is.Generation {
		fmt.Fprintf(std.Out, "readers see %s already\n", name)
		return nil
	}
	fmt.Fprintf(std.Out, "readers see %s, no longer %s (change %d, %v)\n", name, was.Target.Name, is.Generation, time.Since(began).Round(time.Millisecond))
	fmt.Fprintf(std.Out, "%s stays, as long as its processors feed it: pitchstream target rollback\n", was.Target.Name)
	return nil
}

type targetRollbackCmd struct{ targetSettings }

// Run goes back.
func (c *targetRollbackCmd) Run(ctx context.Context, std *stdio) error {
	books, err := c.open()
	if err != nil {
		return err
	}
	defer books.Close()
	p, err := books.Pointer(ctx)
	if err != nil {
		return err
	}
	if p.Previous == "" {
		return errors.New("there is no target to go back to")
	}
	target, err := c.find(ctx, books, p.Previous)
	if err != nil {
		return err
	}
	why, err := c.unfit(ctx, books, target, 10*time.Second)
	if err != nil || len(why) > 0 { // going back is in a hurry: it is told, and done
		fmt.Fprintf(std.Err, "%s: %s\n", target.Name, errors.Join(append([]error{err}, errorsOf(why)...)...))
	}
	return promote(ctx, std, books, p.Previous)
}

func errorsOf(texts []string) (errs []error) {
	for _, t := range texts {
		errs = append(errs, errors.New(t))
	}
	return errs
}
