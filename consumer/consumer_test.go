package consumer

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

func TestABatchReachesEveryStore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(newScorer(1).records(200)...)
		cl.process()
		cl.requireConsistent()
	})
}

func TestReadingAgainFromTheStartChangesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(newScorer(2).records(100)...)
		cl.process()
		rows, _ := cl.store.Rows(t.Context())
		view := cl.store.View()
		cl.resetGroup()
		require.EqualValues(t, 100, cl.lag())
		cl.process()
		again, _ := cl.store.Rows(t.Context())
		same(t, "rows", withoutWriter(rows), withoutWriter(again))
		same(t, "batters", view.Batters, cl.store.View().Batters)
		same(t, "batter-games", view.Games, cl.store.View().Games)
		same(t, "pitchers", view.Pitchers, cl.store.View().Pitchers)
		same(t, "pitcher-games", view.PitcherGames, cl.store.View().PitcherGames)
	})
}

// Four processors join and leave while records arrive: every rebalance interrupts a batch.
// guard: what was published and changed since is published again
func TestProcessorsComeAndGo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(3)
		var workers []*worker
		for range 4 {
			cl.produce(s.records(60)...)
			workers = append(workers, cl.start())
		}
		for _, w := range workers[:3] {
			cl.produce(s.records(60)...)
			w.halt()
		}
		cl.waitCommitted()
		workers[3].halt()
		cl.waitBriefly(cl.closed) // much less than a transaction's time-out
		require.True(t, cl.closed(), "an open transaction would hold back every reader")
		cl.requireConsistent()
	})
}

// guard: the batch in hand is finished at shutdown
func TestShutdownFinishesTheBatchInHand(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		inHand, goOn := make(chan struct{}), make(chan struct{})
		first := true
		cl.store.Before = func(step string) error {
			if step == "apply" && first {
				first = false
				close(inHand)
				<-goOn
			}
			return nil
		}
		for _, r := range newScorer(4).records(20) {
			r.Partition = 0
			cl.produce(r)
		}
		w := cl.start()
		<-inHand
		w.stop()
		close(goOn)
		<-w.done
		require.NoError(t, w.err)
		require.Greater(t, cl.committedAt(0), int64(0), "the batch in hand was committed")
		cl.start()
		cl.waitCommitted()
		cl.requireConsistent()
	})
}

// The store and the view fail before and after they took effect: nothing is lost, nothing counted twice.
// guard: nothing is produced before the store has answered
func TestAFailingStoreIsRetried(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		var n atomic.Int32
		fail := func(every int32) func(string) error {
			return func(string) error {
				if n.Add(1)%every == 0 {
					return assert.AnError
				}
				return nil
			}
		}
		cl.store.Before, cl.store.After = fail(3), fail(4)
		cl.produce(newScorer(5).records(150)...)
		cl.process()
		cl.requireConsistent()
	})
}

// A store does not answer one processor, and another one joins. The first drops its batch, keeps some
// partitions, and reads the dropped records of those again.
// guard: a revoke drops the batch in hand
func TestARevokeEndsTheWaitForAStore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(newScorer(8).records(90)...)
		cl.startsHung = true
		first := cl.start(func(c *Config) { c.PollMaxRecords = 1000 })
		cl.waitFor("the first processor waits for its store", first.waiting.Load)
		began := time.Now()
		cl.start()
		cl.waitFor("it gave up its batch", func() bool { return !first.waiting.Load() })
		require.Less(t, time.Since(began), storeTimeout, "and not because the store was too slow")
		cl.waitCommitted()
		cl.requireConsistent()
	})
}

// Partitions are revoked twice from a processor without a batch in hand. Its next batch is committed.
// guard: a revoke drops the batch in hand
// guard: a revoke with nothing in hand costs no batch
func TestARevokeWithNothingInHandCostsNoBatch(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		aborted := cl.watchAborts()
		cl.produce(newScorer(11).records(60)...)
		first := cl.start()
		cl.waitCommitted()
		for gone := range 2 {
			cl.start()
			cl.waitFor("a partition is taken away", func() bool { return first.seen.count("revoked") > gone })
			cl.waitFor("the group has waitAssigned", func() bool { return cl.stable(gone + 2) })
		}
		cl.produce(newScorer(12).records(60)...)
		cl.waitCommitted()
		require.False(t, aborted(), "no batch is read again")
		cl.requireConsistent()
	})
}

// A partition is revoked while its batch is sent: the transaction is aborted at once, and does not time out.
// guard: a revoke drops the batch in hand
// guard: a revoke leaves no transaction open
func TestARevokeLeavesNoTransactionOpen(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		sending, goOn := make(chan struct{}), make(chan struct{})
		var once sync.Once
		cl.store.Before = func(step string) error {
			if step == "changed" {
				once.Do(func() {
					close(sending)
					<-goOn
				})
			}
			return nil
		}
		cl.produce(newScorer(10).records(60)...)
		w := cl.start()
		<-sending
		cl.start()
		cl.waitFor("a partition is taken away", func() bool { return w.seen.count("revoked") > 0 })
		close(goOn)
		cl.waitBriefly(func() bool { return cl.closed() && cl.lag() == 0 })
		require.True(t, cl.closed())
		cl.waitCommitted()
		cl.requireConsistent()
	})
}

// While one rebalance is not yet answered with an abort, the client does not report the next one. The
// partitions that it took must not count as owned.
// guard: a revoke that the client does not report is found
func TestTwoRevokesInOneTransaction(t *testing.T) {
	inVirtualTime(t, "15 seconds")
	inBubble(t, func(t *testing.T) { twoRevokes(t, func(*cluster) {}) })
}

// The same while a store that came back older is refilled: no refill waits for a partition of another one.
// guard: a revoke that the client does not report is found
func TestTwoRevokesInOneRefill(t *testing.T) {
	inVirtualTime(t, "15 seconds")
	inBubble(t, func(t *testing.T) {
		twoRevokes(t, func(cl *cluster) {
			cl.process()
			cl.store.Restore()
		})
	})
}

// twoRevokes has two processors join, one after the other, while the first one is sending its rows.
func twoRevokes(t *testing.T, before func(*cluster)) {
	cl, s := newCluster(t), newScorer(10)
	cl.produce(s.records(60)...)
	before(cl)
	sending, goOn := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	cl.before.set(func(step string) error {
		if step == "changed" && !held.Swap(true) {
			close(sending)
			<-goOn
		}
		return nil
	})
	first := cl.start()
	<-sending
	cl.start()
	cl.waitFor("two share the partitions", func() bool { return cl.stable(2) })
	cl.start()
	cl.waitFor("three share them", func() bool { return cl.stable(3) })
	close(goOn)
	for id := range int32(partitionCount) {
		r := s.record()
		r.Partition = id
		cl.produce(r)
	}
	cl.waitCommitted()
	cl.waitFilled()
	looked := first.seen.count("progress")
	cl.waitFor("it was looked at for a while", func() bool { return first.seen.count("progress") > looked+5 })
	require.Empty(t, first.seen.reason("progress"))
	cl.requireConsistent()
}

// guard: what was dropped is read again
// guard: a record that the store refuses is read again for its bytes
func TestARefusedRecordIsADeadLetterAndTheOlderVersionStaysCurrent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.store.Refuse = func(c schemas.Change) string {
			if c.Version.Revision == 2 {
				return "refused by the test"
			}
			return ""
		}
		pitch := func(revision, mph string) schemas.Record {
			return schemas.Record{Key: []byte("1"), Headers: []schemas.Header{{Key: "revision", Value: []byte(revision)}},
				Value: []byte(`{"summary_acts":{"pitch":{"eventId":"00000000-0000-4000-8000-000000000001","speed":{"mph":` + mph + `}}}}`)}
		}
		name := func(revision, batter string) schemas.Record {
			r := schemas.Record{Key: []byte("1")}
			for _, h := range [][2]string{{"op", "identify"}, {"pitch_id", "00000000-0000-4000-8000-000000000001"},
				{"revision", revision}, {"batter_id", batter}} {
				r.Headers = append(r.Headers, schemas.Header{Key: h[0], Value: []byte(h[1])})
			}
			return r
		}
		cl.produce(pitch("1", "91"), pitch("2", "92"), name("1", "601"), name("2", "602"))
		cl.process()
		rows, _ := cl.store.Rows(t.Context())
		require.Len(t, rows, 1)
		require.Equal(t, schemas.Some(91.0), rows[0].PitchSpeedMPH)
		require.Equal(t, schemas.Some(int64(601)), rows[0].BatterID)
		same(t, "dead letters", map[string]int{"0/1 sink_rejected": 1, "0/3 sink_rejected": 1}, cl.deadLetters())
		letter := cl.readAll(deadTopic)[0]
		require.Equal(t, string(pitch("2", "92").Value), string(letter.Value), "read again for its bytes, which were recycled")
		require.Equal(t, "1", string(letter.Key))
	})
}

// The store is replaced by an older copy while the processor runs. The missing records are read again, and no
// dead letter is sent twice.
// guard: reading starts at the smaller of offset and position
// guard: no dead letter is sent again below what was committed
// guard: no offset is committed below what was committed
// guard: a partition that is filled again is read alone
// guard: a store that is filled again moves on when its rows are published
func TestAStoreThatCameBackOlderIsRefilled(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(6)
		cl.produce(s.records(120)...)
		wentBack := cl.watchCommits()
		w := cl.start(func(c *Config) { c.PollMaxRecords, c.CommitEvery = 10, -1 })
		cl.waitCommitted()
		cl.store.Restore()
		cl.produce(s.records(10)...)
		cl.waitFor("refilled", func() bool {
			at, _ := cl.store.Positions(t.Context(), rawTopic)
			return cl.lag() == 0 &&
				at[0] == cl.committedAt(0) && at[1] == cl.committedAt(1) && at[2] == cl.committedAt(2)
		})
		cl.requireConsistent()
		require.False(t, wentBack(), "no offset was committed below one that was committed before")
		require.Equal(t, 3, w.seen.count("assigned"), "assigned, revoked, assigned: one new session, because each partition is refilled alone")
	})
}

// The feed has ended when the store comes back older, so that no batch is refused.
// guard: a store that came back older is found without a record
func TestAStoreThatCameBackOlderIsRefilledWhenNothingIsSent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(newScorer(6).records(120)...)
		cl.start(func(c *Config) { c.PollMaxRecords, c.CommitEvery = 10, -1 })
		cl.waitCommitted()
		cl.store.Restore()
		cl.waitFor("refilled", func() bool {
			at, _ := cl.store.Positions(t.Context(), rawTopic)
			return at[0] == cl.committedAt(0) && at[1] == cl.committedAt(1) && at[2] == cl.committedAt(2)
		})
		cl.requireConsistent()
	})
}

// guard: a gap is not jumped over
func TestAGapIsReportedAndNotSkipped(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(7)
		cl.produce(s.records(60)...)
		cl.process()
		more := s.records(60)
		cl.produce(more...)
		at := cl.committedAt(1)
		require.NoError(t, cl.kafka.DeleteRecords(rawTopic, 1, at+2))

		w := cl.start()
		cl.waitFor("the gap is named", func() bool { return w.seen.reason("gap") != "" })
		require.Contains(t, w.seen.reason("gap"), "pitches.raw/1")
		require.Contains(t, w.seen.reason("gap"), "--accept-gap")
		w.halt()
		require.Equal(t, at, cl.committedAt(1))

		cl.process(func(c *Config) { c.AcceptGap = true })
	})
}

// The store is unavailable for five minutes: no record becomes a dead letter, and the stream goes on within
// seconds.
func TestAnOutageOfFiveMinutesMakesNoDeadLetter(t *testing.T) {
	inVirtualTime(t, "five minutes")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		began := time.Now()
		cl.store.Before = func(step string) error {
			if time.Since(began) < 5*time.Minute {
				return assert.AnError
			}
			return nil
		}
		cl.produce(newScorer(12).records(60)...)
		w := cl.start()
		cl.waitFor("it is known", func() bool { return w.seen.reason("postgres") != "" })
		require.Contains(t, w.seen.reason("postgres"), assert.AnError.Error())
		for tick := time.NewTicker(time.Second); time.Since(began) < 5*time.Minute; <-tick.C {
			require.Zero(t, w.seen.batchCount())
		}
		cl.waitFor("the first batch", func() bool { return w.seen.batchCount() > 0 })
		require.Less(t, time.Since(began), 5*time.Minute+5*time.Second)
		cl.waitCommitted()
		cl.requireConsistent()
	})
}

// A correction moves a pitch to another batter. The store has it, but the answer is lost, and the second
// attempt changes nothing. The view must not keep the pitch for the first batter.
// guard: the view is compared after a batch that may have landed before
func TestALostAnswerLeavesNoBatterWithAPitchThatMoved(t *testing.T) {
	for name, fail := range map[string]func(cl *cluster, w *worker){
		"the same processor tries again": func(cl *cluster, _ *worker) {
			cl.store.After = func(step string) error {
				if step == "apply" {
					cl.store.After = func(string) error { return nil }
					return assert.AnError
				}
				return nil
			}
		},
		"another one reads it again": func(cl *cluster, w *worker) { w.diesAtWrite.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cl := newCluster(t)
				pitch := func(revision, batter string) schemas.Record {
					return schemas.Record{Key: []byte("1"), Headers: []schemas.Header{{Key: "revision", Value: []byte(revision)}, {Key: "batter_id", Value: []byte(batter)}},
						Value: []byte(`{"summary_acts":{"pitch":{"eventId":"00000000-0000-4000-8000-000000000001"}}}`)}
				}
				cl.produce(pitch("1", "600"))
				w := cl.start()
				cl.waitCommitted()
				require.Len(t, cl.store.View().Batters, 1)
				fail(cl, w)
				cl.produce(pitch("2", "601"))
				if w.diesAtWrite.Load() {
					cl.waitFor("it dies", w.dead.Load)
					cl.start()
				}
				cl.waitCommitted()
				cl.requireConsistent()
			})
		})
	}
}

// A processor that could not reach the view ends. Its committed records are not read again, so the next owner
// of its partitions sweeps the view.
// guard: an assignment has the view compared
func TestAnAssignmentSweepsTheView(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		first := cl.start()
		first.cutFromView.Store(true)
		cl.produce(newScorer(31).records(60)...)
		cl.waitCommitted()
		require.Empty(t, cl.store.View().Batters)
		first.halt()
		cl.start()
		cl.waitFor("the view is repaired", func() bool { return len(cl.store.View().Batters) > 0 })
		cl.requireConsistent()
	})
}
