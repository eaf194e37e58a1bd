package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// ErrNotMigrated means that the schema lacks what this build needs, until it is migrated.
var ErrNotMigrated = errors.New("run `pitchstream migrate`")

// ErrNewerSchema means that a newer build changed the schema so that this build must not use it. Waiting does
// not help.
var ErrNewerSchema = errors.New("use the build that migrated it, or a newer one")

// CheckMigrations returns an error if the database is unreachable or its schema is not one that this build
// can use. unknown are the applied migrations that this build does not know; all of them only add to the
// schema.
func (db *DB) CheckMigrations(ctx context.Context) (unknown []schemas.Migration, err error) {
	applied, err := CollectMap[int, string](ctx, db, `SELECT version, name FROM {schema}.schema_migrations`)
	if IsMissing(err) {
		return nil, fmt.Errorf("postgres: schema %q has no tables of pitchstream: %w",
			db.Config.Schema, ErrNotMigrated)
	}
	if err != nil {
		return nil, Wrap("migrations", err)
	}
	missing, unknown := schemas.CompareMigrations(applied)
	// guard: a schema that a newer build changed is left alone
	if slices.ContainsFunc(unknown, schemas.Migration.IsBreaking) {
		return nil, fmt.Errorf("postgres: schema %q has migrations that this build does not know and cannot "+
			"work with (%s): %w", db.Config.Schema, schemas.NamesOf(unknown), ErrNewerSchema)
	}
	// guard: a schema that lacks a migration is named
	if len(missing) > 0 {
		return nil, fmt.Errorf("postgres: schema %q lacks migrations of this build (%s): %w",
			db.Config.Schema, schemas.NamesOf(missing), ErrNotMigrated)
	}
	return unknown, nil
}
