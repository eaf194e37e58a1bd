package pgadmin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Targets keeps the books of the targets beside live, and the pointer to the one that readers see with its views, in a
// schema of its own.
type Targets struct {
	pool          *pgxpool.Pool
	serving, live string // schemas
}

// OpenTargets makes a pool for the books in the schema serving, beside live's schema. It does not connect.
func OpenTargets(cfg pg.Config, serving string) (*Targets, error) {
	if !pg.PlainName.MatchString(serving) {
		return nil, fmt.Errorf("postgres schema %q: want a lower-case name of letters, digits and underscores", serving)
	}
	db, err := pg.Open(cfg)
	if err != nil {
		return nil, err
	}
	return &Targets{pool: db.Pool, serving: serving, live: cfg.Schema}, nil
}

// Close waits for the connections that are in use, and closes the pool.
func (t *Targets) Close() { t.pool.Close() }

// in runs f in one transaction, alone among those who change the books. It does not wait for readers for longer than
// half a second at a time: what waits for a lock holds up who comes behind it.
func (t *Targets) in(ctx context.Context, what string, f func(pgx.Tx) error) error {
	var err error
	for range 10 {
		err = pgx.BeginFunc(ctx, t.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, pg.LockKey(t.serving, "targets")); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '500ms'`); err != nil {
				return err
			}
			return f(tx)
		})
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "55P03" {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("postgres: %s: %w", what, pg.HideSecret(err))
	}
	return nil
}

func (t *Targets) sql(text string) string {
	return strings.NewReplacer("{serving}", t.serving, "{live}", t.live).Replace(text)
}

// Ensure makes the books where there are none, pointing to live, and lets those who may read live's schema read there.
func (t *Targets) Ensure(ctx context.Context) error {
	return t.in(ctx, "targets", func(tx pgx.Tx) error {
		var there bool
		if err := tx.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, t.serving+".pointer").Scan(&there); err != nil || there {
			return err
		}
		if _, err := tx.Exec(ctx, t.sql(sqlTargets)); err != nil {
			return err
		}
		return t.point(ctx, tx, t.live)
	})
}

var sqlTargets = statement("targets")

// Share gives those who may use live's schema what they need in those of the targets and of the readers, where there are
// any: for after a Grant.
func (t *Targets) Share(ctx context.Context) error {
	list, err := t.List(ctx)
	if err != nil {
		return err
	}
	return t.in(ctx, "sharing the targets", func(tx pgx.Tx) error {
		var there bool
		if err := tx.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, t.serving+".pointer").Scan(&there); err != nil || !there {
			return err
		}
		for _, target := range list {
			if err := copyRights(ctx, tx, t.live, target.Schema, false); err != nil {
				return err
			}
		}
		return copyRights(ctx, tx, t.live, t.serving, true)
	})
}

// point makes the views those of a schema: all that it has, and no other. Who may read them may go on.
func (t *Targets) point(ctx context.Context, tx pgx.Tx, schema string) error {
	has, err := viewsOf(ctx, tx, schema)
	if err != nil {
		return err
	}
	had, err := viewsOf(ctx, tx, t.serving)
	if err != nil {
		return err
	}
	for _, view := range had {
		if !slices.Contains(has, view) { // it would show another target than the others
			if _, err := tx.Exec(ctx, `DROP VIEW `+t.serving+`.`+view); err != nil {
				return err
			}
		}
	}
	for _, view := range has {
		name, from := t.serving+"."+view, schema+"."+view
		// In a transaction of its own: a view whose columns are others cannot be replaced, and is made anew.
		err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `CREATE OR REPLACE VIEW `+name+` AS SELECT * FROM `+from)
			return err
		})
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Code == "42P16" {
			err = remakeView(ctx, tx, name, from)
		}
		if err != nil {
			return err
		}
	}
	return copyRights(ctx, tx, t.live, t.serving, true)
}

func viewsOf(ctx context.Context, tx pgx.Tx, schema string) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT quote_ident(viewname) FROM pg_views WHERE schemaname = $1 ORDER BY 1`, schema)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func remakeView(ctx context.Context, tx pgx.Tx, name, from string) error {
	rows, err := tx.Query(ctx, `SELECT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
		WHERE c.oid = $1::regclass AND a.privilege_type = 'SELECT' AND r.oid <> c.relowner`, name)
	if err != nil {
		return err
	}
	readers, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DROP VIEW `+name+`; CREATE VIEW `+name+` AS SELECT * FROM `+from); err != nil {
		return err
	}
	// guard: target: who read the views goes on | range readers -> range readers[:0]
	for _, r := range readers {
		if _, err := tx.Exec(ctx, `GRANT SELECT ON `+name+` TO `+pgx.Identifier{r}.Sanitize()); err != nil {
			return err
		}
	}
	return nil
}

// copyRights lets the roles that may use one schema use another: who may write the registers there may write the tables
// here, the others may read. With readOnly nobody may write.
func copyRights(ctx context.Context, tx pgx.Tx, from, to string, readOnly bool) error {
	rows, err := tx.Query(ctx, `
		SELECT r.rolname, has_table_privilege(r.oid, $1 || '.pitch_registers', 'INSERT')
		FROM pg_namespace n, aclexplode(n.nspacl) a JOIN pg_roles r ON r.oid = a.grantee
		WHERE n.nspname = $1 AND a.privilege_type = 'USAGE' AND r.oid <> n.nspowner ORDER BY 1`, from)
	if err != nil {
		return err
	}
	type role struct {
		Name   string
		Writes bool
	}
	roles, err := pgx.CollectRows(rows, pgx.RowToStructByPos[role])
	if err != nil {
		return err
	}
	for _, r := range roles {
		name, may := pgx.Identifier{r.Name}.Sanitize(), "SELECT"
		sql := ""
		if r.Writes && !readOnly {
			may, sql = "SELECT, INSERT, UPDATE", `; REVOKE INSERT, UPDATE ON `+to+`.schema_migrations FROM `+name
		}
		if _, err := tx.Exec(ctx, `GRANT USAGE ON SCHEMA `+to+` TO `+name+`; GRANT `+may+` ON ALL TABLES IN SCHEMA `+to+` TO `+name+sql); err != nil {
			return err
		}
	}
	return nil
}

// Register notes a target whose schema has been migrated, with the rights that live's has. One that is noted already
// keeps its names.
func (t *Targets) Register(ctx context.Context, target schemas.Target) error {
	return t.in(ctx, "target "+target.Name, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, t.sql(`INSERT INTO {serving}.targets (name, postgres_schema, redis_prefix, kafka_group, topic_rows, topic_dead)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING`), target.Name, target.Schema, target.Prefix, target.Group, target.Rows, target.Dead)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, t.sql(`INSERT INTO `+target.Schema+`.players SELECT * FROM {live}.players ON CONFLICT DO NOTHING`)); err != nil {
			return err
		}
		return copyRights(ctx, tx, t.live, target.Schema, false)
	})
}

// List answers the targets beside live, by name.
func (t *Targets) List(ctx context.Context) ([]schemas.Target, error) {
	rows, err := t.pool.Query(ctx, t.sql(`SELECT name, postgres_schema, redis_prefix, kafka_group, topic_rows, topic_dead FROM {serving}.targets ORDER BY 1`))
	var list []schemas.Target
	if err == nil {
		list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[schemas.Target])
	}
	if pg.IsMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: targets: %w", pg.HideSecret(err))
	}
	return list, nil
}

// Pointer answers the target that readers see.
func (t *Targets) Pointer(ctx context.Context) (schemas.Pointer, error) {
	return pg.ReadPointer(ctx, t.pool, t.serving)
}

// Promote moves the pointer and the views to a target, in one transaction. It answers where the pointer was and is.
func (t *Targets) Promote(ctx context.Context, name string) (was, is schemas.Pointer, err error) {
	err = t.in(ctx, "promoting "+name, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, t.sql(`SELECT target, coalesce(previous, ''), generation FROM {serving}.pointer FOR UPDATE`)).
			Scan(&was.Target.Name, &was.Previous, &was.Generation); err != nil {
			return err
		}
		schema := t.live
		if name != pg.LiveName {
			if err := tx.QueryRow(ctx, t.sql(`SELECT postgres_schema FROM {serving}.targets WHERE name = $1`), name).Scan(&schema); err != nil {
				return fmt.Errorf("there is no target %s: %w", name, err)
			}
		}
		if was.Target.Name == name {
			is = was
			return nil
		}
		// guard: target: the views move with the pointer | instead
		if err := t.point(ctx, tx, schema); err != nil {
			return err
		}
		return tx.QueryRow(ctx, t.sql(`UPDATE {serving}.pointer SET previous = target, target = $1, generation = generation + 1, moved_at = clock_timestamp()
			RETURNING target, previous, generation, moved_at`), name).Scan(&is.Target.Name, &is.Previous, &is.Generation, &is.MovedAt)
	})
	return was, is, err
}

// Drop removes a target's schema and its line in the books. That readers see it, or that it is live, is an error.
func (t *Targets) Drop(ctx context.Context, target schemas.Target) error {
	return t.in(ctx, "dropping "+target.Name, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, t.sql(`UPDATE {serving}.pointer SET previous = NULL WHERE previous = $1`), target.Name); err != nil {
			return err
		}
		gone, err := tx.Exec(ctx, t.sql(`DELETE FROM {serving}.targets WHERE name = $1 AND name <> (SELECT target FROM {serving}.pointer FOR UPDATE)`), target.Name)
		if err != nil {
			return err
		}
		if gone.RowsAffected() == 0 || target.Schema == t.live || target.Schema == t.serving {
			return errors.New("readers see it, or it is not there")
		}
		_, err = tx.Exec(ctx, `DROP SCHEMA IF EXISTS `+target.Schema+` CASCADE`)
		return err
	})
}

// Pitches counts the rows that stand in a schema.
func (t *Targets) Pitches(ctx context.Context, schema string) (int64, error) {
	return t.number(ctx, schema, `SELECT count(*) FROM `+schema+`.pitches`)
}

// UnfinishedReplays counts the replays into a schema that have not reached their end; −1: the schema is not there, or not
// that of this build.
func (t *Targets) UnfinishedReplays(ctx context.Context, schema string) (int64, error) {
	return t.number(ctx, schema, `SELECT count(*) FROM `+schema+`.replays WHERE finished_at IS NULL`)
}

func (t *Targets) number(ctx context.Context, schema, sql string) (n int64, err error) {
	err = t.pool.QueryRow(ctx, sql).Scan(&n)
	if pg.IsMissing(err) {
		return -1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("postgres: %s: %w", schema, pg.HideSecret(err))
	}
	return n, nil
}
