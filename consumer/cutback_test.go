package consumer

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pitchstream/pitchstream/schemas"
)

// The loss is polled while the store does not answer. Then another processor joins, which drops the batch.
// guard: a log that was cut back is a gap, also when its batch is dropped for another reason
func TestALogThatIsCutBackDuringARebalanceIsAGap(t *testing.T) {
	inVirtualTime(t, "a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(5)
		cl.produce(good(s, 21)...)
		slowly := func(c *Config) { c.CommitEvery = 20 * time.Second }
		w := cl.start(slowly)
		cl.waitCommitted()
		before := cl.positions()
		w.hang.Store(true)
		cl.produce(good(s, 9)...)
		cl.waitFor("the store does not answer", w.waiting.Load)
		cut := cl.cutBack(4, 0, 1, 2)
		cl.produce(good(s, 3)...) // ends the fetch that waits, so that the next one names its offset
		cl.waitFor("the leaders are asked", func() bool { return cut.asked.Load() > 0 })
		other := cl.start(slowly)
		cl.waitFor("both name a gap", func() bool {
			return w.seen.reason("gap") != "" && other.seen.reason("gap") != ""
		})
		require.Equal(t, before, cl.positions(), "nothing is read behind the gaps")
		w.halt()
		cl.waitFor("all are named", func() bool { return strings.Count(other.seen.reason("gap"), "shorter") == 3 })
	})
}

// The log was cut back and has grown since. While the client asks the newest leader, a batch is given up, and
// the abort makes the client forget its question.
// guard: records of another epoch than the committed ones are compared
func TestALogThatIsCutBackBeforeAnAbortIsAGap(t *testing.T) {
	inVirtualTime(t, "a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(5)
		var isElecting, isCut atomic.Bool
		var asked atomic.Int64
		cl.answerEpochs(func(_ bool, partition int32) (int64, *kerr.Error) {
			switch {
			case isCut.Load() && partition == 1:
				return 4, nil
			case isElecting.Load():
				asked.Add(1)
				return -1, kerr.NotLeaderForPartition
			}
			return 1000, nil
		})
		elect := func() {
			require.NoError(t, cl.kafka.MoveTopicPartition(rawTopic, 1, cl.kafka.LeaderFor(rawTopic, 1)))
		}
		cl.store.Refuse = func(c schemas.Change) string { // which drops the batch once
			if c.Version.Partition == 0 && c.Version.Offset == 7 {
				isCut.Store(true)
				isElecting.Store(false)
				return "refused"
			}
			return ""
		}
		cl.produce(good(s, 21)...)
		w := cl.start(func(c *Config) { c.CommitEvery = 20 * time.Second })
		cl.waitCommitted()
		before := cl.positions()
		elect()
		w.hang.Store(true)
		cl.produce(good(s, 9)...)
		cl.waitFor("partition 1 was polled", func() bool {
			since, _ := w.seen.waiting(1)
			return !since.IsZero() && w.waiting.Load()
		})
		isElecting.Store(true)
		elect()
		cl.waitFor("the leader is asked", func() bool { return asked.Load() > 0 })
		cl.waitFor("the gap is named", func() bool { return w.seen.reason("gap") != "" })
		require.Contains(t, w.seen.reason("gap"), "the next record to apply was offset 7, and its end 4")
		require.Equal(t, before[1], cl.positions()[1], "nothing is read behind the gap")
		w.halt()
	})
}

// The group's offset has no epoch, as one that a person has set: only the client knows what it has consumed.
// guard: a log that was cut back is a gap, however long it has grown since
// guard: a log that was cut back is a gap, also when its batch is dropped for another reason
func TestALogThatIsCutBackWhileTheStoreIsTooSlowIsAGap(t *testing.T) {
	inVirtualTime(t, "a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(5)
		cl.produce(good(s, 21)...)
		cl.process()
		cl.commit("", cl.committedAt)
		cl.startsHung = true
		w := cl.start(func(c *Config) { c.CommitEvery = 20 * time.Second })
		cl.produce(good(s, 9)...)
		cl.waitFor("the store does not answer", w.waiting.Load)
		cut := cl.cutBack(4)
		cl.produce(good(s, 3)...) // ends the fetch that waits, so that the next one names its offset
		cl.waitFor("the leader is asked", func() bool { return cut.asked.Load() > 0 })
		cl.waitFor("the gap is named", func() bool { return w.seen.reason("gap") != "" })
		require.Regexp(t, "the next record to apply was offset [0-9]+, and its end 4", w.seen.reason("gap"))
		w.halt()
	})
}

func TestManyLogsThatAreCutBackAreNamedTogether(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(good(newScorer(5), 21)...)
		w := cl.start()
		cl.waitCommitted()
		cl.cutBack(4, 0, 1, 2)
		cl.waitFor("all are named", func() bool { return strings.Count(w.seen.reason("gap"), "shorter") == 3 })
		require.Equal(t, 1, strings.Count(w.log.String(), "starting over"))
		w.halt()
	})
}

// guard: a log that was cut back while no processor ran is a gap
func TestAFlagAcceptsALogThatWasCutBackBefore(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(5)
		cl.produce(good(s, 21)...)
		cl.process()
		cl.cutBack(4)
		cl.produce(good(s, 6)...)
		w := cl.process(acceptGap)
		require.Empty(t, w.seen.reason("gap"))
		cl.requireRows()
		at := cl.storedPosition(1)
		require.Empty(t, at.Gap)
		require.Equal(t, int64(7), at.FormerNextOffset)
	})
}

// A leader that was just elected may say at first that it lacks records.
// guard: a log that its new leader has after all is no gap
func TestALeaderThatCatchesUpIsNoGap(t *testing.T) {
	inVirtualTime(t, "half a minute")
	for name, isRunning := range map[string]bool{"while it is read": true, "while nobody reads": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cl := newCluster(t)
				s := newScorer(5)
				cl.produce(good(s, 21)...)
				w := cl.start()
				cl.waitCommitted()
				if !isRunning {
					w.halt()
				}
				cut := cl.cutBack(4)
				cut.truths.Store(1)
				if !isRunning {
					w = cl.start()
				}
				cl.waitFor("the leader is asked again", func() bool { return cut.asked.Load() > 1 })
				cl.produce(good(s, 6)...)
				cl.waitCommitted()
				require.Empty(t, w.seen.reason("gap"))
				require.Empty(t, cl.storedPosition(1).Gap)
				w.halt()
				cl.requireConsistent()
			})
		})
	}
}

// guard: replay: a log that was cut back ends it
func TestAReplayEndsAtALogThatIsCutBack(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(good(newScorer(5), 21)...)
		r := held(cl)
		w := cl.start(func(c *Config) { c.Replay = r })
		cl.waitCommitted()
		cl.cutBack(4)
		cl.waitFor("the replay ends", func() bool {
			select {
			case <-w.done:
				return true
			default:
				return false
			}
		})
		require.ErrorContains(t, w.err, "pitches.raw/1: the topic has become shorter")
		require.ErrorContains(t, w.err, "start a new replay")
		require.Empty(t, cl.storedPosition(1).Gap)
	})
}

// The position of the new topic happens to be what the group has committed in the former one.
// guard: the epoch of an offset of a former topic is not asked for
func TestTheEpochOfAFormerTopicsOffsetIsNotAskedFor(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(5)
		cl.produce(good(s, 21)...)
		cl.process()
		former, err := kadm.NewClient(cl.client).FetchOffsets(t.Context(), group)
		require.NoError(t, err)
		cl.recreate(rawTopic, partitionCount)
		cl.produce(good(s, 30)...)
		admin := kadm.NewClient(cl.client)
		require.NoError(t, admin.CommitAllOffsets(t.Context(), group, former.Offsets()))
		ids, err := topicIDs(t.Context(), admin, rawTopic)
		require.NoError(t, err)
		for i := range int32(partitionCount) {
			at := schemas.Position{Topic: rawTopic, Partition: i, TopicID: ids[rawTopic]}
			at.NextOffset = cl.committedAt(i)
			cl.setPosition(at)
		}
		cut := cl.cutBack(4)
		w := cl.start()
		cl.waitApplied()
		w.halt()
		require.Zero(t, cut.asked.Load())
		require.Empty(t, w.seen.reason("gap"))
	})
}

// The flag has been accepted when the processor dies, and the group still has its offset of before. A start
// without the flag would take what lies below for a refill, which sends no dead letters.
// guard: an accepted gap is named until its start is committed
func TestAGapIsNamedUntilTheNewStartIsCommitted(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(5)
		cl.produce(good(s, 9)...)
		cl.produce(poison(1, 1)...)
		cl.produce(good(s, 12)...)
		cl.process()
		at := cl.storedPosition(1)
		at.NextOffset = 20
		cl.setPosition(at)
		var w *worker
		cl.kafka.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
			w.kill()
			resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
			return resp, nil, true // nothing of it was done
		})
		w = cl.start(acceptGap)
		cl.waitFor("it dies", w.dead.Load)
		w = cl.start()
		cl.waitFor("the gap is named", func() bool { return w.seen.reason("gap") != "" })
		w.halt()
		w = cl.start(acceptGap)
		cl.waitFor("its dead letter is sent again", func() bool { return len(cl.readAll(deadTopic)) == 2 })
		w.halt()
		w = cl.process()
		require.Empty(t, w.seen.reason("gap"))
		require.Empty(t, cl.storedPosition(1).Gap)
	})
}
