package consumer

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// One processor has polled the whole topic and stored nothing when another one joins and makes it drop its
// batch. The partitions that it keeps are not complete, although their end was polled once.
// guard: what was dropped is read again
// guard: replay: what was dropped has not been read to its end
func TestAReplayReadsADroppedBatchAgain(t *testing.T) {
	dropsABatchOfAReplay(t, func(cl *cluster) { cl.startsHung = true })
}

// The store has the whole batch when another processor joins, but Kafka does not have its dead letters. The
// partitions that the first processor keeps are complete only when these are sent.
// guard: replay: it ends when everything is committed
func TestAReplayEndsWhenTheDeadLettersOfADroppedBatchAreSent(t *testing.T) {
	dropsABatchOfAReplay(t, func(cl *cluster) { cl.startsLate = true })
}

// dropsABatchOfAReplay has a processor poll all of a topic, and drop it because another one joins while the
// first waits for its store. Both must have replayed everything at their end.
func dropsABatchOfAReplay(t *testing.T, wait func(*cluster)) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(newScorer(41).records(60)...)
		r := &Replay{ID: "again", From: map[int32]int64{}, To: map[int32]int64{}, SendDeadLetters: true}
		for _, sent := range cl.sent {
			r.To[sent.Partition] = max(r.To[sent.Partition], sent.Offset+1)
		}
		replay := func(c *Config) { c.Replay, c.PollMaxRecords = r, 1000 }
		wait(cl)
		first := cl.start(replay)
		cl.waitFor("the first processor waits for its store", first.waiting.Load)
		second := cl.start(replay)
		for _, w := range []*worker{first, second} {
			<-w.done
			require.NoError(t, w.err)
		}
		require.True(t, cl.holds(cl.sent...), "all of it was replayed")
		cl.requireConsistent()
	})
}
