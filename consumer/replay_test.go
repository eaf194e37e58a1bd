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
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(newScorer(41).records(60)...)
		r := &Replay{ID: "again", From: map[int32]int64{}, To: map[int32]int64{}, SendDeadLetters: true}
		for _, sent := range cl.sent {
			r.To[sent.Partition] = max(r.To[sent.Partition], sent.Offset+1)
		}
		replay := func(c *Config) { c.Replay, c.PollMaxRecords = r, 1000 }
		cl.startsHung = true
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
