package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
	"github.com/muesli/roff"

	mangokong "github.com/alecthomas/mango-kong"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/internal/terminal"
)

type versionCmd struct {
	JSON bool `env:"-" name:"json" help:"Print one JSON object."`
}

// versions is what version prints.
type versions struct {
	Version string `json:"version"`
	obs.Source
	Core int32 `json:"core"` // rows of another core may have other values
}

// Run prints the versions.
func (c versionCmd) Run(std *stdio) error {
	v := versions{obs.Build(), obs.SourceOf(), features.CoreVersion}
	if c.JSON {
		return terminal.PrintJSON(std.Out, v)
	}
	commit := strings.TrimSpace(cmp.Or(v.Commit, "unknown") + " " + v.Date)
	if v.Modified {
		commit += ", modified"
	}
	_, err := fmt.Fprintf(std.Out, "pitchstream %s\ncommit      %s\ngo          %s %s\ncore        %d\n",
		v.Version, commit, v.Go, v.Platform, v.Core)
	return err
}

type configCmd struct {
	Example configExampleCmd `cmd:"" help:"Write a YAML file with every setting, what it means, and its default."`
}

type configExampleCmd struct{}

// Run writes the example.
func (configExampleCmd) Run(std *stdio, parsed *kong.Context) error {
	return config.WriteExample(std.Out, parsed.Model.Node)
}

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help returns the text of completion --help below its first line.
func (completionCmd) Help() string {
	return `
Add it to the file that your shell reads at its start:

  echo 'source <(pitchstream completion bash)' >> ~/.bashrc
  echo 'source <(pitchstream completion zsh)' >> ~/.zshrc
  pitchstream completion fish > ~/.config/fish/completions/pitchstream.fish`
}

// Run writes the code that makes the shell ask this program.
func (c *completionCmd) Run(parsed *kong.Context) error {
	return (&kongcompletion.Completion{Shell: c.Shell, Code: true}).Run(parsed)
}

type manCmd struct{}

// Run writes the manual page in roff.
func (manCmd) Run(std *stdio, parsed *kong.Context) error {
	_, err := fmt.Fprint(std.Out, mangokong.NewManPage(1, parsed.Model).Build(roff.NewDocument()))
	return err
}
