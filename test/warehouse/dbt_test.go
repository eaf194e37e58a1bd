// Package warehouse builds the dbt project of docs/warehouse as an analyst does. It runs dbt on Postgres,
// beside the tables that pitchstream writes, and on DuckDB, over the files of an export.
package warehouse

import (
	"encoding/json"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/export"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// fill writes two simulated games into Postgres, as a processor would, with what the game feed says of them.
func fill(t *testing.T, postgres string) {
	t.Helper()
	store, err := pgsink.Open(pgsink.Config{
		URL: postgres, Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: features.CoreVersion,
	})
	require.NoError(t, err)
	defer store.Close()
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	s, err := simulate.New(simulate.Options{Seed: 9, Pitches: 700, Games: 2, FeedIDs: true, LateIDs: 1})
	require.NoError(t, err)
	var all []schemas.Change
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		change, rejection := features.Transform(schemas.Record{
			Coordinates: schemas.Coordinates{
				Topic: "pitches.raw", Offset: int64(len(all)), TimestampMS: int64(m.Timestamp),
			},
			Key: m.Key, Headers: m.Headers, Value: m.Value,
		}, features.Limits{})
		require.Nil(t, rejection)
		all = append(all, change)
	}
	_, err = store.Apply(t.Context(), sinktest.BatchOf(all...))
	require.NoError(t, err)
}

// project is a copy of the dbt project, and the environment that names its databases.
type project struct {
	t      *testing.T
	python string
	dir    string
	lake   string // the folder of an export
	env    []string
}

func newProject(t *testing.T) *project {
	t.Helper()
	p := &project{t: t, python: testkit.Python(t, "dbt.adapters.duckdb"), dir: t.TempDir()}
	require.NoError(t, os.CopyFS(p.dir, os.DirFS(filepath.Join(testkit.Root(), "docs", "warehouse"))))
	postgres := testkit.Postgres(t)
	fill(t, postgres)
	p.lake = filepath.Join(t.TempDir(), "lake")
	_, err := export.Run(t.Context(), export.Options{
		Output: p.lake, Postgres: pgsink.Config{URL: postgres, Schema: "pitchstream"}, ProgressTo: io.Discard,
	})
	require.NoError(t, err)
	u, err := url.Parse(postgres)
	require.NoError(t, err)
	password, _ := u.User.Password()
	p.env = append(os.Environ(),
		"PGHOST="+u.Hostname(), "PGPORT="+u.Port(), "PGUSER="+u.User.Username(), "PGPASSWORD="+password,
		"PGDATABASE="+strings.TrimPrefix(u.Path, "/"), "PITCHSTREAM_LAKE="+p.lake,
		"PITCHSTREAM_WAREHOUSE="+filepath.Join(p.dir, "warehouse.duckdb"), "DO_NOT_TRACK=1")
	return p
}

// dbt runs a command of dbt in the project, and returns what it printed.
func (p *project) dbt(args ...string) string {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), p.python, append([]string{"-m", "dbt.cli.main"}, args...)...)
	cmd.Dir, cmd.Env = p.dir, p.env
	out, err := cmd.CombinedOutput()
	require.NoError(p.t, err, string(out))
	return string(out)
}

// bothPython prints the rows of each query on both databases, as JSON.
const bothPython = `
import json, os, sys, duckdb, psycopg2
files = duckdb.connect(os.environ["PITCHSTREAM_WAREHOUSE"], read_only=True)
database = psycopg2.connect("options='-c search_path=analytics'") # the rest from PGHOST and its like
answers = []
for query in sys.argv[1:]:
    cursor = database.cursor()
    cursor.execute(query)
    answers.append([cursor.fetchall(), files.execute(query).fetchall()])
json.dump(answers, sys.stdout, default=str)
`

// both returns the rows of each query on Postgres and on DuckDB.
func (p *project) both(queries ...string) (answers [][2][][]any) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), p.python, append([]string{"-c", bothPython}, queries...)...)
	cmd.Env, cmd.Stderr = p.env, os.Stderr
	out, err := cmd.Output()
	require.NoError(p.t, err)
	require.NoError(p.t, json.Unmarshal(out, &answers))
	return answers
}

// Every model is built and every test passes on both databases, and both have the same figures.
func TestDBTBuildsTheSameOnPostgresAndDuckDB(t *testing.T) {
	p := newProject(t)
	for _, target := range []string{"postgres", "duckdb"} {
		out := p.dbt("build", "--target", target, "--warn-error")
		require.Contains(t, out, "Completed successfully", out)
		require.NotContains(t, out, "ERROR=1", out)
		t.Log(target, out[strings.LastIndex(out, "Done."):])
	}
	queries := []string{
		`SELECT count(*) FILTER (WHERE begins_feed) > 100, count(*) FILTER (WHERE begins_feed <> begins_derived)
			FROM (SELECT lag(at_bat_number) OVER game IS DISTINCT FROM at_bat_number AS begins_feed,
					lag(appearance_number) OVER game IS DISTINCT FROM appearance_number AS begins_derived
				FROM fct_pitches WHERE at_bat_number IS NOT NULL AND appearance_number IS NOT NULL
				WINDOW game AS (PARTITION BY game_pk ORDER BY place_in_game)) AS pitches`,
		`SELECT batter_id, pitches, swing_count, whiff_rate_pct, hard_hit_count, max_bat_speed_mph
			FROM agg_batters ORDER BY 1`,
		`SELECT game_pk, appearance_number, pitches, batter_id, is_in_play
			FROM fct_plate_appearances ORDER BY 1, 2`,
		`SELECT pitch_id, spins_in_window, exit_velocity_quartile, speed_change_mph IS NULL
			FROM pitch_windows ORDER BY CAST(pitch_id AS text) COLLATE "C"`,
		"SELECT game_pk, game_date, venue, pitches, innings FROM dim_games ORDER BY 1",
		"SELECT batter_key, team_id, valid_from, valid_to, is_current FROM dim_batters ORDER BY batter_id, version",
		"SELECT team_id, games, batters, pitches FROM dim_teams ORDER BY 1",
		"SELECT pitcher_id, pitch_type, pitches, whiffs FROM agg_pitcher_types ORDER BY 1, pitch_type",
	}
	found := p.both(queries...)
	require.Equal(t, [][]any{{true, 0.}}, found[0][0], "appearances begin where the game feed says")
	for i, answers := range found {
		require.NotEmpty(t, answers[0], queries[i])
		require.Equal(t, answers[0], answers[1], queries[i])
	}
}
