package demo

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// untidy is a stream with more disorder than the demo's.
var untidy = simulate.Options{
	Seed: 7, Pitches: 350, Parallel: 3, FeedIDs: true,
	Duplicates: 0.2, Reorder: 0.2, Corrections: 0.3, Deletes: 0.2, LateIDs: 0.2, Poison: 0.1,
}

func TestLedgerEqualsTheSimulatorsTally(t *testing.T) {
	s, err := simulate.New(untidy)
	require.NoError(t, err)
	l := newLedger()
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		l.add(&m)
	}
	sent, rows := l.counts()
	require.Equal(t, expected{current: s.Tally().Standing, deleted: s.Tally().Gone}, rows)
	require.Positive(t, rows.deleted)
	require.Equal(t, s.Tally().Records, sent.Records)
	ids := l.batterIDs()
	require.IsIncreasing(t, ids)
	require.Len(t, ids, 6*9, "three games at a time, one day: six teams of nine")
}

func TestLedgerKnowsEveryNamedBatter(t *testing.T) {
	l := newLedger()
	byRow, late := simulate.Message{}, simulate.Message{}
	byRow.Want.Row = &schemas.Row{BatterID: schemas.Some(int64(7))}
	late.Want.Kind, late.Want.IDs.BatterID = simulate.KindIdentify, schemas.Some(int64(5))
	for _, m := range []simulate.Message{byRow, late, {}} {
		l.add(&m)
	}
	require.Equal(t, []int64{5, 7}, l.batterIDs())
}

func TestLedgerIsRightAfterEveryRecord(t *testing.T) {
	s, err := simulate.New(untidy)
	require.NoError(t, err)
	l := newLedger()
	sent := map[schemas.PitchID][]simulate.Want{}
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		l.add(&m)
		if m.Want.Kind != simulate.KindIdentify && m.Want.Kind != simulate.KindPoison {
			sent[m.Want.PitchID] = append(sent[m.Want.PitchID], m.Want)
		}
		_, rows := l.counts()
		if tally := l.tally.Total(); tally%50 == 0 {
			require.Equal(t, expectedOf(sent), rows, "after %d records", tally)
		}
		require.Equal(t, l.tally.Records[simulate.KindPitch], rows.current+rows.deleted)
	}
}

// expectedOf computes what a ledger must expect from every record that was sent of each pitch.
func expectedOf(sent map[schemas.PitchID][]simulate.Want) (e expected) {
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
			e.current++
		case measured:
			e.deleted++
		}
	}
	return e
}

func TestDeadLettersAreCountedToTheEndOfEveryPartition(t *testing.T) {
	l := &deadLetters{next: map[int32]int64{}}
	ends := kadm.ListedOffsets{"dead": {0: {Partition: 0, Offset: 2}, 1: {Partition: 1, Offset: 1},
		2: {Partition: 2}}}
	letter := &kgo.Record{Partition: 0, Offset: 0,
		Headers: []kgo.RecordHeader{{Key: schemas.HeaderDLQMessage, Value: []byte("broken")}}}
	for _, r := range []*kgo.Record{letter, {Partition: 1, Offset: 0}, {Partition: 0, Offset: 1}} {
		require.False(t, l.reached(ends))
		l.add(r)
	}
	require.True(t, l.reached(ends))
	count, _ := l.counted()
	require.EqualValues(t, 3, count)
}

func TestUnbalancedBooksSayWhy(t *testing.T) {
	good := books{expected: expected{current: 9, deleted: 1}, rows: 9, unnamed: 2, deadLetters: 3,
		batters: make([]schemas.PlayerState, 4), pitches: 7}
	good.sent.Records[simulate.KindPitch] = 10
	good.sent.Records[simulate.KindPoison] = 3
	require.True(t, good.balance())
	require.Equal(t, `sent      13 records = 10 pitches + 0 sent twice + 0 corrections
          + 0 deletes + 0 late names + 3 broken
Postgres  9 rows = 10 pitches - 1 deleted  ✓
Redis     7 pitches of 4 batters = 9 rows - 2 without a batter  ✓
letters   3 = 3 broken  ✓
the books balance
`, written(good))
	for name, c := range map[string]struct {
		spoil func(*books)
		says  string
	}{
		"a row is missing": {func(b *books) { b.rows--; b.unnamed-- },
			"Postgres  8 rows = 10 pitches - 1 deleted  ✗"},
		"a letter is missing": {func(b *books) { b.deadLetters-- }, "letters   2 = 3 broken  ✗"},
		"a pitch is missing in Redis": {func(b *books) { b.pitches-- },
			"Redis     6 pitches of 4 batters = 9 rows - 2 without a batter  ✗"},
		"a batter differs": {func(b *books) { b.differ++ },
			"THE BOOKS DO NOT BALANCE: Redis and Postgres differ in 1 batter"},
		"the ledger is wrong": {func(b *books) { b.sent.Records[simulate.KindPitch]++ },
			"THE BOOKS DO NOT BALANCE"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			c.spoil(&bad)
			require.False(t, bad.balance())
			require.Contains(t, written(bad), c.says+"\n")
			require.Contains(t, written(bad), "\nTHE BOOKS DO NOT BALANCE")
		})
	}
}
