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

func TestABatchGoesThroughEverything(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		tn.produce(newScorer(1).records(200)...)
		tn.process()
		tn.requireBooks()
	})
}

func TestReadingAgainFromTheStartChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		tn.produce(newScorer(2).records(100)...)
		tn.process()
		rows, _ := tn.store.Rows(t.Context())
		view := tn.store.View()
		tn.resetGroup()
		require.EqualValues(t, 100, tn.lag())
		tn.process()
		again, _ := tn.store.Rows(t.Context())
		same(t, "rows", withoutWriter(rows), withoutWriter(again))
		same(t, "batters", view.Batters, tn.store.View().Batters)
		same(t, "batter-games", view.Games, tn.store.View().Games)
	})
}

// Four processors come and go while records arrive: every rebalance takes a batch out of somebody's hands.
// guard: what was published and changed since is published again
func TestProcessorsComeAndGo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		s := newScorer(3)
		var workers []*worker
		for range 4 {
			tn.produce(s.records(60)...)
			workers = append(workers, tn.start())
		}
		for _, w := range workers[:3] {
			tn.produce(s.records(60)...)
			w.halt()
		}
		tn.waitCommitted()
		workers[3].halt()
		tn.waitALittle(tn.closed) // much less than a transaction's time-out
		require.True(t, tn.closed(), "nobody left a transaction open, which would hold back every reader")
		tn.requireBooks()
	})
}

// guard: the batch in hand is finished at shutdown
func TestShutdownFinishesTheBatchInHand(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		inHand, goOn := make(chan struct{}), make(chan struct{})
		first := true
		tn.store.Before = func(step string) error {
			if step == "apply" && first {
				first = false
				close(inHand)
				<-goOn
			}
			return nil
		}
		for _, r := range newScorer(4).records(20) {
			r.Partition = 0
			tn.produce(r)
		}
		w := tn.start()
		<-inHand
		w.stop()
		close(goOn)
		<-w.done
		require.NoError(t, w.err)
		require.Greater(t, tn.committedAt(0), int64(0), "the batch in hand was committed")
		tn.start()
		tn.waitCommitted()
		tn.requireBooks()
	})
}

// The store fails before and after it took effect, and the view too: nothing is lost, nothing counted twice.
// guard: nothing is produced before the store has answered
func TestAStoreThatFailsIsTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		var n atomic.Int32
		fail := func(every int32) func(string) error {
			return func(string) error {
				if n.Add(1)%every == 0 {
					return assert.AnError
				}
				return nil
			}
		}
		tn.store.Before, tn.store.After = fail(3), fail(4)
		tn.produce(newScorer(5).records(150)...)
		tn.process()
		tn.requireBooks()
	})
}

// A store does not answer one processor. Another one joins: the first gives up its batch, keeps some
// partitions, and reads again what it dropped of those.
// guard: a revoke drops the batch in hand
func TestARevokeEndsTheWaitForAStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		tn.produce(newScorer(8).records(90)...)
		tn.hung = true
		first := tn.start(func(c *Config) { c.PollMaxRecords = 1000 })
		tn.waitFor("the first processor waits for its store", first.waiting.Load)
		began := time.Now()
		tn.start()
		tn.waitFor("it gave up its batch", func() bool { return !first.waiting.Load() })
		require.Less(t, time.Since(began), storeTimeout, "and not because the store was too slow")
		tn.waitCommitted()
		tn.requireBooks()
	})
}

// Partitions are revoked from a processor that has nothing in hand, twice. It knows that they are gone, and
// its next batch is committed.
// guard: a revoke drops the batch in hand
// guard: a revoke with nothing in hand costs no batch
func TestARevokeWithNothingInHandCostsNoBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		aborted := tn.watchAborts()
		tn.produce(newScorer(11).records(60)...)
		first := tn.start()
		tn.waitCommitted()
		for gone := range 2 {
			tn.start()
			tn.waitFor("a partition is taken away", func() bool { return first.told.count("given up") > gone })
			tn.waitFor("the group has settled", func() bool { return tn.stable(gone + 2) })
		}
		tn.produce(newScorer(12).records(60)...)
		tn.waitCommitted()
		require.False(t, aborted(), "no batch is read again")
		tn.requireBooks()
	})
}

// A partition is revoked while its batch is being sent: the transaction is aborted at once, not left to time
// out.
// guard: a revoke drops the batch in hand
// guard: a revoke leaves no transaction open
func TestARevokeLeavesNoTransactionOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		sending, goOn := make(chan struct{}), make(chan struct{})
		var once sync.Once
		tn.store.Before = func(step string) error {
			if step == "changed" {
				once.Do(func() {
					close(sending)
					<-goOn
				})
			}
			return nil
		}
		tn.produce(newScorer(10).records(60)...)
		w := tn.start()
		<-sending
		tn.start()
		tn.waitFor("a partition is taken away", func() bool { return w.told.count("given up") > 0 })
		close(goOn)
		tn.waitALittle(func() bool { return tn.closed() && tn.lag() == 0 })
		require.True(t, tn.closed())
		tn.waitCommitted()
		tn.requireBooks()
	})
}

// guard: what was dropped is read again
// guard: a record that the store refuses is read again for its bytes
func TestARefusedRecordIsALetterAndItsPredecessorStands(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		tn.store.Refuse = func(c schemas.Change) string {
			if c.Version.Revision == 2 {
				return "refused by the test"
			}
			return ""
		}
		pitch := func(revision, mph string) schemas.Record {
			return schemas.Record{Key: []byte("1"), Headers: []schemas.Header{{Key: "revision", Value: []byte(revision)}},
				Value: []byte(`{"summary_acts":{"pitch":{"eventId":"00000000-0000-4000-8000-000000000001","speed":{"mph":` + mph + `}}}}`)}
		}
		tn.produce(pitch("1", "91"), pitch("2", "92"))
		tn.process()
		rows, _ := tn.store.Rows(t.Context())
		require.Len(t, rows, 1)
		require.Equal(t, schemas.Some(91.0), rows[0].PitchSpeedMPH)
		same(t, "letters", map[string]int{"0/1 sink_rejected": 1}, tn.letters())
		letter := tn.readAll(deadTopic)[0]
		require.Equal(t, string(pitch("2", "92").Value), string(letter.Value), "read again for its bytes, which had been let go")
		require.Equal(t, "1", string(letter.Key))
	})
}

// The store is replaced by an older copy while the processor runs: what it lost is read again, and no letter
// twice.
// guard: reading starts at the smaller of offset and position
// guard: no letter is sent again below what was committed
// guard: no offset is committed below what was committed
// guard: a partition that is filled again is read alone
// guard: a store that is filled again moves on when its rows are published
func TestAStoreThatCameBackOlderIsFilledAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		s := newScorer(6)
		tn.produce(s.records(120)...)
		wentBack := tn.watchCommits()
		w := tn.start(func(c *Config) { c.PollMaxRecords, c.CommitEvery = 10, -1 })
		tn.waitCommitted()
		tn.store.Restore()
		tn.produce(s.records(10)...)
		tn.waitFor("filled again", func() bool {
			at, _ := tn.store.Positions(t.Context(), rawTopic)
			return tn.lag() == 0 && at[0] == tn.committedAt(0) && at[1] == tn.committedAt(1) && at[2] == tn.committedAt(2)
		})
		tn.requireBooks()
		require.False(t, wentBack(), "no offset was committed below one that was committed before")
		require.Equal(t, 3, w.told.count("assigned"), "assigned, given up, assigned: one new start, and no more, as each partition is filled alone")
	})
}

// guard: a gap is not jumped over
func TestAGapIsNamedAndNotJumpedOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		s := newScorer(7)
		tn.produce(s.records(60)...)
		tn.process()
		more := s.records(60)
		tn.produce(more...)
		at := tn.committedAt(1)
		require.NoError(t, tn.cluster.DeleteRecords(rawTopic, 1, at+2))

		w := tn.start()
		tn.waitFor("the gap is named", func() bool { return w.told.reason("gap") != "" })
		require.Contains(t, w.told.reason("gap"), "pitches.raw/1")
		require.Contains(t, w.told.reason("gap"), "--accept-gap")
		w.halt()
		require.Equal(t, at, tn.committedAt(1))

		tn.process(func(c *Config) { c.AcceptGap = true })
	})
}

// The store is away for five minutes: no record becomes a letter for it, and the stream goes on within
// seconds.
func TestAStoreThatIsAwayForFiveMinutes(t *testing.T) {
	inVirtualTime(t, "five minutes")
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		began := time.Now()
		tn.store.Before = func(step string) error {
			if time.Since(began) < 5*time.Minute {
				return assert.AnError
			}
			return nil
		}
		tn.produce(newScorer(12).records(60)...)
		w := tn.start()
		tn.waitFor("it is known", func() bool { return w.told.reason("postgres") != "" })
		require.Contains(t, w.told.reason("postgres"), assert.AnError.Error())
		for tick := time.NewTicker(time.Second); time.Since(began) < 5*time.Minute; <-tick.C {
			require.Zero(t, w.told.batchCount())
		}
		tn.waitFor("the first batch", func() bool { return w.told.batchCount() > 0 })
		require.Less(t, time.Since(began), 5*time.Minute+5*time.Second)
		tn.waitCommitted()
		tn.requireBooks()
	})
}

// A correction moves a pitch to another batter. The store takes it, but the answer is lost, and the second
// attempt finds the pitch where it already is: the batter whom it left must not keep it in the view.
// guard: the view is compared after a batch that may have landed before
func TestALostAnswerLeavesNobodyWithAPitchThatMoved(t *testing.T) {
	for name, fail := range map[string]func(tn *town, w *worker){
		"the same processor tries again": func(tn *town, _ *worker) {
			tn.store.After = func(step string) error {
				if step == "apply" {
					tn.store.After = func(string) error { return nil }
					return assert.AnError
				}
				return nil
			}
		},
		"another one reads it again": func(tn *town, w *worker) { w.doomed.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tn := newTown(t)
				pitch := func(revision, batter string) schemas.Record {
					return schemas.Record{Key: []byte("1"), Headers: []schemas.Header{{Key: "revision", Value: []byte(revision)}, {Key: "batter_id", Value: []byte(batter)}},
						Value: []byte(`{"summary_acts":{"pitch":{"eventId":"00000000-0000-4000-8000-000000000001"}}}`)}
				}
				tn.produce(pitch("1", "600"))
				w := tn.start()
				tn.waitCommitted()
				require.Len(t, tn.store.View().Batters, 1)
				fail(tn, w)
				tn.produce(pitch("2", "601"))
				if w.doomed.Load() {
					tn.waitFor("it dies", w.dead.Load)
					tn.start()
				}
				tn.waitCommitted()
				tn.requireBooks()
			})
		})
	}
}

// A processor that could not reach the view dies. Nothing of what it committed is read again, so who takes
// its partitions over has the view compared.
// guard: an assignment has the view compared
func TestAnAssignmentHasTheViewCompared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		first := tn.start()
		first.blind.Store(true)
		tn.produce(newScorer(31).records(60)...)
		tn.waitCommitted()
		require.Empty(t, tn.store.View().Batters)
		first.halt()
		tn.start()
		tn.waitFor("the view is mended", func() bool { return len(tn.store.View().Batters) > 0 })
		tn.requireBooks()
	})
}
