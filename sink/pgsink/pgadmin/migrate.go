package pgadmin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Migration is one embedded SQL file.
type Migration struct {
	Version int
	Name    string
	sql     string
}

// Migrations are the embedded ones, in their order.
func Migrations() []Migration {
	entries, err := fs.Glob(schemas.Migrations, "migrations/*.sql") // sorted
	if err != nil {
		panic(err)
	}
	var out []Migration
	for _, path := range entries {
		b, err := schemas.Migrations.ReadFile(path)
		if err != nil {
			panic(err)
		}
		number, name, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(path, "migrations/"), ".sql"), "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			panic(fmt.Sprintf("%s: its name must begin with a number", path))
		}
		out = append(out, Migration{Version: version, Name: name, sql: string(b)})
	}
	return out
}

// Migrate brings the schema to the version of this build and answers what it did; with nothing to do it does nothing.
// It holds an advisory lock, so that two of them wait for each other, and runs each file in a transaction of its own.
// A database that a newer build migrated, or a file that changed after it was applied, is an error.
func (a *Admin) Migrate(ctx context.Context) (applied []Migration, err error) {
	conn, err := a.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", pg.HideSecret(err))
	}
	defer conn.Release()
	key := pg.LockKey(a.cfg.Schema, "migrate")
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, key); err != nil {
		return nil, fmt.Errorf("postgres: migrate: %w", err)
	}
	defer func() {
		if _, e := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, key); e != nil && err == nil {
			err = fmt.Errorf("postgres: migrate: %w", e)
		}
	}()
	done, err := a.migrationsDone(ctx, conn.Conn())
	if err != nil {
		return nil, err
	}
	todo, err := pending(Migrations(), done)
	if err != nil {
		return nil, err
	}
	for _, m := range todo {
		if err := a.applyMigration(ctx, conn.Conn(), m); err != nil {
			return applied, fmt.Errorf("postgres: migration %04d_%s: %w", m.Version, m.Name, err)
		}
		applied = append(applied, m)
	}
	return applied, a.describeColumns(ctx, conn.Conn())
}

// migrationsDone answers the checksum of each applied migration by version; it makes the schema where there is none.
func (a *Admin) migrationsDone(ctx context.Context, conn *pgx.Conn) (map[int]string, error) {
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, a.cfg.Schema+".schema_migrations").Scan(&exists); err != nil {
		return nil, fmt.Errorf("postgres: migrate: %w", err)
	}
	if !exists {
		_, err := conn.Exec(ctx, `
			CREATE SCHEMA IF NOT EXISTS `+a.cfg.Schema+`;
			COMMENT ON SCHEMA `+a.cfg.Schema+` IS 'Tracked pitches: rows, aggregates, stream positions';
			CREATE TABLE `+a.cfg.Schema+`.schema_migrations (version int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
			COMMENT ON TABLE `+a.cfg.Schema+`.schema_migrations IS 'The migrations that were applied';
			COMMENT ON COLUMN `+a.cfg.Schema+`.schema_migrations.version IS 'Number of the file';
			COMMENT ON COLUMN `+a.cfg.Schema+`.schema_migrations.name IS 'Name of the file';
			COMMENT ON COLUMN `+a.cfg.Schema+`.schema_migrations.checksum IS 'SHA-256 of the file as it was applied';
			COMMENT ON COLUMN `+a.cfg.Schema+`.schema_migrations.applied_at IS 'When it was applied'`)
		if err != nil {
			return nil, fmt.Errorf("postgres: making schema %q: %w", a.cfg.Schema, err)
		}
	}
	rows, err := conn.Query(ctx, `SELECT version, checksum FROM `+a.cfg.Schema+`.schema_migrations`)
	if err != nil {
		return nil, fmt.Errorf("postgres: migrate: %w", err)
	}
	done := map[int]string{}
	var version int
	var sum string
	_, err = pgx.ForEachRow(rows, []any{&version, &sum}, func() error { done[version] = sum; return nil })
	if err != nil {
		return nil, fmt.Errorf("postgres: migrate: %w", err)
	}
	return done, nil
}

// pending are the migrations not applied yet; what was applied must be what this build has.
func pending(have []Migration, done map[int]string) ([]Migration, error) {
	var todo []Migration
	known := map[int]bool{}
	for _, m := range have {
		known[m.Version] = true
		sum, ok := done[m.Version]
		switch {
		case !ok:
			todo = append(todo, m)
		case sum != checksum(m.sql):
			return nil, fmt.Errorf("postgres: migration %04d_%s was applied with another content than this build has: use the build that made this database, or a fresh schema", m.Version, m.Name)
		}
	}
	for version := range done {
		if !known[version] {
			return nil, fmt.Errorf("postgres: the schema is at migration %04d, which this build does not know: a newer build made it, use that one", version)
		}
	}
	return todo, nil
}

func checksum(sql string) string {
	sum := sha256.Sum256([]byte(sql))
	return hex.EncodeToString(sum[:])
}

func (a *Admin) applyMigration(ctx context.Context, conn *pgx.Conn, m Migration) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, m.sql); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)`, m.Version, m.Name, checksum(m.sql))
		return err
	})
}

// describeColumns writes the comments that are made from the one table of columns, so that they never differ from it.
func (a *Admin) describeColumns(ctx context.Context, conn *pgx.Conn) error {
	described := map[string][]schemas.Column{
		"pitches": schemas.StoredColumns, "batter_stats": schemas.StatsColumns, "batter_game_stats": schemas.StatsColumns,
		"pitch_registers": measuredColumns(),
		"dim_player":      schemas.DimPlayerColumns, "dim_game": schemas.DimGameColumns, "dim_pitch_type": schemas.DimPitchTypeColumns,
	}
	var b strings.Builder
	for table, columns := range described {
		for _, c := range columns {
			fmt.Fprintf(&b, "COMMENT ON COLUMN %s.%s IS '%s';\n", table, c.Name, strings.ReplaceAll(c.Comment(), "'", "''"))
		}
	}
	if _, err := conn.Exec(ctx, b.String()); err != nil {
		return fmt.Errorf("postgres: comments: %w", err)
	}
	return nil
}

// measuredColumns are the stored columns that the table of registers has under the same name.
func measuredColumns() []schemas.Column {
	var out []schemas.Column
	for _, c := range schemas.StoredColumns {
		if c.Name != "pitcher_id" && c.Name != "team_id" {
			out = append(out, c)
		}
	}
	return out
}
