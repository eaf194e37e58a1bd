package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// demoUntidy is a stream with more of everything than the demo's.
var demoUntidy = simulate.Options{
	Seed: 7, Pitches: 350, Parallel: 3, FeedIDs: true,
	Duplicates: 0.2, Reorder: 0.2, Corrections: 0.3, Deletes: 0.2, LateIDs: 0.2, Poison: 0.1,
}

func TestTheLedgerAgreesWithTheSimulatorInTheEnd(t *testing.T) {
	s, err := simulate.New(demoUntidy)
	require.NoError(t, err)
	l := newDemoLedger()
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		l.add(&m)
	}
	sent, expected := l.counts()
	require.Equal(t, demoExpected{standing: s.Tally().Standing, gone: s.Tally().Gone}, expected)
	require.Positive(t, expected.gone)
	require.Equal(t, s.Tally().Records, sent.Records)
	ids := l.batterIDs()
	require.IsIncreasing(t, ids)
	require.Len(t, ids, 6*9, "three games at a time, one day: six teams of nine")
}

func TestTheLedgerKnowsEveryBatterWhoWasNamed(t *testing.T) {
	l := newDemoLedger()
	byRow, late := simulate.Message{}, simulate.Message{}
	byRow.Want.Row = &schemas.Row{BatterID: schemas.Some(int64(7))}
	late.Want.Kind, late.Want.IDs.BatterID = simulate.KindIdentify, schemas.Some(int64(5))
	for _, m := range []simulate.Message{byRow, late, {}} {
		l.add(&m)
	}
	require.Equal(t, []int64{5, 7}, l.batterIDs())
}

func TestTheLedgerIsRightWhereverTheStreamIsCutOff(t *testing.T) {
	s, err := simulate.New(demoUntidy)
	require.NoError(t, err)
	l := newDemoLedger()
	sent := map[schemas.PitchID][]simulate.Want{}
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		l.add(&m)
		if m.Want.Kind != simulate.KindIdentify && m.Want.Kind != simulate.KindPoison {
			sent[m.Want.PitchID] = append(sent[m.Want.PitchID], m.Want)
		}
		_, expected := l.counts()
		if tally := l.tally.Total(); tally%50 == 0 {
			require.Equal(t, demoPlainly(sent), expected, "after %d records", tally)
		}
		require.Equal(t, l.tally.Records[simulate.KindPitch], expected.standing+expected.gone)
	}
}

// demoPlainly counts the rows that should be there from all that was sent of each pitch.
func demoPlainly(sent map[schemas.PitchID][]simulate.Want) (e demoExpected) {
	for _, wants := range sent {
		measured, newest := false, wants[0]
		for _, w := range wants {
			measured = measured || w.Kind != simulate.KindDelete
			if w.Revision > newest.Revision {
				newest = w
			}
		}
		switch {
		case measured && newest.Kind != simulate.KindDelete:
			e.standing++
		case measured:
			e.gone++
		}
	}
	return e
}

func TestLettersAreCountedToTheEndOfEveryPartition(t *testing.T) {
	l := &demoLetters{next: map[int32]int64{}}
	ends := kadm.ListedOffsets{"dead": {0: {Partition: 0, Offset: 2}, 1: {Partition: 1, Offset: 1}, 2: {Partition: 2}}}
	letter := &kgo.Record{Partition: 0, Offset: 0, Headers: []kgo.RecordHeader{{Key: schemas.HeaderDLQMessage, Value: []byte("broken")}}}
	for _, r := range []*kgo.Record{letter, {Partition: 1, Offset: 0}, {Partition: 0, Offset: 1}} {
		require.False(t, l.reached(ends))
		l.note(r)
	}
	require.True(t, l.reached(ends))
	count, _ := l.counted()
	require.EqualValues(t, 3, count)
}

func TestBooksThatDoNotBalanceSaySo(t *testing.T) {
	good := demoBooks{expected: demoExpected{standing: 9, gone: 1}, rows: 9, unnamed: 2, letters: 3, views: make([]schemas.BatterState, 4), pitches: 7}
	good.sent.Records[simulate.KindPitch] = 10
	good.sent.Records[simulate.KindPoison] = 3
	require.True(t, good.balance())
	require.Equal(t, `sent      13 records = 10 pitches + 0 sent twice + 0 corrections
          + 0 deletes + 0 late names + 3 broken
Postgres  9 rows = 10 pitches - 1 deleted  ✓
Redis     7 pitches of 4 batters = 9 rows - 2 without a batter  ✓
letters   3 = 3 broken  ✓
the books balance
`, demoWritten(good))
	for name, c := range map[string]struct {
		spoil func(*demoBooks)
		says  string
	}{
		"a row is missing":            {func(b *demoBooks) { b.rows--; b.unnamed-- }, "Postgres  8 rows = 10 pitches - 1 deleted  ✗"},
		"a letter is missing":         {func(b *demoBooks) { b.letters-- }, "letters   2 = 3 broken  ✗"},
		"a pitch is missing in Redis": {func(b *demoBooks) { b.pitches-- }, "Redis     6 pitches of 4 batters = 9 rows - 2 without a batter  ✗"},
		"a batter differs":            {func(b *demoBooks) { b.differ++ }, "THE BOOKS DO NOT BALANCE: Redis and Postgres differ in 1 batter"},
		"the ledger is wrong":         {func(b *demoBooks) { b.sent.Records[simulate.KindPitch]++ }, "THE BOOKS DO NOT BALANCE"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			c.spoil(&bad)
			require.False(t, bad.balance())
			require.Contains(t, demoWritten(bad), c.says+"\n")
			require.Contains(t, demoWritten(bad), "\nTHE BOOKS DO NOT BALANCE")
		})
	}
}
