package consumer

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// inOne are n records of one partition.
func inOne(seed uint64, n int) []schemas.Record {
	records := newScorer(seed).records(n)
	for i := range records {
		records[i].Partition = 1
	}
	return records
}

// many is little at a time, while much waits, and no limit for the scorer's bad records.
func many(c *Config) {
	c.PollMaxRecords, c.Breaker = 50, BreakerLimits{InARow: -1, Share: -1}
}

// guard: polls go to the store together up to what one transaction is to hold
// guard: a poll moves the position from where the one before it left it
func TestPollsAreGatheredWhileMuchWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		var applies, inside atomic.Int32
		tn.store.Before = func(step string) error {
			if step == "apply" {
				applies.Add(1)
				assert.EqualValues(t, 1, inside.Add(1), "polls go to the store in turn")
			}
			return nil
		}
		tn.store.After = func(step string) error {
			if step == "apply" {
				inside.Add(-1)
			}
			return nil
		}
		tn.produce(inOne(21, 1000)...)
		w := tn.process(many)
		require.EqualValues(t, 20, applies.Load())
		require.Less(t, w.told.batchCount(), 14)
		tn.requireBooks()
	})
}

// What was polled is committed as a whole: so not before the last poll is in the store.
// guard: polls go to the store together up to what one transaction is to hold
// guard: a poll moves the position from where the one before it left it
func TestAGatheredBatchWaitsForItsLastPoll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		inHand, goOn := make(chan struct{}), make(chan struct{})
		var applies atomic.Int32
		tn.store.Before = func(step string) error {
			if step == "apply" && applies.Add(1) == 3 {
				close(inHand)
				<-goOn
			}
			return nil
		}
		tn.produce(inOne(22, 400)...)
		w := tn.start(many)
		<-inHand
		tn.waitALittle(func() bool { return tn.committedAt(1) > 0 })
		require.Zero(t, tn.committedAt(1))
		require.Zero(t, w.told.batchCount())
		w.stop()
		close(goOn)
		<-w.done
		require.GreaterOrEqual(t, tn.committedAt(1), int64(150), "a shutdown finishes it")
		tn.start(many)
		tn.waitCommitted()
		require.GreaterOrEqual(t, applies.Load(), int32(400/50), "together no more than one transaction is to hold")
		tn.requireBooks()
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

// What comes while the store is busy goes there together, in one transaction.
// guard: polls that wait for the store go together
func TestPollsThatWaitGoTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		inHand, goOn := make(chan struct{}), make(chan struct{})
		var applies atomic.Int32
		tn.store.Before = func(step string) error {
			if step == "apply" && applies.Add(1) == 1 {
				close(inHand)
				<-goOn
			}
			return nil
		}
		records := inOne(24, 9)
		tn.produce(records[0])
		polls := &decodings{Observer: NopObserver{}}
		w := tn.start(func(c *Config) {
			c.CommitEvery, polls.Observer = time.Minute, c.Observer
			c.Observer = polls
		})
		<-inHand
		for i, r := range records[1:] {
			tn.produce(r)
			tn.waitFor("polled", func() bool { return polls.n.Load() == int32(i+2) })
		}
		close(goOn)
		tn.waitFor("stored", func() bool { return applies.Load() == 2 })
		w.halt()
		require.EqualValues(t, 2, applies.Load())
		require.Zero(t, tn.lag())
		tn.requireBooks()
	})
}

// The store comes back older between two polls of a batch: what it lost in between is noticed.
// guard: a poll moves the position from where the one before it left it
func TestAStoreThatComesBackOlderWithinABatchIsNoticed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		var applies atomic.Int32
		tn.store.Before = func(step string) error {
			if step == "apply" && applies.Add(1) == 4 {
				return tn.store.SetPosition(t.Context(), schemas.Position{Topic: rawTopic, Partition: 1, NextOffset: 100})
			}
			return nil
		}
		tn.produce(inOne(23, 600)...)
		w := tn.process(many)
		require.Equal(t, 4, w.told.count("assigned"), "assigned, given up, assigned, given up at the end")
		tn.requireBooks()
	})
}

// A store that fails in the middle of a batch holds up the polls behind it, and no more.
// guard: polls go to the store together up to what one transaction is to hold
// guard: a poll moves the position from where the one before it left it
func TestAGatheredBatchOutlivesFailures(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		var calls atomic.Int32
		fail := func(string) error {
			if calls.Add(1)%5 == 0 {
				return assert.AnError
			}
			return nil
		}
		tn.store.Before, tn.store.After = fail, fail
		tn.produce(inOne(24, 800)...)
		tn.process(many)
		tn.requireBooks()
	})
}
