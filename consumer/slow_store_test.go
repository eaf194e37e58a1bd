package consumer

import (
	"log/slog"
	"strings"
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

// The store compares the rows of a batch for longer than a transaction may be open. Half of a batch is
// committed then, down to a single record. The log says it once.
// guard: a batch whose rows are compared too slowly shrinks
// guard: a poll brings no more than a batch whose rows were compared too slowly
// guard: one record whose rows are compared slowly has more time
func TestABatchWhoseRowsAreComparedTooSlowlyShrinks(t *testing.T) {
	inVirtualTime(t, "minutes")
	for name, comparing := range map[string]time.Duration{
		"some rows in time": time.Second, "a single row in more": earlyLimit + 2*time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			for name, each := range map[string]int{"one poll": 50, "many polls": 1} {
				t.Run(name, func(t *testing.T) {
					inBubble(t, func(t *testing.T) {
						cl := newCluster(t)
						cl.produce(good(newScorer(8), 30)...)
						w := cl.start(func(c *Config) { c.PollMaxRecords, c.StoreMaxRecords = each, 50 })
						w.comparing.Store(int64(comparing))
						cl.waitFor("it is named", func() bool {
							return strings.Contains(w.log.String(), "did not compare the rows")
						})
						cl.waitAllFor(10 * time.Minute)
						require.Equal(t, 1, strings.Count(w.log.String(), "did not compare the rows"))
						w.comparing.Store(0)
						s := newScorer(9)
						cl.waitFor("batches are as large as before", func() bool {
							cl.produce(good(s, 60)...)
							cl.waitCommitted()
							return w.cfg.commitSize.limit() >= 50
						})
						require.Equal(t, 1, w.seen.count("assigned"), "the processor stayed in the group")
						w.halt()
						cl.requireConsistent()
					})
				})
			}
		})
	}
}

// waitAllFor is waitCommitted with a longer time.
func (cl *cluster) waitAllFor(d time.Duration) {
	cl.t.Helper()
	for began := time.Now(); cl.lag() != 0 && time.Since(began) < d; {
		cl.waitBriefly(func() bool { return cl.lag() == 0 })
	}
	cl.waitCommitted()
}

func TestABatchOfOneRecordIsNotHalved(t *testing.T) {
	s := newBatchSize(2000, storeTimeout)
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
	s := newBatchSize(2000, storeTimeout)
	require.True(t, s.shrink(2000))
	s.grow(3, time.Millisecond)
	require.Equal(t, 1000, s.limit())
	s.grow(501, time.Millisecond)
	require.Equal(t, 2000, s.limit())
}

// guard: a batch of one record has more time, also where the limit is larger
// guard: a batch without rows does not make the next one larger
func TestTheSizeOfCommitsFollowsTheComparisonsOfRows(t *testing.T) {
	cfg := &Config{
		commitSize: newBatchSize(2000, earlyLimit), Observer: NopObserver{}, Log: slog.New(slog.DiscardHandler),
	}
	p := &publisher{cfg: cfg}
	p.tooSlow(1)
	require.Equal(t, 1, cfg.commitSize.limit())
	require.Equal(t, 2*earlyLimit, p.compareLimit())
	cfg.commitSize.grow(1, notCompared)
	require.Equal(t, 1, cfg.commitSize.limit(), "nothing was compared")
	cfg.commitSize.grow(1, time.Second)
	require.Equal(t, 2, cfg.commitSize.limit())
	require.Equal(t, earlyLimit, p.compareLimit())
}
