package fileinput

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
)

// Envelope is what a line says of the Kafka record in it, beside its value. features.EnvelopeOf says which
// lines are one, so that a dead letter and the reading of files agree.
type Envelope struct {
	Key         []byte // nil if the record has none
	Headers     []schemas.Header
	TimestampMS int64 // of the record's origin, Unix milliseconds; 0 if the line does not say
}

// KafkaRecord returns the record that a load sends for an item. game is that of all records, or "". id is
// what the identifiers name, and comes after the headers of an envelope, so that it counts.
func (item *Item) KafkaRecord(game string, id Identity) schemas.Record {
	r := schemas.Record{Value: item.Value}
	own := ""
	if item.Envelope != nil {
		own = string(item.Envelope.Key)
		r.Headers, r.TimestampMS = item.Envelope.Headers, item.Envelope.TimestampMS
	}
	r.Headers = slices.Concat(r.Headers, id.Headers())
	if game = cmp.Or(game, id.GamePK, own, item.File.GamePK); game != "" {
		r.Key = []byte(game)
	}
	return r
}

// maxEnvelopes bounds how often a record is in the envelope of another: a dead letter of a line of kcat,
// which holds what Kafka Connect wrote.
const maxEnvelopes = 4

// envelopeLine has the members of envelopes that are used.
type envelopeLine struct {
	Key, Value, Payload json.RawMessage
	KeyBase64           []byte `json:"key_base64"`
	ValueBase64         []byte `json:"value_base64"`
	Headers             json.RawMessage
	TimestampMS         int64 `json:"timestamp_ms"`
	TS                  int64
	Timestamp           timestamp // of rpk and others
	Schema              json.RawMessage
	Origin              struct{ Timestamp schemas.TimeMS }
	Source              string
	SizeBytes           int64 `json:"size_bytes"`
	KeyBytes            int64 `json:"key_bytes"`
	HeadersCut          int64 `json:"headers_cut"`
}

// looksLikeEnvelope reports whether b begins with an object whose first member an envelope can have. It reads
// only that name, because it is called for every record.
func looksLikeEnvelope(b []byte) bool {
	b, isObject := bytes.CutPrefix(skipSpace(b), []byte("{"))
	b, hasName := bytes.CutPrefix(skipSpace(b), []byte(`"`))
	end := bytes.IndexByte(b[:min(len(b), 32)], '"')
	return isObject && hasName && end >= 0 && features.IsEnvelopeMember(string(b[:end]))
}

// timestamp is Unix milliseconds, or a text of RFC 3339.
type timestamp int64

// UnmarshalJSON implements json.Unmarshaler.
func (at *timestamp) UnmarshalJSON(b []byte) error {
	var text string
	if string(b) == "null" {
		return nil
	}
	if json.Unmarshal(b, &text) != nil {
		return json.Unmarshal(b, (*int64)(at))
	}
	t, err := ParseTime(text)
	*at = timestamp(t.UnixMilli())
	return err
}

// formOf returns the form of an object by its members.
func formOf(object []byte) (form features.EnvelopeForm, unknown string) {
	var names []string
	for key := range members(object) {
		// guard: files: the members of an envelope are bounded
		if len(names) == maxMembers {
			return features.NoEnvelope, ""
		}
		names = append(names, strings.Trim(string(key), `"`))
	}
	return features.EnvelopeOf(names)
}

// maxMembers is more than any envelope has.
const maxMembers = 64

// openEnvelope replaces an item that is an envelope by the record in it, also if that is an envelope again.
func (item *Item) openEnvelope(limit int) (opened bool) {
	for range maxEnvelopes {
		outer := item.Envelope
		if item.TooLarge || !looksLikeEnvelope(item.Value) || !item.openOne(limit) {
			break
		}
		opened = true
		if outer == nil {
			continue
		}
		// The inner one is of the producer, so that its key, time and headers count: of equal headers the last.
		inner := item.Envelope
		inner.Headers = slices.Concat(outer.Headers, inner.Headers)
		if inner.Key == nil {
			inner.Key = outer.Key
		}
		inner.TimestampMS = cmp.Or(inner.TimestampMS, outer.TimestampMS)
	}
	return opened
}

// openOne replaces an item that is the line of an envelope by the record in it. Any other item, also a
// broken one, stays as it is. A record that is not in the line as a whole, or longer than limit, is TooLarge.
func (item *Item) openOne(limit int) (opened bool) {
	form, _ := formOf(item.Value)
	if form != features.LineEnvelope && form != features.ConnectEnvelope {
		return false
	}
	var line envelopeLine
	if json.Unmarshal(item.Value, &line) != nil {
		return false
	}
	at := max(line.TimestampMS, line.TS, int64(line.Timestamp), int64(line.Origin.Timestamp), 0)
	e := &Envelope{Key: line.KeyBase64, TimestampMS: at}
	var err error
	if e.Headers, err = headersOf(line.Headers); err != nil {
		return false
	}
	if key := contentOf(line.Key); key != nil {
		e.Key = key
	}
	if game := gameFromName(line.Source); game != "" && e.Key == nil {
		e.Key = []byte(game) // a line of process names the file, whose name gave the game
	}
	value := line.ValueBase64
	for _, raw := range []json.RawMessage{line.Value, line.Payload} {
		if len(raw) > 0 {
			value = contentOf(raw)
		}
	}
	if form == features.ConnectEnvelope && isBytesSchema(line.Schema) {
		text, err := base64.StdEncoding.DecodeString(string(value))
		if err != nil {
			return false
		}
		value = text
	}
	// guard: files: a record without its whole key and headers is not sent | line.KeyBytes > int64(len(e.Key)) || line.HeadersCut > 0 || -> false ||
	item.IsPart = line.KeyBytes > int64(len(e.Key)) || line.HeadersCut > 0 || line.SizeBytes > int64(len(value))
	// guard: files: the record in an envelope is bounded | len(value) > limit -> false
	item.TooLarge = item.IsPart || len(value) > limit
	item.Envelope, item.Value, item.SizeBytes = e, value, max(line.SizeBytes, int64(len(value)))
	if item.TooLarge {
		item.Value = value[:min(len(value), KeptBytes)]
	}
	return true
}

// isBytesSchema reports whether the schema of Kafka Connect says that its payload is base64.
func isBytesSchema(schema json.RawMessage) bool {
	var s struct{ Type string }
	return json.Unmarshal(schema, &s) == nil && s.Type == "bytes"
}

// contentOf returns the bytes that a JSON value stands for: those of a text, nil of null, and of anything
// else the JSON itself.
func contentOf(raw json.RawMessage) []byte {
	var text *string
	switch {
	case len(raw) == 0:
		return nil
	case json.Unmarshal(raw, &text) != nil:
		return raw
	case text == nil:
		return nil
	}
	return []byte(*text)
}

// headersOf reads headers in the four forms that programs write:
//
//	{"batter_id": "1"}                          simulate
//	[{"key": "batter_id", "value": "1"}]        dlq export, also with value_base64
//	["batter_id", "1"]                          kcat
//	[["batter_id", "1"]]                        scripts
//
// It leaves out the headers of a dead letter about its failure, except its origin and attempts: without these
// the record would be another version.
func headersOf(raw json.RawMessage) (headers []schemas.Header, err error) {
	add := func(key string, value json.RawMessage) {
		headers = append(headers, schemas.Header{Key: key, Value: contentOf(value)})
	}
	var list []json.RawMessage
	switch {
	case len(raw) == 0:
	case raw[0] == '{':
		for key, value := range members(raw) {
			var name string
			if err := json.Unmarshal(key, &name); err != nil {
				return nil, err
			}
			add(name, value)
		}
	default:
		if err = json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
	}
	for i := 0; i < len(list); i++ {
		var pair []json.RawMessage
		var object struct {
			Key         *string
			Value       json.RawMessage
			ValueBase64 []byte `json:"value_base64"`
		}
		switch {
		case json.Unmarshal(list[i], &pair) == nil && len(pair) == 2:
			add(string(contentOf(pair[0])), pair[1])
		case json.Unmarshal(list[i], &object) == nil && object.Key != nil && object.Value != nil:
			add(*object.Key, object.Value)
		case object.Key != nil:
			headers = append(headers, schemas.Header{Key: *object.Key, Value: object.ValueBase64})
		case list[i][0] == '"' && i+1 < len(list):
			add(string(contentOf(list[i])), list[i+1])
			i++
		default:
			return nil, fmt.Errorf("header %d is none", i)
		}
	}
	return slices.DeleteFunc(headers, func(h schemas.Header) bool { return schemas.IsFailureHeader(h.Key) }), nil
}
