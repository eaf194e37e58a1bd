package warehouse

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// icebergPython compares the table with the files of the export, row by row, and prints how many snapshots it
// has.
const icebergPython = `
import sys, pyarrow.dataset as dataset
from pyiceberg.catalog import load_catalog
table = load_catalog("default").load_table("league.pitches")
rows = table.scan().to_arrow().sort_by("pitch_id").to_pylist()
files = dataset.dataset(sys.argv[1], format="parquet").to_table().sort_by("pitch_id").to_pylist()
assert len(files) > 500 and rows == files, (len(rows), len(files))
ids = [field.field_id for field in table.schema().fields]
assert len(set(ids)) == len(ids) == len(files[0]), ids
assert [f.name for f in table.spec().fields] == ["game_date"], table.spec()
`

// An Iceberg table of an export has its rows, however often it is made, and after dates were taken away.
func TestAnExportBecomesAnIcebergTable(t *testing.T) {
	p := newProject(t)
	folder := t.TempDir()
	p.env = append(p.env, "PYICEBERG_CATALOG__DEFAULT__TYPE=sql",
		"PYICEBERG_CATALOG__DEFAULT__URI=sqlite:///"+filepath.Join(folder, "catalog.db"),
		"PYICEBERG_CATALOG__DEFAULT__WAREHOUSE=file://"+folder)
	python := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), p.python, args...)
		cmd.Dir, cmd.Env = p.dir, p.env
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	for range 2 {
		require.Contains(t, python("pitchstream_iceberg.py", p.lake, "league.pitches"), "pitches in the table")
		python("-c", icebergPython, p.lake)
	}
	dates, err := filepath.Glob(filepath.Join(p.lake, "game_date=2*"))
	require.NoError(t, err)
	require.NotEmpty(t, dates)
	since := filepath.Base(dates[len(dates)-1])[len("game_date="):]
	python("pitchstream_iceberg.py", p.lake, "league.pitches", since)
	python("-c", icebergPython, p.lake)

	require.NoError(t, os.WriteFile(filepath.Join(folder, "none"), nil, 0o600))
	cmd := exec.CommandContext(t.Context(), p.python, "pitchstream_iceberg.py", folder, "league.pitches")
	cmd.Dir, cmd.Env = p.dir, p.env
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "has no file of an export")
	python("-c", icebergPython, p.lake)
}
