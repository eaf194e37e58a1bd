package quality

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/memberprofile"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// records are those of some days, with the clock of a simulated league.
func records(t testing.TB, o simulate.Options) (all []schemas.Record) {
	t.Helper()
	s, err := simulate.New(o)
	require.NoError(t, err)
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		rec := schemas.Record{Key: m.Key, Value: slices.Clone(m.Value)}
		for _, h := range m.Headers {
			rec.Headers = append(rec.Headers, schemas.Header{Key: h.Key, Value: slices.Clone(h.Value)})
		}
		rec.Topic, rec.Offset, rec.TimestampMS = "raw", int64(len(all)), int64(m.Timestamp)
		all = append(all, rec)
	}
	return all
}

// factsOfRecords are those of the rows and of the members of records, as a processor has them.
func factsOfRecords(t testing.TB, all []schemas.Record) (facts []schemas.QualityFacts, rejected int) {
	t.Helper()
	counter, rows := memberprofile.New(nil), map[string][]schemas.StoredRow{}
	for _, rec := range all {
		change, places, rejection := features.TransformPlaced(rec, features.Limits{})
		if rejection != nil {
			rejected++
			continue
		}
		counter.Count(rec, change, places)
		game := string(change.Row.GamePK)
		rows[game] = append(rows[game], schemas.StoredRow{
			Row: *change.Row, Provenance: schemas.ProvenanceOf(change, 2, "test", schemas.TimeMS(rec.TimestampMS)),
		})
	}
	facts = factsOfAll(rows)
	for _, part := range counter.Take() {
		for i := range facts {
			f, key := &facts[i], part.Key
			if string(f.GamePK) == key.Game && f.Day == key.Day && string(f.Venue) == key.Venue {
				f.Members = &part.Profile
			}
		}
	}
	return facts, rejected
}

func dayOfRecord(rec schemas.Record) string { return header(rec, "game_date") }

func header(rec schemas.Record, key string) string {
	for _, h := range rec.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// edit is a change of a record's text.
type edit func(value []byte) []byte

func renamed(from, to string) edit {
	return func(value []byte) []byte {
		return bytes.ReplaceAll(value, []byte(`"`+from+`":`), []byte(`"`+to+`":`))
	}
}

func replaced(pattern, by string) edit {
	re := regexp.MustCompile(pattern)
	return func(value []byte) []byte {
		head, tail, _ := bytes.Cut(value, []byte(`, "samples_ball"`))
		return slices.Concat(re.ReplaceAll(head, []byte(by)), []byte(`, "samples_ball"`), tail)
	}
}

func times(pattern string, factor float64) edit {
	re := regexp.MustCompile(pattern)
	return func(value []byte) []byte {
		return re.ReplaceAllFunc(value, func(found []byte) []byte {
			name, number, _ := bytes.Cut(found, []byte(`: `))
			var f float64
			if _, err := fmt.Sscan(string(number), &f); err != nil {
				return found
			}
			return fmt.Appendf(nil, "%s: %v", name, f*factor)
		})
	}
}

func edits(all ...edit) edit {
	return func(value []byte) []byte {
		for _, e := range all {
			value = e(value)
		}
		return value
	}
}

// A vendor changes the record on a Friday. Within 200 pitches each harmful change is a finding by name, with
// the likely partner where a member has another name. Each is also found where the day began as usual.
//
// guard: members: a path that the baseline never had is new
// guard: members: a path that none of the newest records has is lost
// guard: members: a path with another kind of value is named
// guard: members: numbers of another size are named
// guard: members: a path that one venue lost is named with the venue
func TestEachChangeByAVendorIsNamedWithin200Pitches(t *testing.T) {
	all := records(t, simulate.Options{Seed: 301, Games: 8 * 5, Parallel: 5, FeedIDs: true})
	last := dayOfRecord(all[len(all)-1])
	var before, friday []schemas.Record
	for _, rec := range all {
		if dayOfRecord(rec) == last {
			friday = append(friday, rec)
		} else {
			before = append(before, rec)
		}
	}
	base, rejected := factsOfRecords(t, before)
	require.Zero(t, rejected)
	home := header(friday[0], "venue")

	for name, c := range map[string]struct {
		edit  edit
		venue string   // "": all
		want  []string // findings, as check/venue/item
		early bool     // they need a day that began so
		say   string   // what one of them says
	}{
		// those of the table of vendors' changes
		"result renamed": {edit: renamed("result", "outcome"), want: []string{
			"lost_paths/all/summary_acts.pitch.result", "new_paths/all/summary_acts.pitch.outcome",
			"missing_values/all/pitch_result"}, say: "likely summary_acts.pitch.outcome has another name now"},
		"type renamed": {edit: replaced(`"type": ("[A-Z]\w+"), "result"`, `"kind": $1, "result"`), want: []string{
			"new_paths/all/summary_acts.pitch.kind"}, say: "likely summary_acts.pitch.type had this place before"},
		"type's words changed": {early: true, edit: replaced(`"type": "([A-Z]\w+)", "result"`, `"type": "New $1", "result"`),
			want: []string{"new_values/all/summary_acts.pitch.type=New Slider"}},
		"events renamed": {early: true, edit: renamed("events", "plays"), want: []string{
			"lost_paths/all/events", "new_paths/all/plays"}, say: "likely plays has another name now"},
		"speed.mph renamed": {early: true, edit: renamed("mph", "milesPerHour"), want: []string{
			"lost_paths/all/summary_acts.pitch.speed.mph", "lost_paths/all/summary_acts.hit.speed.mph",
			"missing_pitch_speed/all/"}, say: "likely summary_acts.pitch.speed.milesPerHour has another name now"},
		"summary_score renamed": {edit: renamed("summary_score", "score"), want: []string{
			"lost_paths/all/summary_score", "new_paths/all/score"}, say: "likely score has another name now"},
		"pitch in km/h": {early: true, edit: edits(times(`"mph": \d+(\.\d+)?`, 1.609344)), want: []string{
			"path_scale/all/summary_acts.pitch.speed.mph"}, say: "like miles an hour as kilometres an hour"},
		"all speeds in km/h": {early: true, edit: edits(times(`"mph": \d+(\.\d+)?`, 1.609344), times(`"mps": \d+(\.\d+)?`, 1.609344)),
			want: []string{"path_scale/all/summary_acts.hit.speed.mph"}},
		"angle in radians, declared": {edit: replaced(`"angle": "degree"`, `"angle": "radian"`),
			want: []string{"new_values/all/units.angle=radian"}},
		"y and z of the bat swapped": {edit: func(v []byte) []byte {
			return regexp.MustCompile(`("h\w+": \{"pos": \[)([-\d.e]+), ([-\d.e]+), ([-\d.e]+)`).
				ReplaceAll(v, []byte(`$1$2, $4, $3`))
		}, want: []string{"column_shift/all/attack_angle_deg"}},
		"a new member": {edit: replaced(`"spin": \{`, `"spin": {"axis": 180, `), want: []string{
			"new_paths/all/summary_acts.pitch.spin.axis"}},
		"spin.rpm renamed":    {edit: renamed("rpm", "spinRate"), want: []string{"lost_paths/all/summary_acts.pitch.spin.rpm"}},
		"samples_bat renamed": {edit: renamed("samples_bat", "samples_club"), want: []string{"lost_paths/all/samples_bat"}},
		"action's words in another case": {edit: replaced(`"action": "Called"`, `"action": "called"`),
			want: []string{"new_values/all/pitch_action=called"}},
		// ten more
		"count moved into another object": {edit: replaced(`"count": (\{.*?\}, "strikes": \{.*?\}\})`, `"situation": {"count": $1}`),
			want: []string{"lost_paths/all/summary_score.count", "new_paths/all/summary_score.situation"}},
		"a number becomes text": {edit: replaced(`"rpm": (\d+)`, `"rpm": "$1"`),
			want: []string{"path_kinds/all/summary_acts.pitch.spin.rpm"}},
		"an object becomes an array": {edit: replaced(`"hit": (\{.*?\}\}), "stroke"`, `"hit": [$1], "stroke"`),
			want: []string{"path_kinds/all/summary_acts.hit"}},
		"null instead of a number": {edit: replaced(`"inning": \d+`, `"inning": null`),
			want: []string{"lost_paths/all/summary_score.outs.inning"}},
		"an empty object instead of the action": {edit: replaced(`"action": "\w+"`, `"action": {}`),
			want: []string{"lost_paths/all/summary_acts.pitch.action"}},
		"samples of the head renamed": {edit: renamed("head", "tip"), want: []string{
			"lost_paths/all/samples_bat[].head", "new_paths/all/samples_bat[].tip"}, say: "likely samples_bat[].tip has another name now"},
		"the ball's times in milliseconds": {early: true, edit: times(`"time": -?\d+(\.\d+)?`, 1000),
			want: []string{"path_scale/all/samples_ball[].time"}},
		"a member vanished at one venue": {edit: replaced(`, "action": ("\w+"|\{\})`, ""), venue: home,
			want: []string{"lost_paths/" + home + "/summary_acts.pitch.action"}},
		"velocities of the ball dropped": {edit: func(v []byte) []byte {
			return regexp.MustCompile(`, "vel": \[[^\]]*\]`).ReplaceAll(v, nil)
		}, want: []string{"lost_paths/all/samples_ball[].vel"}},
		"identifiers keyed by number": {early: true, edit: replaced(`"personId": \{"mlbId": (\d+)\}`, `"persons": {"$1": {"role": "batter"}}`),
			want: []string{"lost_paths/all/events[].personId", "new_paths/all/events[].persons"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, from := range []int{0, 150} { // of each game: from the day's start, or from the middle of it
				var day []schemas.Record
				met, changed := map[string]int{}, 0
				for _, rec := range friday {
					game := string(rec.Key)
					met[game]++
					isHere := c.venue == "" || header(rec, "venue") == c.venue
					if met[game] > from {
						if isHere && changed == 200 {
							break
						}
						if isHere {
							rec.Value = c.edit(slices.Clone(rec.Value))
							changed++
						}
					}
					day = append(day, rec)
				}
				facts, rejected := factsOfRecords(t, day)
				require.Zero(t, rejected)
				r := Judge(append(slices.Clone(base), facts...), "")
				found := abnormal(r)
				require.NotEmpty(t, found, "from pitch %d of each game", from)
				if from == 0 || !c.early {
					require.Subset(t, found, c.want)
				}
				said := ""
				for _, f := range r.Findings {
					if f.Abnormal {
						said += f.What + "\n"
						require.NotEmpty(t, f.Do)
						require.Positive(t, f.Games, "%+v", f)
					}
				}
				t.Log(from, strings.Join(found, " "))
				if from == 0 {
					require.Contains(t, said, c.say)
				}
			}
		})
	}
}

// madeUp are facts of games at a venue, one a day, whose records have the member a in a share of them, with
// numbers around a size.
func madeUp(venue string, day int, share, size, deviation float64) schemas.QualityFacts {
	const records = 200
	n := int64(share * records)
	seen := map[string]schemas.MemberSeen{"number": {Seen: n, Last: records}, "value": {Seen: n, Last: records}}
	if n == 0 {
		seen = map[string]schemas.MemberSeen{"empty": {Seen: records, Last: records}}
	}
	return schemas.QualityFacts{
		GamePK: schemas.Text(fmt.Sprintf("%s %d", venue, day)), Day: fmt.Sprintf("2025-04-%02d", day),
		Venue: schemas.Text(venue), Pitches: records,
		Members: &schemas.MemberProfile{Records: records, Paths: map[string]schemas.MemberCounts{"a": {
			Kinds: seen, N: n, Sum: float64(n) * size, Squares: float64(n) * (size*size + deviation*deviation),
		}}},
	}
}

// In real records three games in four have no types of pitches. Neither a venue of few games nor all of them
// together loses a path by that.
// guard: members: games that lack a path are no lost path
// guard: members: a venue of few games is no proof that games do not differ
func TestAGameWithoutAPathLosesNoneThatOtherGamesLack(t *testing.T) {
	var facts []schemas.QualityFacts
	for day := 1; day <= 8; day++ {
		// The venue "few" has two games, both with the path; two other venues have it every other day.
		facts = append(facts, madeUp("b", day, float64(day%2), 90, 5), madeUp("c", day, float64(day/2%2), 90, 5))
		if day == 3 || day == 6 {
			facts = append(facts, madeUp("few", day, 1, 90, 5))
		}
	}
	facts = append(facts, madeUp("few", 9, 0, 0, 0), madeUp("b", 9, 0, 0, 0), madeUp("c", 9, 0, 0, 0))
	require.NotContains(t, strings.Join(abnormal(Judge(facts, "2025-04-09")), " "), "paths/")
}

// Runs differ from game to game, and the score of the first inning stays the same all game. Speeds do not.
// guard: members: sizes that differ between games say nothing
// guard: members: a number that stays the same all game has no size
func TestOnlyNumbersOfASteadySizeAreJudgedByIt(t *testing.T) {
	for name, c := range map[string]struct {
		size      func(day int) float64
		deviation float64
		today     float64
		isFound   bool
	}{
		"a speed in km/h": {func(int) float64 { return 90 }, 5, 90 * 1.609344, true},
		"a speed":         {func(day int) float64 { return 90 + float64(day%3) }, 5, 93, false},
		"runs":            {func(day int) float64 { return 1 + float64(day%4) }, 1, 8, false},
		"the first score": {func(int) float64 { return 2 }, 0.001, 2 * 1.609344, false},
	} {
		t.Run(name, func(t *testing.T) {
			var facts []schemas.QualityFacts
			for day := 1; day <= 7; day++ {
				facts = append(facts, madeUp("b", day, 1, c.size(day), c.deviation))
			}
			facts = append(facts, madeUp("b", 8, 1, c.today, c.deviation))
			found := strings.Join(abnormal(Judge(facts, "2025-04-08")), " ")
			require.Equal(t, c.isFound, strings.Contains(found, "path_scale/all/a"), found)
		})
	}
}

// withPath returns facts of a game at a venue with 200 records of one path.
func withPath(venue string, day, game int, path string, c schemas.MemberCounts) schemas.QualityFacts {
	f := madeUp(venue, day, 1, 90, 5)
	f.GamePK += schemas.Text(fmt.Sprintf(" %d", game))
	f.Members.Paths[path] = c
	return f
}

// words are the counts of a path with so many records of each word.
func words(of map[string]int64) schemas.MemberCounts {
	n := int64(0)
	for _, times := range of {
		n += times
	}
	return kinds(map[string]int64{"text": n, "value": n}, of)
}

func kinds(of, words map[string]int64) schemas.MemberCounts {
	c := schemas.MemberCounts{Kinds: map[string]schemas.MemberSeen{}, Words: words}
	for kind, n := range of {
		c.Kinds[kind] = schemas.MemberSeen{Seen: n, Last: 200}
	}
	return c
}

// guard: members: a path with two new kinds is one finding
func TestAPathWithTwoNewKindsIsOneFinding(t *testing.T) {
	var facts []schemas.QualityFacts
	for day := 1; day <= 3; day++ {
		facts = append(facts, withPath("b", day, 1, "x", kinds(map[string]int64{"text": 200, "value": 200}, nil)))
	}
	now := kinds(map[string]int64{"text": 100, "object": 50, "array": 50, "value": 200}, nil)
	found := abnormal(Judge(append(facts, withPath("b", 4, 1, "x", now)), ""))
	require.Equal(t, []string{"path_kinds/all/x"}, found)
}

// A word of few records, of each game, of a column, or of an older day is no change by the vendor.
// guard: members: a word of few records is not new
// guard: members: a word of a column is the column's
// guard: members: words that look like numbers are not judged
// guard: members: a path that takes new words by itself is not judged by them
// guard: members: a word of an older day is not new
func TestOnlyANewWordOfAClosedPathIsAFinding(t *testing.T) {
	all := func(word string) schemas.MemberCounts { return words(map[string]int64{word: 200}) }
	for name, c := range map[string]struct {
		path    string
		word    func(day int) schemas.MemberCounts // of days 1 to 10
		isFound bool
	}{
		"a unit": {"x", func(day int) schemas.MemberCounts { return all([]string{"degree", "radian"}[day/10]) }, true},
		"the schema version": {"header schema_version", func(day int) schemas.MemberCounts {
			return all([]string{"1.0", "1.1"}[day/10])
		}, true},
		"dates":           {"x", func(day int) schemas.MemberCounts { return all(fmt.Sprintf("2025-04-%02d", day)) }, false},
		"the first dates": {"x", func(day int) schemas.MemberCounts { return all([]string{"7:05 PM", "7:10 PM"}[day/10]) }, false},
		"opponents": {"x", func(day int) schemas.MemberCounts {
			return all([]string{"ARI", "ATL", "BAL", "BOS"}[(day-1)/3])
		}, false},
		"an older day": {"x", func(day int) schemas.MemberCounts {
			if day == 1 {
				return words(map[string]int64{"degree": 100, "radian": 100})
			}
			return all([]string{"degree", "radian"}[day/10])
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var facts []schemas.QualityFacts
			for day := 1; day <= 10; day++ {
				facts = append(facts, withPath("b", day, 1, c.path, c.word(day)))
			}
			found := strings.Join(abnormal(Judge(facts, "")), " ")
			require.Equal(t, c.isFound, strings.Contains(found, "new_values/all/"+c.path+"="), found)
		})
	}
	var facts []schemas.QualityFacts
	for day := 1; day <= 3; day++ {
		for game := range 15 {
			facts = append(facts, withPath("b", day, game, "x", words(map[string]int64{"Slider": 200})))
		}
	}
	facts[44].Members.Paths["x"] = words(map[string]int64{"Slider": 160, "Knuckleball": 40})
	require.NotContains(t, strings.Join(abnormal(Judge(facts, "")), " "), "new_values")

	// A column takes 40 words, so it judges a word that the path of a record has too.
	path := "summary_acts.pitch.type"
	for i := range facts {
		facts[i].Members.Paths[path] = words(map[string]int64{"Slider": 200})
		facts[i].Words = map[string]map[string]int64{"pitch_type": {"Slider": 200, "Curve": 10}}
	}
	for i := 30; i < 45; i++ {
		facts[i].Members.Paths[path] = words(map[string]int64{"Slider": 180, "Curve": 20})
	}
	require.NotContains(t, strings.Join(abnormal(Judge(facts, "")), " "), "new_values")
}

// Members of extra innings, reviews and another tracker are rare and not new. The first games of a feed say
// nothing about them.
// guard: members: a path of an older day is not new
// guard: members: a kind of an older day is not new
// guard: members: few games are no proof that a path is new
// guard: members: few games are no proof that a kind is new
// guard: members: few games are no proof that numbers differ
func TestARarePathOfTheHistoryIsNotNew(t *testing.T) {
	extra := kinds(map[string]int64{"text": 50, "value": 50}, nil)
	mixed := kinds(map[string]int64{"text": 150, "number": 50, "value": 200}, nil)
	plain := kinds(map[string]int64{"text": 200, "value": 200}, nil)
	today := withPath("b", 10, 1, "x", mixed)
	today.Members.Paths["extra"] = extra
	for name, c := range map[string]struct {
		from int
		old  bool // the first day has both
		want []string
	}{
		"two games before":   {8, false, nil},
		"nine days before":   {1, false, []string{"path_kinds/all/x", "new_paths/all/extra"}},
		"seen nine days ago": {1, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var facts []schemas.QualityFacts
			for day := c.from; day < 10; day++ {
				f := withPath("b", day, 1, "x", plain)
				if c.old && day == 1 {
					f = withPath("b", day, 1, "x", mixed)
					f.Members.Paths["extra"] = extra
				}
				facts = append(facts, f)
			}
			require.ElementsMatch(t, c.want, abnormal(Judge(append(facts, today), "")))
		})
	}
	var facts []schemas.QualityFacts
	for day := 4; day <= 9; day++ {
		facts = append(facts, madeUp("b", day, 1, 90, 5))
	}
	require.Empty(t, abnormal(Judge(append(facts, madeUp("b", 10, 1, 90*1.609344, 5)), "")))
}

// Thirty clean days give at most one finding, and none about paths.
func TestThirtyCleanDaysHaveNoFindingAboutPaths(t *testing.T) {
	const days = 37
	o := simulate.Options{Seed: 302, Games: days * 3, Parallel: 3, FeedIDs: true}
	facts, rejected := factsOfRecords(t, records(t, o))
	require.Zero(t, rejected)
	var found []string
	all := Days(facts)
	require.Len(t, all, days)
	for _, day := range all[7:] {
		for _, f := range abnormal(Judge(facts, day)) {
			found = append(found, day+" "+f)
		}
	}
	require.LessOrEqual(t, len(found), 1, "%v", found)
}
