package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/schemaregistry"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// schemaCmd prints the schemas, for use without a server, and compares that of rows with a registry.
type schemaCmd struct {
	Ls       schemaLsCmd       `cmd:"" name:"ls" help:"List the formats that this build reads and writes, with their versions."`
	Show     schemaShowCmd     `cmd:"" name:"show" help:"Print the JSON Schema (draft 2020-12) of one of them, or the schema of rows for a registry."`
	Check    schemaCheckCmd    `cmd:"" name:"check" help:"Compare the schema of rows with its subject in the schema registry. Changes nothing."`
	Register schemaRegisterCmd `cmd:"" name:"register" help:"Register the schema of rows in the schema registry, if it is compatible."`
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
	Name   string `arg:"" name:"NAME" help:"record, row or letter."`
	Format string `env:"-" name:"rows-format" enum:"json,json-schema,avro,protobuf" default:"json" help:"Of row: the schema that a registry gets for this format (${enum}). Default: json, the published one."`
}

// Run prints the schema.
func (c *schemaShowCmd) Run(std *stdio) error {
	if c.Name == "row" && c.Format != string(schemaregistry.JSON) {
		s, err := schemaregistry.RowSchema(schemaregistry.Format(c.Format))
		_, printErr := io.WriteString(std.Out, s.Schema)
		return cmp.Or(err, printErr)
	}
	all := schemas.PublishedSchemas()
	i := slices.IndexFunc(all, func(s schemas.PublishedSchema) bool { return s.Name == c.Name })
	if i < 0 {
		names := schemas.Map(all, func(s schemas.PublishedSchema) string { return s.Name })
		return fmt.Errorf("there is no schema %q: want one of %s", c.Name, strings.Join(names, ", "))
	}
	_, err := std.Out.Write(all[i].JSON)
	return err
}

// schemaSubject holds the flags of the commands that talk to a registry.
type schemaSubject struct {
	Format   string                `name:"rows-format" required:"" enum:"json-schema,avro,protobuf" help:"How rows are written: ${enum}."`
	JSON     bool                  `env:"-" name:"json" help:"Print one JSON object instead of text."`
	Topics   config.Topics         `embed:"" group:"Kafka"`
	Target   config.TargetName     `embed:"" group:"Processing"`
	Registry config.SchemaRegistry `embed:"" group:"Schema registry"`
}

func (c *schemaSubject) run(ctx context.Context, std *stdio, register bool) error {
	names := config.Targets{Topics: &c.Topics}
	if _, err := names.Use(c.Target.Target); err != nil {
		return err
	}
	if err := (config.Rows{Format: c.Format}).Check(c.Registry); err != nil {
		return err
	}
	registry, err := c.Registry.Open()
	if err != nil {
		return err
	}
	status, err := registry.Rows(ctx, c.Topics.TopicRows, schemaregistry.Format(c.Format), register)
	if err != nil {
		return err
	}
	if c.JSON {
		err = terminal.PrintJSON(std.text(), status)
	} else {
		err = status.Print(std.text())
	}
	return orDifference(err, !status.IsCompatible)
}

type schemaCheckCmd struct {
	Subject schemaSubject `embed:""`
}

// Run ends with 1 if the schema is not compatible.
func (c *schemaCheckCmd) Run(ctx context.Context, std *stdio) error {
	return c.Subject.run(ctx, std, false)
}

type schemaRegisterCmd struct {
	Subject schemaSubject `embed:""`
}

// Run registers the schema.
func (c *schemaRegisterCmd) Run(ctx context.Context, std *stdio) error {
	return c.Subject.run(ctx, std, true)
}
