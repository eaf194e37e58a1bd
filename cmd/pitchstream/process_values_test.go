package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/testkit"
)

// valuesOfReaders prints batter, type and time of each row, as each reader finds them in a file. CSV is read
// as DATA.md says.
const valuesOfReaders = `
import duckdb, json, pandas, polars, sys
path = sys.argv[1]
db = duckdb.connect()
db.execute("set timezone = 'UTC'")
ms = lambda t: None if t is None or t is pandas.NaT else round(t.timestamp() * 1e6) / 1000
rows = lambda found: [[int(b), t if t else "", ms(e)] for b, t, e in found]
names = ["batter_id", "pitch_type", "event_time"]
found = db.execute(f"select batter_id, pitch_type, epoch_us(event_time::timestamptz) from '{path}' order by batter_id").fetchall()
out = {"duckdb": [[b, t or "", us / 1000] for b, t, us in found]}
if path.endswith(".parquet"):
  frames = {"pandas": pandas.read_parquet(path), "fastparquet": pandas.read_parquet(path, engine="fastparquet"), "polars": polars.read_parquet(path)}
elif path.endswith(".csv"):
  frames = {"pandas": pandas.read_csv(path, keep_default_na=False, na_values=[""], dtype={"batter_id": "Int64"}, parse_dates=["event_time"]),
            "polars": polars.read_csv(path, try_parse_dates=True)}
else:
  frames = {"pandas": pandas.read_json(path, lines=True, convert_dates=["event_time"]),
            "polars": polars.read_ndjson(path).with_columns(polars.col("event_time").str.to_datetime(time_zone="UTC"))}
for name, frame in frames.items():
  if name == "polars":
    out[name] = rows(frame.sort("batter_id").select(names).rows())
  else:
    frame = frame.sort_values("batter_id")
    text = lambda v: v.decode() if isinstance(v, bytes) else v if isinstance(v, str) else None
    times = pandas.to_datetime(frame["event_time"], utc=True, format="ISO8601")
    out[name] = rows([(b, text(t), e.to_pydatetime()) for b, t, e in zip(frame["batter_id"], frame["pitch_type"], times)])
print(json.dumps(out))
`

// Every reader finds the values of every file as they went in. There are identifiers beyond 2^53, words that
// are numbers or nothing to some readers, texts that are formulas to a spreadsheet, and times to the
// millisecond.
//
// guard: files: lists are read by fastparquet
func TestEveryReaderFindsTheValuesOfEveryTable(t *testing.T) {
	python := testkit.Python(t, "duckdb, fastparquet, pandas, polars, pyarrow")
	types := []string{"NaN", "Inf", "-Infinity", "null", "NA", "=1+1", "+1", "@SUM(A1)", "\t=1", "a\nb", `"quoted", and more`, "東京 ⚾", ""}
	var records, ids strings.Builder
	ids.WriteString("event_id,batter_id,event_time\n")
	var want [][]any
	for i, text := range types {
		id, batter := fmt.Sprintf("00000000-0000-4000-8000-%012d", i), int64(1<<53+1+2*i)
		// Each row has an issue: some readers fail over a list that is empty nowhere.
		pitch, err := json.Marshal(map[string]any{"eventId": id, "type": text, "spin": map[string]any{"rpm": "x"}})
		require.NoError(t, err)
		fmt.Fprintf(&records, "{\"summary_acts\":{\"pitch\":%s}}\n", pitch)
		fmt.Fprintf(&ids, "%s,%d,2026-04-05T19:00:%02d.123456Z\n", id, batter, i)
		want = append(want, []any{batter, text, 1775415600123 + int64(i)*1000})
	}
	in := writeFiles(t, map[string]string{"745804_0.jsonl": records.String(), "ids.csv": ids.String()})
	for _, format := range []string{"csv", "parquet", "jsonl"} {
		dir, _ := process(t, filepath.Join(in, "745804_0.jsonl"), "--ids", filepath.Join(in, "ids.csv"), "--format", format)
		file := filepath.Join(dir, fileoutput.Format(format).FileName())
		out, err := exec.CommandContext(t.Context(), python, "-W", "ignore", "-c", valuesOfReaders, file).CombinedOutput()
		require.NoError(t, err, string(out))
		wanted, err := json.Marshal(want)
		require.NoError(t, err)
		var found map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(out, &found), string(out))
		require.GreaterOrEqual(t, len(found), 3)
		for reader, got := range found {
			require.JSONEq(t, string(wanted), string(got), "%s, %s", format, reader)
		}
	}
}
