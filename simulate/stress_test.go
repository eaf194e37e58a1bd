package simulate

import (
	"sort"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

func TestSharesAreWhatWasAskedFor(t *testing.T) {
	const n = 4_000
	var records [kinds]int
	var times []schemas.TimeMS
	for m := range each(t, Options{
		Seed: 41, Pitches: n, FeedIDs: true,
		Duplicates: 0.1, Reorder: 0.2, Corrections: 0.1, Deletes: 0.05, LateIDs: 0.2, Poison: 0.03,
	}) {
		if records[m.Want.Kind]++; m.Want.Kind == KindPitch {
			times = append(times, m.EventTime)
		}
	}
	for kind, share := range map[Kind]float64{
		KindDuplicate: 0.1, KindCorrection: 0.1 * 1.2, KindDelete: 0.05, KindIdentify: 0.2 * 1.25, KindPoison: 0.03,
	} {
		assert.InDelta(t, share, float64(records[kind])/n, 0.02, kind.String())
	}
	assert.Equal(t, n, records[KindPitch])
	assert.InDelta(t, 0.2, 1-float64(longestRising(times))/n, 0.03, "moved")
}

// longestRising is the length of the longest rising subsequence: what was not moved.
func longestRising(x []schemas.TimeMS) int {
	var ends []schemas.TimeMS
	for _, v := range x {
		i := sort.Search(len(ends), func(i int) bool { return ends[i] > v })
		if i == len(ends) {
			ends = append(ends, v)
		} else {
			ends[i] = v
		}
	}
	return len(ends)
}

// TestTheBooksBalance reads a stream as a store does, newest revision wins, and finds what the messages
// promised.
func TestTheBooksBalance(t *testing.T) {
	s, err := New(Options{
		Seed: 42, Games: 3, Duplicates: 0.2, Reorder: 0.2, Corrections: 0.3,
		Deletes: 0.2, LateIDs: 0.3, Poison: 0.1,
	})
	require.NoError(t, err)
	newest, feed := map[schemas.PitchID]Want{}, map[schemas.PitchID]Want{}
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		register := newest
		switch m.Want.Kind {
		case KindPoison:
			require.Equal(t, schemas.PitchID{}, m.Want.PitchID)
			continue
		case KindIdentify:
			register = feed
		}
		if was, known := register[m.Want.PitchID]; !known || was.Revision < m.Want.Revision {
			register[m.Want.PitchID] = m.Want
		} else if was.Revision == m.Want.Revision && m.Want.Last {
			register[m.Want.PitchID] = m.Want // the original after its own repetition
		}
	}
	tally, gone := s.Tally(), 0
	for _, w := range newest {
		assert.True(t, w.Last || w.Kind == KindDuplicate, "%v", w)
		if w.Kind == KindDelete {
			gone++
		}
	}
	for _, w := range feed {
		assert.True(t, w.Last)
	}
	assert.EqualValues(t, len(newest), tally.Records[KindPitch])
	assert.EqualValues(t, len(newest), tally.Standing+tally.Gone)
	assert.EqualValues(t, gone, tally.Gone)
	var letters int64
	for _, n := range tally.Letters {
		letters += n
	}
	assert.Equal(t, tally.Records[KindPoison], letters)
	assert.Equal(t, 3, tally.Games)
}

func TestCorrectionsMovePitches(t *testing.T) {
	first := map[schemas.PitchID]Message{}
	var corrections, batter, game, changed int
	for m := range each(t, Options{Seed: 43, Games: 4, Corrections: 0.5, FeedIDs: true}) {
		switch m.Want.Kind {
		case KindPitch:
			first[m.Want.PitchID] = m
		case KindCorrection:
			was, known := first[m.Want.PitchID]
			require.True(t, known, "a correction comes after its pitch")
			corrections++
			if was.Want.Row.BatterID != m.Want.Row.BatterID {
				batter++
			}
			if string(was.Key) != string(m.Key) {
				game++
			}
			if string(was.Value) != string(m.Value) {
				changed++
			}
		}
	}
	assert.InDelta(t, 1./3, float64(batter)/float64(corrections), 0.06)
	assert.InDelta(t, 1./10, float64(game)/float64(corrections), 0.04)
	assert.Greater(t, float64(changed), 0.9*float64(corrections))
}

// A share of the deletes and of the late IDs is sent before the pitch that they are about.
func TestSomeWordsComeEarly(t *testing.T) {
	sent := map[schemas.PitchID]bool{}
	var deletes, earlyDeletes, identifies, earlyIdentifies int
	for m := range each(t, Options{Seed: 44, Pitches: 1200, Deletes: 0.2, LateIDs: 0.3}) {
		early := !sent[m.Want.PitchID]
		switch m.Want.Kind {
		case KindPitch:
			sent[m.Want.PitchID] = true
		case KindDelete:
			require.Empty(t, m.Value)
			if deletes++; early {
				earlyDeletes++
			}
		case KindIdentify:
			require.Empty(t, m.Value)
			if identifies++; early {
				earlyIdentifies++
			}
		}
	}
	assert.InDelta(t, 0.3, float64(earlyDeletes)/float64(deletes), 0.07)
	assert.InDelta(t, 0.4, float64(earlyIdentifies)/float64(identifies), 0.07)
}

func TestPoisonHasEveryFlavour(t *testing.T) {
	seen, codes := map[string]bool{}, map[schemas.Code]bool{}
	for m := range each(t, Options{Seed: 45, Pitches: 100, Poison: 1, OversizeBytes: 300_000}) {
		if m.Want.Kind == KindPoison {
			seen[m.Want.Flavour], codes[m.Want.Code] = true, true
			if m.Want.Code == schemas.CodeTooLarge {
				assert.Len(t, m.Value, 300_001)
			}
		}
	}
	assert.Len(t, seen, len(flavours)+1)
	assert.Len(t, codes, len(schemas.Codes)-2, "all but sink_rejected and internal")
}

func TestADuplicateIsTheSameBytes(t *testing.T) {
	first := map[schemas.PitchID]Message{}
	repeated := 0
	for m := range each(t, Options{Seed: 46, Pitches: 300, Duplicates: 0.5}) {
		if m.Want.Kind == KindPitch {
			first[m.Want.PitchID] = m
			continue
		}
		was := first[m.Want.PitchID]
		require.Equal(t, was.Value, m.Value)
		require.Equal(t, was.Headers, m.Headers)
		require.Equal(t, was.Key, m.Key)
		require.GreaterOrEqual(t, m.Timestamp, was.Timestamp)
		repeated++
	}
	assert.InDelta(t, 150, repeated, 40)
}
