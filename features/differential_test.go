package features

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
	"github.com/pitchstream/pitchstream/schemas"
)

// comparePlain runs a record through the core and through the plain specification: both must say the same.
func comparePlain(t *testing.T, rec schemas.Record) (schemas.Change, *Rejection) {
	t.Helper()
	kept := bytes.Clone(rec.Value)
	got, rej := Transform(rec, Limits{})
	if !bytes.Equal(kept, rec.Value) {
		t.Fatal("the record's bytes were changed")
	}
	want, code := plainTransform(rec, Limits{})
	switch {
	case rej != nil && rej.Code != code:
		t.Fatalf("rejected with %v, plainly it is %q (a row where empty)\n%q", rej, code, rec.Value)
	case rej != nil:
		checkRejection(t, rej)
	case code != "":
		t.Fatalf("a row, plainly it is rejected with %q\n%q", code, rec.Value)
	default:
		if diff := cmp.Diff(want, got, closeFloats); diff != "" {
			t.Fatalf("(-plain +core)\n%s\n%q\n%q", diff, rec.Headers, rec.Value)
		}
		checkRow(t, got.Row)
	}
	return got, rej
}

var closeFloats = cmp.Comparer(func(a, b float64) bool {
	return a == b || math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b))
})

// checkRejection holds what every rejection promises.
func checkRejection(t *testing.T, rej *Rejection) {
	t.Helper()
	if rej.Code == schemas.CodeInternal {
		t.Fatalf("the core panicked: %v", rej)
	}
	line := rej.Error()
	if strings.ContainsAny(line, "\n\r\x00") || !utf8.ValidString(line) || len(line) > 1024 || rej.Message == "" {
		t.Fatalf("not one line for a person: %q", line)
	}
}

// checkRow holds what every row promises: it can be stored, and its values are within their ranges.
func checkRow(t *testing.T, row *schemas.Row) {
	t.Helper()
	if row == nil {
		return
	}
	if row.Issues == nil {
		t.Fatal("issues are nil")
	}
	for _, s := range []schemas.Text{
		row.GamePK, row.GameDate, row.Venue, row.PitchType, row.PitchResult, row.PitchAction,
	} {
		if !utf8.ValidString(string(s)) || strings.ContainsRune(string(s), 0) || len(s) > 200 {
			t.Fatalf("not storable: %q", s)
		}
	}
	in := func(o schemas.Opt[float64], low, high float64) {
		if o.Present && !(low <= o.Value && o.Value <= high) || !o.Present && o.Value != 0 {
			t.Fatalf("%v is not within %v…%v", o, low, high)
		}
	}
	in(row.PitchSpeedMPH, 50, 110)
	in(row.SpinRateRPM, 500, 4000)
	in(row.ExitVelocityMPH, 0, 125)
	in(row.HitSpinRPM, 0, 10000)
	in(row.LaunchAngleDeg, -90, 90)
	in(row.SprayAngleDeg, -180, 180)
	in(row.AttackAngleDeg, -45, 45)
	in(row.BatSpeedMPH, 0, 120)
}

// Whatever the record, the core says what the specification read word by word says.
func TestTransformEqualsPlain(t *testing.T) {
	records := 3000
	if testing.Short() {
		records = 600
	}
	rows := 0
	for seed := range uint64(records) {
		if change, _ := comparePlain(t, nastyRecord(seeded(seed))); change.Row != nil {
			rows++
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if rows < records/4 || rows > records*9/10 {
		t.Errorf("%d of %d records were rows: the generator has lost its balance", rows, records)
	}
}

var (
	nastyScalars = []any{
		nil, obj{}, arr{}, "", " ", raw(" { \n} "), raw("[ \t]"), true, false, 0, 1, 2, 3, 4, 5, -1, 1.5, 42, 57.6, 87.3, 93, 150, raw("-0"),
		raw("1e0"), raw("10e-1"), raw("1E+2"), raw("1e999"), raw("-1e999"), raw("1e-999"), 1e308, raw("9223372036854775807"),
		raw("9223372036854775808"), raw("-9223372036854775808"), raw("-9223372036854775809"), raw("9007199254740992.0"),
		raw("9007199254740991.0"), raw("123456.0"), raw("12345678901234567890123"), "12", " +0042\\n", "-7", "+", "1.0", "x",
		"\\u0031\\u0032", "0000000000000000000000000000000000000012", "Foul", "Swinging", "\\u0046oul", "Strike", "Ball",
		"HitIntoPlay", "Pickoff", "strike", "foot", "mph", "f\\u006fot", "kph", "degree", "degre\\u0065", "No", "N\\u006f", "\\ud800", "a\\u0000b",
		"\\ud83d\\ude00", "\\udc00\\ud800", "\\ud800\\ud800\\udc00", "\\ud800xudc00", "\\ud800\\tudc00", "é", "\\u00e9\\\"\\\\\\/\\b\\f\\n\\r\\t",
		strings.Repeat("x", 200), strings.Repeat("x", 201), strings.Repeat("\\u00e9", 100), strings.Repeat("\\u00e9", 101),
		strings.Repeat("é", 100), testEventID, strings.ToUpper(testEventID), testEventID[:35] + "g", "not-a-uuid",
		arr{1, 2}, arr{1, nil}, arr{-180, 90}, arr{180.0001, -90.5}, arr{1, 2, 3}, arr{obj{}, "4"}, arr{nil}, obj{{"pos", arr{1, 2, 3}}},
		obj{{"mph", 90}}, obj{{"mph", 90}, {"mph", 91}}, arr{obj{}}, arr{obj{{"time", 1}}, nil}, arr{obj{{"event", "No"}}},
	}
	nastyPaths = strings.Fields(`units summary_acts summary_score events samples_bat samples_ball
		units.length units.velocity units.angle summary_acts.pitch summary_acts.pitch.speed summary_acts.hit summary_score.count
		summary_acts.pitch.eventId summary_acts.pitch.type summary_acts.pitch.result summary_acts.pitch.action
		summary_acts.pitch.speed.mph summary_acts.pitch.spin.rpm summary_acts.hit.speed.mph summary_acts.hit.spin.rpm
		summary_acts.pitch.speed.kph summary_acts.pitch.speed.mps summary_acts.hit.speed.kph summary_acts.hit.speed.mps
		summary_score.runs.innings summary_score.count.balls.plateAppearance summary_score.count.strikes.plateAppearance
		summary_score.outs.inning events.0 events.0.start events.0.start.angle events.0.personId.mlbId events.0.teamId.mlbId
		samples_bat.0 samples_bat.0.time samples_bat.0.head samples_bat.1.head.pos samples_bat.2.handle.pos.1
		samples_bat.0.event samples_ball.0.time samples_ball.1`)
	nastyNames = []string{
		"summary_acts", "summary\\u005facts", "samples_bat", "samples_ball", "events", "units", "x\\ud800", "", "summary_score",
		"Samples_bat", "pos", "time",
	}
)

// nastyRecord is a swing with a few things wrong with it.
func nastyRecord(r *rand.Rand) schemas.Record {
	n := r.IntN(16)
	if r.IntN(4) == 0 {
		n = 10 + r.IntN(40)
	}
	tree := pitchRecord(r, 2+r.IntN(4), nastyBat(r, n))
	if r.IntN(3) > 0 {
		tree = tree.set("events", arr{battedEvent(), battedEvent()}).set("summary_acts.hit.speed.mph", 101.5)
	}
	for range r.IntN(6) {
		tree = setSafely(tree, pick(r, nastyPaths), pick(r, nastyScalars))
	}
	for range r.IntN(3) { // repeated and escaped members
		tree = append(tree, member{pick(r, nastyNames), pick(r, nastyScalars)})
		if r.IntN(2) == 0 {
			tree = append(tree, tree[r.IntN(len(tree))])
		}
	}
	s := pick(r, []style{asPython, asCompact, asPretty})
	if r.IntN(2) == 0 {
		s.shuffle = r
	}
	rec := schemas.Record{Value: s.bytes(tree), Headers: nastyHeaders(r)}
	rec.TimestampMS, rec.Offset, rec.Partition, rec.Topic = r.Int64()>>r.IntN(64)-10, r.Int64(), r.Int32(), "pitches.raw"
	rec.Key = []byte(pick(r, []string{"", "745612", "a\tb", strings.Repeat("é", 33), "\xff", "Ü 1"}))
	if r.IntN(8) == 0 {
		rec.Value = damage(r, rec.Value)
	}
	return rec
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// setSafely is set, unless an index leads out of an array.
func setSafely(tree obj, path string, v any) (out obj) {
	defer func() {
		if recover() != nil {
			out = tree
		}
	}()
	return tree.set(path, v)
}

// nastyBat is a swing with the sensors' faults: samples repeated, thrown, without a time, without an end.
func nastyBat(r *rand.Rand, n int) arr {
	samples := batSamples(r, n)
	for range r.IntN(4) {
		if len(samples) == 0 {
			break
		}
		at, s := r.IntN(len(samples)), samples[r.IntN(len(samples))].(obj)
		switch r.IntN(8) {
		case 0: // once more, somewhere else
			samples = append(samples[:at:at], append(arr{s}, samples[at:]...)...)
		case 1: // once more, elsewhere in space
			samples = append(samples, s.set("head.pos", arr{1, 2, 3.5}))
		case 2:
			samples[at] = s.without("time")
		case 3:
			samples[at] = s.without(pick(r, []string{"head", "handle"}))
		case 4: // a hit thrown out of order
			samples = append(samples, obj{{"event", "Hit"}, {"time", -2.5281568}, {"head", obj{{"pos", arr{0, 0, 0}}}}})
		case 5:
			samples[at] = s.set("time", pick(r, nastyScalars))
		case 6: // a repeated member counts last
			samples[at] = append(s[:len(s):len(s)], member{pick(r, []string{"time", "head", "handle", "event"}), pick(r, nastyScalars)})
		case 7:
			r.Shuffle(len(samples), func(i, j int) { samples[i], samples[j] = samples[j], samples[i] })
		}
	}
	return samples
}

var nastyHeaderValues = map[string][]string{
	schemas.HeaderGamePK:    {"777", "a\tb", "\x7f", strings.Repeat("x", 64), strings.Repeat("x", 65), "\xff", "Ü"},
	schemas.HeaderGameDate:  {"2024-02-29", "2023-02-29", "1800-01-01", "1799-12-31", "2024-9-28", "x", "9999-12-31", "2024-00-10"},
	schemas.HeaderVenue:     {"Citizens Bank Park", "a\x00b", strings.Repeat("v", 64), strings.Repeat("v", 65), "\xc3", "a\nb"},
	schemas.HeaderEventTime: nastyTimes,
	schemas.HeaderRevision:  {"0", "007", "9223372036854775807", "9223372036854775807", "2", "17", "0000000000000000001"},
	schemas.HeaderPitchID:   {testEventID, strings.ToUpper(testEventID), "nope", testEventID + "0", "{" + testEventID + "}"},
	schemas.HeaderBatterID:  {"42", " 42\n", "+7", "-0", "1.0", "9223372036854775807", "9223372036854775808", "x12", "\xff", "--1"},
	schemas.HeaderPitcherID: {"605483", "-9223372036854775808", "-9223372036854775809", "-"},
	schemas.HeaderTeamID:    {"1", "1e3", "\t2", "\v2"},
	schemas.HeaderOp:        {"upsert"}, schemas.HeaderSchemaVersion: {"1.0", "1.17", "1.00000000000000000000000000"},
	schemas.HeaderDLQOriginTopic:     {"pitches.raw", "old", "\xff", "a\x00"},
	schemas.HeaderDLQOriginPartition: {"0", "2147483647", "2147483648", "03", "-1", "+1"},
	schemas.HeaderDLQOriginOffset:    {"0", "9223372036854775807", "9223372036854775808", "x"},
	schemas.HeaderDLQOriginTimestamp: nastyTimes,
	schemas.HeaderTraceparent:        {"00-x"}, "Game_PK": {"1"}, "": {"x"},
}

var nastyTimes = []string{
	"2024-09-28T22:04:37.926Z", "2024-09-28t22:04:37z", "1969-07-20T20:17:40.5555Z", "2016-12-31T23:59:60Z", "yesterday",
	"9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.9999999999999Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01",
	"0000-12-31T23:59:00-00:01", "2024-09-28T24:00:00Z", "2024-09-28 22:04:37Z", "2024-09-28T22:04:37,5Z",
	"2024-09-28T22:04:37.Z", "2024-09-28T22:04:37", "2024-09-28T22:04:37+0400", "2024-02-30T00:00:00Z", "2024-09-28T22:04:37-24:00",
	"2024-09-28T22:04:37.1239-04:00", "1900-02-29T00:00:00Z", "2000-02-29T00:00:00Z", "2024-09-28T22:04:37+23:59 ", "２024-09-28T22:04:37Z",
}

func nastyHeaders(r *rand.Rand) (headers []schemas.Header) {
	for _, name := range slices.Sorted(maps.Keys(nastyHeaderValues)) { // sorted, so that a seed says all
		values := nastyHeaderValues[name]
		for range r.IntN(3) / 2 * (1 + r.IntN(2)) {
			headers = append(headers, schemas.Header{Key: name, Value: []byte(pick(r, append(values, "")))})
		}
	}
	if r.IntN(12) == 0 {
		name := pick(r, []string{schemas.HeaderOp, schemas.HeaderRevision, schemas.HeaderSchemaVersion})
		value := pick(r, []string{"delete", "identify", "merge", "-1", "9223372036854775808", "00000000000000000001", "01.0", "2.0", "1.", "1.0.0", "Upsert", "\xff"})
		headers = append(headers, schemas.Header{Key: name, Value: []byte(value)})
	}
	return headers
}

// damage spoils bytes as wires and people do.
func damage(r *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	at := r.IntN(len(b))
	switch r.IntN(6) {
	case 0:
		return b[:at]
	case 1:
		return append(b, pick(r, []string{"x", " ", "{}", "\x00", "\n\n"})...)
	case 2:
		b[at] = byte(r.IntN(256))
		return b
	case 3:
		return append([]byte(pick(r, []string{"\ufeff", " ", "\n\t\r", "\v"})), b...)
	case 4:
		return append(b[:at:at], append([]byte(pick(r, []string{"\xc3(", "\xff", "NaN", ",", "é", "\x1f", "\x7f", "\\"})), b[at:]...)...)
	}
	depth := 505 + r.IntN(12)
	deep := strings.Repeat("[", depth) + strings.Repeat("]", depth)
	return append([]byte(`{"deep":`+deep+","), b[1:]...)
}

// Members in another order mean the same.
func TestShuffledMembersGiveTheSameRow(t *testing.T) {
	for seed := range uint64(50) {
		r := seeded(seed)
		tree := pitchRecord(r, 3, nastyBat(r, 20)).set("events", arr{battedEvent()})
		rec := schemas.Record{Value: asPython.bytes(tree)}
		ordered, rej1 := Transform(rec, Limits{})
		rec.Value = style{comma: ", ", colon: ": ", shuffle: r}.bytes(tree)
		shuffled, rej2 := Transform(rec, Limits{})
		if hasRepeatedMember(tree) {
			continue
		}
		if diff := cmp.Diff(ordered, shuffled); diff != "" || rej1 != nil || rej2 != nil {
			t.Fatalf("seed %d: %v %v\n%s", seed, rej1, rej2, diff)
		}
	}
}

func hasRepeatedMember(v any) bool {
	switch v := v.(type) {
	case arr:
		for _, e := range v {
			if hasRepeatedMember(e) {
				return true
			}
		}
	case obj:
		seen := map[string]bool{}
		for _, m := range v {
			if seen[m.name] || hasRepeatedMember(m.value) {
				return true
			}
			seen[m.name] = true
		}
	}
	return false
}

// The same bytes give the same change, also from a decoder that has just read something else.
func TestSameBytesGiveTheSameChange(t *testing.T) {
	for seed := range uint64(300) {
		rec, noise := nastyRecord(seeded(seed)), nastyRecord(seeded(seed+1e6))
		first, rej1 := Transform(rec, Limits{})
		Transform(noise, Limits{})
		again, rej2 := Transform(rec, Limits{})
		if diff := cmp.Diff(first, again); diff != "" || cmp.Diff(rej1, rej2) != "" {
			t.Fatalf("seed %d: %v %v\n%s", seed, rej1, rej2, diff)
		}
	}
}

// FuzzTransform: any value, key and headers (a name, =, a value a line). The seeds are long: fuzz with
// -fuzzminimizetime 10x.
func FuzzTransform(f *testing.F) {
	for seed := range uint64(20) {
		rec := nastyRecord(seeded(seed))
		var headers []string
		for _, h := range rec.Headers {
			headers = append(headers, h.Key+"="+string(h.Value))
		}
		f.Add(rec.Value, rec.Key, strings.Join(headers, "\n"))
	}
	f.Fuzz(func(t *testing.T, value, key []byte, headers string) {
		rec := schemas.Record{Value: value, Key: key}
		for line := range strings.SplitSeq(headers, "\n") {
			name, v, _ := strings.Cut(line, "=")
			rec.Headers = append(rec.Headers, schemas.Header{Key: name, Value: []byte(v)})
		}
		comparePlain(t, rec)
	})
}

// FuzzDecode compares decode with the standard library: the same bytes are JSON, and texts read the same.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.5e-3,"x\u0041\ud83d\ude00",true,false,null,{}]}`, `[]`, ` "é\n" `, `-0`, `01`, `1.`, `{"a":1,}`, `[1,]`, `"\x"`,
		"\"\x1f\"", "\xff", `nul`, `1e`, `{"a" 1}`, `[1 2]`, "\ufeff{}", `"\u00e"`, `"abc`, `"\`, strings.Repeat("[", 513),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { compareDecode(t, b) })
}

// compareDecode decodes bytes as they are, and with blanks behind: near the end of a record other ways are
// taken.
func compareDecode(t *testing.T, b []byte) {
	t.Helper()
	compareDecodeOf(t, b)
	compareDecodeOf(t, append(b[:len(b):len(b)], strings.Repeat(" ", 64)...))
}

func compareDecodeOf(t *testing.T, b []byte) {
	t.Helper()
	d := decoders.Get().(*decoder)
	defer d.release()
	rej := d.decode(b)
	if (rej == nil) != plainValid(b) {
		t.Fatalf("decode says %v, the standard library says %v: %q", rej, json.Valid(b) && utf8.Valid(b), b)
	}
	if rej != nil {
		checkRejection(t, rej)
		return
	}
	i := jsonscan.Blanks(b, 0)
	v, end := readValue(b, i, 0)
	if jsonscan.Blanks(b, end) != len(b) {
		t.Fatalf("readValue ends at %d of %q", end, b)
	}
	if s, ok := plainDecode(b).(string); ok && s != "" {
		got, ok := v.unescaped(nil)
		if !ok || v.kind != text || string(got) != s {
			t.Fatalf("%q reads as %q, %v, want %q", b, got, ok, s)
		}
	}
}
