package pgsink

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
	"github.com/pitchstream/pitchstream/sink/sinktest"
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

// Rows that were stored before there were aggregates of pitchers are counted by the migration.
func TestAMigrationComputesThePitchersOfStoredRows(t *testing.T) {
	s, _ := filled(t)
	w := sinktest.NewGenerator(31, 400)
	changes := make([]schemas.Change, 200)
	for i := range changes {
		changes[i] = w.Upsert(1000+i, 1)
		r := changes[i].Row
		r.PitcherID, r.GamePK, r.PitchType = schemas.Some[int64](7), "716404", "Slider"
		if i%2 == 0 { // more types than are named
			r.PitchType = schemas.Text(fmt.Sprint("type ", i))
		}
	}
	_, err := s.Apply(t.Context(), sinktest.BatchOf(changes...))
	require.NoError(t, err)
	right := dump(t, s)
	require.Contains(t, right["p7"], `"pitches": 200`)
	_, err = raw(t, s).Exec(t.Context(), `
		DROP VIEW pitcher_stats, pitcher_game_stats;
		DROP TABLE pitcher_totals, pitcher_game_totals;
		DROP INDEX pitch_registers_pitcher_game, pitch_registers_pitcher_time;
		ALTER TABLE pitch_registers DROP COLUMN previous_pitcher_id;
		DELETE FROM schema_migrations WHERE version = 15`)
	require.NoError(t, err)
	applied, err := pgadmin.New(s.DB()).Migrate(t.Context())
	require.NoError(t, err)
	require.Len(t, applied, 1)
	require.Empty(t, compareAll(t, s, schemas.Pitcher).Differences)
	require.Empty(t, cmp.Diff(right, dump(t, s)))

	// An older build does not compute pitchers. The differences are found, and repaired.
	_, err = raw(t, s).Exec(t.Context(), `DELETE FROM pitcher_game_totals; UPDATE pitcher_totals SET pitches = 0, type_names = '{}'`)
	require.NoError(t, err)
	rep := compareAll(t, s, schemas.Pitcher)
	_, err = s.RepairTotals(t.Context(), schemas.Pitcher, rep.Players, rep.Broken)
	require.NoError(t, err)
	require.Empty(t, compareAll(t, s, schemas.Pitcher).Differences)
	require.Empty(t, cmp.Diff(right, dump(t, s)))
}

// Batters that were stored before there were percentiles get those of their rows by the migration.
func TestAMigrationComputesThePercentilesOfStoredRows(t *testing.T) {
	s := open(t)
	_, err := s.EnsurePositions(t.Context(), []schemas.Position{{Topic: "t"}})
	require.NoError(t, err)
	_, err = s.Apply(t.Context(), sinktest.BatchOf(sinktest.NewGenerator(19, 250).Changes(400)...))
	require.NoError(t, err)
	right := dump(t, s)
	_, err = raw(t, s).Exec(t.Context(), `
		DROP VIEW batter_stats, batter_game_stats;
		ALTER TABLE batter_totals DROP COLUMN contact_speed_p10, DROP COLUMN contact_speed_p90,
			DROP COLUMN exit_velocity_p90, DROP COLUMN exit_velocity_top_sum;
		ALTER TABLE batter_game_totals DROP COLUMN contact_speed_p10, DROP COLUMN contact_speed_p90,
			DROP COLUMN exit_velocity_p90, DROP COLUMN exit_velocity_top_sum;
		DROP INDEX pitch_registers_batter_candidate, pitch_registers_batter_exit;
		CREATE INDEX pitch_registers_batter_contact ON pitch_registers (batter_id, contact_bat_speed_mph);
		DELETE FROM schema_migrations WHERE name IN ('percentiles', 'swords')`)
	require.NoError(t, err)
	applied, err := pgadmin.New(s.DB()).Migrate(t.Context())
	require.NoError(t, err)
	require.Len(t, applied, 2) // the later one makes the views again
	require.Empty(t, compareAll(t, s, schemas.Batter).Differences)
	require.Empty(t, cmp.Diff(right, dump(t, s)))
}
