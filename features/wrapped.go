package features

import (
	"bytes"
	"slices"
	"strings"

	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
)

// Other programs put records into lines, lists and answers of their own. The functions here say so by the
// content. The core's messages and the reading of files both use them, so that what a dead letter says of
// a file is what load does with that file.

// EnvelopeForm says in what way an object is a line with a record in it.
type EnvelopeForm int

// The forms.
const (
	NoEnvelope EnvelopeForm = iota
	// LineEnvelope has the record beside its key, headers or place: dlq export, process, simulate --envelope,
	// kcat -J, rpk topic consume, kafkactl -o json.
	LineEnvelope
	// ConnectEnvelope is {"schema", "payload"}, as Kafka Connect's JsonConverter writes it.
	ConnectEnvelope
	// ForeignEnvelope is like LineEnvelope, but has a member that is not known, so that load does not read it.
	ForeignEnvelope
)

// envelopeMembers are the members that a LineEnvelope may have, in lower case.
var envelopeMembers = strings.Fields(`key key_base64 headers value value_base64 payload timestamp_ms
	topic partition offset tstype ts broker key_schema_id value_schema_id
	timestamp timestamptype keyschema valueschema keyschemaid valueschemaid
	source record byte_offset size_bytes sha256 key_bytes headers_cut code message origin attempts failed_at
	status decision today fault`)

// IsEnvelopeMember reports whether an envelope of a form that load reads may have this member.
func IsEnvelopeMember(name string) bool {
	return name == "schema" || slices.Contains(envelopeMembers, strings.ToLower(name))
}

// EnvelopeOf returns what an object with these members is. unknown is the first member for which an object is
// a ForeignEnvelope, else "". Case does not count.
func EnvelopeOf(names []string) (form EnvelopeForm, unknown string) {
	has := func(all ...string) bool {
		return !slices.ContainsFunc(all, func(one string) bool {
			return !slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, one) })
		})
	}
	if len(names) == 2 && has("schema", "payload") {
		return ConnectEnvelope, ""
	}
	for _, name := range names {
		if !slices.Contains(envelopeMembers, strings.ToLower(name)) {
			unknown = name
			break
		}
	}
	isPlaced := has("topic", "partition", "offset") // rpk writes no value of a delete record
	switch {
	case unknown == "" && (isPlaced || has("value") || has("value_base64") || has("payload")):
		return LineEnvelope, ""
	case has("summary_acts"), unknown == "":
		return NoEnvelope, ""
	case isPlaced, has("key", "value"), has("headers", "value"), has("value_base64"),
		has("payload", "partition", "offset"):
		return ForeignEnvelope, unknown
	}
	return NoEnvelope, ""
}

// Bounds of what RecordsIn looks at: levels of nesting, members of an object and elements of an array.
const (
	maxLevels   = 6
	maxMembers  = 64
	maxElements = 8
)

// RecordsIn returns where in a JSON value its records are, as a path of jq: .plays[], .hits.hits[]._source.
// It returns "" if the value is itself a record or the envelope of one, and if it holds none. The value may
// be cut short.
func RecordsIn(b []byte) string {
	i := jsonscan.Blanks(b, 0)
	if i == len(b) {
		return ""
	}
	path, _ := recordsAt(b, i, 1)
	if path != "" && path[0] != '.' {
		path = "." + path
	}
	return path
}

// recordsAt returns the path from the value at b[i] to its records. found is true with the path "" if the
// value is a record.
func recordsAt(b []byte, i, level int) (path string, found bool) {
	if level > maxLevels {
		return "", false
	}
	switch b[i] {
	case '{':
		return recordsInObject(b, i, level)
	case '[':
		n := 0
		for i = jsonscan.FirstElement(b, i); i > 0 && b[i] != ']' && n < maxElements; n++ {
			if path, found := recordsAt(b, i, level+1); found {
				return "[]" + path, true
			}
			i = jsonscan.NextElement(b, jsonscan.SkipValue(b, i, level))
		}
	case '"':
		end, _ := jsonscan.SkipString(b, i)
		switch {
		case end > 0 && bytes.Contains(b[i:end], []byte(`\"summary_acts\"`)):
			return " | fromjson", true
		case bytes.HasPrefix(b[i+1:], []byte(base64Begin)):
			return " | @base64d | fromjson", true
		}
	}
	return "", false
}

// base64Begin is how base64 of a record begins.
const base64Begin = "eyJzdW1tYXJ5X2FjdHMi"

func recordsInObject(b []byte, start, level int) (path string, found bool) {
	var names []string
	in := ""       // member in which the records are
	isOne := false // that member is itself a record
	for i := jsonscan.FirstMember(b, start); i > 0 && b[i] == '"' && len(names) < maxMembers; {
		end, _ := jsonscan.SkipString(b, i)
		if end < 0 {
			break
		}
		name := string(b[i+1 : end-1])
		if i = jsonscan.AfterName(b, end); i < 0 {
			break
		}
		names = append(names, name)
		if name == "summary_acts" {
			return "", true
		}
		if (!found || isOne) && name != "before" { // before is the old state in a change event
			sub, isHere := recordsAt(b, i, level+1)
			isOneHere := isHere && sub == "" && b[i] == '{'
			switch {
			case found && isOneHere: // records by their ids
				path, isOne = "[]", false
			case !found && isHere:
				path, found, in, isOne = step(name)+sub, true, name, isOneHere
			}
		}
		i = jsonscan.NextMember(b, jsonscan.SkipValue(b, i, level))
	}
	form, _ := EnvelopeOf(names)
	isCarrier := slices.Contains([]string{"value", "value_base64", "payload"}, strings.ToLower(in))
	if found && isCarrier && (form == LineEnvelope || form == ConnectEnvelope) {
		return "", true
	}
	return path, found
}

// step returns the step of jq to a member: .name, or [] if its name would need quotes.
func step(name string) string {
	isPlain := func(c rune) bool {
		return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	if name == "" || len(name) > 64 || '0' <= name[0] && name[0] <= '9' ||
		strings.ContainsFunc(name, func(c rune) bool { return !isPlain(c) }) {
		return "[]"
	}
	return "." + name
}

// maxPrefixBytes bounds the text before the JSON of a line.
const maxPrefixBytes = 4 << 10

// TextBefore returns how many bytes of other text stand before the JSON object that ends a line, 0 if the
// line has another form. kafka-console-consumer writes such lines, with print.key or print.timestamp.
func TextBefore(line []byte) int {
	i := bytes.IndexByte(line[:min(len(line), maxPrefixBytes)], '{')
	if i <= 0 || bytes.ContainsAny(line[:i], "\"[]}\n\ufeff") || len(bytes.TrimSpace(line[:i])) == 0 {
		return 0
	}
	end := jsonscan.SkipObject(line, i, 1)
	if end < 0 || jsonscan.Blanks(line, end) != len(line) {
		return 0
	}
	return i
}
