// Package pgadmin manages a schema as a whole: migrations, rights, targets, comparisons and exports.
package pgadmin

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Admin works on one schema over a pool that its caller closes.
type Admin struct {
	pool   *pgxpool.Pool
	schema string
}

// New makes an Admin over the pool of a pgsink.Sink.
func New(db *pg.DB) *Admin { return &Admin{pool: db.Pool, schema: db.Config.Schema} }

//go:embed sql/*.sql
var files embed.FS

var statement = pg.Statements(files)

// Migration is one embedded SQL file.
type Migration struct {
	Version int
	Name    string
	sql     string
}

func (m Migration) checksum() string {
	sum := sha256.Sum256([]byte(m.sql))
	return hex.EncodeToString(sum[:])
}

// Migrations returns the embedded migrations in their order. It panics on a file without a number.
func Migrations() []Migration {
	files, err := fs.Glob(schemas.Migrations, "migrations/*.sql") // sorted
	if err != nil {
		panic(err)
	}
	var out []Migration
	for _, file := range files {
		b, err := schemas.Migrations.ReadFile(file)
		if err != nil {
			panic(err)
		}
		number, name, _ := strings.Cut(strings.TrimSuffix(path.Base(file), ".sql"), "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			panic(fmt.Sprintf("%s: its name must begin with a number", file))
		}
		out = append(out, Migration{Version: version, Name: name, sql: string(b)})
	}
	return out
}

// Migrate brings the schema to the version of this build and returns the migrations that it applied. Each one
// runs in a transaction of its own. An advisory lock makes concurrent calls wait for each other. It returns
// an error if a newer build migrated the database, or if a migration has changed since it was applied.
func (a *Admin) Migrate(ctx context.Context) (applied []Migration, err error) {
	conn, err := a.pool.Acquire(ctx)
	if err != nil {
		return nil, pg.Wrap("migrate", err)
	}
	defer conn.Release()
	key := pg.LockKey(a.schema, "migrate")
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, key); err != nil {
		return nil, pg.Wrap("migrate", err)
	}
	defer func() {
		_, unlock := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, key)
		if err == nil {
			err = pg.Wrap("migrate", unlock)
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
		if err := apply(ctx, conn.Conn(), m); err != nil {
			return applied, fmt.Errorf("postgres: migration %04d_%s: %w", m.Version, m.Name, err)
		}
		applied = append(applied, m)
	}
	return applied, describeColumns(ctx, conn.Conn())
}

// migrationsDone returns the checksum of each applied migration by version. It makes the schema if it is not
// there.
func (a *Admin) migrationsDone(ctx context.Context, conn *pgx.Conn) (map[int]string, error) {
	var exists bool
	err := conn.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, a.schema+".schema_migrations").Scan(&exists)
	if err != nil {
		return nil, pg.Wrap("migrate", err)
	}
	if !exists {
		_, err := conn.Exec(ctx, strings.ReplaceAll(`
			CREATE SCHEMA IF NOT EXISTS {schema};
			COMMENT ON SCHEMA {schema} IS 'Tracked pitches: rows, aggregates, stream positions';
			CREATE TABLE {schema}.schema_migrations (version int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
			COMMENT ON TABLE {schema}.schema_migrations IS 'The migrations that were applied';
			COMMENT ON COLUMN {schema}.schema_migrations.version IS 'Number of the file';
			COMMENT ON COLUMN {schema}.schema_migrations.name IS 'Name of the file';
			COMMENT ON COLUMN {schema}.schema_migrations.checksum IS 'SHA-256 of the file as it was applied';
			COMMENT ON COLUMN {schema}.schema_migrations.applied_at IS 'When it was applied'`, "{schema}", a.schema))
		if err != nil {
			return nil, fmt.Errorf("postgres: making schema %q: %w", a.schema, err)
		}
	}
	done, err := pg.CollectMap[int, string](ctx, conn, `SELECT version, checksum FROM `+a.schema+`.schema_migrations`)
	return done, pg.Wrap("migrate", err)
}

// pending returns the migrations that are not applied yet. It returns an error if this build lacks an applied
// one or has it with another content.
func pending(have []Migration, done map[int]string) ([]Migration, error) {
	var todo []Migration
	known := map[int]bool{}
	for _, m := range have {
		known[m.Version] = true
		if sum, ok := done[m.Version]; !ok {
			todo = append(todo, m)
		} else if sum != m.checksum() {
			return nil, fmt.Errorf("postgres: migration %04d_%s was applied with another content "+
				"than this build has: use the build that made this database, or a fresh schema", m.Version, m.Name)
		}
	}
	for version := range done {
		if !known[version] {
			return nil, fmt.Errorf("postgres: the schema is at migration %04d, which this build does not know: "+
				"a newer build made it, use that one", version)
		}
	}
	return todo, nil
}

func apply(ctx context.Context, conn *pgx.Conn, m Migration) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, m.sql); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)`,
			m.Version, m.Name, m.checksum())
		return err
	})
}

// describeColumns writes the comments of columns from the lists of columns in schemas, so that both always
// agree.
func describeColumns(ctx context.Context, conn *pgx.Conn) error {
	var b strings.Builder
	for table, columns := range map[string][]schemas.Column{
		"pitches": schemas.StoredColumns, "pitch_registers": schemas.StoredColumns,
		"batter_stats": schemas.StatsColumns, "batter_game_stats": schemas.StatsColumns,
		"dim_player": schemas.DimPlayerColumns, "dim_game": schemas.DimGameColumns,
		"dim_pitch_type": schemas.DimPitchTypeColumns,
	} {
		for _, c := range columns {
			if table == "pitch_registers" && (c.Name == "pitcher_id" || c.Name == "team_id") {
				continue // a register holds them twice, under other names
			}
			comment := strings.ReplaceAll(c.Comment(), "'", "''")
			fmt.Fprintf(&b, "COMMENT ON COLUMN %s.%s IS '%s';\n", table, c.Name, comment)
		}
	}
	_, err := conn.Exec(ctx, b.String())
	return pg.Wrap("comments", err)
}
