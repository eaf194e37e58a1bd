package consumer

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/pitchstream/pitchstream/schemas"
)

// poison returns n records that are no JSON, all in one partition.
func poison(n int, partition int32) (records []schemas.Record) {
	for range n {
		records = append(records, schemas.Record{Key: []byte("1"), Value: []byte("{"), Coordinates: schemas.Coordinates{Partition: partition}})
	}
	return records
}

// readable returns n records of one pitch, in partition 1.
func readable(n int) []schemas.Record {
	return slices.Repeat([]schemas.Record{{Key: []byte("1"), Coordinates: schemas.Coordinates{Partition: 1},
		Value: []byte(`{"summary_acts":{"pitch":{"eventId":"00000000-0000-4000-8000-000000000001"}}}`)}}, n)
}

func strict(c *Config) {
	c.PollMaxRecords, c.CommitEvery, c.Breaker = 20, -1, BreakerLimits{InARow: 100, Share: -1}
}

func (cl *cluster) waitHeld(w *worker) {
	cl.t.Helper()
	cl.waitFor("the processor holds", func() bool { return w.seen.reason("breaker") != "" })
}

// guard: too much poison holds the processor
func TestATopicOfBadRecordsIsNotDrainedIntoTheDeadLetters(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(poison(400, 1)...)
		w := cl.start(strict)
		cl.waitHeld(w)
		require.Less(t, len(cl.deadLetters()), 100)
		require.True(t, cl.closed(), "no transaction is open while a person decides")
		why := w.seen.reason("breaker")
		require.Contains(t, why, "100 records in a row were rejected")
		require.Contains(t, why, "pitches.raw/1 offset 80: malformed_json")
		require.Contains(t, why, "POST /breaker/reset")

		before := len(cl.deadLetters())
		require.True(t, w.ResetBreaker())
		cl.waitFor("it goes on, counting from zero, and holds again", func() bool {
			return len(cl.deadLetters()) >= before+80 && w.seen.reason("breaker") != ""
		})
		require.Less(t, len(cl.deadLetters()), before+120)
		w.halt()
		require.False(t, w.ResetBreaker())
	})
}

// A crash loop does not send more dead letters each time, because the count is committed with the offset.
// guard: the breaker's count outlives a crash
func TestACrashLoopDoesNotDrainTheTopic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(poison(400, 1)...)
		for range 4 {
			w := cl.start(strict)
			cl.waitHeld(w)
			w.kill()
			w.stop()
			<-w.done
		}
		cl.waitClosed()
		require.Less(t, len(cl.deadLetters()), 100)
	})
}

// guard: a restart goes on
func TestARestartLetsTheHeldBatchPass(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(poison(150, 1)...)
		w := cl.start(strict)
		cl.waitHeld(w)
		w.halt()
		cl.process(strict)
		cl.requireConsistent()
	})
}

// guard: a pardon keeps the epoch of the offset, which shows that a log was cut back
func TestAPardonKeepsTheEpochOfTheOffset(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(readable(3)...)
		w := cl.start(strict)
		cl.waitCommitted()
		cl.produce(poison(150, 1)...)
		cl.waitHeld(w)
		w.halt()
		offsets, err := kadm.NewClient(cl.client).FetchOffsets(t.Context(), group)
		require.NoError(t, err)
		at, _ := offsets.Lookup(rawTopic, 1)
		require.Contains(t, at.Metadata, "pardoned")
		require.EqualValues(t, 0, at.LeaderEpoch)
	})
}

// The next owner of a partition holds at the same record, and sends nothing before.
func TestARebalanceDoesNotLoosenTheBreaker(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		for id := range int32(partitionCount) {
			cl.produce(poison(150, id)...)
		}
		first := cl.start(strict)
		cl.waitHeld(first)
		second := cl.start(strict)
		cl.waitFor("a partition moves", func() bool { return first.seen.count("revoked") > 0 })
		cl.waitHeld(first)
		cl.waitHeld(second)
		require.Less(t, len(cl.deadLetters()), 200)
	})
}

// Good records that come after bad ones are no reason to hold, although the share of the window says so once
// there are enough of them to count.
// guard: good records do not hold the processor
func TestGoodRecordsDoNotHoldTheProcessor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(poison(25, 1)...)
		w := cl.start(func(c *Config) { c.Breaker = BreakerLimits{Share: 0.5, WindowMin: 30} })
		cl.waitCommitted()
		cl.produce(readable(10)...)
		cl.waitCommitted()
		require.Empty(t, w.seen.reason("breaker"))
		cl.produce(poison(1, 1)...)
		cl.waitHeld(w)
		require.Contains(t, w.seen.reason("breaker"), "26 of the last 36 records were rejected")
		require.True(t, w.ResetBreaker())
		cl.waitCommitted()
	})
}

func TestAGoodRecordResetsTheCountInARow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		for range 6 {
			cl.produce(poison(60, 1)...)
			cl.produce(readable(1)...)
		}
		cl.process(strict)
		cl.requireConsistent()
	})
}

// guard: a row that ended in an earlier poll of the batch counts
func TestTallies(t *testing.T) {
	limits := BreakerLimits{}.withDefaults()
	start := time.Unix(6000, 0)
	pass := func(t tally, at time.Time, from, n int64, bad func(int64) bool) tally {
		var offsets []int64
		rejected := map[int64]bool{}
		for o := from; o < from+n; o++ {
			offsets = append(offsets, o)
			rejected[o] = bad(o)
		}
		return t.after(at, limits.Window, offsets, rejected)
	}
	all, half := func(int64) bool { return true }, func(o int64) bool { return o%2 == 0 }

	row := pass(tally{}, start, 0, 199, all)
	require.Equal(t, tally{InARow: 199, Lately: []minute{{100, 199, 199}}, peak: 199}, row)
	require.Empty(t, limits.judge(start, map[int32]tally{0: row}), "fewer than 200 tell nothing yet")
	require.Equal(t, "200 of the last 200 records were rejected within 5m0s",
		limits.judge(start, map[int32]tally{0: row, 1: pass(tally{}, start, 7, 1, all)}), "over all partitions")

	mixed := pass(tally{}, start, 0, 200, half)
	require.Equal(t, "100 of the last 200 records were rejected within 5m0s", limits.judge(start, map[int32]tally{0: mixed}))
	require.Empty(t, limits.judge(start.Add(5*time.Minute), map[int32]tally{0: mixed}), "long ago")
	require.Empty(t, limits.judge(start, map[int32]tally{0: pass(mixed, start, 201, 1, half)}), "less than half")

	late := pass(row, start.Add(time.Hour), 199, 801, all)
	require.Equal(t, []minute{{160, 801, 801}}, late.Lately, "old minutes go")
	require.Equal(t, "1000 records in a row were rejected", limits.judge(start.Add(time.Hour), map[int32]tally{0: late}), "a row has no time")
	require.Zero(t, pass(late, start, 5, 1, func(int64) bool { return false }).InARow)
	ended := pass(tally{}, start.Add(2*time.Hour), 1000, 200, func(o int64) bool { return o == 1000 })
	require.Empty(t, limits.judge(start.Add(2*time.Hour), map[int32]tally{0: ended}))
	ended = pass(tally{InARow: 990}, start.Add(2*time.Hour), 1000, 200, func(o int64) bool { return o < 1010 })
	require.Equal(t, "1000 records in a row were rejected", limits.judge(start.Add(2*time.Hour), map[int32]tally{0: ended}), "in the middle of a batch")

	good := func(int64) bool { return false }
	polls := pass(pass(tally{InARow: 990}, start, 1000, 10, all), start, 1010, 200, good)
	require.Equal(t, "1000 records in a row were rejected", limits.judge(start, map[int32]tally{0: polls}), "in an earlier poll")
	require.Empty(t, limits.judge(start, committable(map[int32]tally{0: polls})), "in an earlier batch")

	off := BreakerLimits{InARow: -1, Share: -1}.withDefaults()
	require.Empty(t, off.judge(start, map[int32]tally{0: late}))
	stored := parseTally(*late.metadata())
	stored.peak = late.peak
	require.Equal(t, late, stored)
	require.Equal(t, tally{}, parseTally("kgo-member-1"), "written by another client")
}
