package consumer

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// sending is a processor in the middle of an early produce, while records keep arriving.
type sending struct {
	*cluster
	w      *worker
	scorer *scorer
	goOn   func()
	stored atomic.Int32 // batches that went to the store
}

// sendAhead starts a processor and returns during its early produce, which goOn lets finish.
func (cl *cluster) sendAhead(seed uint64, change ...func(*Config)) *sending {
	cl.t.Helper()
	inVirtualTime(cl.t, "no longer than rows may be sent ahead, which a busy machine does not keep,")
	s := &sending{cluster: cl, scorer: newScorer(seed)}
	inHand, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.goOn = sync.OnceFunc(func() { close(goOn) })
	cl.t.Cleanup(s.goOn)
	cl.store.Before = func(step string) error {
		switch step {
		case "apply":
			s.stored.Add(1)
		case "changed":
			once.Do(func() {
				close(inHand)
				<-goOn
			})
		}
		return nil
	}
	s.w = cl.start(append(change, func(c *Config) { c.CommitEvery = 300 * time.Millisecond })...)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for { // records keep arriving
		select {
		case <-inHand:
			return s
		case <-tick.C:
			cl.produce(s.scorer.records(1)...)
			require.Less(cl.t, len(cl.sent), 1000, "no rows are sent")
		}
	}
}

// more produces records and returns when the store has them.
func (s *sending) more(records ...schemas.Record) {
	s.t.Helper()
	s.produce(records...)
	s.waitFor("stored while rows are sent", func() bool { return s.holds(s.sent[len(s.sent)-len(records):]...) })
}

// holds is whether the store has taken these records.
func (cl *cluster) holds(records ...schemas.Record) bool {
	at, err := cl.store.Positions(cl.t.Context(), rawTopic)
	require.NoError(cl.t, err)
	return !slices.ContainsFunc(records, func(r schemas.Record) bool { return at[r.Partition] <= r.Offset })
}

// noPitch returns a record that the core rejects.
func noPitch(partition int32) schemas.Record {
	return schemas.Record{Coordinates: schemas.Coordinates{Partition: partition}, Key: []byte("1"), Value: []byte("no pitch")}
}

// Records that arrive during an early produce are stored at once, and committed with its rows.
// guard: records that arrive while rows are sent do not wait
func TestRecordsAreAppliedWhileRowsAreSentEarly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newCluster(t).sendAhead(31)
		s.more(s.scorer.records(3)...)
		require.Zero(t, s.w.seen.batchCount(), "nothing is committed before all of it is sent")
		s.goOn()
		s.waitCommitted()
		s.w.halt()
		s.requireConsistent()
	})
}

// guard: a revoke drops the batch in hand
// guard: what was dropped is read again
func TestARevokeClosesTheTransactionOfAnEarlyProduce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newCluster(t).sendAhead(32)
		s.start()
		s.waitFor("a partition is taken away", func() bool { return s.w.seen.count("revoked") > 0 })
		s.goOn()
		s.waitBriefly(s.closed) // much less than a transaction's time-out
		require.True(t, s.closed())
		s.waitCommitted()
		s.requireConsistent()
	})
}

// The store stops answering during an early produce. The transaction is aborted, because it holds back
// readers.
// guard: an unavailable store leaves no transaction open
// guard: what was dropped is read again
func TestAnUnavailableStoreClosesTheTransactionOfAnEarlyProduce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newCluster(t).sendAhead(36)
		s.w.hang.Store(true)
		s.produce(s.scorer.records(9)...)
		s.waitFor("it waits for the store", s.w.waiting.Load)
		began := time.Now()
		s.goOn()
		s.waitFor("nothing is open", s.closed)
		require.Less(t, time.Since(began), transactionTimeout-time.Second, "not by its time-out")
		s.waitCommitted()
		require.Equal(t, 1, s.w.seen.count("assigned"), "the processor stayed in the group")
		s.w.halt()
		s.requireConsistent()
	})
}

// The store has the batch, and does not say which rows have changed since. The transaction of the commit does
// not wait for it, and the session goes on.
// guard: an unavailable store holds no transaction open at the commit
func TestAnUnavailableStoreClosesTheTransactionOfACommit(t *testing.T) {
	inVirtualTime(t, "a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		var away atomic.Bool
		away.Store(true)
		cl.before.set(func(step string) error {
			if step == "changed" && away.Load() {
				return errors.New("away")
			}
			return nil
		})
		cl.produce(newScorer(37).records(30)...)
		ends := cl.ends()
		w := cl.start()
		cl.waitFor("rows are sent", func() bool { return !cl.closed() })
		for range 12 {
			before := time.Now()
			cl.waitFor("the transaction ends", func() bool { return len(ends) > 0 })
			<-ends
			require.LessOrEqual(t, time.Since(before), 2*earlyLimit+time.Second)
		}
		away.Store(false)
		cl.waitCommitted()
		require.Equal(t, 1, w.seen.count("assigned"), "the processor stayed in the group")
		w.halt()
		cl.requireConsistent()
	})
}

// A slow store has much of a batch left to write at its end, so no rows are sent before it has everything.
// guard: a slow store is not waited for with rows sent
func TestRowsAreNotSentEarlyWhileTheStoreIsSlow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		var inHand, sent atomic.Int32
		cl.store.Before = func(step string) error {
			switch step {
			case "apply":
				inHand.Add(1)
				time.Sleep(100 * time.Millisecond) // tidy: a slow store, in virtual time
			case "changed":
				assert.Zero(t, inHand.Load(), "rows are sent while the store works")
				sent.Add(1)
			}
			return nil
		}
		cl.store.After = func(step string) error {
			if step == "apply" {
				inHand.Add(-1)
			}
			return nil
		}
		// Two batches; at the end of each, the store needs more than a second for the rest of it.
		cl.produce(inOnePartition(37, 360)...)
		cl.process(func(c *Config) {
			c.PollMaxRecords, c.StoreMaxRecords, c.CommitEvery = 10, 10, 350*time.Millisecond
			c.Breaker = BreakerLimits{InARow: -1, Share: -1}
		})
		require.Positive(t, sent.Load())
		cl.requireConsistent()
	})
}

// The store comes back older during an early produce, which ends the session.
// guard: a session that ends leaves nothing open
// guard: what was dropped is read again
func TestASessionThatEndsClosesTheTransactionOfAnEarlyProduce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newCluster(t).sendAhead(33)
		for id := range int32(partitionCount) {
			s.setPosition(schemas.Position{Topic: rawTopic, Partition: id})
		}
		s.produce(s.scorer.records(9)...)
		s.waitFor("the store's position is looked at", func() bool { return s.stored.Load() > 1 })
		s.goOn()
		s.waitFor("the session ended", func() bool { return s.w.seen.count("revoked") > 0 })
		s.waitBriefly(s.closed)
		require.True(t, s.closed())
		s.waitCommitted()
		s.requireConsistent()
	})
}

// The breaker trips by records that arrived during an early produce. No transaction stays open for a person.
// guard: a breaker that holds leaves nothing open
// guard: a batch that tripped is judged before it is sent
func TestTheBreakerHoldsWithoutAnOpenTransaction(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newCluster(t).sendAhead(34, func(c *Config) { c.Breaker = BreakerLimits{InARow: 40, Share: -1} })
		var poison []schemas.Record
		for range 40 {
			poison = append(poison, noPitch(1))
		}
		s.more(poison...)
		s.goOn()
		s.waitFor("held", func() bool { return s.w.seen.reason("breaker") != "" })
		require.True(t, s.closed())
		require.Empty(t, s.deadLetters())
		require.True(t, s.w.ResetBreaker())
		s.waitCommitted()
		s.requireConsistent()
	})
}

// A partition that must be refilled is assigned in the middle of a batch. The dead letters of that batch are
// sent.
// guard: a partition that is filled again ends the batch of others
func TestARefillInTheMiddleOfABatchLosesNoDeadLetter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(35)
		cl.produce(s.records(90)...)
		long := func(c *Config) { c.CommitEvery, c.PollMaxRecords = 20*time.Second, 10 }
		staying, leaving := cl.start(), cl.start()
		cl.waitAssigned(staying, leaving)
		cl.waitCommitted()
		leaving.halt()
		staying.halt()
		staying, leaving = cl.start(long), cl.start(long)
		cl.waitAssigned(staying, leaving)
		cl.waitFor("two members", func() bool { return cl.stable(2) })
		var letters []schemas.Record
		for id := range int32(partitionCount) {
			if _, mine := staying.seen.waiting(id); mine {
				letters = append(letters, noPitch(id))
			} else {
				cl.setPosition(schemas.Position{Topic: rawTopic, Partition: id})
			}
		}
		require.NotEmpty(t, letters)
		require.Less(t, len(letters), partitionCount)
		cl.produce(letters...)
		cl.waitFor("the dead letters are in hand", func() bool { return cl.holds(cl.sent[len(cl.sent)-len(letters):]...) })
		require.NotZero(t, cl.lag(), "and not committed")
		leaving.halt()
		cl.waitCommitted()
		staying.halt()
		cl.requireConsistent()
	})
}
