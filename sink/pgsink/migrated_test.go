package pgsink

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// guard: a schema that lacks a migration is named
// guard: a schema that a newer build changed is left alone
func TestASchemaOfAnotherBuildIsNamed(t *testing.T) {
	s := open(t)
	r, err := pgread.Open(*s.cfg)
	require.NoError(t, err)
	defer r.Close()
	admin := raw(t, s)
	exec := func(sql string) {
		t.Helper()
		_, err := admin.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	refused := func(target error, text string) {
		t.Helper()
		for _, err := range []error{s.Ping(t.Context()), r.Ping(t.Context())} {
			require.ErrorIs(t, err, target)
			require.ErrorContains(t, err, text)
		}
	}

	exec(`CREATE TABLE kept AS SELECT * FROM schema_migrations WHERE version IN (3, 7);
		DELETE FROM schema_migrations WHERE version IN (3, 7)`)
	refused(pgread.ErrNotMigrated, "lacks migrations of this build (0003_players, 0007_warehouse): run `pitchstream migrate`")
	exec(`INSERT INTO schema_migrations SELECT * FROM kept`)
	require.NoError(t, s.Ping(t.Context()))

	exec(`INSERT INTO schema_migrations VALUES (9000, 'more_columns', '')`)
	require.NoError(t, s.Ping(t.Context()))
	require.NoError(t, r.Ping(t.Context()))
	unknown, err := s.DB().CheckMigrations(t.Context())
	require.NoError(t, err)
	require.Equal(t, []schemas.Migration{{Version: 9000, Name: "more_columns"}}, unknown)

	exec(`INSERT INTO schema_migrations VALUES (9001, 'other_registers_breaking', '')`)
	refused(ErrNewerSchema, "9000_more_columns, 9001_other_registers_breaking): use the build that migrated it")

	bare, err := Open(Config{URL: testkit.Postgres(t), Schema: "pitchstream"})
	require.NoError(t, err)
	defer bare.Close()
	require.ErrorIs(t, bare.Ping(t.Context()), pgread.ErrNotMigrated)
	require.ErrorContains(t, bare.Ping(t.Context()), "has no tables of pitchstream")
}
