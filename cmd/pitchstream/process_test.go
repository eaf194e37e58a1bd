package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/fileprocess"
	"github.com/pitchstream/pitchstream/internal/load"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// processArgs runs pitchstream process, as main does.
func processArgs(ctx context.Context, t testing.TB, in io.Reader, args ...string) (out string, err error) {
	t.Helper()
	var cli struct {
		Process processCmd `cmd:""`
	}
	parser, err := kong.New(&cli, config.NewLoader().Option())
	require.NoError(t, err)
	parsed, err := parser.Parse(append([]string{"process"}, args...))
	if err != nil {
		return "", err
	}
	var o, log bytes.Buffer
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(&stdio{In: in, Out: &o, Err: &log})
	return o.String(), err
}

// process makes tables in a folder of their own.
func process(t testing.TB, args ...string) (dir, out string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "out")
	out, err := processArgs(t.Context(), t, nil, append(args, "-o", dir)...)
	require.NoError(t, err)
	return dir, out
}

func readFile(t testing.TB, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(text)
}

// jsonLines are the objects of a file of JSON Lines; numbers as they are written.
func jsonLines(t testing.TB, path ...string) (all []map[string]any) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(readFile(t, path...))); ; {
		d.UseNumber()
		var object map[string]any
		err := d.Decode(&object)
		if err == io.EOF {
			return all
		}
		require.NoError(t, err)
		all = append(all, object)
	}
}

func csvLines(t testing.TB, path ...string) (head []string, lines [][]string) {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(readFile(t, path...))).ReadAll()
	require.NoError(t, err)
	return all[0], all[1:]
}

func readReport(t testing.TB, dir string) (r fileprocess.Report) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(readFile(t, dir, fileprocess.ReportName)), &r))
	require.Equal(t, r.Records.In, r.Records.Rows+r.Records.Superseded+r.Records.Rejected, "the counts balance")
	return r
}

// rowObject is a row as its line of JSON Lines has it, without the columns of its origin.
func rowObject(t testing.TB, row schemas.Row) (object map[string]any) {
	t.Helper()
	text, err := json.Marshal(row)
	require.NoError(t, err)
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&object))
	return object
}

func TestProcessMakesTablesOfRealRecords(t *testing.T) {
	folder := testkit.Hawkeye(t)
	dir, out := process(t, folder, "--format=jsonl")
	rows := jsonLines(t, dir, "rows.jsonl")
	require.Len(t, rows, 12)
	for _, row := range rows {
		source := row["source"].(string)
		game, _, _ := strings.Cut(filepath.Base(source), "_")
		value := bytes.TrimSpace([]byte(readFile(t, source)))
		change, rejection := features.Transform(schemas.Record{Key: []byte(game), Value: value}, features.Limits{})
		require.Nil(t, rejection)
		require.EqualValues(t, "1", row["record"].(json.Number))
		require.Nil(t, row["event_time"])
		delete(row, "source")
		delete(row, "record")
		delete(row, "event_time")
		require.Equal(t, rowObject(t, *change.Row), row)
	}
	for name, want := range map[string]string{
		"records": "12 in = 12 rows + 0 superseded + 0 rejected", "pitches": "12 in 4 games",
		"swings": "9 = 8 confirmed + 1 suspected", "whiffs": "1 (11.1 %) of the swings", "issues": "none",
	} {
		require.Equal(t, []string{want}, lines(out, name))
	}
	require.Contains(t, out, "whiff rates are not to be had of them: they need the games' log, --ids FILE.csv")
	head, batters := csvLines(t, dir, "batters.csv")
	require.Equal(t, []string{"batter_id", "swing_count", "whiff_rate_pct", "max_exit_velocity_mph"}, head[:4])
	require.Len(t, batters, 8)
	require.Empty(t, readFile(t, dir, "rejected.jsonl"))
}

// stressFiles writes games with duplicates, corrections and broken records. A log names half of the pitches.
func stressFiles(t testing.TB, pitches int) (folder, ids string) {
	t.Helper()
	s, err := simulate.New(simulate.Options{
		Seed: 3, Pitches: pitches, Games: 3, FeedIDs: true, Duplicates: 0.1, Corrections: 0.1, Poison: 0.1,
	})
	require.NoError(t, err)
	folder = t.TempDir()
	log := "event_id,batter_id,pitcher_id,team_id,game_date,venue,game_pk\n"
	files := map[string]*bytes.Buffer{}
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		key := string(m.Key)
		if key == "" || strings.ContainsFunc(key, func(c rune) bool { return c < '0' || c > '9' }) {
			key = "7"
		}
		if files[key] == nil {
			files[key] = &bytes.Buffer{}
		}
		fmt.Fprintf(files[key], "%s\n", m.Value)
		if m.Want.Kind == simulate.KindPitch && files[key].Len()%2 == 0 {
			log += logLine(&m)
		}
	}
	for key, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(folder, key+"_0.jsonl"), content.Bytes(), 0o644))
	}
	ids = filepath.Join(folder, "log.csv")
	require.NoError(t, os.WriteFile(ids, []byte(log), 0o644))
	return folder, ids
}

func logLine(m *simulate.Message) string {
	named := map[string]string{}
	for _, h := range m.Headers {
		named[h.Key] = string(h.Value)
	}
	return strings.Join([]string{
		m.Want.PitchID.String(), named["batter_id"], named["pitcher_id"], named["team_id"], named["game_date"], "", string(m.Key),
	}, ",") + "\n"
}

// process gives the rows that the stream gives after a load of the same files.
func TestProcessGivesTheRowsOfTheStream(t *testing.T) {
	folder, ids := stressFiles(t, 300)
	for name, args := range map[string][]string{
		"with a log": {folder, "--ids", ids}, "without": {folder}, "one game": {folder, "--ids", ids, "--game=12"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "pitches.raw"))
			require.NoError(t, err)
			t.Cleanup(cluster.Close)
			require.NoError(t, loadInto(t, cluster, args...).err)
			standing, letters := streamOf(t, cluster, "pitches.raw")
			dir, _ := process(t, append(args, "--format=jsonl")...)
			requireRows(t, standing, jsonLines(t, dir, "rows.jsonl"))
			requireBatters(t, standing, dir)
			_, pitchers := csvLines(t, dir, fileprocess.PitchersName)
			want, _ := reference.FoldPitchers(standing)
			require.Len(t, pitchers, len(want))
			report := readReport(t, dir)
			require.EqualValues(t, len(standing), report.Records.Rows)
			require.Equal(t, letters, report.Rejected)
			require.Positive(t, report.Records.Superseded)
			require.NotEmpty(t, letters)
		})
	}
}

// streamOf returns the rows and dead letters that a stream makes of a topic with one partition.
func streamOf(t *testing.T, cluster *kfake.Cluster, topic string) (
	standing []schemas.StoredRow, letters map[schemas.Code]int64,
) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	require.NoError(t, err)
	end, _ := ends.Lookup(topic, 0)
	var changes []schemas.Change
	letters = map[schemas.Code]int64{}
	for next := int64(0); next < end.Offset; {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			rec := schemas.Record{Key: r.Key, Value: r.Value, Coordinates: schemas.Coordinates{
				Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, TimestampMS: r.Timestamp.UnixMilli(),
			}}
			for _, h := range r.Headers {
				rec.Headers = append(rec.Headers, schemas.Header{Key: h.Key, Value: h.Value})
			}
			change, rejection := features.Transform(rec, features.Limits{})
			if rejection != nil {
				letters[rejection.Code]++
				return
			}
			changes = append(changes, change)
		})
	}
	return reference.Resolve(changes), letters
}

func requireRows(t *testing.T, want []schemas.StoredRow, got []map[string]any) {
	t.Helper()
	require.Len(t, got, len(want))
	byID := map[any]map[string]any{}
	for _, row := range got {
		for _, own := range []string{"source", "record", "event_time"} {
			require.Contains(t, row, own)
			delete(row, own)
		}
		byID[row["pitch_id"]] = row
	}
	for _, row := range want {
		require.Equal(t, rowObject(t, row.Row), byID[row.PitchID.String()])
	}
}

func requireBatters(t *testing.T, standing []schemas.StoredRow, dir string) {
	t.Helper()
	want, _ := reference.Fold(standing)
	head, lines := csvLines(t, dir, "batters.csv")
	require.Len(t, lines, len(want))
	for _, line := range lines {
		cell := map[string]string{}
		for i, name := range head {
			cell[name] = line[i]
		}
		id, err := json.Number(cell["batter_id"]).Int64()
		require.NoError(t, err)
		s := want[id]
		require.Equal(t, fmt.Sprint(s.Pitches, s.SwingCount, s.WhiffCount, s.ContactCount, s.HardHitCount),
			strings.Join([]string{cell["pitches"], cell["swing_count"], cell["whiff_count"], cell["contact_count"], cell["hard_hit_count"]}, " "))
		require.Equal(t, optional(s.WhiffRatePct), cell["whiff_rate_pct"])
		require.Equal(t, optional(s.MaxExitVelocityMPH), cell["max_exit_velocity_mph"])
		require.Equal(t, optional(s.MaxBatSpeedMPH), cell["max_bat_speed_mph"])
		var last schemas.LastPitch
		require.NoError(t, json.Unmarshal([]byte(strings.Replace(cell["last_pitch"], `"event_time":null`, `"event_time":"1970-01-01T00:00:00Z"`, 1)), &last))
		require.Equal(t, s.LastPitch.PitchID, last.PitchID)
	}
}

func optional(v schemas.Opt[float64]) string {
	if !v.Present {
		return ""
	}
	text, _ := json.Marshal(v.Value)
	return string(text)
}

// However many work at it, the tables are the same, byte for byte; and so is the report, but for the time.
func TestProcessGivesTheSameTablesWithAnyNumberOfWorkers(t *testing.T) {
	folder, ids := stressFiles(t, 300)
	for _, format := range fileoutput.Formats {
		one, _ := process(t, folder, "--ids", ids, "--workers=1", "--percentiles", "--format", string(format))
		four, _ := process(t, folder, "--ids", ids, "--workers=4", "--percentiles", "--format", string(format))
		for _, name := range []string{
			format.FileName(), fileprocess.BattersName, fileprocess.PitchersName, fileprocess.RejectedName,
		} {
			require.True(t, readFile(t, one, name) == readFile(t, four, name), name)
		}
		a, b := readReport(t, one), readReport(t, four)
		a.Time, b.Time = fileprocess.Time{}, fileprocess.Time{}
		require.Equal(t, a, b)
	}
}

// A record larger than a chunk is measured, too, in its turn.
func TestProcessTakesRecordsOfEverySize(t *testing.T) {
	var content strings.Builder
	for n := range 20 {
		padding := strings.Repeat(" ", (n%5)*(512<<10)/2)
		fmt.Fprintf(&content, "%s%s\n", padding, pitch(uuid(n)))
	}
	content.WriteString(strings.Repeat(" ", 3<<20) + pitch(uuid(99)) + "\n") // beyond the limit below
	folder := writeFiles(t, map[string]string{"5_0.jsonl": content.String()})
	for _, workers := range []string{"--workers=1", "--workers=3"} {
		dir, _ := process(t, folder, workers, "--format=csv", "--max-record-bytes=1500KiB")
		_, rows := csvLines(t, dir, "rows.csv")
		require.Len(t, rows, 20)
		for n, row := range rows {
			require.Equal(t, uuid(n), row[0])
		}
		require.Equal(t, map[schemas.Code]int64{schemas.CodeTooLarge: 1}, readReport(t, dir).Rejected)
		reject := jsonLines(t, dir, fileprocess.RejectedName)[0]
		require.Equal(t, "too_large: the value has 3145821 bytes, more than the limit of 1536000", reject["message"])
		require.Equal(t, json.Number("3145821"), reject["size_bytes"])
	}
}

// The last valid record of a pitch is current and keeps its place.
func TestProcessKeepsTheLastRecordOfAPitch(t *testing.T) {
	folder := writeFiles(t, map[string]string{
		"1_1.jsonl": pitch(uuid(1)) + "\n" + pitch(uuid(2)) + "\n" + pitch(uuid(2)) + "\n",
		"1_2.jsonl": strings.Replace(pitch(uuid(1)), "Ball", "Strike", 1) + "\n" + strings.Replace(pitch(uuid(2)), `"Ball"}}`, `"Ball"`, 1) + "\n",
	})
	dir, out := process(t, folder, "--format=csv")
	head, rows := csvLines(t, dir, "rows.csv")
	result, record := slices.Index(head, "pitch_result"), slices.Index(head, "record")
	require.Len(t, rows, 2)
	require.Equal(t, []string{uuid(2), "Ball", "3"}, []string{rows[0][0], rows[0][result], rows[0][record]})
	require.Equal(t, []string{uuid(1), "Strike", "1"}, []string{rows[1][0], rows[1][result], rows[1][record]})
	require.Equal(t, []string{"5 in = 2 rows + 2 superseded + 1 rejected"}, lines(out, "records"))
}

func TestProcessReportsRecordsThatAreNoPitches(t *testing.T) {
	folder := writeFiles(t, map[string]string{"1_1.jsonl": pitch(uuid(1)) + "\n[1]\n{\"summary_acts\":"})
	dir, out := process(t, filepath.Join(folder, "1_1.jsonl"))
	rejected := jsonLines(t, dir, fileprocess.RejectedName)
	require.Equal(t, []map[string]any{
		{
			"source": filepath.Join(folder, "1_1.jsonl"), "record": json.Number("2"), "byte_offset": json.Number("94"), "size_bytes": json.Number("3"),
			"code": "not_a_pitch", "message": rejected[0]["message"], "value_base64": "WzFd",
		},
		{
			"source": filepath.Join(folder, "1_1.jsonl"), "record": json.Number("3"), "byte_offset": json.Number("98"), "size_bytes": json.Number("16"),
			"code": "malformed_json", "message": rejected[1]["message"], "value_base64": "eyJzdW1tYXJ5X2FjdHMiOg==",
		},
	}, rejected)
	require.Equal(t, []string{"1 malformed_json", "1 not_a_pitch"}, lines(out, "rejected"))
	require.Contains(t, strings.Join(lines(out, "input"), ""), "record 3 is cut short at byte 114", "and the run has not failed")
}

// The tables hold the files that can be read, but the run fails.
func TestProcessFailsWhereAFileCannotBeRead(t *testing.T) {
	folder := writeFiles(t, map[string]string{"1_1.jsonl": pitch(uuid(1)), "zip.jsonl": "PK\x03\x04"})
	dir := filepath.Join(t.TempDir(), "out")
	out, err := processArgs(t.Context(), t, nil, folder, "-o", dir)
	require.ErrorContains(t, err, "1 input could not be read; the tables hold the others")
	require.Contains(t, strings.Join(lines(out, "input"), ""), "a zip archive")
	require.EqualValues(t, 1, readReport(t, dir).Records.Rows)

	_, err = processArgs(t.Context(), t, nil, filepath.Join(folder, "nowhere.jsonl"), "-o", filepath.Join(folder, "none"))
	require.ErrorContains(t, err, "nowhere.jsonl")
	require.NoDirExists(t, filepath.Join(folder, "none"), "nothing was begun")
	_, err = processArgs(t.Context(), t, nil, folder, "-o", filepath.Join(folder, "1_1.jsonl"))
	require.ErrorContains(t, err, "output folder: mkdir")
	_, err = processArgs(t.Context(), t, nil, folder, "-o", dir, "--ids", filepath.Join(folder, "1_1.jsonl"))
	require.ErrorContains(t, err, "identifiers: ")
}

func TestProcessRefusesWrongUsage(t *testing.T) {
	for flags, want := range map[string]string{
		"x":                            "--output is missing: want a folder",
		"-o d":                         `expected "<PATH> ..."`,
		"x -o d --format=xlsx":         `--format must be one of "parquet","csv","jsonl"`,
		"x -o d --workers=-1":          "--workers=-1: want 1 to 1024",
		"x -o d --workers=2000":        "--workers=2000: want 1 to 1024",
		"x -o d --max-record-bytes=12": "--max-record-bytes=12: want",
		"x -o d --game=\x01":           "--game=",
		"x --output=":                  "--output is missing",
	} {
		_, err := processArgs(t.Context(), t, nil, strings.Fields(flags)...)
		require.ErrorContains(t, err, want, flags)
	}
}

// The folder of the tables may be among the inputs; a table may not.
func TestProcessReadsNoTables(t *testing.T) {
	folder := writeFiles(t, map[string]string{"1_1.jsonl": pitch(uuid(1))})
	for range 2 {
		_, err := processArgs(t.Context(), t, nil, folder, "-o", filepath.Join(folder, "out"), "--format=jsonl")
		require.NoError(t, err)
		require.EqualValues(t, 1, readReport(t, filepath.Join(folder, "out")).Records.In)
	}
	_, err := processArgs(t.Context(), t, nil, folder, "-o", folder, "--format=jsonl")
	require.NoError(t, err, "there are no tables yet")
	_, err = processArgs(t.Context(), t, nil, folder, "-o", folder)
	require.ErrorContains(t, err, "is an input, and a table that would be replaced")
	_, err = processArgs(t.Context(), t, nil, filepath.Join(folder, "rows.jsonl"), "-o", folder)
	require.ErrorContains(t, err, "rows.jsonl is an input, and a table that would be replaced: name another output folder")
}

func TestProcessReportsPercentilesWhenAsked(t *testing.T) {
	folder, ids := stressFiles(t, 100)
	dir, out := process(t, folder)
	require.Empty(t, lines(out, "percentiles"))
	require.NotContains(t, readFile(t, dir, fileprocess.ReportName), `"percentiles"`)
	dir, out = process(t, folder, "--percentiles", "--ids", ids)
	require.Len(t, lines(out, "percentiles"), 1)
	require.NotEmpty(t, readReport(t, dir).Percentiles)
	require.NotContains(t, out, "they need the games' log")
	require.Contains(t, out, "records found in the games' log")
	dir, out = process(t, writeFiles(t, map[string]string{"x.jsonl": "[]\n"}), "--percentiles", "--allow-empty")
	require.Equal(t, []string{"0 in 0 games"}, lines(out, "pitches"))
	require.NotContains(t, out, "they need the games' log", "where no batter swung there are no rates")
	require.FileExists(t, filepath.Join(dir, "rows.parquet"))
}

// A log of other games names no batter, which the report notes.
func TestProcessReportsALogOfOtherGames(t *testing.T) {
	folder := writeFiles(t, map[string]string{"1_1.jsonl": pitch(uuid(1)) + "\n" + pitch(uuid(2)), "log.csv": "event_id,batter_id\n" + uuid(3) + ",5\n"})
	_, out := process(t, filepath.Join(folder, "1_1.jsonl"), "--ids", filepath.Join(folder, "log.csv"))
	require.Contains(t, out, "0 of 2 records found in the games' log")
	require.Contains(t, out, "no record has an event_id of the games' log: is --ids the log of these games?")
}

func TestProcessHelpSaysWhatWhiffRatesNeed(t *testing.T) {
	require.Contains(t, (&processCmd{}).Help(), "Tracking files name a batter only where the ball was hit, so whiff rates need the game's log: --ids FILE.csv.")
}

// An older table of another form is not passed off as one of this run.
func TestProcessReportsTablesOfAnEarlierRun(t *testing.T) {
	folder, dir := writeFiles(t, map[string]string{"1_1.jsonl": pitch(uuid(1))}), t.TempDir()
	_, err := processArgs(t.Context(), t, nil, folder, "-o", dir, "--format=csv")
	require.NoError(t, err)
	out, err := processArgs(t.Context(), t, nil, folder, "-o", dir)
	require.NoError(t, err)
	require.Contains(t, out, "rows.csv is of an earlier run")
}

// records are lines of pitches, endless.
type records struct {
	next int
	left []byte
}

func (r *records) Read(b []byte) (int, error) {
	if len(r.left) == 0 {
		r.left = []byte(pitch(uuid(r.next)) + "\n")
		r.next++
	}
	n := copy(b, r.left)
	r.left = r.left[n:]
	return n, nil
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// An interrupted run leaves what was there before, and nothing of its own.
func TestProcessInterruptedLeavesNothing(t *testing.T) {
	for _, workers := range []string{"--workers=1", "--workers=3"} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "rows.parquet"), []byte("old"), 0o644))
		ctx, cancel := context.WithCancel(t.Context())
		in, out := io.Pipe()
		ended := make(chan error)
		go func() {
			_, err := processArgs(ctx, t, in, "-", "-o", dir, workers)
			ended <- err
		}()
		_, err := io.CopyN(out, &records{}, 2<<20) // it has read nearly all of it, and waits for more
		require.NoError(t, err)
		cancel()
		require.ErrorIs(t, <-ended, load.ErrInterrupted)
		require.NoError(t, out.Close())
		require.Equal(t, []string{"rows.parquet"}, names(t, dir))
		require.Equal(t, "old", readFile(t, dir, "rows.parquet"))
	}
}

// Every record of any input is a row, superseded or rejected, with any number of workers.
func FuzzProcessLosesNothing(f *testing.F) {
	f.Add([]byte(pitch(uuid(1)) + "\n" + pitch(uuid(1)) + "\n{\n[]\n"))
	f.Add([]byte("[" + pitch(uuid(1)) + ", 3, " + pitch("x") + "]"))
	f.Add([]byte("\xef\xbb\xbf{}\n" + pitch("") + "\r\n\n" + pitch(uuid(2))))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "x.jsonl")
		require.NoError(t, os.WriteFile(path, content, 0o644))
		var held []string
		for _, workers := range []string{"--workers=1", "--workers=3"} {
			dir := filepath.Join(t.TempDir(), "out")
			_, err := processArgs(t.Context(), t, nil, path, "-o", dir, "--format=jsonl", workers)
			if err != nil {
				require.ErrorContains(t, err, "could not be read")
			}
			r := readReport(t, dir)
			require.Len(t, jsonLines(t, dir, "rows.jsonl"), int(r.Records.Rows))
			rejected := jsonLines(t, dir, fileprocess.RejectedName)
			require.Len(t, rejected, int(r.Records.Rejected))
			for _, x := range rejected {
				offset, err := x["byte_offset"].(json.Number).Int64()
				require.NoError(t, err)
				value, err := base64Of(x)
				require.NoError(t, err)
				require.True(t, bytes.HasPrefix(content[offset:], value), "what was rejected is what stands there")
			}
			held = append(held, readFile(t, dir, "rows.jsonl")+readFile(t, dir, fileprocess.RejectedName)+readFile(t, dir, fileprocess.BattersName))
		}
		require.Equal(t, held[0], held[1])
	})
}

func base64Of(reject map[string]any) (value []byte, err error) {
	text, _ := json.Marshal(reject["value_base64"])
	return value, json.Unmarshal(text, &value)
}
