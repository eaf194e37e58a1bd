package main

import (
	"context"
	"fmt"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/players"
	"github.com/pitchstream/pitchstream/internal/terminal"
)

// playersCmd groups the commands about players.
type playersCmd struct {
	Load playersLoadCmd `cmd:"" name:"load" help:"Read names from a CSV file with the columns id, name and team."`
}

type playersLoadCmd struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`

	File string `arg:"" name:"FILE" help:"CSV file in UTF-8, its first line the columns' names: id and name, and team if it is known; others are ignored. - is standard input."`
	JSON bool   `env:"-" name:"json" help:"Print one JSON object instead of text."`
}

// Help returns the text of players load --help below its first line.
func (*playersLoadCmd) Help() string {
	return `
The file has a line for each player:

  id,name,team
  660271,Shohei Ohtani,LAD
  592450,Aaron Judge,

Players who are in the file are added or changed; all others stay. The file is read as a whole before anything is written:
with an error in any line nothing is. Loading it again changes nothing. The API shows new names within seconds.

Exit status: 0 well; 1 the file or the database is wrong; 2 wrong usage.`
}

// Run loads the file and prints how many players changed.
func (c *playersLoadCmd) Run(ctx context.Context, std *stdio) error {
	r, err := players.Run(ctx, players.Options{Postgres: storeConfig(c.Postgres), File: c.File, Stdin: std.In})
	if err != nil {
		return err
	}
	if c.JSON {
		return terminal.PrintJSON(std.Out, object{"file": c.File, "players": r.Players, "changed": r.Changed})
	}
	fmt.Fprintf(std.Out, "%s in %s: %s added or changed\n",
		terminal.Counted(r.Players, "player"), c.File, terminal.Count(r.Changed))
	return nil
}
