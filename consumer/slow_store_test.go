package consumer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// guard: a batch that is too large for the store shrinks
// guard: a batch grows again
func TestABatchShrinksUntilASlowStoreTakesItAndGrowsAgain(t *testing.T) {
	inVirtualTime(t, "minutes")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(good(newScorer(8), 300)...)
		w := cl.start(func(c *Config) { c.PollMaxRecords, c.StoreMaxRecords = 200, 200 })
		// An attempt may take 30 s. The 40 pitches of 200 records take 36 s, the 36 of 100 take 32 s, and the
		// 30 of 50 take 27 s.
		w.slowness.Store(int64(900 * time.Millisecond))
		cl.waitFor("half of it is applied", func() bool {
			rows, err := cl.store.Rows(t.Context())
			require.NoError(t, err)
			return len(rows) > 20
		})
		require.LessOrEqual(t, w.cfg.batchSize.limit(), 50)
		w.slowness.Store(0)
		cl.waitCommitted()
		s := newScorer(9)
		cl.waitFor("batches are as large as before", func() bool {
			cl.produce(good(s, 5)...)
			cl.waitCommitted()
			return w.cfg.batchSize.limit() == 200
		})
		require.Empty(t, w.seen.reason("postgres"))
		w.halt()
		cl.requireRows()
	})
}

func TestABatchOfOneRecordIsNotHalved(t *testing.T) {
	s := newBatchSize(2000)
	require.False(t, s.shrink(1), "it is tried again as it is")
	require.Equal(t, 2000, s.limit())
	require.True(t, s.shrink(3))
	require.Equal(t, 1, s.limit())
	s.grow(1, time.Minute)
	require.Equal(t, 1, s.limit())
	for range 20 {
		s.grow(s.limit(), time.Second)
	}
	require.Equal(t, 2000, s.limit())
}

// guard: only a full batch makes the next one larger
func TestASmallBatchDoesNotMakeTheNextOneLarger(t *testing.T) {
	s := newBatchSize(2000)
	require.True(t, s.shrink(2000))
	s.grow(3, time.Millisecond)
	require.Equal(t, 1000, s.limit())
	s.grow(501, time.Millisecond)
	require.Equal(t, 2000, s.limit())
}
