// Package pgadmin manages a schema as a whole: migrations, rights, targets, comparisons and exports.
package pgadmin

import (
	"context"
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Admin works on one schema over a pool that its caller closes.
type Admin struct {
	db *pg.DB
}

// New makes an Admin over the pool of a pgsink.Sink.
func New(db *pg.DB) *Admin { return &Admin{db} }

//go:embed sql/*.sql
var files embed.FS

var statement = pg.Statements(files)

// Migrate brings the schema to the version of this build and returns the migrations that it applied. Each one
// runs in a transaction of its own. An advisory lock makes concurrent calls wait for each other. It returns
// an error if a newer build migrated the database, or if a migration has changed since it was applied. While
// transactions of others hold the tables, it logs which, and goes on until ctx ends.
func (a *Admin) Migrate(ctx context.Context) (applied []schemas.Migration, err error) {
	err = a.step(ctx, func(tx *pg.Tx) error { return a.makeSchema(ctx, tx) })
	for err == nil {
		var m *schemas.Migration // applied by this step
		err = a.step(ctx, func(tx *pg.Tx) (err error) {
			m, err = applyNext(ctx, tx)
			return err
		})
		if err != nil || m == nil {
			break
		}
		applied = append(applied, *m)
	}
	if err == nil {
		err = a.step(ctx, func(tx *pg.Tx) error { return describeColumns(ctx, tx) })
	}
	return applied, pg.Wrap(fmt.Sprintf("migrate schema %q", a.db.Config.Schema), err)
}

// The pauses between the attempts at a step, of which each waits for a lock for half a second.
const (
	firstPause = time.Second
	lastPause  = 10 * time.Second
)

// step runs f in a transaction that holds the lock of migrations. Everybody who reads or writes a table
// queues behind an ALTER TABLE that waits for an export to end. So the ALTER gives up soon, lets the others
// pass, and is tried again after a pause.
func (a *Admin) step(ctx context.Context, f func(*pg.Tx) error) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := a.tryStep(ctx, f)
		if !pg.HasCode(err, "55P03") { // lock_not_available
			return err
		}
		a.db.Config.Log.Warn("the migration waits until others have left its tables, and lets them pass meanwhile",
			"held_by", a.holders(ctx), "again_in", pause, "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// tryStep is one attempt at step. The migrations name no schema, so that the transaction looks for tables in
// this schema.
func (a *Admin) tryStep(ctx context.Context, f func(*pg.Tx) error) error {
	return a.db.InTx(ctx, func(tx *pg.Tx) error {
		if err := tx.Lock(ctx, pg.LockKey(a.db.Config.Schema, "migrate")); err != nil {
			return err
		}
		// guard: migrate: a migration that waits holds up no other statement | SET LOCAL lock_timeout = '500ms'; ->
		const settings = `SET LOCAL lock_timeout = '500ms'; SET LOCAL search_path = {schema}`
		if err := tx.Script(ctx, settings); err != nil {
			return err
		}
		return f(tx)
	})
}

// holders names the three oldest transactions that hold a table of the schema, for the log.
func (a *Admin) holders(ctx context.Context) string {
	found, err := pg.Collect(ctx, a.db, pgx.RowTo[string], `
		SELECT format('pid %s %s (%s) since %s', a.pid, a.usename, a.application_name, coalesce(a.xact_start::text, '?'))
		FROM pg_stat_activity AS a WHERE a.pid <> pg_backend_pid() AND a.pid IN (
			SELECT l.pid FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
			JOIN pg_database AS d ON d.oid = l.database AND d.datname = current_database()
			WHERE l.granted AND c.relnamespace = to_regnamespace(quote_ident($1)))
		ORDER BY a.xact_start LIMIT 3`, a.db.Config.Schema)
	if err != nil {
		return err.Error()
	}
	return strings.Join(found, ", ")
}

// altered finds the tables and indexes that a migration changes, viewed the views.
var (
	altered = regexp.MustCompile(`(?i)\b(?:ALTER TABLE|DROP INDEX)\s+(?:IF EXISTS\s+)?(\w+)`)
	viewed  = regexp.MustCompile(`(?i)\b(?:CREATE|OR REPLACE|DROP) VIEW\s+(?:IF EXISTS\s+)?(\w+)`)
)

// lockFirst locks the tables that a migration alters, and with them the views that it replaces. A migration
// may fill columns for minutes before it needs the next lock. If it did not get that one, all would have to
// be done again. Views are locked first, in the order in which their readers lock them and their tables.
func lockFirst(ctx context.Context, tx *pg.Tx, sql string) error {
	names := func(of *regexp.Regexp) (all []string) {
		for _, found := range of.FindAllStringSubmatch(sql, -1) {
			all = append(all, found[1])
		}
		return all
	}
	tables := names(altered)
	if len(tables) == 0 {
		return nil
	}
	list, err := pg.Collect(ctx, tx, pgx.RowTo[string], `
		SELECT t.oid::regclass::text FROM pg_class AS t
		WHERE t.relkind IN ('r', 'v') AND t.oid IN (
			SELECT coalesce(i.indrelid, c.oid) FROM pg_class AS c LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
			WHERE c.relnamespace = '{schema}'::regnamespace AND c.relname = ANY ($1))
		ORDER BY t.relkind DESC, t.relname`, slices.Concat(tables, names(viewed)))
	if err != nil || len(list) == 0 {
		return err
	}
	return tx.Script(ctx, `LOCK TABLE `+strings.Join(list, ", ")+` IN ACCESS EXCLUSIVE MODE`)
}

// makeSchema makes the schema and the list of migrations if they are not there.
func (a *Admin) makeSchema(ctx context.Context, tx *pg.Tx) error {
	var exists bool
	err := pg.ScanOne(ctx, tx, []any{&exists}, `SELECT to_regclass('{schema}.schema_migrations') IS NOT NULL`)
	if err != nil || exists {
		return err
	}
	return tx.Script(ctx, `
			CREATE SCHEMA IF NOT EXISTS {schema};
			COMMENT ON SCHEMA {schema} IS 'Tracked pitches: rows, aggregates, stream positions';
			CREATE TABLE {schema}.schema_migrations (version int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
			COMMENT ON TABLE {schema}.schema_migrations IS 'The migrations that were applied';
			COMMENT ON COLUMN {schema}.schema_migrations.version IS 'Number of the file';
			COMMENT ON COLUMN {schema}.schema_migrations.name IS 'Name of the file';
			COMMENT ON COLUMN {schema}.schema_migrations.checksum IS 'SHA-256 of the file as it was applied';
			COMMENT ON COLUMN {schema}.schema_migrations.applied_at IS 'When it was applied'`)
}

// pending returns the migrations that are not applied yet. It returns an error if this build lacks an applied
// one or has it with another content.
func pending(have []schemas.Migration, done map[int]string) ([]schemas.Migration, error) {
	var todo []schemas.Migration
	known := map[int]bool{}
	for _, m := range have {
		known[m.Version] = true
		if sum, ok := done[m.Version]; !ok {
			todo = append(todo, m)
		} else if sum != m.Checksum() {
			return nil, fmt.Errorf("migration %v was applied with another content "+
				"than this build has: use the build that made this database, or a fresh schema", m)
		}
	}
	for version := range done {
		if !known[version] {
			return nil, fmt.Errorf("the schema is at migration %04d, which this build does not know: "+
				"a newer build made it, use that one", version)
		}
	}
	return todo, nil
}

// applyNext applies the first migration that is not applied yet, and returns it; nil if there is none.
func applyNext(ctx context.Context, tx *pg.Tx) (*schemas.Migration, error) {
	done, err := pg.CollectMap[int, string](ctx, tx, `SELECT version, checksum FROM {schema}.schema_migrations`)
	if err != nil {
		return nil, err
	}
	todo, err := pending(schemas.AllMigrations(), done)
	if err != nil || len(todo) == 0 {
		return nil, err
	}
	m := &todo[0]
	// guard: migrate: the tables are locked before the work
	if err = lockFirst(ctx, tx, m.SQL); err == nil {
		err = tx.Script(ctx, m.SQL)
	}
	if err == nil {
		_, err = pg.Exec(ctx, tx, `INSERT INTO {schema}.schema_migrations (version, name, checksum) VALUES ($1, $2, $3)`,
			m.Version, m.Name, m.Checksum())
	}
	if err != nil {
		return nil, fmt.Errorf("migration %v: %w", m, err)
	}
	return m, nil
}

// notInRegisters are the columns that the registers hold under other names, of each register its own.
var notInRegisters = []string{
	"pitcher_id", "team_id", "at_bat_number", "pitch_number", "batter_side", "pitcher_hand",
}

// describeColumns writes the comments of columns from the lists of columns in schemas, so that both always
// agree.
func describeColumns(ctx context.Context, tx *pg.Tx) error {
	var b strings.Builder
	for table, columns := range map[string][]schemas.Column{
		"pitches": schemas.StoredColumns, "swords": schemas.StoredColumns, "pitch_registers": schemas.StoredColumns,
		"batter_stats": schemas.StatsColumns, "batter_game_stats": schemas.StatsColumns,
		"pitcher_stats": schemas.PitcherStatsColumns, "pitcher_game_stats": schemas.PitcherStatsColumns,
		"dim_player": schemas.DimPlayerColumns, "dim_game": schemas.DimGameColumns,
		"dim_pitch_type": schemas.DimPitchTypeColumns,
	} {
		for _, c := range columns {
			if table == "pitch_registers" && slices.Contains(notInRegisters, c.Name) {
				continue
			}
			comment := strings.ReplaceAll(c.Comment(), "'", "''")
			fmt.Fprintf(&b, "COMMENT ON COLUMN %s.%s IS '%s';\n", table, c.Name, comment)
		}
	}
	return tx.Script(ctx, b.String())
}
