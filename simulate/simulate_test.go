package simulate

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// everything turns all options on.
var everything = Options{
	Seed: 1, Games: 3, Pitches: 300, FeedIDs: true,
	Duplicates: 0.1, Reorder: 0.2, Corrections: 0.15, Deletes: 0.05, LateIDs: 0.2, Poison: 0.1,
}

// digest is a hash of all that a consumer sees of a stream.
func digest(all []Message) string {
	h := sha256.New()
	part := func(b []byte) {
		h.Write(binary.AppendUvarint(nil, uint64(len(b))))
		h.Write(b)
	}
	for _, m := range all {
		part(m.Key)
		part(m.Value)
		part([]byte(m.EventTime.String() + m.Timestamp.String()))
		for _, header := range m.Headers {
			part([]byte(header.Key))
			part(header.Value)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func TestSameSeedSameBytes(t *testing.T) {
	want := digest(stream(t, everything))
	for _, procs := range []int{1, 7} {
		was := runtime.GOMAXPROCS(procs)
		got := digest(stream(t, everything))
		runtime.GOMAXPROCS(was)
		assert.Equal(t, want, got, "GOMAXPROCS %d", procs)
	}
	other := everything
	other.Seed = 2
	assert.NotEqual(t, want, digest(stream(t, other)))
}

// TestGolden holds the bytes of seed 1 for core 1 and core 2. A change of these is a change of every stream
// that anyone made: say so in the changelog, then write the new digests here.
func TestGolden(t *testing.T) {
	if runtime.GOARCH != "amd64" && os.Getenv("CI") == "" {
		t.Skip("the digests are of amd64, which does not fuse multiplications and additions")
	}
	first := everything
	first.Core = 1
	for want, o := range map[string]Options{
		"16082b50ca8b3a596b47f49e11f0f71cf12c4cb34af1d022b9ba637112b97744": {Seed: 1, Pitches: 100, Core: 1},
		"9b39747982f2d2a76f15956f9682e4546af20660dbfee653639ef0b854b3a16b": first,
		"512e53f8f5e7ff2811da435fbae0d9f6dbf87e41e529bdf7ed99377f261cd069": {Seed: 1, Pitches: 100},
		"b876d4073b09d09b4318e705b3787b0fd23607b3e0e0a73be2a37bf657af6214": everything,
	} {
		assert.Equal(t, want, digest(stream(t, o)), "core %d", o.Core)
	}
}

// Stress is what a stream does to records: the pitches that were thrown are the same.
func TestStressChangesNoPitch(t *testing.T) {
	plain := map[string][]byte{}
	for m := range each(t, Options{Seed: 1, Games: 3, Pitches: 300, FeedIDs: true}) {
		plain[m.Want.PitchID.String()] = m.Value
	}
	require.Len(t, plain, 300)
	for m := range each(t, everything) {
		if m.Want.Kind == KindPitch || m.Want.Kind == KindDuplicate {
			require.True(t, bytes.Equal(plain[m.Want.PitchID.String()], m.Value))
		}
	}
}

// A game is the same whatever others are played, and however many at a time.
func TestAGameStandsAlone(t *testing.T) {
	first := func(o Options) (values []byte) {
		for m := range each(t, o) {
			if string(m.Key) == "778001" {
				values = append(values, m.Value...)
			}
		}
		return values
	}
	alone := first(Options{Seed: 5, Games: 1})
	assert.True(t, bytes.Equal(alone, first(Options{Seed: 5, Games: 3})))
	assert.True(t, bytes.Equal(alone, first(Options{Seed: 5, Games: 3, Parallel: 1})))
}

func TestEveryRecordIsJSONOfTheRealShape(t *testing.T) {
	for m := range each(t, Options{Seed: 3, Pitches: 200}) {
		require.True(t, json.Valid(m.Value))
		var members struct {
			Order []string
		}
		d := json.NewDecoder(bytes.NewReader(m.Value))
		_, err := d.Token()
		require.NoError(t, err)
		for d.More() {
			name, err := d.Token()
			require.NoError(t, err)
			members.Order = append(members.Order, name.(string))
			var skip json.RawMessage
			require.NoError(t, d.Decode(&skip))
		}
		require.Equal(t, []string{"units", "summary_acts", "summary_score", "events", "samples_ball", "samples_bat"}, members.Order)
	}
}

func TestTimesRiseAlongTheStream(t *testing.T) {
	all := stream(t, Options{Seed: 1, Games: 4})
	keys := map[string]bool{}
	for i := 1; i < len(all); i++ {
		keys[string(all[i].Key)] = true
		require.GreaterOrEqual(t, all[i].EventTime, all[i-1].EventTime)
		require.GreaterOrEqual(t, all[i].Timestamp, all[i-1].Timestamp)
		require.Greater(t, all[i].Timestamp, all[i].EventTime)
	}
	assert.Len(t, keys, 4)
	assert.Equal(t, "2025-04-01T17:05:00.000Z", all[0].EventTime.String())
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	for want, o := range map[string]Options{
		"Games and Pitches is 0: one of them must be at least 1": {},
		"Games is -1":             {Games: -1},
		"Pitches is -3":           {Pitches: -3},
		"Parallel is 16":          {Games: 1, Parallel: 16},
		"Poison is 1.5: a share":  {Games: 1, Poison: 1.5},
		"LateIDs is NaN: a share": {Games: 1, LateIDs: math.NaN()},
		"OversizeBytes is -1":     {Games: 1, OversizeBytes: -1},
		"FirstGamePK is -7":       {Games: 1, FirstGamePK: -7},
		"Core is 3":               {Games: 1, Core: 3},
		"BatRate is 20":           {Games: 1, BatRate: 20},
		"need core 2":             {Games: 1, Core: 1, Clean: true},
		"Start is 0800-01-01":     {Games: 1, Start: time.Date(800, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		_, err := New(o)
		assert.ErrorContains(t, err, want)
	}
}

func TestNextAfterTheEnd(t *testing.T) {
	s, err := New(Options{Seed: 1, Pitches: 1})
	require.NoError(t, err)
	_, ok := s.Next()
	require.True(t, ok)
	for range 3 {
		_, ok = s.Next()
		require.False(t, ok)
	}
}

// BenchmarkNext is the speed of generation, in bytes of records.
func BenchmarkNext(b *testing.B) {
	s, err := New(Options{Seed: 1, Pitches: math.MaxInt, Parallel: 15})
	require.NoError(b, err)
	var size int64
	b.ReportAllocs()
	for b.Loop() {
		m, _ := s.Next()
		size += int64(len(m.Value))
	}
	b.SetBytes(size / int64(b.N))
}
