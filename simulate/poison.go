package simulate

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// flavour is one way in which a record is no row. It makes its message from that of a good pitch that no
// other record has.
type flavour struct {
	name  string
	code  schemas.Code
	spoil func(m *Message)
}

// flavours cover every code that a record can earn by itself, in turn. (sink_rejected and internal are not of
// the record's making, too_large comes where OversizeBytes is set.)
var flavours = []flavour{
	{"truncated", schemas.CodeMalformedJSON, func(m *Message) { m.Value = m.Value[:len(m.Value)*2/3] }},
	{"not an object", schemas.CodeNotAPitch, func(m *Message) { m.Value = wrap("[", m.Value, "]") }},
	{"schema_version 2.0", schemas.CodeUnsupportedVersion, with(schemas.HeaderSchemaVersion, "2.0")},
	{"unit metre", schemas.CodeUnsupportedUnits, replace(`"length": "foot"`, `"length": "metre"`)},
	{"unknown op", schemas.CodeSchemaViolation, with(schemas.HeaderOp, "merge")},
	{"empty value", schemas.CodeMalformedJSON, func(m *Message) { m.Value = nil }},
	{"NaN", schemas.CodeMalformedJSON, replace(`"samples_ball": [{"time": `, `"samples_ball": [{"time": NaN, "was": `)},
	{"pitch is text", schemas.CodeNotAPitch, replace(`{"pitch": {`, `{"pitch": "none", "was": {`)},
	{"samples not objects", schemas.CodeSchemaViolation, replace(`"samples_bat": [`, `"samples_bat": [null, `)},
	{"invalid UTF-8", schemas.CodeMalformedJSON, replace(`"result": "`, "\"result\": \"\xff")},
	{"unit kph", schemas.CodeUnsupportedUnits, replace(`"velocity": "mph"`, `"velocity": "kph"`)},
	{"nested 600 deep", schemas.CodeMalformedJSON, func(m *Message) { m.Value = wrap(`{"bomb": `+nest(600)+`, "record": `, m.Value, "}") }},
	{"samples not an array", schemas.CodeSchemaViolation, replace(`"samples_ball": [`, `"samples_ball": "lost", "was": [`)},
	{"version not MAJOR.MINOR", schemas.CodeUnsupportedVersion, with(schemas.HeaderSchemaVersion, "v1")},
	{"Infinity", schemas.CodeMalformedJSON, replace(`"runs": {`, `"runs": {"pace": -Infinity, `)},
	{"pitch is missing", schemas.CodeNotAPitch, replace(`"summary_acts"`, `"summary_acts_"`)},
	{"unreadable revision", schemas.CodeSchemaViolation, with(schemas.HeaderRevision, "-1")},
	{"bytes after the end", schemas.CodeMalformedJSON, func(m *Message) { m.Value = wrap("", m.Value, "}") }},
	{"byte order mark", schemas.CodeMalformedJSON, func(m *Message) { m.Value = wrap("\ufeff", m.Value, "") }},
	{"delete of nothing", schemas.CodeSchemaViolation, func(m *Message) {
		with(schemas.HeaderOp, "delete")(m)
		m.Value = nil
	}},
	{"delete with a value", schemas.CodeSchemaViolation, withID(schemas.HeaderOp, "delete")},
	{"identify without ids", schemas.CodeSchemaViolation, func(m *Message) {
		m.Headers = nil
		withID(schemas.HeaderOp, "identify")(m)
		m.Value = nil
	}},
	{"events not objects", schemas.CodeSchemaViolation, replace(`"events": [`, `"events": [7], "was": [`)},
}

// poison sends a record that no row can be made of, near the pitch.
func (e *envelope) poison() {
	q := *e.p
	q.id = e.r.uuid()
	q.value = q.rewrite()
	m := Message{Key: e.g.pk, Value: q.value, EventTime: q.at, Headers: e.headers(&q)}
	f := e.nextFlavour()
	if m.Want = (Want{Kind: KindPoison, PitchID: q.id, Code: f.code, Flavour: f.name}); f.spoil != nil {
		f.spoil(&m)
	}
	m.Want.PitchID = schemas.PitchID{}
	e.s.out.put(e.after(5), m)
}

// nextFlavour takes all in turn, so that a short stream has many.
func (e *envelope) nextFlavour() flavour {
	s := e.s
	n := len(flavours)
	if s.o.OversizeBytes > 0 {
		n++
	}
	i := s.flavour % n
	s.flavour++
	if i < len(flavours) {
		return flavours[i]
	}
	return flavour{"oversized", schemas.CodeTooLarge, func(m *Message) {
		pad := max(s.o.OversizeBytes+1-len(m.Value), 0)
		m.Value = wrap("", m.Value, strings.Repeat(" ", pad))
	}}
}

func with(key, value string) func(*Message) {
	return func(m *Message) { m.Headers = append(m.Headers, header(key, value)) }
}

// withID adds the pitch_id too, so that only the rest is wrong.
func withID(key, value string) func(*Message) {
	return func(m *Message) {
		m.Headers = append(m.Headers, header(key, value), header(schemas.HeaderPitchID, m.Want.PitchID.String()))
	}
}

// replace puts new text where old stands first; of several pairs, those that are found. A record without any
// is a mistake of this file.
func replace(pairs ...string) func(*Message) {
	return func(m *Message) {
		spoilt := m.Value
		for i := 0; i < len(pairs); i += 2 {
			spoilt = bytes.Replace(spoilt, []byte(pairs[i]), []byte(pairs[i+1]), 1)
		}
		if bytes.Equal(spoilt, m.Value) {
			panic(fmt.Sprintf("simulate: nothing to spoil: no %q in a record", pairs[0]))
		}
		m.Value = spoilt
	}
}

func wrap(before string, value []byte, after string) []byte {
	b := make([]byte, 0, len(before)+len(value)+len(after))
	return append(append(append(b, before...), value...), after...)
}

func nest(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
