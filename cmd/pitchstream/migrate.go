package main

import (
	"context"
	"fmt"

	"pitchstream/features"
	"pitchstream/internal/config"
	"pitchstream/sink/pgsink"
)

type migrateCmd struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`
}

// Run prints what was applied.
func (c *migrateCmd) Run(ctx context.Context, std *stdio) error {
	store, err := openStore(c.Postgres, "", nil)
	if err != nil {
		return err
	}
	defer store.Close()
	applied, err := store.Migrate(ctx)
	for _, m := range applied {
		fmt.Fprintf(std.Out, "applied %04d_%s\n", m.Version, m.Name)
	}
	if err != nil {
		return err
	}
	if len(applied) == 0 {
		fmt.Fprintf(std.Out, "schema %s is up to date\n", c.Postgres.Schema)
	}
	return nil
}

func openStore(c config.Postgres, group string, change func(*pgsink.Config)) (*pgsink.Sink, error) {
	cfg := pgsink.Config{URL: c.URL.Reveal(), Schema: c.Schema, Group: group, Build: buildName(), CoreVersion: features.CoreVersion}
	if change != nil {
		change(&cfg)
	}
	return pgsink.Open(cfg)
}
