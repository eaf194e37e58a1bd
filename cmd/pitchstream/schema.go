package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// schemaCmd prints the JSON Schemas, for use without a server.
type schemaCmd struct {
	Ls   schemaLsCmd   `cmd:"" name:"ls" help:"List the formats that this build reads and writes, with their versions."`
	Show schemaShowCmd `cmd:"" name:"show" help:"Print the JSON Schema (draft 2020-12) of one of them."`
}

type schemaLsCmd struct {
	JSON bool `env:"-" name:"json" help:"Print one JSON array."`
}

// Run prints one line for each schema.
func (c schemaLsCmd) Run(std *stdio) error {
	if c.JSON {
		list := schemas.Map(schemas.PublishedSchemas(), func(s schemas.PublishedSchema) object {
			return object{"name": s.Name, "version": s.Version, "title": s.Title}
		})
		return terminal.PrintJSON(std.Out, list)
	}
	for _, s := range schemas.PublishedSchemas() {
		if _, err := fmt.Fprintf(std.Out, "%-7s %-5s %s\n", s.Name, s.Version, s.Title); err != nil {
			return err
		}
	}
	return nil
}

type schemaShowCmd struct {
	Name string `arg:"" name:"NAME" help:"record, row or letter."`
}

// Run prints the schema.
func (c *schemaShowCmd) Run(std *stdio) error {
	all := schemas.PublishedSchemas()
	i := slices.IndexFunc(all, func(s schemas.PublishedSchema) bool { return s.Name == c.Name })
	if i < 0 {
		names := schemas.Map(all, func(s schemas.PublishedSchema) string { return s.Name })
		return fmt.Errorf("there is no schema %q: want one of %s", c.Name, strings.Join(names, ", "))
	}
	_, err := std.Out.Write(all[i].JSON)
	return err
}
