package features

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pitchstream/pitchstream/schemas"
)

// Each case has the value at a path and the column that follows from it. "-" is a missing value, and the word
// behind it the issue.
func TestEachValueBecomesItsColumnOrAnIssue(t *testing.T) {
	const (
		kind   = "summary_acts.pitch.type>pitch_type"
		act    = "summary_acts.pitch.action>pitch_action"
		result = "summary_acts.pitch.result>pitch_result"
		speed  = "summary_acts.pitch.speed.mph>pitch_speed_mph"
		spin   = "summary_acts.pitch.spin.rpm>spin_rate_rpm"
		exit   = "summary_acts.hit.speed.mph>exit_velocity_mph"
		hitRPM = "summary_acts.hit.spin.rpm>hit_spin_rpm"
		inning = "summary_score.runs.innings>inning"
		balls  = "summary_score.count.balls.plateAppearance>balls"
		strike = "summary_score.count.strikes.plateAppearance>strikes"
		outs   = "summary_score.outs.inning>outs"
		spray  = "events.0.start.angle>spray_angle_deg"
		launch = "events.0.start.angle>launch_angle_deg"
		batter = "events.0.personId.mlbId>batter_id"
		team   = "events.0.teamId.mlbId>team_id"
	)
	x200, é100 := strings.Repeat("x", 200), strings.Repeat("é", 100)
	for _, story := range []struct{ moral, place, value, want string }{
		{"text is text", kind, `"Sinker"`, "Sinker"},
		{"escapes are what they mean", kind, `"\u00c9\ud83d\ude00\/\t"`, "É😀/\t"},
		{"null is missing", kind, `null`, "-"},
		{"so is an empty object", kind, `{ }`, "-"},
		{"an empty array", kind, "[\n]", "-"},
		{"and empty text", kind, `""`, "-"},
		{"a blank is text", kind, `" "`, " "},
		{"text has up to 200 bytes", kind, `"` + x200 + `"`, x200},
		{"not 201", kind, `"x` + x200 + `"`, "- type"},
		{"bytes, not letters", kind, `"` + é100 + `"`, é100},
		{"of what it means, not of how it is written", kind, `"` + strings.Repeat(`\u0078`, 200) + `"`, x200},
		{"nor then 201", kind, `"` + strings.Repeat(`\u0078`, 201) + `"`, "- type"},
		{"no store takes U+0000", kind, `"a\u0000"`, "- type"},
		{"nor half a letter", kind, `"\ud800x"`, "- type"},
		{"nor a half and something like the other", kind, `"\ud800xudc00"`, "- type"},
		{"in either order", kind, `"\udc00\ud800"`, "- type"},
		{"a number is no text", kind, `5`, "- type"},
		{"nor is a boolean", act, `false`, "- type"},
		{"nor something in something", act, `{"a":1}`, "- type"},
		{"any action goes", act, `"Balk"`, "Balk"},

		{"four results are known", result, `"Pickoff"`, "Pickoff"},
		{"however they are written", result, `"\u0042all"`, "Ball"},
		{"others are unknown", result, `"Balk"`, "- unknown"},
		{"case counts", result, `"strike"`, "- unknown"},
		{"what is no text is not unknown but no text", result, `7`, "- type"},
		{"nor what is too long", result, `"x` + x200 + `"`, "- type"},

		{"ranges are inclusive", speed, `50`, "50"},
		{"at both ends", speed, `110.0`, "110"},
		{"and no wider", speed, `110.00000000000001`, "- range"},
		{"a pitch is not that slow", speed, `49.99999999999999`, "- range"},
		{"a number is no text", speed, `"93"`, "- type"},
		{"what no double holds is no number", speed, `1e999`, "- type"},
		{"what it holds is one", speed, `1e308`, "- range"},
		{"spin", spin, `500`, "500"},
		{"spin", spin, `4000.5`, "- range"},
		{"a dribbler", exit, `0`, "0"},
		{"minus zero is zero", exit, `-0`, "0"},
		{"nobody hits that hard", exit, `125.1`, "- range"},
		{"spin of the hit", hitRPM, `10000`, "10000"},
		{"spin of the hit", hitRPM, `-1`, "- range"},

		{"an inning is how many there were", inning, `[1,null,{}]`, "3"},
		{"none is missing", inning, `[]`, "-"},
		{"fifty are possible", inning, "[1" + strings.Repeat(",1", 49) + "]", "50"},
		{"more are not", inning, "[1" + strings.Repeat(",1", 50) + "]", "- range"},
		{"a number is no array", inning, `7`, "- type"},
		{"nor is an object", inning, `{"0":1}`, "- type"},
		{"but an empty one is missing", inning, `{}`, "-"},

		{"four balls", balls, `4`, "4"},
		{"not five", balls, `5`, "- range"},
		{"not minus one", balls, `-1`, "- range"},
		{"integral is integral", strike, `3.0`, "3"},
		{"in any writing", strike, `0.2E1`, "2"},
		{"half a strike is none", strike, `1.5`, "- type"},
		{"nor is text", strike, `"1"`, "- type"},
		{"not four outs", outs, `4`, "- range"},
		{"a large number is a number", outs, `1e300`, "- range"},
		{"minus zero outs", outs, `-0.0`, "0"},

		{"spray comes first", spray, `[-180, 90]`, "-180"},
		{"launch second", launch, `[-180, 90]`, "90"},
		{"each has its range", spray, `[180.0001, 0]`, "- range"},
		{"each has its range", launch, `[0, -90.5]`, "- range"},
		{"one may be fine", launch, `[-200, 1]`, "1"},
		{"null in a pair is no number", launch, `[1, null]`, "- type"},
		{"nor is what is empty", spray, `[{}, 1]`, "- type"},
		{"nor what is out of range", spray, `[1e999, 1]`, "- type"},
		{"no pair is missing", spray, `[]`, "-"},
		{"also as an object", launch, `{}`, "-"},
		{"three are no pair", spray, `[1,2,3]`, "- type"},
		{"nor is one", launch, `[1]`, "- type"},
		{"nor is text", launch, `"12"`, "- type"},

		{"an id is a number", batter, `665742`, "665742"},
		{"as large as a bigint, exactly", batter, `9223372036854775807`, "9223372036854775807"},
		{"or as small", batter, `-9223372036854775808`, "-9223372036854775808"},
		{"and no larger", batter, `9223372036854775808`, "- type"},
		{"nor much larger", batter, `"20000000000000000000"`, "- type"},
		{"with a point it is exact below 2^53", batter, `9007199254740991.0`, "9007199254740991"},
		{"and none above", batter, `9007199254740992.0`, "- type"},
		{"nor a fraction", batter, `12.5`, "- type"},
		{"an exponent may be", batter, `6.65742e5`, "665742"},
		{"text of an integer is one", batter, `"\t+00665742\r\n "`, "665742"},
		{"however long", batter, `"` + strings.Repeat("0", 300) + `7"`, "7"},
		{"however it is written", batter, `"\u0034\u0032"`, "42"},
		{"not of a fraction", batter, `"1.0"`, "- type"},
		{"with one sign", batter, `"+-1"`, "- type"},
		{"and digits", batter, `"-"`, "- type"},
		{"and those of ASCII", batter, `"４２"`, "- type"},
		{"blanks of ASCII too", batter, `"\u00a042"`, "- type"},
		{"empty is missing", batter, `""`, "-"},
		{"blank is not", batter, `" "`, "- type"},
		{"minus zero", team, `-0`, "0"},
		{"nobody is null", team, `null`, "-"},
		{"nor true", team, `true`, "- type"},
	} {
		path, column, _ := strings.Cut(story.place, ">")
		row := rowOf(t, recordOf(aPitch().set("events", arr{battedEvent()}).set(path, raw(story.value))))
		columns := columnsOf(t, row)
		got := fmt.Sprint(columns[column])
		if columns[column] == nil {
			got = "-"
			for _, i := range row.Issues {
				if what, ok := strings.CutPrefix(i, column+":"); ok {
					got += " " + what
				}
			}
		}
		if got != story.want {
			t.Errorf("%s: %s of %s is %q, want %q", story.moral, column, story.value, got, story.want)
		}
	}
}

// A step of a path that is no object, or is not there, leaves what is below it missing and is no issue.
func TestPathsAreSafe(t *testing.T) {
	for _, step := range strings.Fields("units summary_acts.hit summary_acts.hit.speed summary_acts.pitch.speed summary_score summary_score.runs summary_score.count.balls events.0.start events.0.personId") {
		for _, v := range []any{nil, obj{}, arr{}, arr{1, 2}, 7, "text", true, raw("1e999"), obj{{"other", 1}}} {
			row := rowOf(t, recordOf(aPitch().set("events", arr{battedEvent()}).set(step, v)))
			if len(row.Issues) > 0 {
				t.Errorf("%s = %v: %v", step, v, row.Issues)
			}
		}
	}
}

// The header's identifier counts, else the record's; what is there and none is an issue of its own.
func TestIdentifiersOfHeadersAndRecords(t *testing.T) {
	for _, story := range []struct {
		moral, header string
		record        any
		want          schemas.Opt[int64]
		issue         bool
	}{
		{"the header counts", "1", 2, schemas.Some[int64](1), false},
		{"whatever the record says", "1", "x", schemas.Some[int64](1), false},
		{"else the record", "", 2, schemas.Some[int64](2), false},
		{"an unreadable header is an issue, and the record serves", "x", 2, schemas.Some[int64](2), true},
		{"if it can", "x", "y", schemas.Opt[int64]{}, true},
		{"or has nothing", "9223372036854775808", nil, schemas.Opt[int64]{}, true},
		{"an unreadable record is an issue", "", 1.5, schemas.Opt[int64]{}, true},
		{"nothing is nothing", "", obj{}, schemas.Opt[int64]{}, false},
		{"a header that is not UTF-8 is none", "\xff", nil, schemas.Opt[int64]{}, true},
	} {
		tree := aPitch().set("events", arr{battedEvent()}).set("events.0.personId.mlbId", story.record)
		row := rowOf(t, recordOf(tree, "batter_id="+story.header))
		if row.BatterID != story.want || slices.Contains(row.Issues, "batter_id:type") != story.issue {
			t.Errorf("%s: %v %v", story.moral, row.BatterID, row.Issues)
		}
	}
	row := rowOf(t, recordOf(aPitch(), "pitcher_id=x", "team_id=63813"))
	if row.PitcherID.Present || row.TeamID.Value != 63813 || !slices.Equal(row.Issues, []string{"pitcher_id:type"}) {
		t.Errorf("%v %v %v", row.PitcherID, row.TeamID, row.Issues)
	}
}

// The date and the place come with the headers only.
func TestDateAndVenue(t *testing.T) {
	row := rowOf(t, recordOf(aPitch(), "game_date=2024-09-28", "venue=Citizens Bank Park"))
	if row.GameDate != "2024-09-28" || row.Venue != "Citizens Bank Park" || len(row.Issues) > 0 {
		t.Errorf("%q %q %v", row.GameDate, row.Venue, row.Issues)
	}
	row = rowOf(t, recordOf(aPitch(), "game_date=2024-02-30", "venue="+strings.Repeat("é", 33)))
	if row.GameDate != "" || row.Venue != "" || !slices.Equal(row.Issues, []string{"game_date:type", "venue:type"}) {
		t.Errorf("%q %q %v", row.GameDate, row.Venue, row.Issues)
	}
	row = rowOf(t, recordOf(aPitch(), "venue=a\x00b"))
	if row.Venue != "" || !slices.Equal(row.Issues, []string{"venue:type"}) {
		t.Errorf("%q %v", row.Venue, row.Issues)
	}
}

func TestARecordThatIsNoPitchIsRejectedWithThePlaceOfItsFault(t *testing.T) {
	for _, story := range []struct {
		moral, path string
		value       any
		want        string
	}{
		{"units may be missing", "units", obj{}, ""},
		{"each of them", "units.length", obj{}, ""},
		{"or unreadable as a whole", "units", "metric", ""},
		{"feet only", "units.length", "meter", "unsupported_units at units.length"},
		{"miles only", "units.velocity", "kph", "unsupported_units at units.velocity"},
		{"exactly", "units.velocity", "MPH", "unsupported_units at units.velocity"},
		{"and as text", "units.length", 12, "unsupported_units at units.length"},
		{"however it is written", "units.length", `f\u006fot`, ""},
		{"not half of it", "units.length", `foot\ud800`, "unsupported_units at units.length"},
		{"other units are not read", "units.angle", "radian", ""},
		{"a pitch there must be", "summary_acts", obj{}, "not_a_pitch at summary_acts.pitch"},
		{"with something in it", "summary_acts.pitch", obj{}, "not_a_pitch at summary_acts.pitch"},
		{"and an object", "summary_acts.pitch", arr{obj{}}, "not_a_pitch at summary_acts.pitch"},
		{"whatever is in it", "summary_acts.pitch", obj{{"x", nil}}, ""},
		{"tracks may be missing", "samples_bat", nil, ""},
		{"in any way of being empty", "samples_ball", "", ""},
		{"events too", "events", obj{}, ""},
		{"an object is no array", "samples_bat", obj{{"time", 1}}, "schema_violation at samples_bat"},
		{"nor is a number", "events", 0, "schema_violation at events"},
		{"nor false", "samples_ball", false, "schema_violation at samples_ball"},
		{"elements are objects", "samples_ball", arr{obj{}, obj{}, nil, 1}, "schema_violation at samples_ball[2]"},
		{"each of them", "events", arr{battedEvent(), arr{}}, "schema_violation at events[1]"},
		{"empty objects are some", "events", arr{obj{}, obj{}}, ""},
	} {
		_, rej := comparePlain(t, recordOf(aPitch().set(story.path, story.value)))
		got := ""
		if rej != nil {
			got, _, _ = strings.Cut(rej.Error(), ":")
		}
		if got != story.want {
			t.Errorf("%s: %q, want %q", story.moral, got, story.want)
		}
	}
	for value, want := range map[string]string{
		"[]": "not_a_pitch: the record is not an object", "12": "not_a_pitch: the record is not an object",
		`"{}"`: "not_a_pitch: the record is not an object", " null ": "not_a_pitch: the record is not an object",
		"{}": "not_a_pitch at summary_acts.pitch: it is missing, empty or not an object",
	} {
		if _, rej := comparePlain(t, schemas.Record{Value: []byte(value)}); rej == nil || rej.Error() != want {
			t.Errorf("%s: %v, want %s", value, rej, want)
		}
	}
}

// A set of issues is sorted by nature, since the names are.
func TestIssueNamesAreSorted(t *testing.T) {
	if !slices.IsSorted(issueNames) || len(slices.Compact(slices.Clone(issueNames))) != len(issueNames) {
		t.Error("issue names are not sorted, each once")
	}
	var s issueSet
	for i := range len(issueNames) {
		s.add(issue(i))
		s.add(issue(i))
	}
	if !slices.Equal(s.list(), issueNames) {
		t.Errorf("the set of all issues lists %v", s.list())
	}
	if none := issueSet(0).list(); none == nil || len(none) != 0 {
		t.Error("no issues are nil")
	}
}

// A message is one line, valid and short, whatever it quotes.
func TestMessagesAreOneLine(t *testing.T) {
	for _, s := range []string{"a\nb\r\x00\u2028c\x7f", "\xff\xc3", strings.Repeat("x", 600), strings.Repeat("é", 400), strings.Repeat("x", 508) + "ééé"} {
		checkRejection(t, reject(schemas.CodeNotAPitch, "summary_acts.pitch", "%s", s))
		if got := oneLine(s); len(got) > maxMessageBytes {
			t.Errorf("%q has %d bytes", got, len(got))
		}
	}
	if got := oneLine("a\nb"); got != "a b" {
		t.Errorf("got %q", got)
	}
	long := shown([]byte(strings.Repeat("\xff", 1000)))
	if len(long) > 300 || !strings.HasSuffix(long, "…") {
		t.Errorf("%d bytes are shown: %s", len(long), long)
	}
}
