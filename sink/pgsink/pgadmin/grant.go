package pgadmin

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Roles are the names of the database's roles that use the schema, beside its owner, who migrates it; "" for none.
type Roles struct {
	Writer string // a processor's: reads, inserts and updates; it can delete and change no table
	Reader string // an application's or an analyst's: reads
}

// Grant gives the roles what they need in this schema, on all tables and views that are there, and takes from them
// whatever else they had been given there. It is to be called by the owner, after each Migrate; doing it again changes
// nothing. A role that is missing, or that no grant can limit, is an error, and then nothing was granted.
func (a *Admin) Grant(ctx context.Context, roles Roles) error {
	if roles.Writer != "" && roles.Writer == roles.Reader {
		return fmt.Errorf("postgres: role %q: want another one to read than to write", roles.Writer)
	}
	err := pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error {
		// Two that grant on the same tables at once would fail with "tuple concurrently updated".
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, pg.LockKey(a.cfg.Schema, "grant")); err != nil {
			return err
		}
		for _, r := range []struct{ name, may string }{{roles.Writer, "SELECT, INSERT, UPDATE"}, {roles.Reader, "SELECT"}} {
			if r.name == "" {
				continue
			}
			if err := a.limitable(ctx, tx, r.name); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, a.grants(r.name, r.may)); err != nil {
				return err
			}
		}
		return a.grantMigrations(ctx, tx, roles.Writer)
	})
	if err != nil {
		return fmt.Errorf("postgres: granting: %w", pg.HideSecret(err))
	}
	return nil
}

// grants are the statements for one role, from nothing to what it may.
func (a *Admin) grants(role, may string) string {
	return strings.NewReplacer("{schema}", a.cfg.Schema, "{role}", pgx.Identifier{role}.Sanitize(), "{may}", may).Replace(`
		REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role};
		REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {role};
		REVOKE ALL ON SCHEMA {schema} FROM {role};
		GRANT USAGE ON SCHEMA {schema} TO {role};
		GRANT {may} ON ALL TABLES IN SCHEMA {schema} TO {role};`)
}

// grantMigrations leaves the books of the migrations to the owner: whoever could write there could have a later
// migration passed over.
func (a *Admin) grantMigrations(ctx context.Context, tx pgx.Tx, writer string) error {
	if writer == "" {
		return nil
	}
	_, err := tx.Exec(ctx, `REVOKE INSERT, UPDATE ON `+a.cfg.Schema+`.schema_migrations FROM `+pgx.Identifier{writer}.Sanitize())
	return err
}

// limitable refuses a role that is missing, is above all grants, or is the one that owns the tables: what is taken
// from an owner, migrations would miss.
func (a *Admin) limitable(ctx context.Context, tx pgx.Tx, role string) error {
	var super, owns bool
	err := tx.QueryRow(ctx, `
		SELECT r.rolsuper, pg_has_role(r.oid, n.nspowner, 'MEMBER') OR EXISTS (
		           SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND pg_has_role(r.oid, c.relowner, 'MEMBER'))
		FROM pg_roles r, pg_namespace n WHERE r.rolname = $1 AND n.nspname = $2`, role, a.cfg.Schema).Scan(&super, &owns)
	switch {
	case err == pgx.ErrNoRows:
		return fmt.Errorf("there is no role %[1]q: make it first, CREATE ROLE %[2]s LOGIN PASSWORD '…'", role, pgx.Identifier{role}.Sanitize())
	case err != nil:
		return err
	case super:
		return fmt.Errorf("role %q is a superuser, whom no grant limits: want another one", role)
	case owns:
		return fmt.Errorf("role %q owns the schema, or is a member of the role that does: want another one", role)
	}
	return nil
}
