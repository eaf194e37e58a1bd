package pgsink

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// openAt returns a migrated sink on the database of a URL.
func openAt(t *testing.T, url, schema string) *Sink {
	t.Helper()
	s, err := Open(Config{URL: url, Schema: schema, Group: "g", Build: "test", CoreVersion: 1})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	_, err = pgadmin.New(s.DB()).Migrate(context.Background())
	require.NoError(t, err)
	return s
}

// Each transaction has a server process of its own, so that nothing of a session is left.
func TestTheContractHoldsBehindAPooler(t *testing.T) {
	for name, settings := range map[string][]string{
		"session":            {"pool_mode=session"},
		"transaction":        {"pool_mode=transaction"},
		"transaction, fresh": {"pool_mode=transaction", "server_lifetime=0"},
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Exercise(t, func(t *testing.T) sinktest.Fixture {
				server := testkit.Postgres(t)
				direct := openAt(t, server, "pitchstream")
				pooled := *openAt(t, testkit.PgBouncer(t, server, settings...).URL, "pitchstream").cfg
				return sinktest.Fixture{
					Open: func(t *testing.T, core int32) sinktest.Store {
						cfg := pooled
						cfg.CoreVersion = core
						s, err := Open(cfg)
						require.NoError(t, err)
						t.Cleanup(s.Close)
						return whole(s)
					},
					Refuse:      func(t *testing.T, venue string) { refuseVenue(t, direct, venue) },
					RefuseNames: func(t *testing.T, batter int64) { refuseNames(t, direct, batter) },
				}
			})
		})
	}
}

func TestALockBehindAPoolerExcludesAndEndsWithItsHolder(t *testing.T) {
	s := openAt(t, testkit.PgBouncer(t, testkit.Postgres(t), "pool_mode=transaction", "server_lifetime=0").URL, "pitchstream")
	books := pgbooks.New(s.DB())
	for range 3 {
		release, ok, err := books.TryLock(t.Context(), "sweep")
		require.NoError(t, err)
		require.True(t, ok)
		_, again, err := books.TryLock(t.Context(), "sweep")
		require.NoError(t, err)
		require.False(t, again)
		release()
	}
}

// with returns the URL of a fresh database after running statements that name it as {db} and its user as
// {user}.
func with(t *testing.T, statements ...string) string {
	t.Helper()
	server := testkit.Postgres(t)
	c, err := pgx.Connect(t.Context(), server)
	require.NoError(t, err)
	defer c.Close(t.Context())
	for _, sql := range statements {
		_, err = c.Exec(t.Context(), `ALTER DATABASE `+pgx.Identifier{c.Config().Database}.Sanitize()+` SET `+sql)
		require.NoError(t, err, sql)
	}
	return server
}

// The settings of a database, as those of a role, are what a session begins with.
func TestNoSettingOfTheDatabaseChangesAnAnswer(t *testing.T) {
	for _, setting := range []string{
		"DateStyle = 'German'", "DateStyle = 'SQL, DMY'", "client_encoding = 'LATIN1'", "IntervalStyle = 'iso_8601'",
		"standard_conforming_strings = off", "bytea_output = 'escape'", "extra_float_digits = -15",
		"timezone = 'Asia/Kathmandu'", "lock_timeout = 1",
		"idle_in_transaction_session_timeout = 1", "default_transaction_isolation = 'serializable'",
		"default_transaction_isolation = 'repeatable read'", "default_transaction_read_only = on",
		"search_path = 'nowhere'", "array_nulls = off", "transform_null_equals = on", "row_security = off",
		"plan_cache_mode = 'force_custom_plan'", "enable_indexscan = off", "quote_all_identifiers = on",
		"lc_numeric = 'C'", "lc_monetary = 'C'", "lc_time = 'C'", "backslash_quote = off",
		"check_function_bodies = off", "default_transaction_deferrable = on", "xmlbinary = 'hex'",
	} {
		t.Run(setting, func(t *testing.T) {
			s := openAt(t, with(t, setting), "pitchstream")
			w := sinktest.NewGenerator(7, 1)
			var all []schemas.Change
			for i := range 30 {
				c := w.Upsert(i, 1)
				c.Row.Venue, c.Row.GameDate = "札幌ドーム “split” \\ Estadio Bahía", "2025-04-07"
				c.Row.ExitVelocityMPH = schemas.Some(101.30000000000001)
				all = append(all, c)
			}
			for i := range all { // one by one and together are two ways
				if i < 3 {
					_, err := s.Apply(t.Context(), sinktest.BatchOf(all[i]))
					require.NoError(t, err)
				}
			}
			_, err := s.Apply(t.Context(), sinktest.BatchOf(all...))
			require.NoError(t, err)
			sinktest.RequireState(t, whole(s), all)

			r, err := pgread.Open(*s.cfg)
			require.NoError(t, err)
			defer r.Close()
			pitch, err := r.Pitch(t.Context(), all[0].PitchID)
			require.NoError(t, err)
			require.Equal(t, schemas.Text("2025-04-07"), pitch.Row.GameDate)
			require.Equal(t, all[0].Row.Venue, pitch.Row.Venue)
			states, err := r.States(t.Context(), []schemas.PlayerKey{{PlayerID: all[0].Row.BatterID.Value}})
			require.NoError(t, err)
			require.Equal(t, schemas.Some(101.30000000000001), states[0].Stats.LastPitch.ExitVelocityMPH)
			games, err := r.Games(t.Context(), schemas.GameQuery{Limit: 1})
			require.NoError(t, err)
			require.Equal(t, schemas.Text("2025-04-07"), games[0].GameDate)

			export, err := pgadmin.OpenExport(t.Context(), *s.cfg)
			require.NoError(t, err)
			defer export.Close()
			days, err := export.Days(t.Context(), "", "")
			require.NoError(t, err)
			exported := 0
			require.NoError(t, export.Rows(t.Context(), days, func(r *schemas.StoredRow) error {
				exported++
				require.Equal(t, schemas.Text("2025-04-07"), r.GameDate)
				return nil
			}))
			require.Equal(t, len(all), exported)
			computeAll(t, s, true)
			facts, err := pgbooks.NewQuality(s.DB()).QualityFacts(t.Context(), "2025-04-07", 30)
			require.NoError(t, err)
			require.NotEmpty(t, facts)
			require.Equal(t, "2025-04-07", string(facts[0].Day))
		})
	}
}

func TestTheTimeLimitsOfARoleDoNotEndABatch(t *testing.T) {
	s := openAt(t, with(t, "statement_timeout = '300ms'"), "pitchstream")
	_, err := raw(t, s).Exec(t.Context(), `
		CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END $$;
		CREATE TRIGGER slow BEFORE INSERT ON pitch_registers FOR EACH ROW EXECUTE FUNCTION slow()`)
	require.NoError(t, err)
	w := sinktest.NewGenerator(7, 1)
	for i, steps := range []bool{false, true} {
		s.steps = steps
		out, err := s.Apply(t.Context(), sinktest.BatchOf(w.Upsert(i, 1)))
		require.NoError(t, err)
		require.Len(t, out.Published, 1)
	}
}

// guard: a database of another encoding is refused
func TestADatabaseOfAnotherEncodingIsRefused(t *testing.T) {
	server := testkit.Postgres(t)
	for _, encoding := range []string{"LATIN1", "WIN1252", "EUC_JP", "SQL_ASCII"} {
		s, err := Open(Config{URL: testkit.PostgresOf(t, server, encoding), Schema: "pitchstream"})
		require.NoError(t, err)
		defer s.Close()
		_, err = pgadmin.New(s.DB()).Migrate(t.Context())
		require.ErrorContains(t, err, "(server_encoding) is "+encoding+", want UTF8")
		require.ErrorIs(t, s.Ping(t.Context()), ErrEncoding)
	}
}

func TestASchemaMayHaveTheNameOfAReservedWord(t *testing.T) {
	for _, schema := range []string{"user", "order", "select", "table", "public"} {
		t.Run(schema, func(t *testing.T) {
			url := testkit.Postgres(t)
			s := openAt(t, url, schema)
			out, err := s.Apply(t.Context(), sinktest.BatchOf(sinktest.NewGenerator(7, 1).Upsert(0, 1)))
			require.NoError(t, err)
			require.Len(t, out.Published, 1)
			require.NoError(t, pgadmin.New(s.DB()).Grant(t.Context(), pgadmin.Roles{Writer: role(t, s)}))

			targets, err := pgadmin.OpenTargets(*s.cfg, "group")
			require.NoError(t, err)
			defer targets.Close()
			require.NoError(t, targets.Ensure(t.Context()))
			other := openAt(t, url, "both")
			target := schemas.Target{Name: "next", Schema: other.cfg.Schema}
			require.NoError(t, targets.Register(t.Context(), target))
			require.NoError(t, targets.Share(t.Context()))
			_, is, err := targets.Promote(t.Context(), "next", schemas.Promotion{})
			require.NoError(t, err)
			require.Equal(t, "next", is.Target.Name)
			d, err := targets.Diff(t.Context(), schemas.Target{Name: "live", Schema: schema}, target, "raw")
			require.NoError(t, err)
			require.Zero(t, d.Rows.Differ)
			_, _, err = targets.Promote(t.Context(), "live", schemas.Promotion{})
			require.NoError(t, err)
			require.NoError(t, targets.Drop(t.Context(), target))
		})
	}
}
