package fileinput

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"
)

// EventID returns summary_acts.pitch.eventId of a record, by which a game log names the pitch. ok is false if
// there is none or it is not text. It reads only brackets and the names on that path, because it is called
// for every record. If a name is repeated, the last one counts, as in the core. For broken JSON, which
// becomes no row, the result is undefined.
func EventID(record []byte) (id string, ok bool) {
	value := record
	for _, name := range []string{"summary_acts", "pitch", "eventId"} {
		value = member(value, name)
	}
	if len(value) == 0 || value[0] != '"' || json.Unmarshal(value, &id) != nil {
		return "", false
	}
	return id, id != ""
}

// member returns the value of the last member of that name in an object, nil if there is none. It shares its
// bytes.
func member(object []byte, name string) (value []byte) {
	for key, v := range members(object) {
		if isName(key, name) {
			value = v
		}
	}
	return value
}

// members yields the quoted names and the values of an object, up to where it is broken. They share its
// bytes.
func members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		rest := skipSpace(object)
		if len(rest) == 0 || rest[0] != '{' {
			return
		}
		for rest = skipSpace(rest[1:]); len(rest) > 0 && rest[0] == '"'; {
			key, after := cutValue(rest)
			after = skipSpace(after)
			if len(after) == 0 || after[0] != ':' {
				return
			}
			var value []byte
			if value, rest = cutValue(skipSpace(after[1:])); len(value) == 0 || !yield(key, value) {
				return
			}
			if rest = skipSpace(rest); len(rest) > 0 && rest[0] == ',' {
				rest = skipSpace(rest[1:])
			}
		}
	}
}

// cutValue splits b after the value that it starts with.
func cutValue(b []byte) (value, rest []byte) {
	end, ok := 0, true
	switch {
	case len(b) == 0:
	case b[0] == '{' || b[0] == '[':
		end, ok = new(brackets).find(b)
	case b[0] == '"':
		s := brackets{inString: true}
		end = s.skipString(b, 1)
		ok = !s.inString
	default:
		end = slices.IndexFunc(b, func(c byte) bool { return c == ',' || c == '}' || c == ']' || isSpace(c) })
		ok = end >= 0
	}
	if !ok {
		end = len(b)
	}
	return b[:end], b[end:]
}

// isName reports whether a quoted key, with its escapes decoded, is name.
func isName(quoted []byte, name string) bool {
	if len(quoted) == len(name)+2 {
		return string(quoted[1:len(quoted)-1]) == name
	}
	var key string
	return len(quoted) > len(name)+2 && slices.Contains(quoted, '\\') &&
		json.Unmarshal(quoted, &key) == nil && key == name
}

func skipSpace(b []byte) []byte { return bytes.TrimLeft(b, whiteSpace) }
