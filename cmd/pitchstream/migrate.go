package main

import (
	"context"
	"fmt"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/target"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
)

type migrateCmd struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`

	WriterRole string `name:"writer-role" placeholder:"NAME" group:"Postgres" help:"Role of the processors: is given what run needs on the tables, and loses whatever else it had there. It must exist, and be another than the one that migrates. Give it at each migration: that covers new tables. None by default."`
	ReaderRole string `name:"reader-role" placeholder:"NAME" group:"Postgres" help:"Role of those who only read, applications and analysts: may select from all tables and views, and loses whatever else it had there. It must exist. None by default."`
}

// Run prints the applied migrations and the roles that got rights.
func (c *migrateCmd) Run(ctx context.Context, std *stdio) error {
	store, err := openStore(c.Postgres, "", nil)
	if err != nil {
		return err
	}
	defer store.Close()
	applied, err := pgadmin.New(store.DB()).Migrate(ctx)
	for _, m := range applied {
		fmt.Fprintf(std.Out, "applied %04d_%s\n", m.Version, m.Name)
	}
	if err != nil {
		return err
	}
	if len(applied) == 0 {
		fmt.Fprintf(std.Out, "schema %s is up to date\n", c.Postgres.Schema)
	}
	return c.grant(ctx, std, store)
}

func (c *migrateCmd) grant(ctx context.Context, std *stdio, store *pgsink.Sink) error {
	if c.WriterRole+c.ReaderRole == "" {
		return nil
	}
	roles := pgadmin.Roles{Writer: c.WriterRole, Reader: c.ReaderRole}
	if err := pgadmin.New(store.DB()).Grant(ctx, roles); err != nil {
		return err
	}
	if err := target.ShareRights(ctx, c.Postgres); err != nil {
		return err
	}
	for _, r := range []struct{ name, may string }{{c.WriterRole, "writes"}, {c.ReaderRole, "reads"}} {
		if r.name != "" {
			fmt.Fprintf(std.Out, "role %s %s\n", r.name, r.may)
		}
	}
	return nil
}
