package fileinput

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/deadletter"
	"github.com/pitchstream/pitchstream/schemas"
)

func readRecords(t *testing.T, text string, o Options) (records []schemas.Record, tooLarge []bool) {
	t.Helper()
	o.Paths, o.Stdin = []string{Stdin}, strings.NewReader(text)
	r, err := Open(t.Context(), o)
	require.NoError(t, err)
	defer r.Close()
	for {
		item, err := r.Next()
		if err == io.EOF {
			return records, tooLarge
		}
		require.NoError(t, err)
		records = append(records, item.KafkaRecord("", Identity{}))
		tooLarge = append(tooLarge, item.TooLarge)
	}
}

// Each program's line gives the record that it was made of.
func TestEnvelopesGiveTheirRecords(t *testing.T) {
	const value = `{"summary_acts":{"pitch":{"result":"Ball \"x\""}}}`
	text, packed := fmt.Sprintf("%q", value), base64.StdEncoding.EncodeToString([]byte(value))
	headers := []schemas.Header{{Key: "batter_id", Value: []byte("1")}, {Key: "team_id", Value: []byte("2")}}
	at := schemas.Coordinates{TimestampMS: 1727550000123}
	for name, c := range map[string]struct {
		line string
		want schemas.Record
	}{
		"simulate":        {`{"key":"745804","headers":{"batter_id":"1","team_id":"2"},"timestamp_ms":1727550000123,"value":` + text + `}`, schemas.Record{Key: []byte("745804"), Headers: headers, Value: []byte(value), Coordinates: at}},
		"simulate base64": {`{"key":"745804","headers":{"batter_id":"1","team_id":"2"},"timestamp_ms":1727550000123,"value_base64":"` + packed + `"}`, schemas.Record{Key: []byte("745804"), Headers: headers, Value: []byte(value), Coordinates: at}},
		"simulate delete": {`{"key":"745804","headers":{"batter_id":"1","team_id":"2"},"timestamp_ms":1727550000123,"value":null}`, schemas.Record{Key: []byte("745804"), Headers: headers, Coordinates: at}},
		"dlq export": {`{"source":"pitches.dead/0","record":7,"code":"not_a_pitch","message":"x","key":"745804","headers":[{"key":"batter_id","value":"1"},{"key":"team_id","value_base64":"Mg=="},{"key":"dlq.code","value":"not_a_pitch"},{"key":"__connect.errors.topic","value":"t"}],"origin":{"topic":"pitches.raw","partition":1,"offset":2,"timestamp":"2024-09-28T19:00:00.123Z"},"attempts":1,"failed_at":"2024-09-28T19:00:01.000Z","value_base64":"` + packed + `"}`,
			schemas.Record{Key: []byte("745804"), Headers: headers, Value: []byte(value), Coordinates: at}},
		"process":       {`{"source":"season/745804_17.jsonl","record":1,"byte_offset":0,"size_bytes":50,"code":"not_a_pitch","message":"x","value_base64":"` + packed + `"}`, schemas.Record{Key: []byte("745804"), Value: []byte(value)}},
		"kcat":          {`{"topic":"pitches.raw","partition":3,"offset":12,"tstype":"create","ts":1727550000123,"broker":1,"headers":["batter_id","1","team_id","2"],"key":"745804","payload":` + text + `}`, schemas.Record{Key: []byte("745804"), Headers: headers, Value: []byte(value), Coordinates: at}},
		"kcat null":     {`{"topic":"pitches.raw","partition":3,"offset":12,"tstype":"create","ts":1727550000123,"broker":1,"key":null,"payload":null}`, schemas.Record{Coordinates: at}},
		"kcat nested":   {`{"topic":"pitches.raw","partition":3,"offset":12,"ts":1727550000123,"key":"745804","payload":` + value + `}`, schemas.Record{Key: []byte("745804"), Value: []byte(value), Coordinates: at}},
		"a script's":    {`{"key":"745804","headers":[["batter_id","1"],["team_id","2"]],"value":` + text + `}`, schemas.Record{Key: []byte("745804"), Headers: headers, Value: []byte(value)}},
		"Connect":       {`{"schema":{"type":"struct"},"payload":` + value + `}`, schemas.Record{Value: []byte(value)}},
		"Connect text":  {`{"schema":{"type":"string"},"payload":` + text + `}`, schemas.Record{Value: []byte(value)}},
		"Connect bytes": {`{"schema":{"type":"bytes","optional":false},"payload":"` + packed + `"}`, schemas.Record{Value: []byte(value)}},
		"Connect null":  {`{"payload":null,"schema":null}`, schemas.Record{}},
		"rpk":           {`{"topic":"pitches.raw","key":"745804","value":` + text + `,"headers":[{"key":"batter_id","value":"1"},{"key":"team_id","value":"2"}],"timestamp":1727550000123,"partition":3,"offset":12}`, schemas.Record{Key: []byte("745804"), Headers: headers, Value: []byte(value), Coordinates: at}},
		"rpk delete":    {`{"topic":"pitches.raw","key":"745804","timestamp":1727550000123,"partition":3,"offset":12}`, schemas.Record{Key: []byte("745804"), Coordinates: at}},
		"RFC 3339":      {`{"partition":3,"offset":12,"key":"745804","value":` + text + `,"timestamp":"2024-09-28T21:00:00.123+02:00"}`, schemas.Record{Key: []byte("745804"), Value: []byte(value), Coordinates: at}},
		"capitals":      {`{"Partition":3,"Offset":12,"Headers":{"batter_id":"1","team_id":"2"},"Key":"745804","Value":` + text + `,"Timestamp":"2024-09-28T19:00:00.123Z"}`, schemas.Record{Key: []byte("745804"), Headers: headers, Value: []byte(value), Coordinates: at}},
		"null beside":   {`{"key":null,"headers":null,"timestamp":null,"value":` + value + `}`, schemas.Record{Value: []byte(value)}},
		"Connect within kcat": {`{"topic":"pitches.raw","partition":3,"offset":12,"ts":1727550000123,"headers":["batter_id","1"],"key":"745804","payload":"{\"schema\":null,\"payload\":{\"a\":1}}"}`,
			schemas.Record{Key: []byte("745804"), Headers: headers[:1], Value: []byte(`{"a":1}`), Coordinates: at}},
		"kcat within an export": {`{"source":"pitches.dead/0","record":7,"headers":[{"key":"team_id","value":"2"}],"value":"{\"key\":\"745804\",\"headers\":[\"batter_id\",\"1\"],\"ts\":1727550000123,\"payload\":\"{}\"}"}`,
			schemas.Record{Key: []byte("745804"), Headers: []schemas.Header{headers[1], headers[0]}, Value: []byte("{}"), Coordinates: at}},
		"a time that is none": {`{"key":"1","value":"x","timestamp":"noon"}`, schemas.Record{Value: []byte(`{"key":"1","value":"x","timestamp":"noon"}`)}},
		"broken base64":       {`{"key":"745804","value_base64":"%"}`, schemas.Record{Value: []byte(`{"key":"745804","value_base64":"%"}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, layout := range []string{"%s\n", "[%s]", "\ufeff%s\r\n"} {
				records, _ := readRecords(t, fmt.Sprintf(layout, c.line), Options{})
				require.Equal(t, []schemas.Record{c.want}, records)
			}
		})
	}
}

// The origin and the attempts of a dead letter go along, so that its record keeps its version.
func TestAnExportedDeadLetterKeepsItsOrigin(t *testing.T) {
	line := `{"source":"pitches.dead/0","record":7,"headers":[{"key":"dlq.origin.offset","value":"5"},{"key":"dlq.attempts","value":"1"},{"key":"dlq.message","value":"x"}],"value_base64":"e30="}`
	records, _ := readRecords(t, line, Options{})
	require.Equal(t, []schemas.Header{{Key: "dlq.origin.offset", Value: []byte("5")}, {Key: "dlq.attempts", Value: []byte("1")}}, records[0].Headers)
}

// Each member that an export or dlq show has is one that an envelope may have. A truncated value is not taken
// for the record.
// guard: dead letters: the export of a truncated one says so
func TestWhatIsExportedOfADeadLetterIsAnEnvelope(t *testing.T) {
	letter := deadletter.Letter{
		At: schemas.Coordinates{Topic: "pitches.dead", Offset: 7}, Key: []byte("\xff1"), Value: []byte("{}"), HasOrigin: true,
		ID:   schemas.DeadLetterID{Origin: schemas.Coordinates{Topic: "pitches.raw", Offset: 2, TimestampMS: 1727550000123}},
		Code: "not_a_pitch", Message: "x", Headers: []schemas.Header{{Key: "batter_id", Value: []byte("1")}},
	}
	exported := deadletter.ExportedOf(&letter)
	letter.Cut = &schemas.Cut{Bytes: 3}
	shown := deadletter.Shown{Exported: exported, Status: "open", Decision: &schemas.DeadLetterDecision{}, Today: "x"}
	truncated := deadletter.ExportedOf(&letter)
	letter.Cut = &schemas.Cut{Bytes: 2, KeyBytes: 3}
	halfKey := deadletter.ExportedOf(&letter)
	letter.Cut = &schemas.Cut{Bytes: 2, Headers: 1}
	fewHeaders := deadletter.ExportedOf(&letter)
	for line, isWhole := range map[any]bool{
		&exported: true, &shown: true, &truncated: false, &halfKey: false, &fewHeaders: false,
	} {
		text, err := json.Marshal(line)
		require.NoError(t, err)
		records, tooLarge := readRecords(t, string(text), Options{})
		require.Equal(t, []bool{!isWhole}, tooLarge, "%s", text)
		require.Equal(t, "{}", string(records[0].Value))
		require.Equal(t, letter.Key, records[0].Key)
	}
}

// The limit is that of the record in an envelope, whose line may be twice as long.
//
// guard: files: the record in an envelope is bounded
// guard: files: a record among envelopes is bounded
func TestARecordInAnEnvelopeIsBounded(t *testing.T) {
	for _, over := range []int{0, 1} {
		value := strings.Repeat("x", 9_000+over)
		line := `{"key":"1","value_base64":"` + base64.StdEncoding.EncodeToString([]byte(value)) + "\"}\n"
		plain := `{"k":"` + strings.Repeat("y", 9_000+over-8) + "\"}\n"
		records, tooLarge := readRecords(t, line+plain, Options{MaxRecordBytes: 9_000})
		require.Equal(t, []bool{over == 1, over == 1}, tooLarge)
		require.Equal(t, value, string(records[0].Value))
	}
}

// process writes only the beginning of a record that is too large. It must not be taken for the record.
func TestTheBeginningOfARecordIsNotTheRecord(t *testing.T) {
	_, tooLarge := readRecords(t, `{"source":"a","record":1,"byte_offset":0,"size_bytes":3,"code":"too_large","message":"","value_base64":"e30="}`, Options{})
	require.Equal(t, []bool{true}, tooLarge)
}

// The archive writes such lines of records with very long keys or headers, and so does dlq export.
// guard: files: a record without its whole key and headers is not sent
func TestARecordWithoutItsWholeKeyAndHeadersIsNotSent(t *testing.T) {
	for line, isPart := range map[string]bool{
		`{"topic":"r","partition":0,"offset":1,"timestamp_ms":1,"key":"1","size_bytes":2,"sha256":"AA==","key_bytes":9,"value":"{}"}`:    true,
		`{"topic":"r","partition":0,"offset":1,"timestamp_ms":1,"key":"1","size_bytes":2,"sha256":"AA==","headers_cut":1,"value":"{}"}`:  true,
		`{"source":"a","record":1,"code":"c","message":"","key":"1","size_bytes":2,"key_bytes":9,"headers_cut":1,"value_base64":"e30="}`: true,
		`{"topic":"r","partition":0,"offset":1,"timestamp_ms":1,"key":"1","key_bytes":1,"value":"{}"}`:                                   false,
	} {
		item := Item{Value: []byte(line), File: &File{}}
		require.True(t, item.openEnvelope(1<<20), line)
		require.Equal(t, isPart, item.TooLarge, line)
		require.Equal(t, isPart, item.IsPart, line)
		if isPart {
			require.Contains(t, item.WhyTooLarge(1<<20), "only a part of the record")
		}
	}
}

// A dead letter says of a line that load reads files of these exactly if the reading of files opens it.
func TestADeadLetterAndTheReadingOfFilesAgreeOnLines(t *testing.T) {
	for _, line := range []string{
		`{"key":"1","value":"x"}`, `{"topic":"t","key":"1","value":"x","headers":[{"key":"a","value":"b"}],"timestamp":5,"partition":0,"offset":1}`,
		`{"topic":"t","partition":0,"offset":1,"timestamp":5}`, `{"topic":"t","partition":0,"offset":1,"value_size":5}`, `{"schema":null,"payload":{}}`,
		`{"schema":null,"payload":{},"x":1}`, `{"payload":{}}`, `{"value":1}`, `{"value_base64":"e30="}`, `{"Key":"1","Value":"x","Timestamp":"2024-09-28T19:00:00Z"}`,
		`{"key":"1","value":"x","seen":1}`, `{"a":1}`, `{"key":"1"}`, `{"headers":{}}`, `{"op":"c","source":{},"after":{}}`, `{"summary_acts":{},"value":1}`,
		`{"specversion":"1.0","type":"x","data":{}}`, `{"partition":0,"offset":0,"key":"k","payload":"x"}`,
	} {
		_, rej := features.Transform(schemas.Record{Value: []byte(line)}, features.Limits{})
		item := Item{Value: []byte(line), File: &File{}}
		saysSo := strings.Contains(rej.Message, "load reads files of these") && !strings.Contains(rej.Message, "is not known")
		require.Equal(t, saysSo, item.openEnvelope(1<<20), "%s: %s", line, rej.Message)
	}
}

// guard: files: the members of an envelope are bounded
func TestTheMembersOfAnEnvelopeAreBounded(t *testing.T) {
	for _, n := range []int{maxMembers, maxMembers + 1} {
		item := Item{Value: []byte("{" + strings.Repeat(`"key":"1",`, n-1) + `"value":"x"}`)}
		require.Equal(t, n == maxMembers, item.openEnvelope(1<<20))
	}
}
