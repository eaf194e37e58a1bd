package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/testkit"
)

// compareTables reads the three forms of one table, and reports the types of the first and what differs.
const compareTables = `
import duckdb, json, sys
parquet, csv, jsonl = sys.argv[1:4]
db = duckdb.connect()
db.execute("set timezone = 'UTC'")
db.execute("create table parquet as select * from read_parquet(?)", [parquet])
types = {r[0]: r[1] for r in db.execute("describe parquet").fetchall()}
flat = {c: "VARCHAR" if t.endswith("[]") else t for c, t in types.items()}
db.execute(f"""create table csv as select * replace (coalesce(string_split(issues, ';'), []) as issues,
  coalesce(string_split(contact_doubts, ';'), []) as contact_doubts)
  from read_csv(?, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', nullstr = '', columns = {flat})""", [csv])
db.execute(f"create table jsonl as select * replace (coalesce(contact_doubts, []) as contact_doubts) from read_json(?, format = 'newline_delimited', columns = {types})", [jsonl])
one = lambda sql: db.execute(sql).fetchone()[0]
differ = {f"{a} has, {b} has not": one(f"select count(*) from (select * from {a} except all select * from {b})")
          for a in ("parquet", "csv", "jsonl") for b in ("parquet", "csv", "jsonl") if a != b}
print(json.dumps({
  "types": types, "differ": differ, "rows": [one(f"select count(*) from {t}") for t in ("parquet", "csv", "jsonl")],
  "issues": one("select count(*) from parquet where len(issues) > 0"), "named": one("select count(batter_id) from parquet"),
  "swings": one("select count(*) from parquet where is_swing"), "dates": one("select count(distinct game_date) from parquet"),
  "comment": one(f"select decode(value) from parquet_kv_metadata('{parquet}') where decode(key) = 'column:bat_speed_mph'"),
  "median": one("select quantile_cont(bat_speed_mph, 0.5) from parquet where speed_confidence = 'reliable'"),
}))
`

// Read by another program, the three forms hold the same rows, and the columns are what an analyst expects.
func TestProcessTablesAgreeInDuckDB(t *testing.T) {
	python := testkit.Python(t, "duckdb")
	simulated, ids := stressFiles(t, 300)
	for name, args := range map[string][]string{
		"real records": {testkit.Hawkeye(t)}, "simulated games": {simulated, "--ids", ids}, "nothing": {writeFiles(t, map[string]string{"x.jsonl": "[]"}), "--allow-empty"},
	} {
		t.Run(name, func(t *testing.T) {
			var dir string
			files := []string{"-c", compareTables}
			for _, f := range fileoutput.Formats {
				dir, _ = process(t, append(args, "--format", string(f))...)
				files = append(files, filepath.Join(dir, f.FileName()))
			}
			out, err := exec.CommandContext(t.Context(), python, files...).CombinedOutput()
			require.NoError(t, err, string(out))
			var got struct {
				Types                        map[string]string
				Differ                       map[string]int
				Rows                         []int64
				Issues, Named, Swings, Dates int64
				Comment                      string
				Median                       *float64
			}
			require.NoError(t, json.Unmarshal(out, &got), string(out))
			report := readReport(t, dir)
			for what, n := range got.Differ {
				require.Zero(t, n, what)
			}
			require.Equal(t, []int64{report.Pitches, report.Pitches, report.Pitches}, got.Rows)
			require.Equal(t, report.Swings, got.Swings)
			require.Equal(t, report.MedianBatSpeedMPH.Pointer(), got.Median)
			require.Contains(t, got.Comment, "unit: mph")
			requireTypes(t, got.Types)
			if name == "simulated games" {
				require.Positive(t, got.Issues)
				require.Positive(t, got.Dates)
				require.Positive(t, got.Named)
			}
		})
	}
}

func requireTypes(t *testing.T, got map[string]string) {
	t.Helper()
	require.Len(t, got, len(fileoutput.Columns))
	for _, c := range fileoutput.Columns {
		require.Equal(t, map[string]string{
			"uuid": "VARCHAR", "text": "VARCHAR", "date": "DATE", "bigint": "BIGINT", "int": "INTEGER", "smallint": "SMALLINT",
			"float8": "DOUBLE", "boolean": "BOOLEAN", "text[]": "VARCHAR[]", "timestamptz": "TIMESTAMP WITH TIME ZONE",
		}[c.SQL], got[c.Name], c.Name)
	}
}
