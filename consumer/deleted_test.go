package consumer

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
)

// The log was cut back below the group's offset, and the store is older than both, as after a restore of all.
// The records that take the offsets of lost ones must not be taken for a refill, which sends no dead letters.
// guard: a topic that ends before the group's offset is a gap
func TestATopicThatEndsBeforeTheGroupsOffsetIsAGap(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(good(newScorer(5), 21)...)
		cl.process()
		own := tally{Core: features.CoreVersion, TopicID: cl.storedPosition(1).TopicID}
		cl.commit(*own.metadata(), func(id int32) int64 {
			if id == 1 {
				return 20
			}
			return cl.committedAt(id)
		})
		w := cl.start()
		cl.waitFor("the gap is named", func() bool { return w.seen.reason("gap") != "" })
		require.Contains(t, w.seen.reason("gap"), "pitches.raw/1: the topic has become shorter: the next record to "+
			"apply was offset 20, and its end 7")
		w.halt()
		cl.produce(poison(20, 1)...)
		w = cl.start()
		cl.waitFor("it stays named", func() bool { return w.seen.reason("gap") != "" })
		w.halt()
		cl.process(acceptGap)
		cl.requireConsistent()
	})
}

// The store came back so old that the topic has lost records since. The rest is a refill: each of its
// dead letters was sent with the group's offset.
// guard: a gap at the beginning of the topic leaves the group's offset
func TestAnAcceptedGapSendsNoDeadLetterAgain(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(good(newScorer(5), 21)...)
		cl.produce(poison(3, 1)...)
		cl.process()
		wentBack := cl.watchCommits()
		committed := cl.committedAt(1)
		require.Len(t, cl.readAll(deadTopic), 3)
		at := cl.storedPosition(1)
		at.NextOffset, at.DeadLettersFrom, at.DeadLettersBelow = 2, 0, 0
		cl.setPosition(at)
		require.NoError(t, cl.kafka.DeleteRecords(rawTopic, 1, 4))
		w := cl.start()
		cl.waitFor("the gap is named", func() bool { return w.seen.reason("gap") != "" })
		w.halt()
		w = cl.start(acceptGap)
		cl.produce(poison(1, 1)...)
		cl.waitFilled()
		cl.waitCommitted()
		w.halt()
		require.Len(t, cl.readAll(deadTopic), 4)
		require.False(t, wentBack())
		require.Equal(t, committed+1, cl.committedAt(1))
		rows, err := cl.store.Rows(t.Context())
		require.NoError(t, err)
		require.NotEmpty(t, rows)
		w = cl.process()
		require.Empty(t, w.seen.reason("gap"))
		require.Len(t, cl.readAll(deadTopic), 4)
	})
}
