package features

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
)

// Producers that were made for other readers put more into a value than the record: the prefix of a schema
// registry, an envelope of Kafka Connect, a second compression. Such records keep the code of the check that
// refuses them. Only the message differs, because a person reads it, and dead letters are grouped by it. A
// whole feed of them then shows as one line that says what to change at the producer.

// foreignBytes returns what a value is whose first byte is already no JSON, and what to do, if it has another
// program's mark; else "". It runs for dead letters only.
func foreignBytes(b []byte) string {
	switch {
	// Version 3, compression 0 (none) or 5 (zlib), 16 bytes of the schema's id.
	case len(b) >= 18 && b[0] == 3 && (b[1] == 0 || b[1] == 5):
		return "the value has the prefix of the AWS Glue schema registry: " +
			"produce plain JSON, without the registry's serializer"
	// guard: dead letters: UTF-16 is no schema registry's prefix | isUTF16(b) -> false
	case isUTF16(b):
		return "the value is UTF-16 text: produce UTF-8"
	case len(b) >= 5 && b[0] == 0:
		content := "its Avro or Protobuf"
		if i := jsonscan.Blanks(b, 5); i < len(b) && b[i] == '{' {
			content = "JSON, which"
		}
		return fmt.Sprintf("the value has a schema registry's prefix (magic byte 0, schema id %d), and then %s "+
			"is not read: produce plain JSON, without the registry's serializer",
			binary.BigEndian.Uint32(b[1:]), content)
	}
	for magic, name := range map[string]string{
		"\x1f\x8b": "compressed with gzip", "\x28\xb5\x2f\xfd": "compressed with zstd",
		"\x82SNAPPY\x00": "compressed with snappy", "\x04\x22\x4d\x18": "compressed with lz4",
	} {
		if bytes.HasPrefix(b, []byte(magic)) {
			return "the value itself is " + name + ": send it plain, and let the producer compress (compression.type)"
		}
	}
	if bytes.HasPrefix(b, []byte("Obj\x01")) {
		return "the value is an Avro file: produce plain JSON"
	}
	return ""
}

// isUTF16 reports whether b begins with the byte order mark of UTF-16, or with two characters of JSON in it.
// A schema registry's prefix also begins with a zero byte, but not with a small schema id that looks like
// that.
func isUTF16(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\xfe\xff")) || bytes.HasPrefix(b, []byte("\xff\xfe")) ||
		len(b) >= 4 && b[0] == 0 && b[1] != 0 && b[2] == 0 && b[3] != 0 ||
		len(b) >= 4 && b[0] != 0 && b[1] == 0 && b[2] != 0 && b[3] == 0
}

// foreignJSON returns what valid JSON that is no pitch is, and what to do, if it has a form that another
// program writes; else "". b must be valid JSON that the decoder has accepted, so it is never empty.
func foreignJSON(b []byte) string {
	start := jsonscan.Blanks(b, 0)
	switch b[start] {
	case '"':
		if bytes.Contains(b, []byte(`\"summary_acts\"`)) {
			return "the value is a text that holds the JSON of a record: it was encoded twice"
		}
		return ""
	case '[':
		if first := jsonscan.FirstElement(b, start); first > 0 && b[first] == '{' {
			return "the value is an array: send each of its elements as a record of its own"
		}
		return ""
	case '{':
		return foreignObject(b, start)
	}
	return ""
}

// foreignObject names what an object is by its members. b is valid JSON.
func foreignObject(b []byte, start int) string {
	var names []string
	for i := jsonscan.FirstMember(b, start); i > 0 && b[i] == '"' && len(names) < maxMembers; {
		end, _ := jsonscan.SkipString(b, i)
		names = append(names, string(b[i+1:end-1]))
		i = jsonscan.NextMember(b, jsonscan.SkipValue(b, jsonscan.AfterName(b, end), 1))
	}
	has := func(all ...string) bool {
		return !slices.ContainsFunc(all, func(one string) bool { return !slices.Contains(names, one) })
	}
	form, unknown := EnvelopeOf(names)
	switch {
	case has("summary_acts"):
		return ""
	case form == ConnectEnvelope:
		return "the value is an envelope of Kafka Connect (schema and payload): send the payload alone " +
			"(value.converter.schemas.enable=false); load reads files of these"
	case has("op", "source", "after"):
		return "the value is a change event of Debezium: send what is in after alone (ExtractNewRecordState)"
	case has("specversion", "type"):
		return "the value is a CloudEvent: send its data alone"
	case form == LineEnvelope:
		return "the value is a line with a record in it (dlq export, simulate --envelope, kcat -J, rpk): " +
			"load reads files of these"
	case form == ForeignEnvelope:
		return fmt.Sprintf("the value is a line with a record in it, and its member %.40q is not known: "+
			"without that member, load reads files of these", unknown)
	}
	if path := RecordsIn(b); path != "" {
		return "the value holds its records in " + path + ": send each of them as a record of its own"
	}
	return ""
}
