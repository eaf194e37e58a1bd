package fileoutput

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

func TestEveryColumnIsThere(t *testing.T) {
	require.Equal(t, len(Columns)+len(schemas.ProvenanceColumns)-1, len(cells), "event_time is in both tables")
	for _, c := range storedColumns {
		require.NotNil(t, c.of, c.Name)
	}
	for i, c := range columns {
		require.NotNil(t, c.of, c.Name)
		require.Contains(t, kinds, c.SQL, c.Name)
		if i < len(schemas.RowColumns) {
			require.Equal(t, schemas.RowColumns[i], c.Column)
		}
	}
	require.Len(t, BatterColumns, len(schemas.StatsColumns)+1)
}

// A row in which no two columns are alike, so that one taken for another shows.
func distinctRow(t *testing.T) Row {
	var r Row
	row := reflect.ValueOf(&r.Row).Elem()
	for i := range row.NumField() {
		f, n := row.Field(i), int64(i+1)
		switch v := f.Addr().Interface().(type) {
		case *schemas.PitchID:
			v[15] = byte(n)
		case *schemas.Text:
			*v = schemas.Text(fmt.Sprint("text ", n))
		case *schemas.Opt[int64]:
			*v = schemas.Some(n)
		case *schemas.Opt[int16]:
			*v = schemas.Some(int16(n))
		case *schemas.Opt[float64]:
			*v = schemas.Some(float64(n) / 8)
		case *schemas.Opt[bool]:
			*v = schemas.Some(i%2 == 0)
		case *bool:
			*v = i%2 == 0
		case *int32:
			*v = int32(n)
		case *[]string:
			*v = []string{"a:type", "b:range"}
		default:
			t.Fatalf("a field of type %T", v)
		}
	}
	r.GameDate = "2024-09-28"
	r.EventTime = schemas.Some(schemas.TimeMSOf(time.Date(2024, 9, 28, 19, 5, 0, 250e6, time.UTC)))
	r.Source, r.Record = "a/b.jsonl", 77
	return r
}

// awkwardRows hold what a format could trip over.
func awkwardRows(t *testing.T) []Row {
	full := distinctRow(t)
	rows := []Row{full, {Source: "-", Record: 1}}
	for _, s := range []schemas.Text{
		",", `"`, `""`, "a\nb", "a\r\nb", "\r", " a", "a ", "\t", ";", `\`, `\N`, "NULL", "null",
		"é\u2028\U0001f9a0", "<&>", "\x01\x7f", "-1", "=1+1", "1e3",
	} {
		r := full
		r.PitchType, r.Venue, r.Source = s, s, string(s)
		rows = append(rows, r)
	}
	for _, f := range []float64{
		0, math.Copysign(0, -1), 5e-324, 1e-7, 1e-6, 0.1, 1.0 / 3, 1e20, 1e21, math.MaxFloat64, -math.MaxFloat64,
	} {
		r := full
		r.AttackAngleDeg, r.BatSpeedMPH = schemas.Some(f), schemas.Some(-f)
		rows = append(rows, r)
	}
	for _, n := range []int64{0, math.MinInt64, math.MaxInt64, 1<<53 + 1} {
		r := full
		r.BatterID, r.Record, r.Outs, r.BatSamples = schemas.Some(n), n, schemas.Some(int16(n)), int32(n)
		r.EventTime = schemas.Some(schemas.TimeMS(n % schemas.MaxTimestampMS))
		rows = append(rows, r)
	}
	for _, d := range []schemas.Text{"1800-01-01", "1969-12-31", "1970-01-01", "2024-02-29", "9999-12-31"} {
		r := full
		r.GameDate, r.Issues = d, []string{}
		at, err := time.Parse(time.DateOnly, string(d))
		require.NoError(t, err)
		r.EventTime = schemas.Some(schemas.TimeMSOf(at))
		rows = append(rows, r)
	}
	return rows
}

func written(t testing.TB, f Format, rows []Row) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(f, &out, 3)
	require.NoError(t, err)
	for i := range rows {
		require.NoError(t, w.Write(&rows[i]))
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func TestAnUnknownFormatIsNamed(t *testing.T) {
	_, err := NewWriter("xlsx", io.Discard, 1)
	require.ErrorContains(t, err, `format "xlsx": want one of ["parquet" "csv" "jsonl"]`)
}

// A line of JSON Lines is the row's own JSON, in the order of the columns.
func TestJSONLinesAreTheRowsJSON(t *testing.T) {
	rows := append(awkwardRows(t), simulatedRows(t, 50)...)
	lines := bytes.Split(bytes.TrimSuffix(written(t, JSONL, rows), []byte("\n")), []byte("\n"))
	require.Len(t, lines, len(rows))
	for i, line := range lines {
		if rows[i].Issues == nil {
			rows[i].Issues = []string{}
		}
		own, err := json.Marshal(rows[i].Row)
		require.NoError(t, err)
		where, err := json.Marshal(map[string]any{"event_time": rows[i].EventTime, "source": rows[i].Source, "record": rows[i].Record})
		require.NoError(t, err)
		require.Equal(t, objectOf(t, own, where), objectOf(t, line))
		require.Equal(t, names(Columns), keysOf(t, line))
	}
}

// objectOf is the members of some objects; numbers as they are written.
func objectOf(t *testing.T, texts ...[]byte) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, text := range texts {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		require.NoError(t, d.Decode(&all))
	}
	return all
}

func keysOf(t *testing.T, object []byte) (keys []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	for depth, isKey := 0, true; ; {
		token, err := d.Token()
		if err == io.EOF {
			return keys
		}
		require.NoError(t, err)
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
			isKey = true
		default:
			if depth == 1 && isKey {
				keys = append(keys, token.(string))
			}
			isKey = depth == 1 && !isKey || depth != 1
		}
	}
}

func names(columns []schemas.Column) (all []string) {
	for _, c := range columns {
		all = append(all, c.Name)
	}
	return all
}

// Another program reads the same values from the CSV as from the JSON Lines.
func TestCSVReadsBack(t *testing.T) {
	rows := append(awkwardRows(t), simulatedRows(t, 50)...)
	for i := range rows {
		rows[i].Source = strings.ReplaceAll(rows[i].Source, "\r\n", "\n") // encoding/csv reads the one as the other
		rows[i].PitchType = schemas.Text(strings.ReplaceAll(string(rows[i].PitchType), "\r\n", "\n"))
		rows[i].Venue = schemas.Text(strings.ReplaceAll(string(rows[i].Venue), "\r\n", "\n"))
	}
	lines, err := csv.NewReader(bytes.NewReader(written(t, CSV, rows))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, names(Columns), lines[0])
	objects := bytes.Split(written(t, JSONL, rows), []byte("\n"))
	for i, line := range lines[1:] {
		object := objectOf(t, objects[i])
		for j, c := range Columns {
			require.Equal(t, csvOf(object[c.Name]), line[j], "row %d, %s", i, c.Name)
		}
	}
}

// csvOf returns the CSV cell for a value of a JSON row.
func csvOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		var issues []string
		for _, x := range v {
			issues = append(issues, x.(string))
		}
		return strings.Join(issues, ";")
	}
	return fmt.Sprint(v)
}

// Parquet holds the values of the JSON Lines, and its columns have the types that an analyst expects.
func TestParquetReadsBack(t *testing.T) {
	rows := append(awkwardRows(t), simulatedRows(t, 300)...)
	content := written(t, Parquet, rows)
	f, err := parquet.OpenFile(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	var types []string
	for _, field := range f.Schema().Fields() {
		types = append(types, field.Name())
		requireType(t, field)
	}
	require.Equal(t, names(Columns), types)

	objects := bytes.Split(written(t, JSONL, rows), []byte("\n"))
	read := parquetRows(t, f)
	require.Len(t, read, len(rows))
	for i, row := range read {
		want := objectOf(t, objects[i])
		if want["contact_doubts"] == nil {
			want["contact_doubts"] = []any{} // a list of Parquet is never missing; contact_confidence is
		}
		require.Equal(t, want, row, "row %d", i)
	}
	meaning, ok := f.Lookup("column:bat_speed_mph")
	require.True(t, ok)
	require.Contains(t, meaning, "Bat speed at the sweet spot; unit: mph; range: 0–120; missing:")
	core, _ := f.Lookup("core_version")
	require.Equal(t, "3", core)
}

func requireType(t *testing.T, field parquet.Field) {
	i := slices.IndexFunc(columns, func(c column) bool { return c.Name == field.Name() })
	want := map[string]string{
		"uuid": "STRING", "text": "STRING", "date": "DATE", "smallint": "INT(16,true)", "int": "INT(32,true)", "bigint": "INT(64,true)",
		"float8": "DOUBLE", "boolean": "BOOLEAN", "timestamptz": "TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS)",
	}[columns[i].SQL]
	if columns[i].kind == listKind {
		require.Equal(t, "LIST", field.Type().LogicalType().String())
		want, field = "STRING", field.Fields()[0].Fields()[0]
	} else {
		require.Equal(t, columns[i].optional(), field.Optional(), columns[i].Name)
	}
	require.Equal(t, want, field.Type().String(), columns[i].Name)
}

// parquetRows are the rows of a file as the objects that JSON would have.
func parquetRows(t *testing.T, f *parquet.File) (all []map[string]any) {
	t.Helper()
	for _, group := range f.RowGroups() {
		require.LessOrEqual(t, group.NumRows(), int64(rowGroupRows))
		rows := group.Rows()
		buffer := make([]parquet.Row, 100)
		for {
			n, err := rows.ReadRows(buffer)
			for _, row := range buffer[:n] {
				all = append(all, objectOfParquet(row))
			}
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
		}
		require.NoError(t, rows.Close())
	}
	return all
}

func objectOfParquet(row parquet.Row) map[string]any {
	object := map[string]any{}
	for _, v := range row {
		c := columns[v.Column()]
		switch {
		case c.kind == listKind && v.IsNull():
			object[c.Name] = []any{}
		case c.kind == listKind:
			list, _ := object[c.Name].([]any)
			object[c.Name] = append(list, v.String())
		case v.IsNull():
			object[c.Name] = nil
		case c.kind == dateKind:
			object[c.Name] = time.Unix(int64(v.Int32())*86400, 0).UTC().Format(time.DateOnly)
		case c.kind == timeKind:
			object[c.Name] = schemas.TimeMS(v.Int64()).String()
		case c.kind == boolKind:
			object[c.Name] = v.Boolean()
		case c.kind == floatKind:
			object[c.Name] = json.Number(appendFloat(nil, v.Double()))
		case c.kind == int64Kind:
			object[c.Name] = json.Number(strconv.FormatInt(v.Int64(), 10))
		case c.kind == int16Kind, c.kind == int32Kind:
			object[c.Name] = json.Number(strconv.Itoa(int(v.Int32())))
		default:
			object[c.Name] = string(v.ByteArray())
		}
	}
	return object
}

func TestATableOfNothingIsATable(t *testing.T) {
	require.Empty(t, written(t, JSONL, nil))
	require.Equal(t, strings.Join(names(Columns), ",")+"\n", string(written(t, CSV, nil)))
	content := written(t, Parquet, nil)
	f, err := parquet.OpenFile(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	require.Zero(t, f.NumRows())
	require.Len(t, f.Schema().Fields(), len(Columns))
}

// The same rows give the same bytes, or a rerun could not be told from another run.
func TestTheSameRowsGiveTheSameFile(t *testing.T) {
	rows := simulatedRows(t, 200)
	for _, f := range Formats {
		require.Equal(t, written(t, f, rows), written(t, f, rows), f)
	}
}

// Row groups are bounded, because a writer holds one in memory.
func TestRowGroupsHaveABound(t *testing.T) {
	rows := simulatedRows(t, 100)
	var out bytes.Buffer
	w, err := NewWriter(Parquet, &out, 1)
	require.NoError(t, err)
	for n := range rowGroupRows + 100 {
		require.NoError(t, w.Write(&rows[n%len(rows)]))
	}
	require.NoError(t, w.Close())
	f, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	require.Len(t, f.RowGroups(), 2)
	require.EqualValues(t, rowGroupRows+100, f.NumRows())
	require.EqualValues(t, rowGroupRows, f.RowGroups()[0].NumRows())
}

// A full disk is an error of Write or Close, wherever the file ends.
func TestAFailingWriterIsReported(t *testing.T) {
	rows := simulatedRows(t, 100)
	for _, f := range Formats {
		for _, room := range []int{0, 1, 100, 3000} {
			w, err := NewWriter(f, &fullDisk{room}, 1)
			require.NoError(t, err)
			for i := range rows {
				if err = w.Write(&rows[i]); err != nil {
					break
				}
			}
			if err == nil {
				err = w.Close()
			}
			require.ErrorIs(t, err, errFull, "%s after %d bytes", f, room)
		}
	}
}

var errFull = fmt.Errorf("no space left")

// fullDisk takes so many bytes and no more.
type fullDisk struct{ room int }

func (d *fullDisk) Write(b []byte) (int, error) {
	if len(b) > d.room {
		n := d.room
		d.room = 0
		return n, errFull
	}
	d.room -= len(b)
	return len(b), nil
}

// No text of a record becomes a formula in a spreadsheet, and nothing else changes.
//
// guard: files: a spreadsheet runs no cell
func TestGuardedCSVHasNoFormulas(t *testing.T) {
	for text, want := range map[string]string{
		"=HYPERLINK(\"x\")": "'=HYPERLINK(\"x\")", "+1": "'+1", "-2+3": "'-2+3", "@SUM(A1)": "'@SUM(A1)", "\tx": "'\tx", "\r=1": "'\r=1",
		"Slider": "Slider", "a=b": "a=b", "null": "null", "": "",
	} {
		r := Row{Row: schemas.Row{PitchType: schemas.Text(text), LaunchAngleDeg: schemas.Some(-3.5)}, Source: text}
		var b bytes.Buffer
		w, err := NewWriter(GuardedCSV, &b, 1)
		require.NoError(t, err)
		require.NoError(t, w.Write(&r))
		require.NoError(t, w.Close())
		lines, err := csv.NewReader(&b).ReadAll()
		require.NoError(t, err)
		at := func(name string) string { return lines[1][slices.Index(lines[0], name)] }
		require.Equal(t, strings.ReplaceAll(want, "\r\n", "\n"), at("pitch_type"))
		require.Equal(t, want, at("source"))
		require.Equal(t, "-3.5", at("launch_angle_deg"), "a number is no formula")
	}
}
