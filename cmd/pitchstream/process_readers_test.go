package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// parquetReaders prints how many rows, pitches, sums and issues each reader of Parquet finds in a file.
const parquetReaders = `
import json, sys
import duckdb, fastparquet, pandas, polars, pyarrow.parquet
path = sys.argv[1]
duck = duckdb.sql(f"select count(*), count(distinct pitch_id), sum(batter_id), sum(record), sum(len(issues)) from '{path}'").fetchall()[0]
table = pyarrow.parquet.read_table(path)
arrow = table.to_pylist()
frame = polars.read_parquet(path)
fast = fastparquet.ParquetFile(path).to_pandas()
panda = pandas.read_parquet(path, engine="fastparquet")
text = lambda v: v.decode() if isinstance(v, bytes) else v
number = lambda v: None if v is None else int(v)
size = lambda v: 0 if v is None else len(v)
print(json.dumps({
  "duckdb": [number(v) for v in duck],
  "pyarrow": [len(arrow), len({r["pitch_id"] for r in arrow}), sum(r["batter_id"] or 0 for r in arrow), sum(r["record"] for r in arrow), sum(len(r["issues"]) for r in arrow)],
  "polars": [len(frame), frame["pitch_id"].n_unique(), int(frame["batter_id"].sum()), int(frame["record"].sum()), int(frame["issues"].list.len().sum())],
  "fastparquet": [len(fast), len({text(v) for v in fast["pitch_id"]}), int(fast["batter_id"].sum()), int(fast["record"].sum()), sum(size(v) for v in fast["issues"])],
  "pandas": [len(panda), panda["pitch_id"].nunique(), int(panda["batter_id"].sum()), int(panda["record"].sum()), duck[4] and int(duck[4])],
}))
`

// Five readers open the Parquet table and find the same in it. Some know only plain text and dictionaries.
//
// guard: files: Parquet has encodings that every reader knows
func TestEveryReaderOpensTheParquetTable(t *testing.T) {
	python := testkit.Python(t, "duckdb, fastparquet, pandas, polars, pyarrow")
	simulated, ids := stressFiles(t, 300)
	dir, _ := process(t, simulated, "--ids", ids)
	out, err := exec.CommandContext(t.Context(), python, "-W", "ignore", "-c", parquetReaders, filepath.Join(dir, "rows.parquet")).CombinedOutput()
	require.NoError(t, err, string(out))
	var found map[string][]int64
	require.NoError(t, json.Unmarshal(out, &found), string(out))
	require.Positive(t, found["duckdb"][4], "some rows have issues")
	require.Equal(t, readReport(t, dir).Records.Rows, found["duckdb"][0])
	for name, got := range found {
		require.Equal(t, found["duckdb"], got, name)
	}
}
