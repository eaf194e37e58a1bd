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
		if err := a.grant(ctx, tx, roles.Reader); err != nil {
			return err
		}
		if err := a.grant(ctx, tx, roles.Writer); err != nil || roles.Writer == "" {
			return err
		}
		return grantWriting(ctx, tx, a.db.Config.Schema, roles.Writer)
	}))
}

// writersFunctions delete what a processor may delete, because it has no right to delete from tables.
var writersFunctions = []string{"forget_pitch_changes(interval, bigint)", "prune_model_candidates(text, int)"}

// grantWriting lets a role that may read a schema do what a processor does there. It may write all tables,
// and call writersFunctions. It must not write the list of migrations, because it could make Migrate skip a
// later one. A schema of an older build may lack some of the functions.
func grantWriting(ctx context.Context, tx *pg.Tx, schema, role string) error {
	sql := `GRANT INSERT, UPDATE ON ALL TABLES IN SCHEMA {to} TO {role};
		REVOKE INSERT, UPDATE ON {to}.schema_migrations FROM {role};`
	for _, function := range writersFunctions {
		var exists bool
		err := pg.ScanOne(ctx, tx, []any{&exists},
			`SELECT to_regprocedure(quote_ident($1) || '.' || $2) IS NOT NULL`, schema, function)
		if err != nil {
			return err
		}
		// guard: target: a writer forgets changes | exists -> false
		if exists {
			sql += `GRANT EXECUTE ON FUNCTION {to}.` + function + ` TO {role};`
		}
	}
	return tx.Script(ctx, strings.NewReplacer("{to}", pg.Quote(schema), "{role}", pg.Quote(role)).Replace(sql))
}

// grant lets a role read all tables, and revokes all other rights on them.
func (a *Admin) grant(ctx context.Context, tx *pg.Tx, role string) error {
	if role == "" {
		return nil
	}
	if err := a.checkRole(ctx, tx, role); err != nil {
		return err
	}
	return tx.Script(ctx, strings.ReplaceAll(`
		REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role};
		REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {role};
		REVOKE ALL ON SCHEMA {schema} FROM {role};
		GRANT USAGE ON SCHEMA {schema} TO {role};
		GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}`, "{role}", pg.Quote(role)))
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
