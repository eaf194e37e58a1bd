package memberprofile

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// played returns records of a simulated league, in the order of their offsets.
func played(t testing.TB, pitches int) (all []schemas.Record) {
	t.Helper()
	s, err := simulate.New(simulate.Options{Seed: 5, Pitches: pitches, Parallel: 3, FeedIDs: true})
	require.NoError(t, err)
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		rec := schemas.Record{Key: []byte(string(m.Key)), Value: []byte(string(m.Value))}
		for _, h := range m.Headers {
			rec.Headers = append(rec.Headers, schemas.Header{Key: h.Key, Value: []byte(string(h.Value))})
		}
		rec.Topic, rec.Offset, rec.TimestampMS = "raw", int64(len(all)), int64(m.Timestamp)
		all = append(all, rec)
	}
	return all
}

// pitch is a small record with members of its own.
func pitch(offset int64, members string) schemas.Record {
	value := `{"summary_acts": {"pitch": {"type": "Slider", "result": "Ball"}}` + members + `}`
	rec := schemas.Record{Key: []byte("G"), Value: []byte(value)}
	rec.Topic, rec.Offset, rec.TimestampMS = "raw", offset, 1_700_000_000_000
	return rec
}

func count(t *testing.T, c *Counter, rec schemas.Record) {
	t.Helper()
	_, rejection := c.Transform(rec, features.Limits{})
	require.Nil(t, rejection)
}

func one(t *testing.T, c *Counter) schemas.MemberPart {
	t.Helper()
	parts := c.Take()
	require.Len(t, parts, 1)
	return parts[0]
}

func TestMembersAreCountedByGameDayAndVenue(t *testing.T) {
	c := New(nil)
	all := played(t, 300)
	for _, rec := range all {
		count(t, c, rec)
	}
	records, places := int64(0), map[string]bool{}
	for _, part := range c.Take() {
		p := part.Profile
		records += p.Records
		places[part.Key.Venue] = true
		speed := p.Paths["summary_acts.pitch.speed.mph"]
		require.InDelta(t, 90, speed.Sum/float64(speed.N), 6)
		require.Equal(t, schemas.MemberSeen{Seen: p.Records, Last: p.Records}, p.Paths["units.angle"].Kinds["text"])
		require.Equal(t, map[string]int64{"degree": p.Records}, p.Paths["units.angle"].Words)
		require.True(t, p.Paths["samples_ball[].pos[]"].Kinds["number"].Seen > 0)
	}
	require.EqualValues(t, len(all), records)
	require.Len(t, places, 3)
}

// A batch that was aborted is read again, and once more after its counts were taken.
// guard: members: a record that is read again does not count twice
func TestRecordsThatAreReadAgainCountOnce(t *testing.T) {
	c := New(nil)
	for range 2 {
		for offset := range int64(10) {
			count(t, c, pitch(offset, ""))
		}
	}
	part := one(t, c)
	require.EqualValues(t, 10, part.Profile.Records)
	require.EqualValues(t, 0, part.First)
	require.Equal(t, map[string]int64{"raw/0": 10}, part.Profile.Next)
	for offset := range int64(12) {
		count(t, c, pitch(offset, ""))
	}
	part = one(t, c)
	require.EqualValues(t, 2, part.Profile.Records)
	require.EqualValues(t, 10, part.First)
}

// Records with ever new members, and a record with 50,000 of them, neither grow a profile nor push out what
// the usual records have.
// guard: members: a profile has a bound
// guard: members: strange records do not push out the usual members
// guard: members: a record of too many members is no record without the usual ones
func TestHostileRecordsGrowNothing(t *testing.T) {
	c := New(nil)
	offset, all := int64(0), schemas.MemberProfile{}
	for round := range 40 {
		for range 5 {
			count(t, c, pitch(offset, `, "usual": 1`))
			offset++
		}
		var strange strings.Builder
		for i := range 400 {
			fmt.Fprintf(&strange, `, "%d of round %d%s": 1`, i, round, strings.Repeat("x", 150))
		}
		count(t, c, pitch(offset, strange.String()))
		offset++
		if round%10 == 9 {
			part := one(t, c)
			require.LessOrEqual(t, len(part.Profile.Paths), schemas.MostMemberPaths)
			all = all.Append(part.Profile)
		}
	}
	require.LessOrEqual(t, len(all.Paths), schemas.MostMemberPaths)
	require.EqualValues(t, 240, all.Records)
	require.EqualValues(t, 200, all.Paths["usual"].Kinds["value"].Seen)
	require.EqualValues(t, 240, all.Paths["summary_acts.pitch.type"].Kinds["text"].Seen)
	require.Positive(t, all.Others)
	body, err := json.Marshal(all)
	require.NoError(t, err)
	require.Less(t, len(body), 256<<10)

	var many strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&many, `, "m%d": 1`, i)
	}
	for range 20 {
		count(t, c, pitch(offset, many.String()))
		offset++
	}
	count(t, c, pitch(offset, `, "usual": 1`))
	part := one(t, c)
	require.EqualValues(t, 20, part.Profile.Cut)
	require.EqualValues(t, 1, part.Profile.Records)
	require.Less(t, len(part.Profile.Paths), 10)
}

// The core keeps the last header of a name, and another one may hold a NUL, which Postgres refuses.
// guard: members: a version is that of the last header
func TestNoTextIsCountedThatPostgresRefuses(t *testing.T) {
	c := New(nil)
	rec := pitch(0, `, "a\u0000b": 1`)
	for _, version := range []string{"\x00", "1.9", "1.0"} {
		rec.Headers = append(rec.Headers, schemas.Header{Key: schemas.HeaderSchemaVersion, Value: []byte(version)})
	}
	count(t, c, rec)
	p := one(t, c).Profile
	require.Equal(t, map[string]int64{"1.0": 1}, p.Paths["header schema_version"].Words)
	require.Contains(t, p.Paths, `a\u0000b`, "the escape, and not the NUL")
}

// guard: members: what is counted is bounded
func TestWhatIsCountedIsBounded(t *testing.T) {
	c := New(nil)
	for i := range int64(2 * mostProfiles) {
		rec := pitch(i, "")
		rec.Key = fmt.Appendf(nil, "game %d", i)
		count(t, c, rec)
	}
	require.Len(t, c.Take(), mostProfiles)
	require.LessOrEqual(t, len(c.fences), mostProfiles)
}

// guard: members: the words of a path are bounded
// guard: members: no sum leaves the range of a double
func TestWordsAndSumsAreBounded(t *testing.T) {
	c := New(nil)
	for i := range int64(100) {
		count(t, c, pitch(i, fmt.Sprintf(`, "text": "%d %s", "number": 1e300, "few": "%s"`, i, strings.Repeat("é", 99), strings.Repeat("é", 99))))
	}
	paths := one(t, c).Profile.Paths
	require.True(t, paths["text"].Free)
	require.Empty(t, paths["text"].Words)
	require.EqualValues(t, 100, paths["number"].Kinds["number"].Seen)
	require.Len(t, paths["few"].Words, 1)
	for word := range paths["few"].Words {
		require.Less(t, len(word), mostWordBytes+4)
	}
	_, err := json.Marshal(paths)
	require.NoError(t, err)
}

// A game's pitch a second is looked at always. When 2,000 records a second come, few are, so that a
// replay costs nothing.
// guard: members: in a replay most records are not looked at
func TestLiveRecordsAreAllLookedAt(t *testing.T) {
	now := time.Unix(0, 0)
	c := New(func() time.Time { return now })
	for i := range int64(2000) {
		now = now.Add(25 * time.Millisecond)
		count(t, c, pitch(i, ""))
	}
	require.EqualValues(t, 2000, one(t, c).Profile.Records)
	for i := range int64(20_000) {
		now = now.Add(500 * time.Microsecond)
		count(t, c, pitch(2000+i, ""))
	}
	require.InDelta(t, burst+10*perSecond+20_000/eachOf, one(t, c).Profile.Records, 200)
}

// cpu returns the time that this process has used, which others on the machine do not change.
func cpu(t testing.TB) time.Duration {
	var used syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkShare reports how much of the core's time the counting takes: of all records, as when they come
// live, and at 2,000 a second.
func BenchmarkShare(b *testing.B) {
	all := played(b, 900)
	for name, pause := range map[string]time.Duration{"all": time.Second, "2000-a-second": 500 * time.Microsecond} {
		b.Run(name, func(b *testing.B) {
			now := time.Unix(0, 0)
			var plain, counted time.Duration
			for range b.N {
				c := New(func() time.Time { return now })
				if pause < time.Millisecond {
					c.tokens, c.at = 0, now
				}
				for round := range 4 {
					for i := 0; i < len(all); i += 100 {
						part := all[i:min(i+100, len(all))]
						began := cpu(b)
						for _, rec := range part {
							rec.Offset += int64(round * len(all))
							features.Transform(rec, features.Limits{})
						}
						plain += cpu(b) - began
						began = cpu(b)
						for _, rec := range part {
							now = now.Add(pause)
							rec.Offset += int64(round * len(all))
							c.Transform(rec, features.Limits{})
						}
						counted += cpu(b) - began
					}
				}
				c.Take()
			}
			n := float64(4 * len(all) * b.N)
			b.ReportMetric(100*(counted.Seconds()/plain.Seconds()-1), "%-more")
			b.ReportMetric(plain.Seconds()/n*1e6, "µs/record-plain")
			b.ReportMetric((counted-plain).Seconds()/n*1e6, "µs/record-more")
		})
	}
}
