package pgsink

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
)

// logged is a log that passes on the messages that have a held_by.
type logged chan string

func (logged) Enabled(context.Context, slog.Level) bool { return true }
func (l logged) WithAttrs([]slog.Attr) slog.Handler     { return l }
func (l logged) WithGroup(string) slog.Handler          { return l }

func (l logged) Handle(ctx context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "held_by" {
			select {
			case l <- a.Value.String():
			case <-ctx.Done():
			}
		}
		return true
	})
	return nil
}

// undo takes the last part of a migration back, as in a schema of an older build.
func undo(t *testing.T, s *Sink, version int, sql string) {
	t.Helper()
	_, err := raw(t, s).Exec(t.Context(), sql+`; DELETE FROM schema_migrations WHERE version = `+fmt.Sprint(version))
	require.NoError(t, err)
}

// While an export reads a table that a migration alters, other readers are not held up, and the log names the
// export.
//
// guard: migrate: a migration that waits holds up no other statement
func TestNobodyQueuesBehindAMigrationThatWaits(t *testing.T) {
	s := open(t)
	undo(t, s, 29, `ALTER TABLE games DROP COLUMN status`)
	db := raw(t, s)
	export, err := db.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = export.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = export.Exec(t.Context(), `SET LOCAL application_name = 'an export'; SELECT FROM games`)
	require.NoError(t, err)

	waits := make(logged)
	cfg := *s.cfg
	cfg.Log = slog.New(waits)
	migrating, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(migrating.Close) // after the rollback of the export
	migrated := make(chan error, 1)
	go func() {
		_, err := pgadmin.New(migrating.DB()).Migrate(t.Context())
		migrated <- err
	}()
	for range 2 { // it waits, lets the others pass, and waits again
		select {
		case by := <-waits:
			require.Contains(t, by, "(an export) since ")
		case err := <-migrated:
			t.Fatalf("the migration did not wait: %v", err)
		case <-time.After(time.Minute):
			t.Fatal("the migration holds up all others")
		}
		_, err = db.Exec(t.Context(), `SELECT FROM games`)
		require.NoError(t, err)
	}
	require.NoError(t, export.Rollback(t.Context()))
	for done := false; !done; {
		select {
		case <-waits:
		case err := <-migrated:
			require.NoError(t, err)
			done = true
		}
	}
	require.NoError(t, migrating.Ping(t.Context()))
}

// A migration that alters a table and replaces a view has both locked when its first statement runs. So it
// never has to give work back.
//
// guard: migrate: the tables are locked before the work
func TestAMigrationLocksWhatItChangesBeforeItsWork(t *testing.T) {
	s := open(t)
	undo(t, s, 29, `ALTER TABLE games DROP COLUMN status`)
	db := raw(t, s)
	_, err := db.Exec(t.Context(), `CREATE TABLE locked (name text);
		CREATE FUNCTION look() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO pitchstream.locked SELECT relation::regclass::text FROM pg_locks
			WHERE pid = pg_backend_pid() AND mode = 'AccessExclusiveLock' AND relation = 'pitchstream.games'::regclass;
		END $$;
		CREATE EVENT TRIGGER look ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION look()`)
	require.NoError(t, err)
	_, err = pgadmin.New(s.DB()).Migrate(t.Context())
	require.NoError(t, err)
	rows, err := db.Query(t.Context(), `SELECT name FROM locked`)
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, []string{"games"}, names)
}
