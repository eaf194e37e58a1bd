package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// lake is a database with pitches of three dates and of none, and a folder to export to.
type lake struct {
	t     *testing.T
	url   string
	dir   string
	store *pgsink.Sink
	sent  []schemas.Change
}

var lakeDates = []schemas.Text{"2024-09-27", "2024-09-28", "2024-10-01", ""}

func newLake(t *testing.T) *lake {
	t.Helper()
	l := &lake{t: t, url: testkit.Postgres(t), dir: filepath.Join(t.TempDir(), "lake")}
	var err error
	l.store, err = pgsink.Open(pgsink.Config{URL: l.url, Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: features.CoreVersion})
	require.NoError(t, err)
	t.Cleanup(l.store.Close)
	_, err = pgadmin.New(l.store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	s, err := simulate.New(simulate.Options{Seed: 5, Pitches: 200, Games: 4, FeedIDs: true})
	require.NoError(t, err)
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		rec := schemas.Record{Coordinates: schemas.Coordinates{Topic: "pitches.raw", Offset: int64(len(l.sent)), TimestampMS: int64(m.Timestamp)}, Key: m.Key, Headers: m.Headers, Value: m.Value}
		c, rejection := features.Transform(rec, features.Limits{})
		require.Nil(t, rejection)
		c.Row.GameDate = lakeDates[len(l.sent)%len(lakeDates)]
		l.sent = append(l.sent, c)
	}
	l.apply(l.sent...)
	return l
}

func (l *lake) apply(changes ...schemas.Change) {
	l.t.Helper()
	_, err := l.store.Apply(l.t.Context(), sinktest.BatchOf(changes...))
	require.NoError(l.t, err)
}

// export answers the status and what was said, results and errors.
func (l *lake) export(args ...string) (status int, said string) {
	var out bytes.Buffer
	status = run(l.t.Context(), append([]string{"export", "--postgres-url=" + l.url, "-o", l.dir}, args...), &stdio{Out: &out, Err: &out})
	return status, out.String()
}

// files are the paths of all files below the folder.
func (l *lake) files() (paths []string) {
	l.t.Helper()
	require.NoError(l.t, filepath.WalkDir(l.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			path, err = filepath.Rel(l.dir, path)
			paths = append(paths, filepath.ToSlash(path))
		}
		return err
	}))
	return paths
}

func part(date string) string { return "game_date=" + date + "/part-0.parquet" }

// guard: export: a day with fewer pitches than counted is incomplete
// guard: export: dates that have no pitches any more go
// guard: export: dates that are there are passed over
func TestExportStory(t *testing.T) {
	l := newLake(t)
	status, said := l.export()
	require.Equal(t, exitOK, status, said)
	require.Contains(t, said, "exported 200 pitches of 4 dates, ")
	all := []string{part("2024-09-27"), part("2024-09-28"), part("2024-10-01"), part("__HIVE_DEFAULT_PARTITION__")}
	require.Equal(t, all, l.files())

	require.NoError(t, os.RemoveAll(filepath.Join(l.dir, "game_date=2024-09-28")))
	before := readFile(t, l.dir, all[0])
	status, said = l.export()
	require.Equal(t, exitOK, status, said)
	require.Contains(t, said, "exported 50 pitches of 1 date, ")
	require.Contains(t, said, "3 dates were there already, and skipped")
	require.Equal(t, all, l.files())

	for i := range l.sent { // all of one date move to another, which none had
		if l.sent[i].Row.GameDate == "2024-09-27" {
			l.sent[i].Row.GameDate = "2024-09-29"
			l.sent[i].Version.Revision++
			l.apply(l.sent[i])
		}
	}
	status, said = l.export("--from=2024-09-29", "--overwrite")
	require.Equal(t, exitOK, status, said)
	require.Contains(t, said, "exported 100 pitches of 2 dates, ")
	require.Contains(t, said, "50 pitches without a game date not exported (--undated exports them)")
	require.Equal(t, before, readFile(t, l.dir, all[0]), "not of the range")
	status, said = l.export("--to=2024-09-28", "--overwrite", "--undated")
	require.Equal(t, exitOK, status, said)
	require.Contains(t, said, "exported 100 pitches of 2 dates, ")
	require.Contains(t, said, "1 date without pitches removed")
	require.Equal(t, []string{part("2024-09-28"), part("2024-09-29"), part("2024-10-01"), part("__HIVE_DEFAULT_PARTITION__")}, l.files())
}

// A run that ends in the middle leaves whole dates only, and the next one goes on after them.
func TestExportThatIsInterruptedGoesOn(t *testing.T) {
	l := newLake(t)
	obstacle := filepath.Join(l.dir, "game_date=2024-09-28")
	require.NoError(t, os.MkdirAll(l.dir, 0o755))
	require.NoError(t, os.WriteFile(obstacle, nil, 0o644))
	status, said := l.export()
	require.Equal(t, exitFailed, status, said)
	require.Equal(t, []string{part("2024-09-27"), "game_date=2024-09-28"}, l.files())
	require.NoError(t, os.Remove(obstacle))
	status, said = l.export()
	require.Equal(t, exitOK, status, said)
	require.Contains(t, said, "exported 150 pitches of 3 dates, ")
	require.Contains(t, said, "1 date was there already")
}

func TestExportUsage(t *testing.T) {
	l := &lake{t: t, url: "postgres://nobody@127.0.0.1:1/x", dir: t.TempDir()}
	for _, args := range [][]string{{"--from=yesterday"}, {"--to=2024-02-30"}, {"--from=2024-10-01", "--to=2024-09-01"}, {"-o", ""}} {
		status, said := l.export(args...)
		require.Equal(t, exitUsage, status, "%v: %s", args, said)
	}
	status, _ := l.export()
	require.Equal(t, exitFailed, status, "no server answers there")
	require.Empty(t, l.files())
}

// compareLake reads the folder and the same rows as JSON Lines, and prints the differences.
const compareLake = `
import duckdb, json, sys
lake, jsonl = sys.argv[1:3]
db = duckdb.connect()
db.execute("set timezone = 'UTC'")
db.execute("create table files as select * from read_parquet(?, hive_partitioning = false)", [lake + "/*/*.parquet"])
types = {r[0]: r[1] for r in db.execute("describe files").fetchall()}
db.execute(f"create table truth as select * replace (coalesce(contact_doubts, []) as contact_doubts) from read_json(?, format = 'newline_delimited', columns = {types})", [jsonl])
one = lambda sql, *a: db.execute(sql, a).fetchone()[0]
names = ", ".join(types)
print(json.dumps({
  "types": types,
  "differ": [one(f"select count(*) from (select {names} from {a} except all select {names} from {b})") for a, b in (("files", "truth"), ("truth", "files"))],
  "rows": one("select count(*) from files"),
  "one_date": one("select count(*) from read_parquet(?, hive_partitioning = true) where game_date = '2024-09-28'", lake + "/*/*.parquet"),
  "undated": one("select count(*) from read_parquet(?, hive_partitioning = true) where game_date is null", lake + "/*/*.parquet"),
  "comment": one("select decode(value) from parquet_kv_metadata(?) where decode(key) = 'column:revision'", lake + "/game_date=2024-09-28/part-0.parquet"),
}))
`

// Read by another program, the files hold the current rows, and the folders name their dates.
func TestExportIsReadByDuckDB(t *testing.T) {
	python := testkit.Python(t, "duckdb")
	l := newLake(t)
	status, said := l.export()
	require.Equal(t, exitOK, status, said)
	rows, err := pgbooks.New(l.store.DB()).Rows(t.Context())
	require.NoError(t, err)
	var truth bytes.Buffer
	for _, r := range rows {
		require.NoError(t, json.NewEncoder(&truth).Encode(r))
	}
	jsonl := filepath.Join(t.TempDir(), "rows.jsonl")
	require.NoError(t, os.WriteFile(jsonl, truth.Bytes(), 0o644))
	out, err := exec.CommandContext(t.Context(), python, "-c", compareLake, l.dir, jsonl).CombinedOutput()
	require.NoError(t, err, string(out))
	var got struct {
		Types         map[string]string
		Differ        []int
		Rows, Undated int
		OneDate       int `json:"one_date"`
		Comment       string
	}
	require.NoError(t, json.Unmarshal(out, &got), string(out))
	require.Equal(t, []int{0, 0}, got.Differ)
	require.Equal(t, []int{200, 50, 50}, []int{got.Rows, got.OneDate, got.Undated})
	require.True(t, strings.HasPrefix(got.Comment, "First part of the version"), got.Comment)
	require.Len(t, got.Types, len(schemas.StoredColumns))
	for _, c := range schemas.StoredColumns {
		require.Equal(t, duckTypes[c.SQL], got.Types[c.Name], c.Name)
	}
}

// duckTypes are DuckDB's names of Postgres' types.
var duckTypes = map[string]string{
	"uuid": "VARCHAR", "text": "VARCHAR", "date": "DATE", "bigint": "BIGINT", "int": "INTEGER", "smallint": "SMALLINT",
	"float8": "DOUBLE", "boolean": "BOOLEAN", "text[]": "VARCHAR[]", "timestamptz": "TIMESTAMP WITH TIME ZONE",
}
