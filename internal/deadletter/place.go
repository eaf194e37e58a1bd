package deadletter

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/pitchstream/pitchstream/features"
)

// Place is where in a dead letter's record the fault is.
type Place struct {
	Path   string `json:"path,omitempty"` // JSON path, or a header's name; "" where the message names none
	Header bool   `json:"header,omitempty"`
	// From and To are the faulty bytes of the value: [From, To). A byte offset has one byte, or none at the
	// end of the value. Both are −1 if no byte is known.
	From int `json:"from"`
	To   int `json:"to"`
	// Parent reports that the path does not exist; the bytes are those of the nearest value that does.
	Parent bool `json:"parent,omitempty"`
}

var (
	atByte = regexp.MustCompile(`^[a-z_]+(?: at [^ ]+)? at byte ([0-9]+):`)
	atPath = regexp.MustCompile(`^[a-z_]+ at ([^ ]+)(?: at byte [0-9]+)?:`)
)

// Fault returns the place that the message names. If the message names none that exists, today's core is
// asked.
func (l *Letter) Fault(limits features.Limits) Place {
	p := l.named(l.Message)
	if p.From < 0 && !p.Header {
		if _, rejection := features.Transform(l.Record(), limits); rejection != nil && rejection.Code == l.Code {
			p = l.named(rejection.Error())
		}
	}
	return p
}

func (l *Letter) named(message string) Place {
	none := Place{From: -1, To: -1}
	if m := atByte.FindStringSubmatch(message); m != nil {
		at, err := strconv.Atoi(m[1])
		if err != nil || at > len(l.Value) {
			return none
		}
		return Place{From: at, To: min(at+1, len(l.Value))}
	}
	m := atPath.FindStringSubmatch(message)
	if m == nil || m[1] == "byte" {
		return none
	}
	for _, h := range l.Headers {
		if h.Key == m[1] && isOwn(h.Key) {
			return Place{Path: m[1], Header: true, From: -1, To: -1}
		}
	}
	// The JSON of a value with a schema registry's prefix begins behind it.
	skip := 0
	if len(l.Value) > 5 && l.Value[0] == 0 {
		skip = 5
	}
	from, to, whole := locate(l.Value[skip:], m[1])
	if from >= 0 {
		from, to = from+skip, to+skip
	}
	return Place{Path: m[1], From: from, To: to, Parent: !whole}
}

var pathStep = regexp.MustCompile(`[^.\[\]]+`)

// locate returns the bytes at a path as summary_acts.pitch or samples_bat[3]. If the path does not exist,
// whole is false and the bytes are those of its last step that does. The last one of a repeated member
// counts.
func locate(value []byte, path string) (from, to int, whole bool) {
	from = len(value) - len(bytes.TrimLeft(value, " \t\r\n"))
	to = len(bytes.TrimRight(value, " \t\r\n"))
	if !json.Valid(value) {
		return -1, -1, false
	}
	for _, step := range pathStep.FindAllString(path, -1) {
		f, t, ok := child(value[from:to], step)
		if !ok {
			return from, to, false
		}
		from, to = from+f, from+t
	}
	return from, to, true
}

// child returns the bytes of a member, or of an element if step is a number.
func child(parent []byte, step string) (from, to int, ok bool) {
	d := json.NewDecoder(bytes.NewReader(parent))
	open, err := d.Token()
	if err != nil || open != json.Delim('{') && open != json.Delim('[') {
		return 0, 0, false
	}
	for n := 0; d.More(); n++ {
		name := strconv.Itoa(n)
		if open == json.Delim('{') {
			token, err := d.Token()
			if err != nil {
				return 0, 0, false
			}
			name, _ = token.(string)
		}
		var element json.RawMessage
		if err := d.Decode(&element); err != nil {
			return 0, 0, false
		}
		if name == step {
			to = int(d.InputOffset())
			// guard: dead letters: of a repeated member the last is meant | instead return int(d.InputOffset()) - len(element), int(d.InputOffset()), true
			from, ok = to-len(element), true
		}
	}
	return from, to, ok
}

// Shown returns the bytes around a place for a person to read, at most around bytes on either side. [from,
// to) are the characters of the text that are the place. White space and unprintable bytes become one
// character each.
func (l *Letter) Shown(p Place, around int) (text string, from, to int) {
	if p.From < 0 {
		return clean(l.Value[:min(len(l.Value), 2*around)]), -1, -1
	}
	first, last := max(0, p.From-around), min(len(l.Value), min(p.To, p.From+around)+around)
	end := min(p.To, p.From+around)
	head, middle, tail := clean(l.Value[first:p.From]), clean(l.Value[p.From:end]), clean(l.Value[end:last])
	if first > 0 {
		head = "…" + head
	}
	if p.To > p.From+around {
		middle += "…"
	}
	if last < len(l.Value) {
		tail += "…"
	}
	return head + middle + tail, len([]rune(head)), len([]rune(head)) + max(1, len([]rune(middle)))
}

// clean returns b as text in which each character takes one column.
func clean(b []byte) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\r':
			return ' '
		case r == '\uFFFD', !unicode.IsGraphic(r):
			return '·'
		}
		return r
	}, strings.ToValidUTF8(string(b), "·"))
}
