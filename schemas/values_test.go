package schemas_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pitchstream/pitchstream/schemas"
)

func TestPitchIDsSurviveText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := schemas.PitchID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		text := id.String()
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`, text)
		for _, s := range []string{text, strings.ToUpper(text)} {
			parsed, ok := schemas.ParsePitchID(s)
			require.True(t, ok)
			require.Equal(t, id, parsed)
			parsed, ok = schemas.ParsePitchID([]byte(s))
			require.True(t, ok)
			require.Equal(t, id, parsed)
		}
		throughJSON(t, id, `"`+text+`"`)
	})
}

func TestWhatIsNoPitchID(t *testing.T) {
	const good = "0123abcd-4567-89ab-CDEF-0123456789ab"
	_, ok := schemas.ParsePitchID(good)
	require.True(t, ok)
	for _, s := range []string{"", " " + good, good + " ", good[1:], "{" + good + "}", "urn:uuid:" + good, strings.ReplaceAll(good, "-", "")} {
		id, ok := schemas.ParsePitchID(s)
		require.False(t, ok, s)
		require.Zero(t, id, s)
	}
	for i := range good { // one character that does not belong there, at each place
		for _, c := range []string{"g", "G", "/", ":", "@", "`", " ", "\x00", "é", "-", "0"} {
			s := good[:i] + c + good[i+1:]
			if belongs := (c == "-") == (good[i] == '-') && (c == "-" || c == "0"); !belongs {
				id, ok := schemas.ParsePitchID(s)
				require.False(t, ok, s)
				require.Zero(t, id, s)
			}
		}
	}
	var id schemas.PitchID
	require.Error(t, json.Unmarshal([]byte(`"x"`), &id))
	require.Error(t, json.Unmarshal([]byte(`7`), &id))
}

func TestOptSurvivesJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64().Draw(t, "n")
		throughJSON(t, schemas.Some(n), strconv.FormatInt(n, 10))
		f := rapid.Float64().Draw(t, "f")
		throughJSON(t, schemas.Some(f), "")
		require.Equal(t, schemas.Some(n), schemas.FromPointer(schemas.Some(n).Pointer()))
	})
	throughJSON(t, schemas.Opt[int64]{}, "null")
	throughJSON(t, schemas.Opt[float64]{}, "null")
	throughJSON(t, schemas.Some(0.0), "0")
	require.Nil(t, schemas.Opt[int64]{}.Pointer())
	require.Equal(t, schemas.Opt[int64]{}, schemas.FromPointer[int64](nil))

	reused := schemas.Some(int16(7))
	require.NoError(t, json.Unmarshal([]byte("null"), &reused))
	require.Zero(t, reused, "null over a value leaves nothing of it")
	require.Error(t, json.Unmarshal([]byte("40000"), &reused))
	require.Error(t, json.Unmarshal([]byte(`"7"`), &reused))
	require.False(t, reused.Present, "what cannot be read is not present")
}

func TestTextSurvivesJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		throughJSON(t, schemas.Text(rapid.StringN(1, -1, -1).Draw(t, "text")), "")
	})
	throughJSON(t, schemas.Text(""), "null")
	reused := schemas.Text("old")
	require.NoError(t, json.Unmarshal([]byte("null"), &reused))
	require.Empty(t, reused)
	require.Error(t, json.Unmarshal([]byte("7"), &reused))
}

func TestTimesSurviveJSON(t *testing.T) {
	first := schemas.TimeMSOf(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC))
	rapid.Check(t, func(t *rapid.T) {
		ms := schemas.TimeMS(rapid.Int64Range(int64(first), schemas.MaxTimestampMS).Draw(t, "ms"))
		require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, ms.String())
		throughJSON(t, ms, `"`+ms.String()+`"`)
	})
	require.Equal(t, "0001-01-01T00:00:00.000Z", first.String())
	require.Equal(t, "9999-12-31T23:59:59.999Z", schemas.TimeMS(schemas.MaxTimestampMS).String())
	for text, want := range map[string]schemas.TimeMS{
		"1970-01-01T00:00:00Z":              0,
		"1970-01-01T01:00:00.0019999+01:00": 1,
		"1969-12-31T23:59:59.9999Z":         -1, // toward the past
	} {
		var ms schemas.TimeMS
		require.NoError(t, json.Unmarshal([]byte(`"`+text+`"`), &ms), text)
		require.Equal(t, want, ms, text)
	}
	var ms schemas.TimeMS
	for _, bad := range []string{`"yesterday"`, `"2024-02-30T00:00:00Z"`, `1727561077926`, `""`} {
		require.Error(t, json.Unmarshal([]byte(bad), &ms), bad)
	}
}

// throughJSON writes a value, as text where it is known, and reads it back.
func throughJSON[T any](t require.TestingT, v T, text string) {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	if text != "" {
		require.Equal(t, text, string(b))
	}
	var back T
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, v, back)
}

// Versions are drawn from few values, so that they are often equal in some of their parts.
func versions() *rapid.Generator[schemas.Version] {
	few := rapid.SampledFrom([]int64{0, 1, 2, math.MaxInt64})
	return rapid.Custom(func(t *rapid.T) schemas.Version {
		return schemas.Version{
			Revision: few.Draw(t, "revision"), TimestampMS: few.Draw(t, "timestamp"), Offset: few.Draw(t, "offset"),
			Partition: rapid.SampledFrom([]int32{0, 1, math.MaxInt32}).Draw(t, "partition"),
		}
	})
}

func TestVersionsAreInATotalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := versions().Draw(t, "a"), versions().Draw(t, "b"), versions().Draw(t, "c")
		require.Contains(t, []int{-1, 0, 1}, a.Compare(b))
		require.Zero(t, a.Compare(a))
		require.Equal(t, -b.Compare(a), a.Compare(b), "either way round")
		require.Equal(t, a == b, a.Compare(b) == 0, "equal means the same")
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 {
			require.LessOrEqual(t, a.Compare(c), 0, "transitive")
		}
	})
}

// The revision decides, then the timestamp, then the offset, then the partition.
func TestVersionsPartByPart(t *testing.T) {
	up := []schemas.Version{
		{}, {Partition: math.MaxInt32},
		{Offset: 1}, {Offset: math.MaxInt64, Partition: 9},
		{TimestampMS: 1}, {TimestampMS: schemas.MaxTimestampMS, Offset: 9, Partition: 9},
		{Revision: 1}, {Revision: math.MaxInt64},
	}
	for i, a := range up {
		for j, b := range up {
			require.Equal(t, min(max(i-j, -1), 1), a.Compare(b), "%v and %v", a, b)
		}
	}
}

func TestWhiffRateIsExact(t *testing.T) {
	require.Equal(t, schemas.Opt[float64]{}, schemas.RatePct(0, 0))
	halves := 0
	for swings := int64(1); swings <= 400; swings++ {
		for whiffs := range swings + 1 {
			checkWhiffRate(t, whiffs, swings)
			if whiffs*20000%(2*swings) == swings {
				halves++
			}
		}
	}
	require.Positive(t, halves, "no rate lay in the middle of two")
	for _, c := range []struct {
		whiffs, swings int64
		want           float64
	}{{1, 3, 33.33}, {2, 3, 66.67}, {1, 32, 3.13}, {1, 160, 0.63}, {3, 20000, 0.02}, {0, 9, 0}, {9, 9, 100}} {
		require.Equal(t, schemas.Some(c.want), schemas.RatePct(c.whiffs, c.swings), c)
	}
	rapid.Check(t, func(t *rapid.T) {
		swings := rapid.Int64Range(1, 1e12).Draw(t, "swings")
		checkWhiffRate(t, rapid.Int64Range(0, swings).Draw(t, "whiffs"), swings)
	})
}

// checkWhiffRate compares with a fraction, which FloatString rounds half away from zero.
func checkWhiffRate(t require.TestingT, whiffs, swings int64) {
	text := new(big.Rat).SetFrac64(100*whiffs, swings).FloatString(2)
	want, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err)
	if got := schemas.RatePct(whiffs, swings); got != schemas.Some(want) {
		require.Equal(t, schemas.Some(want), got, "%d of %d", whiffs, swings)
	}
}

func TestTheMostFrequentTypesAreNamedAndTheOthersCountTogether(t *testing.T) {
	types := map[string]schemas.TypeCounts{}
	for i := range schemas.MaxPitchTypes {
		types[fmt.Sprintf("%02d", i)] = schemas.TypeCounts{Pitches: 2, Swings: 1}
	}
	want := maps.Clone(types)
	schemas.BoundTypes(types)
	require.Equal(t, want, types, "at the bound all are named")
	types["zz"] = schemas.TypeCounts{Pitches: 3, Swings: 3, Whiffs: 1}
	types[schemas.OtherPitchTypes] = schemas.TypeCounts{Pitches: 9}
	schemas.BoundTypes(types)
	want["zz"] = schemas.TypeCounts{Pitches: 3, Swings: 3, Whiffs: 1}
	delete(want, "63")
	want[schemas.OtherPitchTypes] = schemas.TypeCounts{Pitches: 11, Swings: 1}
	require.Equal(t, want, types, "of equally frequent types the last by name goes")
	schemas.BoundTypes(types)
	require.Equal(t, want, types)
}
