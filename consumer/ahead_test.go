package consumer

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// sending is a processor whose rows are on their way, ahead of its commit, while records keep coming.
type sending struct {
	*town
	w      *worker
	scorer *scorer
	goOn   func()
	stored atomic.Int32 // batches that went to the store
}

// sendAhead starts a processor and returns when it sends rows: it does not go on with that before goOn.
func (tn *town) sendAhead(seed uint64, change ...func(*Config)) *sending {
	tn.t.Helper()
	inVirtualTime(tn.t, "no longer than rows may be sent ahead, which a busy machine does not keep,")
	s := &sending{town: tn, scorer: newScorer(seed)}
	inHand, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.goOn = sync.OnceFunc(func() { close(goOn) })
	tn.t.Cleanup(s.goOn)
	tn.store.Before = func(step string) error {
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
	s.w = tn.start(append(change, func(c *Config) { c.CommitEvery = 300 * time.Millisecond })...)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for { // they keep coming
		select {
		case <-inHand:
			return s
		case <-tick.C:
			tn.produce(s.scorer.records(1)...)
			require.Less(tn.t, len(tn.sent), 1000, "no rows are sent")
		}
	}
}

// more are in the store before this returns.
func (s *sending) more(records ...schemas.Record) {
	s.t.Helper()
	s.produce(records...)
	s.waitFor("stored while rows are sent", func() bool { return s.holds(s.sent[len(s.sent)-len(records):]...) })
}

// holds is whether the store has taken these records.
func (tn *town) holds(records ...schemas.Record) bool {
	at, err := tn.store.Positions(tn.t.Context(), rawTopic)
	require.NoError(tn.t, err)
	return !slices.ContainsFunc(records, func(r schemas.Record) bool { return at[r.Partition] <= r.Offset })
}

// noPitch is a record that the core rejects.
func noPitch(partition int32) schemas.Record {
	return schemas.Record{Coordinates: schemas.Coordinates{Partition: partition}, Key: []byte("1"), Value: []byte("no pitch")}
}

// Who comes while rows are sent does not wait for them, and is committed with them.
// guard: who comes while rows are sent does not wait
func TestRecordsGoOnWhileRowsAreSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newTown(t).sendAhead(31)
		s.more(s.scorer.records(3)...)
		require.Zero(t, s.w.told.batchCount(), "nothing is committed before all of it is sent")
		s.goOn()
		s.waitCommitted()
		s.w.halt()
		s.requireBooks()
	})
}

// guard: a revoke drops the batch in hand
// guard: what was dropped is read again
func TestARevokeLeavesNothingOpenThatWasSentAhead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newTown(t).sendAhead(32)
		s.start()
		s.waitFor("a partition is taken away", func() bool { return s.w.told.count("given up") > 0 })
		s.goOn()
		s.waitALittle(s.closed) // much less than a transaction's time-out
		require.True(t, s.closed())
		s.waitCommitted()
		s.requireBooks()
	})
}

// The store does not answer any more while rows are sent: readers of the rows do not wait with us until it
// does.
// guard: a store that is away leaves nothing open
// guard: what was dropped is read again
func TestAStoreThatIsAwayLeavesNothingOpenThatWasSentAhead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newTown(t).sendAhead(36)
		s.w.hang.Store(true)
		s.produce(s.scorer.records(9)...)
		s.waitFor("it waits for the store", s.w.waiting.Load)
		began := time.Now()
		s.goOn()
		s.waitFor("nothing is open", s.closed)
		require.Less(t, time.Since(began), transactionTimeout-time.Second, "not by its time-out")
		s.waitCommitted()
		require.Equal(t, 1, s.w.told.count("assigned"), "the processor stayed in the group")
		s.w.halt()
		s.requireBooks()
	})
}

// A store that is slow has much of the batch before it when its time is over: rows are sent when it has taken
// all.
// guard: a slow store is not waited for with rows sent
func TestASlowStoreIsNotWaitedForWithRowsSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		var inHand, sent atomic.Int32
		tn.store.Before = func(step string) error {
			switch step {
			case "apply":
				inHand.Add(1)
				<-time.After(100 * time.Millisecond)
			case "changed":
				assert.Zero(t, inHand.Load(), "rows are sent while the store works")
				sent.Add(1)
			}
			return nil
		}
		tn.store.After = func(step string) error {
			if step == "apply" {
				inHand.Add(-1)
			}
			return nil
		}
		tn.produce(inOne(37, 360)...) // two batches; when the time of either is over, the store has more than a second of it to do
		tn.process(func(c *Config) {
			c.PollMaxRecords, c.CommitEvery, c.Breaker = 10, 350*time.Millisecond, BreakerLimits{InARow: -1, Share: -1}
		})
		require.Positive(t, sent.Load())
		tn.requireBooks()
	})
}

// The session ends while rows are sent: the store came back older.
// guard: a session that ends leaves nothing open
// guard: what was dropped is read again
func TestASessionThatEndsLeavesNothingOpenThatWasSentAhead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newTown(t).sendAhead(33)
		for id := range int32(partitionCount) {
			require.NoError(t, s.store.SetPosition(t.Context(), schemas.Position{Topic: rawTopic, Partition: id}))
		}
		s.produce(s.scorer.records(9)...)
		s.waitFor("the store's position is looked at", func() bool { return s.stored.Load() > 1 })
		s.goOn()
		s.waitFor("the session ended", func() bool { return s.w.told.count("given up") > 0 })
		s.waitALittle(s.closed)
		require.True(t, s.closed())
		s.waitCommitted()
		s.requireBooks()
	})
}

// The breaker trips by what came while rows were sent: no transaction waits for a person.
// guard: a breaker that holds leaves nothing open
// guard: a batch that tripped is judged before it is sent
func TestTheBreakerHoldsNothingOpenThatWasSentAhead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newTown(t).sendAhead(34, func(c *Config) { c.Breaker = BreakerLimits{InARow: 40, Share: -1} })
		var poison []schemas.Record
		for range 40 {
			poison = append(poison, noPitch(1))
		}
		s.more(poison...)
		s.goOn()
		s.waitFor("held", func() bool { return s.w.told.reason("breaker") != "" })
		require.True(t, s.closed())
		require.Empty(t, s.letters())
		require.True(t, s.w.ResetBreaker())
		s.waitCommitted()
		s.requireBooks()
	})
}

// A partition that is to be filled again comes to a processor in the middle of a batch: nothing is committed
// with it, and the letters of the batch are not forgotten.
// guard: a partition that is filled again ends the batch of others
func TestARefillInTheMiddleOfABatchLosesNoLetter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		s := newScorer(35)
		tn.produce(s.records(90)...)
		long := func(c *Config) { c.CommitEvery, c.PollMaxRecords = 20*time.Second, 10 }
		staying, leaving := tn.start(), tn.start()
		tn.settled(staying, leaving)
		tn.waitCommitted()
		leaving.halt()
		staying.halt()
		staying, leaving = tn.start(long), tn.start(long)
		tn.settled(staying, leaving)
		tn.waitFor("two members", func() bool { return tn.stable(2) })
		var letters []schemas.Record
		for id := range int32(partitionCount) {
			if _, mine := staying.told.waiting(id); mine {
				letters = append(letters, noPitch(id))
			} else {
				require.NoError(t, tn.store.SetPosition(t.Context(), schemas.Position{Topic: rawTopic, Partition: id}))
			}
		}
		require.NotEmpty(t, letters)
		require.Less(t, len(letters), partitionCount)
		tn.produce(letters...)
		tn.waitFor("the letters are in hand", func() bool { return tn.holds(tn.sent[len(tn.sent)-len(letters):]...) })
		require.NotZero(t, tn.lag(), "and not committed")
		leaving.halt()
		tn.waitCommitted()
		staying.halt()
		tn.requireBooks()
	})
}
