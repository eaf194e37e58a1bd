package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

type targetDiffCmd struct {
	targetSettings
	A    string `arg:"" help:"A target."`
	B    string `arg:"" help:"Another one."`
	JSON bool   `env:"-" name:"json" help:"Print one JSON object instead of text."`
}

// Help is what target diff --help says below its first line.
func (*targetDiffCmd) Help() string {
	return `
Rows (every column of pitches, save when and by which build and core they were computed), batter_stats and batter_game_stats,
as of one moment: lines that only one has, and of each column in how many lines it differs, by how much at most and on average,
with examples. What one target has read and the other has not yet is left out, and counted as moving.

  pitchstream target diff live better

Exit status: 0 no difference; 1 a difference, or it failed; 2 wrong usage.`
}

// Run compares.
func (c *targetDiffCmd) Run(ctx context.Context, std *stdio) error {
	books, err := c.open()
	if err != nil {
		return err
	}
	defer books.Close()
	a, err := c.find(ctx, books, c.A)
	if err != nil {
		return err
	}
	b, err := c.find(ctx, books, c.B)
	if err != nil {
		return err
	}
	d, err := books.Diff(ctx, a, b, c.TopicRaw)
	if err != nil {
		return err
	}
	if c.JSON {
		err = terminal.PrintJSON(std.Out, d)
	} else {
		printDiff(std.Out, d)
	}
	if err == nil && d.Different() {
		err = &differenceError{}
	}
	return err
}

func printDiff(w io.Writer, d schemas.TargetDiff) {
	for _, t := range []struct {
		name string
		schemas.TableDiff
	}{{"rows", d.Rows}, {"batters", d.Batters}, {"batter-games", d.BatterGames}} {
		fmt.Fprintf(w, "%-12s  %s in %s, %s in %s: %s only in %s, %s only in %s, %s differ", t.name, terminal.Count(t.InA), d.A, terminal.Count(t.InB), d.B,
			terminal.Count(t.OnlyA), d.A, terminal.Count(t.OnlyB), d.B, terminal.Count(t.Differ))
		if t.Moving > 0 {
			fmt.Fprintf(w, "; %s moving, left out", terminal.Count(t.Moving))
		}
		fmt.Fprintln(w)
		printKeys(w, "only in "+d.A, t.OnlyInA)
		printKeys(w, "only in "+d.B, t.OnlyInB)
		for _, c := range t.Columns {
			fmt.Fprintf(w, "  %-24s %s differ", c.Name, terminal.Count(c.Differ))
			if c.Max.Present {
				fmt.Fprintf(w, ", by %.6g at most, %.6g on average", c.Max.Value, c.Mean.Value)
			}
			fmt.Fprintln(w)
			for _, e := range c.Examples {
				fmt.Fprintf(w, "    %s: %s, %s\n", e.Key, shownValue(e.A), shownValue(e.B))
			}
		}
	}
	if d.OtherCore > 0 {
		fmt.Fprintf(w, "%s were computed by another version of the core\n", terminal.Counted(d.OtherCore, "row"))
	}
}

func printKeys(w io.Writer, what string, keys []string) {
	if len(keys) > 0 {
		fmt.Fprintf(w, "  %s: %s\n", what, strings.Join(keys, ", "))
	}
}

func shownValue(text string) string {
	const most = 60
	if text == "" {
		return "missing"
	}
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}
