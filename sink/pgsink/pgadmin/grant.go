package pgadmin

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Roles names the database roles, beside its owner, that use the schema; "" for none.
type Roles struct {
	Writer string // of a processor: reads, inserts and updates, but cannot delete rows or change tables
	Reader string // of an application or an analyst: reads
}

// Grant gives the roles the rights that they need on all tables and views of this schema, and revokes all
// others there. The owner calls it after each Migrate. Calling it again changes nothing. It grants nothing
// and returns an error if a role is missing or cannot be limited by grants.
func (a *Admin) Grant(ctx context.Context, roles Roles) error {
	if roles.Writer != "" && roles.Writer == roles.Reader {
		return fmt.Errorf("postgres: role %q: want another one to read than to write", roles.Writer)
	}
	return pg.Wrap("granting", a.db.InTx(ctx, func(tx *pg.Tx) error {
		// Two sessions that grant on the same tables at once would fail with "tuple concurrently updated".
		if err := tx.Lock(ctx, pg.LockKey(a.db.Config.Schema, "grant")); err != nil {
			return err
		}
		if err := a.grant(ctx, tx, roles.Reader, "SELECT", ""); err != nil {
			return err
		}
		// The writer must not change the list of migrations, because it could make Migrate skip a later one.
		return a.grant(ctx, tx, roles.Writer, "SELECT, INSERT, UPDATE",
			`REVOKE INSERT, UPDATE ON {schema}.schema_migrations FROM {role};
			GRANT EXECUTE ON FUNCTION {schema}.forget_pitch_changes(interval, bigint) TO {role};
			GRANT EXECUTE ON FUNCTION {schema}.prune_model_candidates(text, int) TO {role}`)
	}))
}

// grant gives a role exactly these rights on all tables, then runs the statement after.
func (a *Admin) grant(ctx context.Context, tx *pg.Tx, role, rights, after string) error {
	if role == "" {
		return nil
	}
	if err := a.checkRole(ctx, tx, role); err != nil {
		return err
	}
	replace := strings.NewReplacer("{role}", pg.Quote(role), "{rights}", rights)
	return tx.Script(ctx, replace.Replace(`
		REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role};
		REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {role};
		REVOKE ALL ON SCHEMA {schema} FROM {role};
		GRANT USAGE ON SCHEMA {schema} TO {role};
		GRANT {rights} ON ALL TABLES IN SCHEMA {schema} TO {role};`+after))
}

// checkRole returns an error for a role that is missing, is a superuser, or owns the tables. Rights revoked
// from an owner would be missing when it migrates.
func (a *Admin) checkRole(ctx context.Context, tx *pg.Tx, role string) error {
	var super, owns bool
	err := pg.ScanOne(ctx, tx, []any{&super, &owns}, `
		SELECT r.rolsuper, pg_has_role(r.oid, n.nspowner, 'MEMBER') OR EXISTS (
		           SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND pg_has_role(r.oid, c.relowner, 'MEMBER'))
		FROM pg_roles r, pg_namespace n WHERE r.rolname = $1 AND n.nspname = $2`, role, a.db.Config.Schema)
	switch {
	case err == pgx.ErrNoRows:
		return fmt.Errorf("there is no role %q: make it first, CREATE ROLE %s LOGIN PASSWORD '…'",
			role, pg.Quote(role))
	case err != nil:
		return err
	case super:
		return fmt.Errorf("role %q is a superuser, whom no grant limits: want another one", role)
	case owns:
		return fmt.Errorf("role %q owns the schema, or is a member of the role that does: want another one", role)
	}
	return nil
}
