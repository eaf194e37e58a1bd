package pgsink

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// open is a migrated sink on a database of its own.
func open(t *testing.T) *Sink {
	t.Helper()
	s, err := Open(Config{URL: testkit.Postgres(t), Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 1})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	_, err = pgadmin.New(s.DB()).Migrate(context.Background())
	require.NoError(t, err)
	return s
}

// raw returns a pool of a sink's database and role for statements of a test, which name no schema.
func raw(t *testing.T, s *Sink) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(s.cfg.URL)
	require.NoError(t, err)
	cfg.ConnConfig.RuntimeParams["search_path"] = s.cfg.Schema
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func TestMigratingTwiceDoesNothing(t *testing.T) {
	s := open(t)
	again, err := pgadmin.New(s.DB()).Migrate(t.Context())
	require.NoError(t, err)
	require.Empty(t, again)
	require.NoError(t, s.Ping(t.Context()))
}

func TestEveryColumnHasAComment(t *testing.T) {
	s := open(t)
	rows, err := raw(t, s).Query(t.Context(), `
		SELECT c.relname || '.' || a.attname
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE c.relnamespace = 'pitchstream'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
		  AND col_description(c.oid, a.attnum) IS NULL`)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		t.Errorf("%s has no comment", name)
	}
	require.NoError(t, rows.Err())
}

func TestThePitchesViewHasTheColumnsOfTheDictionary(t *testing.T) {
	s := open(t)
	for table, want := range map[string][]schemas.Column{
		"pitches":            schemas.StoredColumns,
		"batter_stats":       schemas.StatsColumns,
		"batter_game_stats":  schemas.StatsColumns,
		"pitcher_stats":      schemas.PitcherStatsColumns,
		"pitcher_game_stats": schemas.PitcherStatsColumns,
	} {
		have := map[string]string{}
		rows, err := raw(t, s).Query(t.Context(), `SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'pitchstream' AND table_name = $1`, table)
		require.NoError(t, err)
		for rows.Next() {
			var name, kind string
			require.NoError(t, rows.Scan(&name, &kind))
			have[name] = kind
		}
		require.NoError(t, rows.Err())
		long := map[string]string{"int": "integer", "float8": "double precision", "timestamptz": "timestamp with time zone", "text[]": "ARRAY"}
		for _, c := range want {
			kind := c.SQL
			if l, ok := long[kind]; ok {
				kind = l
			}
			require.Equal(t, kind, have[c.Name], "%s.%s", table, c.Name)
		}
	}
}

func TestASchemaNameThatIsNoNameIsRefused(t *testing.T) {
	_, err := Open(Config{URL: "postgres://localhost/x", Schema: `a"; DROP`})
	require.ErrorContains(t, err, `want a lower-case name`)
}

func TestAnErrorNeverShowsThePassword(t *testing.T) {
	_, err := Open(Config{URL: "postgres://user:hush@localhost:badport/x", Schema: "pitchstream"})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hush")
}

// guard: version fence of the measured register
// guard: an older core does not rewrite
// guard: a pitch of a newer core that is read again is published
// guard: of a newer core only what was read again is published
// guard: a row that another core wrote since is published again
// guard: version fence of the identified register
// guard: what a row counted for before is computed again
// guard: players are locked before they are computed
// guard: a position that is behind refuses the batch
// guard: a position never moves back
// guard: the predecessor of a refused version becomes current
// guard: what an older store has only a name of is not published
// guard: a batter whose maximum may be gone is folded from all games
// guard: a batter whose last pitch may be gone is folded from all games
// guard: at once: a position that is behind refuses the batch
// guard: at once: only what this batch wrote has its players computed
// guard: at once: what a row counted for before is computed again
// guard: at once: identifies go in steps
// guard: a game has few types of pitches
// guard: a batter has few types of pitches
// guard: a batter with many types of pitches is counted from the rows
// guard: pitchers: first and last pitches do not overlap
// guard: pitchers: a maximum that may be gone is looked for in all games
// guard: pitchers: many types of pitches are counted from the rows
// guard: pitchers: a last pitch that may be gone is looked for in all games
// guard: pitchers: no pitch is a whiff and a called strike
// guard: pitchers: a pitcher has few types of pitches
func TestEveryStoreKeepsItsContract(t *testing.T) {
	t.Run("at once", func(t *testing.T) { exercise(t, false) })
	t.Run("in steps", func(t *testing.T) { exercise(t, true) })
}

func exercise(t *testing.T, steps bool) {
	sinktest.Exercise(t, func(t *testing.T) sinktest.Fixture {
		first := open(t)
		return sinktest.Fixture{
			Open: func(t *testing.T, core int32) sinktest.Store {
				cfg := *first.cfg
				cfg.CoreVersion = core
				s, err := Open(cfg)
				require.NoError(t, err)
				s.steps = steps
				t.Cleanup(s.Close)
				return whole(s)
			},
			Refuse:      func(t *testing.T, venue string) { refuseVenue(t, first, venue) },
			RefuseNames: func(t *testing.T, batter int64) { refuseNames(t, first, batter) },
		}
	})
}

// refuseVenue makes rows bad: a trigger that raises, as a constraint that a person added would.
func refuseVenue(t *testing.T, s *Sink, venue string) {
	t.Helper()
	refuse(t, s, `NEW.venue = '`+venue+`'`, `'this venue is not allowed: %', NEW.venue`)
}

// refuseNames makes identifies bad that name a batter.
func refuseNames(t *testing.T, s *Sink, batter int64) {
	t.Helper()
	refuse(t, s, fmt.Sprint(`NEW.identified_batter_id = `, batter), `'no such batter: %', NEW.identified_batter_id`)
}

func refuse(t *testing.T, s *Sink, when, raise string) {
	t.Helper()
	_, err := raw(t, s).Exec(t.Context(), `
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE `+raise+`; END $$;
		CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON pitch_registers FOR EACH ROW WHEN (`+when+`) EXECUTE FUNCTION refuse()`)
	require.NoError(t, err)
}

// wholeStore is a Sink with its books: all that the suite asks of a store.
type wholeStore struct {
	*Sink
	*pgbooks.Books
}

func whole(s *Sink) wholeStore { return wholeStore{s, pgbooks.New(s.DB())} }
