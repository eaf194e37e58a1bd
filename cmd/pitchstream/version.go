package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
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

type manCmd struct{}

// Run writes the manual page in roff.
func (manCmd) Run(std *stdio, parsed *kong.Context) error {
	_, err := fmt.Fprint(std.Out, mangokong.NewManPage(1, parsed.Model).Build(roff.NewDocument()))
	return err
}
