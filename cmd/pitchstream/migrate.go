package main

import (
	"context"
	"fmt"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/internal/target"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
)

type migrateCmd struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`

	WriterRole string `name:"writer-role" placeholder:"NAME" group:"Postgres" help:"Role of the processors: is given what run needs on the tables, and loses whatever else it had there. It must exist, and be another than the one that migrates. Give it at each migration: that covers new tables. None by default."`
	ReaderRole string `name:"reader-role" placeholder:"NAME" group:"Postgres" help:"Role of those who only read, applications and analysts: may select from all tables and views, and loses whatever else it had there. It must exist. None by default."`
	JSON       bool   `env:"-" name:"json" help:"Print one JSON object instead of text."`
}

// PostgresRole returns the owner of the schema, which this command connects as.
func (*migrateCmd) PostgresRole() config.Role { return config.Owner }

// Run prints the applied migrations and the roles that got rights.
func (c *migrateCmd) Run(ctx context.Context, std *stdio) error {
	log, err := obs.NewLogger(std.Err, "auto", "info")
	if err != nil {
		return err
	}
	cfg := groupConfig(c.Postgres, "")
	cfg.Log = log
	store, err := pgsink.Open(cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	admin := pgadmin.New(store.DB())
	applied, err := admin.Migrate(ctx)
	names := schemas.Map(applied, schemas.Migration.String)
	if !c.JSON {
		for _, name := range names {
			fmt.Fprintln(std.Out, "applied", name)
		}
	}
	if err == nil && c.WriterRole+c.ReaderRole != "" {
		err = admin.Grant(ctx, pgadmin.Roles{Writer: c.WriterRole, Reader: c.ReaderRole})
		if err == nil {
			err = target.ShareRights(ctx, c.Postgres)
		}
	}
	switch {
	case err != nil:
		return err
	case c.JSON:
		return terminal.PrintJSON(std.Out, object{
			"schema": c.Postgres.Schema, "applied": names, "writer_role": c.WriterRole, "reader_role": c.ReaderRole,
		})
	case len(names) == 0:
		fmt.Fprintf(std.Out, "schema %s is up to date\n", c.Postgres.Schema)
	}
	for _, r := range []struct{ name, may string }{{c.WriterRole, "writes"}, {c.ReaderRole, "reads"}} {
		if r.name != "" {
			fmt.Fprintf(std.Out, "role %s %s\n", r.name, r.may)
		}
	}
	return nil
}
