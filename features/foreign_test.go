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
func TestRecordsOfOtherProgramsSayWhatTheyAre(t *testing.T) {
	const pitch = `{"summary_acts":{"pitch":{"result":"Ball"}}}`
	for value, want := range map[string]string{
		"\x00\x00\x00\x00\x2a" + pitch:                                   "malformed_json at byte 0: the value has a schema registry's prefix (magic byte 0, schema id 42), and then JSON, which is not read",
		"\x00\x00\x00\x01\x00\x02avro":                                   "malformed_json at byte 0: the value has a schema registry's prefix (magic byte 0, schema id 256), and then its Avro or Protobuf is not read",
		"\x03\x00" + strings.Repeat("u", 16) + pitch:                     "malformed_json at byte 0: the value has the prefix of the AWS Glue schema registry",
		"\x1f\x8b\x08\x00":                                               "malformed_json at byte 0: the value itself is compressed with gzip: send it plain",
		"\x28\xb5\x2f\xfd":                                               "malformed_json at byte 0: the value itself is compressed with zstd: send it plain",
		"Obj\x01avro":                                                    "malformed_json at byte 0: the value is an Avro file",
		"\x00{\x00\"\x00a\x00\"":                                         "malformed_json at byte 0: the value is UTF-16 text",
		"\xff\xfe{\x00":                                                  "malformed_json at byte 0: the value is UTF-16 text",
		`{"schema":{"type":"struct"},"payload":` + pitch + `}`:           "not_a_pitch at summary_acts.pitch: the value is an envelope of Kafka Connect (schema and payload)",
		`{"schema":null,"payload":` + pitch + `}`:                        "not_a_pitch at summary_acts.pitch: the value is an envelope of Kafka Connect (schema and payload)",
		`{"before":null,"after":` + pitch + `,"source":{},"op":"c"}`:     "not_a_pitch at summary_acts.pitch: the value is a change event of Debezium",
		`{"specversion":"1.0","type":"x","data":` + pitch + `}`:          "not_a_pitch at summary_acts.pitch: the value is a CloudEvent",
		`{"records":[` + pitch + `]}`:                                    "not_a_pitch at summary_acts.pitch: the value is an object with records in its member records",
		`{"key":"1","headers":{},"value":"x"}`:                           "not_a_pitch at summary_acts.pitch: the value is a line with a record in it",
		`{"topic":"t","partition":0,"offset":1,"key":"","payload":"{}"}`: "not_a_pitch at summary_acts.pitch: the value is a line with a record in it",
		`[` + pitch + `]`:                                                "not_a_pitch: the value is an array",
		`"{\"summary_acts\":{}}"`:                                        "not_a_pitch: the value is a text that holds the JSON of a record: it was encoded twice",
		`{"summary_acts":{},"schema":1,"payload":2}`:                     "not_a_pitch at summary_acts.pitch: it is missing, empty or not an object",
		`{"payload":1}`:                                                  "not_a_pitch at summary_acts.pitch: it is missing, empty or not an object",
		"\x00\x00":                                                       "malformed_json at byte 0: not JSON from here on",
	} {
		_, rej := Transform(schemas.Record{Value: []byte(value)}, Limits{})
		if rej == nil || !strings.HasPrefix(rej.Error(), want) {
			t.Errorf("%q: %v, want %s", value, rej, want)
		}
	}
}
