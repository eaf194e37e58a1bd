package features

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

const otherUUID = "0d5709a2-6fb2-4d31-acbc-7ec506946710"

// tombstone is a record without a value.
func tombstone(headers ...string) schemas.Record {
	rec := recordOf(aPitch(), headers...)
	rec.Value = nil
	return rec
}

func TestHeadersAloneDecideOpRevisionAndVersion(t *testing.T) {
	const id = "pitch_id=" + otherUUID
	violation, version := schemas.CodeSchemaViolation, schemas.CodeUnsupportedVersion
	for _, story := range []struct {
		moral string
		rec   schemas.Record
		want  schemas.Code
	}{
		{"an upsert needs no headers", recordOf(aPitch()), ""},
		{"an empty header is a missing one", recordOf(aPitch(), "op=", "revision=", "schema_version="), ""},
		{"of a repeated header the last one counts", recordOf(aPitch(), "op=merge", "op=upsert"), ""},
		{"even an empty one", recordOf(aPitch(), "op=merge", "op="), ""},
		{"and not the first", recordOf(aPitch(), "op=upsert", "op=merge"), violation},
		{"names are exact", recordOf(aPitch(), "Op=merge", "op =merge"), ""},
		{"ops are exact", recordOf(aPitch(), "op=Upsert"), violation},
		{"an op that is not UTF-8 is unknown", recordOf(aPitch(), "op=\xff"), violation},

		{"a minor version is ours to read", recordOf(aPitch(), "schema_version=1.20"), ""},
		{"another major is not", recordOf(aPitch(), "schema_version=2.0"), version},
		{"the major counts as written", recordOf(aPitch(), "schema_version=01.0"), version},
		{"a version has two parts", recordOf(aPitch(), "schema_version=1"), version},
		{"both of them there", recordOf(aPitch(), "schema_version=1."), version},
		{"and no more", recordOf(aPitch(), "schema_version=1.0.0"), version},
		{"made of digits", recordOf(aPitch(), "schema_version=1.x"), version},

		{"a revision may be as large as a bigint", recordOf(aPitch(), "revision=9223372036854775807"), ""},
		{"and no larger", recordOf(aPitch(), "revision=9223372036854775808"), violation},
		{"it has at most 19 digits", recordOf(aPitch(), "revision=00000000000000000001"), violation},
		{"and no sign", recordOf(aPitch(), "revision=+1"), violation},
		{"an unreadable revision spoils a delete too", tombstone("op=delete", id, "revision=x"), violation},

		{"a delete has a pitch id and no value", tombstone("op=delete", id), ""},
		{"an unnamed pitch cannot be deleted", tombstone("op=delete"), violation},
		{"nor one that is named unreadably", tombstone("op=delete", "pitch_id=nope"), violation},
		{"a delete with a value is a mistake", recordOf(aPitch(), "op=delete", id), violation},
		{"an upsert without a value is no JSON", tombstone(), schemas.CodeMalformedJSON},

		{"an identify names someone", tombstone("op=identify", id, "team_id=1"), ""},
		{"or it is a mistake", tombstone("op=identify", id), violation},
		{"someone readable", tombstone("op=identify", id, "batter_id=x", "pitcher_id=1.0"), violation},
		{"an identify with a value is a mistake", recordOf(aPitch(), "op=identify", id, "batter_id=1"), violation},
	} {
		if got := codeOf(t, story.rec); got != story.want {
			t.Errorf("%s: %q, want %q", story.moral, got, story.want)
		}
	}
}

// A delete carries the version and nothing of a row.
func TestADelete(t *testing.T) {
	change, rej := comparePlain(t, tombstone("op=delete", "pitch_id=0D5709A2-6FB2-4D31-ACBC-7EC506946710", "revision=7", "event_time=yesterday"))
	if rej != nil {
		t.Fatal(rej)
	}
	want := schemas.Change{
		Op: schemas.OpDelete, PitchID: mustPitchID(t, otherUUID), EventTime: 1727561077926,
		Version: schemas.Version{Revision: 7, TimestampMS: 1727561077926, Offset: 8, Partition: 1},
		Origin:  schemas.Coordinates{Topic: "pitches.raw", Partition: 1, Offset: 8, TimestampMS: 1727561077926},
	}
	if diff := cmp.Diff(want, change); diff != "" {
		t.Error(diff)
	}
}

// An identify keeps what is readable of what it names.
func TestAnIdentify(t *testing.T) {
	change, rej := comparePlain(t, tombstone("op=identify", "pitch_id="+otherUUID, "batter_id= 42\n", "pitcher_id=x", "team_id=-1"))
	if rej != nil {
		t.Fatal(rej)
	}
	want := schemas.Identifiers{BatterID: schemas.Some[int64](42), TeamID: schemas.Some[int64](-1)}
	if change.Op != schemas.OpIdentify || change.IDs != want ||
		change.Row != nil || change.PitchID != mustPitchID(t, otherUUID) {
		t.Errorf("got %+v", change)
	}
}

// An identify names the at-bat, the pitch in it and the hands, as far as they can be read. They make no
// identify by themselves.
// guard: identify: a number out of its range is missing
func TestAnIdentifyNamesTheAtBat(t *testing.T) {
	ids := []string{"op=identify", "pitch_id=" + otherUUID, "batter_id=42"}
	for _, c := range []struct {
		headers []string
		want    schemas.Identifiers
	}{
		{[]string{"at_bat_number=7", "pitch_number=003", "batter_side=L", "pitcher_hand=R"}, schemas.Identifiers{
			AtBatNumber: schemas.Some[int16](7), PitchNumber: schemas.Some[int16](3), BatterSide: "L", PitcherHand: "R"}},
		{[]string{"at_bat_number=999", "pitch_number=1"}, schemas.Identifiers{
			AtBatNumber: schemas.Some[int16](999), PitchNumber: schemas.Some[int16](1)}},
		{[]string{"at_bat_number=0", "pitch_number=1000", "batter_side=S", "pitcher_hand=r"}, schemas.Identifiers{}},
		{[]string{"at_bat_number=-1", "pitch_number= 1", "batter_side=", "pitcher_hand=\xff"}, schemas.Identifiers{}},
		{[]string{"at_bat_number=7.0", "pitch_number=99999999999999999999"}, schemas.Identifiers{}},
	} {
		change, rej := comparePlain(t, tombstone(append(ids, c.headers...)...))
		if rej != nil {
			t.Fatal(rej)
		}
		c.want.BatterID = schemas.Some[int64](42)
		if diff := cmp.Diff(c.want, change.IDs); diff != "" {
			t.Errorf("%v: %s", c.headers, diff)
		}
	}
	_, rej := comparePlain(t, tombstone("op=identify", "pitch_id="+otherUUID, "at_bat_number=7", "batter_side=L"))
	if rej == nil || rej.Code != schemas.CodeSchemaViolation {
		t.Errorf("an identify without batter, pitcher and team: %v", rej)
	}
}

func mustPitchID(t *testing.T, s string) schemas.PitchID {
	t.Helper()
	id, ok := schemas.ParsePitchID(s)
	if !ok {
		t.Fatalf("%q is no pitch id", s)
	}
	return id
}

// Where a record first stood.
func TestOrigin(t *testing.T) {
	own := schemas.Coordinates{Topic: "pitches.raw", Partition: 1, Offset: 8, TimestampMS: 1727561077926}
	old := schemas.Coordinates{Topic: "old", Partition: 2147483647, Offset: 9223372036854775807, TimestampMS: 1000}
	redriven := func(changed string) []string {
		return []string{
			"dlq.origin.topic=old", "dlq.origin.partition=2147483647", "dlq.origin.offset=9223372036854775807",
			"dlq.origin.timestamp=1970-01-01T00:00:01Z", changed,
		}
	}
	for _, story := range []struct {
		moral   string
		headers []string
		want    schemas.Coordinates
	}{
		{"a record is its own origin", nil, own},
		{"unless it was redriven", redriven(""), old},
		{"with all four coordinates", redriven("dlq.origin.topic="), own},
		{"the partition fits", redriven("dlq.origin.partition=2147483648"), own},
		{"the offset fits", redriven("dlq.origin.offset=9223372036854775808"), own},
		{"also where ten times as much would seem to fit", redriven("dlq.origin.offset=20000000000000000000"), own},
		{"digits are digits", redriven("dlq.origin.offset=-1"), own},
		{"the timestamp is one", redriven("dlq.origin.timestamp=1727561077926"), own},
		{"the topic can be stored", redriven("dlq.origin.topic=a\x00b"), own},
		{"and is UTF-8", redriven("dlq.origin.topic=\xff"), own},
		{"a timestamp before 1970 counts as 0", redriven("dlq.origin.timestamp=1969-07-20T20:17:40Z"),
			schemas.Coordinates{Topic: "old", Partition: old.Partition, Offset: old.Offset}},
	} {
		rec := recordOf(aPitch(), story.headers...)
		change, rej := comparePlain(t, rec)
		if rej != nil || change.Origin != story.want || Origin(rec) != story.want {
			t.Errorf("%s: %v %v, want %v", story.moral, change.Origin, rej, story.want)
		}
		if change.Row == nil || len(change.Row.Issues) > 0 {
			t.Errorf("%s: what is wrong in dlq.* is no issue of the row: %v", story.moral, change.Row)
		}
	}
}

// Kafka's timestamps are sometimes −1 or nonsense: they count as the nearest that stores can hold.
func TestTimestampsAreClamped(t *testing.T) {
	for ms, want := range map[int64]int64{
		-1: 0, 0: 0, schemas.MaxTimestampMS + 1: schemas.MaxTimestampMS, 1 << 62: schemas.MaxTimestampMS,
	} {
		rec := recordOf(aPitch())
		rec.TimestampMS = ms
		change, rej := comparePlain(t, rec)
		if rej != nil || change.Origin.TimestampMS != want ||
			change.Version.TimestampMS != want || int64(change.EventTime) != want {
			t.Errorf("%d: %+v %v", ms, change, rej)
		}
	}
}

// The event time is the header's, if it can be read, else the origin's timestamp.
func TestEventTime(t *testing.T) {
	for header, want := range map[string]string{
		"":                                 "2024-09-28T22:04:37.926Z",
		"2024-09-28T22:06:40.1239-04:00":   "2024-09-29T02:06:40.123Z",
		"1969-07-20T20:17:40.5555Z":        "1969-07-20T20:17:40.555Z", // not clamped: it is no record's timestamp
		"yesterday":                        "2024-09-28T22:04:37.926Z",
		"2016-12-31T23:59:60Z":             "2024-09-28T22:04:37.926Z",
		"9999-12-31T23:59:59.999999-00:00": "9999-12-31T23:59:59.999Z",
	} {
		change, rej := comparePlain(t, recordOf(aPitch(), "event_time="+header))
		if rej != nil || change.EventTime.String() != want {
			t.Errorf("%q: %v %v, want %v", header, change.EventTime, rej, want)
			continue
		}
		bad := header == "yesterday" || header == "2016-12-31T23:59:60Z"
		if got := len(change.Row.Issues) == 1 && change.Row.Issues[0] == "event_time:type"; got != bad {
			t.Errorf("%q: issues %v", header, change.Row.Issues)
		}
	}
}

// Headers that the core reads are kept where there is no room for all.
func TestEveryHeaderThatIsReadIsKnownAsRead(t *testing.T) {
	for _, file := range []string{"../schemas/record.go", "../schemas/deadletter.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(f, func(n ast.Node) bool {
			l, ok := n.(*ast.BasicLit)
			if !ok || l.Kind != token.STRING {
				return true
			}
			name, err := strconv.Unquote(l.Value)
			require.NoError(t, err)
			var h headers
			isRead := h.slot(name) != nil || name == schemas.HeaderTraceparent
			require.Equal(t, isRead, schemas.IsRead(name), name)
			return true
		})
	}
}
