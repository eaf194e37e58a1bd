package features

import (
	"strings"
	"testing"

	"github.com/pitchstream/pitchstream/schemas"
)

// A record in the form of another program keeps its code, and its message says what it is.
//
// guard: dead letters: bytes of another program are named
// guard: dead letters: JSON of another program is named
// guard: dead letters: text before the JSON is named
func TestRecordsOfOtherProgramsSayWhatTheyAre(t *testing.T) {
	const pitch = `{"summary_acts":{"pitch":{"result":"Ball"}}}`
	for value, want := range map[string]string{
		"\x00\x00\x00\x00\x2a" + pitch:                               "malformed_json at byte 0: the value has a schema registry's prefix (magic byte 0, schema id 42), and then JSON, which is not read",
		"\x00\x00\x00\x01\x00\x02avro":                               "malformed_json at byte 0: the value has a schema registry's prefix (magic byte 0, schema id 256), and then its Avro or Protobuf is not read",
		"\x03\x00" + strings.Repeat("u", 16) + pitch:                 "malformed_json at byte 0: the value has the prefix of the AWS Glue schema registry",
		"\x1f\x8b\x08\x00":                                           "malformed_json at byte 0: the value itself is compressed with gzip: send it plain",
		"\x28\xb5\x2f\xfd":                                           "malformed_json at byte 0: the value itself is compressed with zstd: send it plain",
		"Obj\x01avro":                                                "malformed_json at byte 0: the value is an Avro file",
		"\x00{\x00\"\x00a\x00\"":                                     "malformed_json at byte 0: the value is UTF-16 text",
		"\xff\xfe{\x00":                                              "malformed_json at byte 0: the value is UTF-16 text",
		`{"schema":{"type":"struct"},"payload":` + pitch + `}`:       "not_a_pitch at summary_acts.pitch: the value is an envelope of Kafka Connect (schema and payload)",
		`{"schema":null,"payload":` + pitch + `}`:                    "not_a_pitch at summary_acts.pitch: the value is an envelope of Kafka Connect (schema and payload)",
		`{"before":null,"after":` + pitch + `,"source":{},"op":"c"}`: "not_a_pitch at summary_acts.pitch: the value is a change event of Debezium",
		`{"specversion":"1.0","type":"x","data":` + pitch + `}`:      "not_a_pitch at summary_acts.pitch: the value is a CloudEvent",
		`{"records":[` + pitch + `]}`:                                "not_a_pitch at summary_acts.pitch: the value holds its records in .records[]: send each of them",
		`{"topic":"t","key":"1","value":"x","timestamp":1,"partition":0,"offset":1}`:     "not_a_pitch at summary_acts.pitch: the value is a line with a record in it",
		`{"key":"1","value":"x","seen":1}`:                                               "not_a_pitch at summary_acts.pitch: the value is a line with a record in it, and its member \"seen\" is not known",
		"745804\t" + pitch:                                                               "malformed_json at byte 7: the value has text before its JSON, as kafka-console-consumer prints",
		"CreateTime:1727550000123\tPartition:0\tOffset:5\tbatter_id:1\t745804\t" + pitch: "malformed_json at byte 0: the value has text before its JSON",
		`{"key":"1","headers":{},"value":"x"}`:                                           "not_a_pitch at summary_acts.pitch: the value is a line with a record in it",
		`{"topic":"t","partition":0,"offset":1,"key":"","payload":"{}"}`:                 "not_a_pitch at summary_acts.pitch: the value is a line with a record in it",
		`[` + pitch + `]`:                            "not_a_pitch: the value is an array",
		`"{\"summary_acts\":{}}"`:                    "not_a_pitch: the value is a text that holds the JSON of a record: it was encoded twice",
		`{"summary_acts":{},"schema":1,"payload":2}`: "not_a_pitch at summary_acts.pitch: it is missing, empty or not an object",
		`{"payload":1}`:                              "not_a_pitch at summary_acts.pitch: the value is a line with a record in it",
		"\x00\x00":                                   "malformed_json at byte 0: not JSON from here on",
	} {
		_, rej := Transform(schemas.Record{Value: []byte(value)}, Limits{})
		if rej == nil || !strings.HasPrefix(rej.Error(), want) {
			t.Errorf("%q: %v, want %s", value, rej, want)
		}
	}
}

// The path is where the records are, whatever the members are called, and a record is not below itself.
func TestRecordsAreFoundWhereverAProgramPutsThem(t *testing.T) {
	const pitch = `{"x":[1],"summary_acts":{"pitch":{"result":"Ball"}}}`
	text := `"{\"summary_acts\":{}}"`
	deep := strings.Repeat(`{"a":`, 5) + pitch + strings.Repeat("}", 5)
	for value, want := range map[string]string{
		pitch: "", `[` + pitch + `]`: ".[]", "": "", " ": "", `{}`: "", `[]`: "", `{"plays":[]}`: "", `{"plays":[{"a":1}]}`: "",
		`{"plays":[` + pitch: ".plays[]", `{"Records":[` + pitch + `,`: ".Records[]",
		`{"n":2,"game":{"pitches":[ ` + pitch: ".game.pitches[]", `{"hits":{"hits":[{"_source":` + pitch + `}]}}`: ".hits.hits[]._source",
		`{"plays":[{"header":1},` + pitch + `]}`: ".plays[]", `{"data":` + pitch + `}`: ".data", `[[` + pitch + `]]`: ".[][]",
		`{"745804_1":` + pitch + `,"745804_2":` + pitch + `}`: ".[]", `{"a":` + pitch + `,"b":` + pitch + `}`: ".[]",
		`{"before":` + pitch + `,"after":` + pitch + `,"op":"u"}`: ".after",
		`{"Records":[{"body":` + text + `}]}`:                     ".Records[].body | fromjson", `{"Message":` + text + `}`: ".Message | fromjson",
		`{"Records":[{"kinesis":{"data":"eyJzdW1tYXJ5X2FjdHMiOnt9fQ=="}}]}`: ".Records[].kinesis.data | @base64d | fromjson",
		`{"key":"1","value":` + pitch + `}`:                                 "", `{"records":[{"key":"1","value":` + pitch + `}]}`: ".records[]",
		`{"schema":null,"payload":` + pitch + `}`: "", deep: ".a.a.a.a.a", `{"a":` + deep + `}`: "",
		`{"a b":[` + pitch + `]}`: ".[][]", `{"a":"` + strings.Repeat("x", 99): "", `{"a"`: "", `{"a":`: "", `{"plays":[`: "",
	} {
		if got := RecordsIn([]byte(value)); got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
}

func TestTextBeforeTheJSONOfALineIsCounted(t *testing.T) {
	for line, want := range map[string]int{
		"1\t{}": 2, "CreateTime:5\tNO_HEADERS\t1\t{\"a\":1} \r": 26, "745804:{}": 7, "2024-09-28 INFO {}": 16, "{}": 0, " {}": 0, "": 0, "1\t": 0,
		"1\t{": 0, "1\t{} x": 0, `"a{}`: 0, "[{}": 0, "}{}": 0, strings.Repeat("x", 5000) + "{}": 0, "\ufeff{}": 0,
	} {
		if got := TextBefore([]byte(line)); got != want {
			t.Errorf("%q: %d, want %d", line, got, want)
		}
	}
}
