package consumer

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// inOnePartition returns n records of one partition.
func inOnePartition(seed uint64, n int) []schemas.Record {
	records := newScorer(seed).records(n)
	for i := range records {
		records[i].Partition = 1
	}
	return records
}

// many polls few records at a time, as many as a transaction holds, and has no breaker for the scorer's bad
// records.
func many(c *Config) {
	c.PollMaxRecords, c.StoreMaxRecords, c.Breaker = 50, 50, BreakerLimits{InARow: -1, Share: -1}
}

// guard: polls go to the store together up to what one transaction is to hold
// guard: a poll moves the position from where the one before it left it
func TestPollsAreGatheredWhileRecordsWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		var applies, inside atomic.Int32
		cl.store.Before = func(step string) error {
			if step == "apply" {
				applies.Add(1)
				assert.EqualValues(t, 1, inside.Add(1), "polls go to the store in turn")
			}
			return nil
		}
		cl.store.After = func(step string) error {
			if step == "apply" {
				inside.Add(-1)
			}
			return nil
		}
		cl.produce(inOnePartition(21, 1000)...)
		w := cl.process(many)
		require.EqualValues(t, 20, applies.Load())
		require.Less(t, w.seen.batchCount(), 14)
		cl.requireConsistent()
	})
}

// A transaction waits for half of what it may hold, as long as records wait in the topic.
// guard: polls are stored in few transactions while records wait
func TestATransactionWaitsForPollsWhileRecordsWait(t *testing.T) {
	inVirtualTime(t, "a second")
	inBubble(t, func(t *testing.T) {
		p := &pipeline{cfg: &Config{batchSize: newBatchSize(40, storeTimeout)}, polls: make(chan *poll)}
		behind := func(n int64) *poll { return &poll{records: make([]Decoded, 10), behind: n} }
		time.AfterFunc(time.Second, func() { p.polls <- behind(gatherLag) })
		together, next := p.take(behind(gatherLag))
		require.Len(t, together, 2, "half of it is there")
		require.Nil(t, next)
		together, _ = p.take(behind(gatherLag - 1))
		require.Len(t, together, 1, "few records wait")
	})
}

// guard: records lose their bytes again after a batch of which nothing was refused
func TestPollsAreGatheredAgainAfterARefusedRecord(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		var isOver atomic.Bool
		cl.store.Refuse = func(schemas.Change) string {
			if isOver.Load() {
				return ""
			}
			return "refused by the test"
		}
		w := cl.start(many)
		cl.produce(inOnePartition(23, 1)...)
		cl.waitCommitted()
		require.Len(t, cl.deadLetters(), 1)
		isOver.Store(true)
		before := w.seen.batchCount()
		cl.produce(inOnePartition(24, 1000)...)
		cl.waitCommitted()
		require.Less(t, w.seen.batchCount()-before, 14, "20 polls")
	})
}

// A commit covers every poll of a batch, so it waits until the last one is in the store.
// guard: polls go to the store together up to what one transaction is to hold
// guard: a poll moves the position from where the one before it left it
func TestABatchIsCommittedAfterItsLastPollIsStored(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		inHand, goOn := make(chan struct{}), make(chan struct{})
		var applies atomic.Int32
		cl.store.Before = func(step string) error {
			if step == "apply" && applies.Add(1) == 3 {
				close(inHand)
				<-goOn
			}
			return nil
		}
		cl.produce(inOnePartition(22, 400)...)
		w := cl.start(many)
		<-inHand
		cl.waitBriefly(func() bool { return cl.committedAt(1) > 0 })
		require.Zero(t, cl.committedAt(1))
		require.Zero(t, w.seen.batchCount())
		w.stop()
		close(goOn)
		<-w.done
		require.GreaterOrEqual(t, cl.committedAt(1), int64(150), "a shutdown finishes it")
		cl.start(many)
		cl.waitCommitted()
		require.GreaterOrEqual(t, applies.Load(), int32(400/50), "one transaction holds at most StoreMaxRecords")
		cl.requireConsistent()
	})
}

// decodings counts the polls that were decoded.
type decodings struct {
	Observer
	n atomic.Int32
}

func (d *decodings) Step(step string, took time.Duration) {
	if step == "decode" {
		d.n.Add(1)
	}
	d.Observer.Step(step, took)
}

// Polls that arrive while the store is busy are written together, in one transaction.
// guard: polls that wait for the store go together
func TestPollsThatWaitAreStoredTogether(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		inHand, goOn := make(chan struct{}), make(chan struct{})
		var applies atomic.Int32
		cl.store.Before = func(step string) error {
			if step == "apply" && applies.Add(1) == 1 {
				close(inHand)
				<-goOn
			}
			return nil
		}
		records := inOnePartition(24, 9)
		cl.produce(records[0])
		polls := &decodings{Observer: NopObserver{}}
		w := cl.start(func(c *Config) {
			c.CommitEvery, polls.Observer = time.Minute, c.Observer
			c.Observer = polls
		})
		<-inHand
		for i, r := range records[1:] {
			cl.produce(r)
			cl.waitFor("polled", func() bool { return polls.n.Load() == int32(i+2) })
		}
		close(goOn)
		cl.waitFor("stored", func() bool { return applies.Load() == 2 })
		w.halt()
		require.EqualValues(t, 2, applies.Load())
		require.Zero(t, cl.lag())
		cl.requireConsistent()
	})
}

// The store comes back older between two polls of a batch: the missing records are read again.
// guard: a poll moves the position from where the one before it left it
func TestAStoreThatComesBackOlderWithinABatchIsReadAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		var applies atomic.Int32
		cl.store.Before = func(step string) error {
			if step == "apply" && applies.Add(1) == 4 {
				cl.setPosition(schemas.Position{Topic: rawTopic, Partition: 1, NextOffset: 100})
			}
			return nil
		}
		cl.produce(inOnePartition(23, 600)...)
		w := cl.process(many)
		require.Equal(t, 4, w.seen.count("assigned"), "assigned, revoked, assigned, given up at the end")
		cl.requireConsistent()
	})
}

// A store that fails in the middle of a batch delays it, and loses nothing.
// guard: polls go to the store together up to what one transaction is to hold
// guard: a poll moves the position from where the one before it left it
func TestAGatheredBatchSurvivesFailuresOfTheStore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		var calls atomic.Int32
		fail := func(string) error {
			if calls.Add(1)%5 == 0 {
				return assert.AnError
			}
			return nil
		}
		cl.store.Before, cl.store.After = fail, fail
		cl.produce(inOnePartition(24, 800)...)
		cl.process(many)
		cl.requireConsistent()
	})
}

// guard: a batch is committed before its dead letters hold too much
func TestABatchIsFullWhenItsDeadLettersHoldTooMuch(t *testing.T) {
	p := &pipeline{
		cfg: &Config{}, session: &session{}, batch: &batch{heldBytes: gatherHeldBytes - 1}, running: t.Context(),
	}
	require.False(t, p.mustCommit())
	p.batch.heldBytes++
	require.True(t, p.mustCommit())
}
