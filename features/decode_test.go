package features

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pitchstream/pitchstream/schemas"
)

// 512 open brackets are allowed and 513 are not, wherever they stand, also where we know the members around.
func TestDepthIsCountedEverywhere(t *testing.T) {
	for path, around := range map[string]int{
		"units": 1, "unknown": 1, "units.length": 2, "units.unknown": 2, "summary_acts.pitch.eventId": 3, "summary_acts.pitch.speed.mph": 4,
		"summary_score.runs.innings": 3, "events": 1, "events.0.start.angle": 4, "events.0.personId.mlbId": 4, "events.0.x": 3,
		"samples_bat": 1, "samples_bat.0": 2, "samples_bat.0.x": 3, "samples_bat.0.time": 3, "samples_bat.0.head": 3,
		"samples_bat.0.head.x": 4, "samples_bat.0.head.pos": 4, "samples_bat.0.head.pos.0": 5, "samples_ball.0.time": 3, "samples_ball.0": 2,
	} {
		for _, brackets := range []string{"[]", "{}"} {
			for total := 511; total <= 514; total++ {
				open := strings.Repeat(brackets[:1], total-around)
				if brackets == "{}" {
					open = strings.TrimSuffix(strings.Repeat(`{"a":`, total-around), `"a":`)
				}
				deep := raw(open + strings.Repeat(brackets[1:], total-around))
				tree := aSwing().set("events", arr{battedEvent()}).set(path, deep)
				code := codeOf(t, schemas.Record{Value: asCompact.bytes(tree)})
				if (code == schemas.CodeMalformedJSON) != (total > 512) {
					t.Errorf("%s at a depth of %d: %q", path, total, code)
				}
			}
		}
	}
}

// A rejection says where the bytes stop being JSON, and why.
func TestSyntaxFaultsAreShown(t *testing.T) {
	for value, want := range map[string]string{
		"":                                    "malformed_json at byte 0: the value is empty",
		" \n":                                 "malformed_json at byte 2: the value ends before its JSON does",
		`{"a":[1,2`:                           "malformed_json at byte 9: the value ends before its JSON does",
		`{"a":[1,2]}x`:                        `malformed_json at byte 11: not JSON from here on: "x"`,
		"\ufeff{}":                            "malformed_json at byte 0: a byte order mark is not JSON",
		"{\"a\":\"b\xffc\"}":                  "malformed_json at byte 7: invalid UTF-8",
		`{"a":NaN}`:                           `malformed_json at byte 5: not JSON from here on: "NaN}"`,
		`{"a":nul}`:                           `malformed_json at byte 8: not JSON from here on: "}"`,
		`[01]`:                                `malformed_json at byte 1: not JSON from here on: "01]"`,
		"[\"a\nb\"]":                          `malformed_json at byte 3: not JSON from here on: "\nb\"]"`,
		`["\x"]`:                              `malformed_json at byte 3: not JSON from here on: "x\"]"`,
		`[1,]`:                                `malformed_json at byte 3: not JSON from here on: "]"`,
		`{"[{": [` + strings.Repeat("[", 600): "malformed_json at byte 518: nesting deeper than 512",
	} {
		_, rej := comparePlain(t, schemas.Record{Value: []byte(value)})
		if rej == nil || rej.Error() != want {
			t.Errorf("%q: %v, want %s", value, rej, want)
		}
	}
}

// Member names are exact after unescaping, and of repeated members the last one counts, whole.
func TestMembers(t *testing.T) {
	pitch := `"pitch":{"eventId":"` + testEventID + `","type":"Sinker","speed":{"mph":90}}`
	for _, story := range []struct{ moral, value, wantType, wantSpeed string }{
		{"plain", `{"summary_acts":{` + pitch + `}}`, "Sinker", "90"},
		{"escaped names are names", `{"summary\u005facts":{"\u0070itch":{"t\u0079pe":"Slider"}}}`, "Slider", ""},
		{"names are exact", `{"Summary_acts":{},"summary_acts ":{},"summary_acts":{` + pitch + `,"Pitch":{}}}`, "Sinker", "90"},
		{"the last member counts", `{"summary_acts":{"pitch":{"type":"a","type":"b"}}}`, "b", ""},
		{"whole", `{"summary_acts":{` + pitch + `,"pitch":{"type":"b"}}}`, "b", ""},
		{"whole, on every level", `{"summary_acts":{` + pitch + `},"summary_acts":{"pitch":{"speed":{"mph":80}}}}`, "", "80"},
		{"also below", `{"summary_acts":{"pitch":{"type":"a","speed":{"mph":90},"speed":{"kph":1}}}}`, "a", ""},
		{"a repetition may be escaped", `{"summary_acts":{"pitch":{"type":"a","typ\u0065":"b"}}}`, "b", ""},
		{"a name with a lone surrogate is another", `{"summary_acts":{"pitch":{"type":"a","type\ud800":"b"}}}`, "a", ""},
		{"a missing value is the last one too", `{"summary_acts":{"pitch":{"type":"a","type":{}}}}`, "", ""},
		{"an array is no object", `{"summary_acts":{"pitch":{"type":"a","speed":[{"mph":90}]}}}`, "a", ""},
	} {
		row := rowOf(t, schemas.Record{Value: []byte(story.value)})
		speed := ""
		if row.PitchSpeedMPH.Present {
			speed = fmt.Sprint(row.PitchSpeedMPH.Value)
		}
		if string(row.PitchType) != story.wantType || speed != story.wantSpeed {
			t.Errorf("%s: type %q and speed %q, want %q and %q", story.moral, row.PitchType, speed, story.wantType, story.wantSpeed)
		}
	}
}

// A repeated track replaces the earlier one, and so do the parts of a sample.
func TestRepeatedTracks(t *testing.T) {
	const pitch = `{"summary_acts":{"pitch":{"type":"a"}},`
	const sample = `{"time":1,"head":{"pos":[1,2,3]},"handle":{"pos":[1,2,5]}}`
	for _, story := range []struct {
		moral, value string
		bat, ball    int32
		swing        bool
	}{
		{"one of each", `"samples_bat":[` + sample + `],"samples_ball":[{},{}]}`, 1, 2, true},
		{"the later track counts", `"samples_bat":[` + sample + `,{}],"samples_bat":[{"event":"No"}]}`, 1, 0, false},
		{"also where it is missing", `"samples_bat":[` + sample + `],"samples_bat":null,"samples_ball":[{}],"samples_ball":{}}`, 0, 0, false},
		{"a wrong one that is replaced was never there", `"samples_bat":[1],"samples_bat":[` + sample + `],"events":3,"events":[]}`, 1, 0, true},
		{"the later head counts", `"samples_bat":[{"time":1,"head":{"pos":[1,2,3]},"head":{"pos":[1,2]}}]}`, 1, 0, false},
		{"whole", `"samples_bat":[{"time":1,"head":{"pos":[1,2,3]},"head":{}}]}`, 1, 0, false},
		{"the later pos counts", `"samples_bat":[{"head":{"pos":[],"pos":[1,2,3]}}]}`, 1, 0, true},
		{"the later event counts", `"samples_bat":[{"event":"Hit","head":{"pos":[1,2,3]},"event":"N\u006f"}]}`, 1, 0, false},
		{"the later time counts", `"samples_ball":[{"time":1},{"time":2,"time":1},{"time":1,"time":"1"}]}`, 0, 2, false},
	} {
		row := rowOf(t, schemas.Record{Value: []byte(pitch + story.value)})
		if row.BatSamples != story.bat || row.BallSamples != story.ball || row.IsSwing != story.swing {
			t.Errorf("%s: %d and %d samples, swing %v", story.moral, row.BatSamples, row.BallSamples, row.IsSwing)
		}
	}
}

// The paths' slots stand together under each of their nodes, so that a repeated member can forget all of its
// own.
func TestPaths(t *testing.T) {
	for s, path := range paths {
		n := root
		for step := range strings.SplitSeq(path, ".") {
			if n = n.at(step); n == nil {
				t.Fatalf("no way to %s", path)
			}
			if int(n.from) > s || s >= int(n.to) {
				t.Errorf("%s is not within %d…%d of %s", path, n.from, n.to, step)
			}
		}
		if n.slot != slot(s) {
			t.Errorf("%s leads to slot %d, want %d", path, n.slot, s)
		}
	}
	for s, path := range paths {
		for other, prefix := range paths {
			if within := strings.HasPrefix(path, prefix+"."); within != (s != other && contains(prefix, s)) {
				t.Errorf("%s below %s: %v", path, prefix, within)
			}
		}
	}
}

// contains says that slot s is forgotten with the node at path.
func contains(path string, s int) bool {
	n := root
	for step := range strings.SplitSeq(path, ".") {
		n = n.at(step)
	}
	return int(n.from) <= s && s < int(n.to)
}
