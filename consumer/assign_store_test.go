package consumer

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// Each request to the store at an assignment fails for half a minute, or hangs. The processor names the
// store, and goes on when it is back.
// guard: a request to the store at an assignment that gets no answer ends
func TestAStoreThatIsAwayAtAnAssignmentIsNamed(t *testing.T) {
	inVirtualTime(t, "minutes")
	none := func(*cluster, *scorer) {}
	anew := func(cl *cluster, s *scorer) {
		cl.recreate(rawTopic, partitionCount)
		cl.produce(good(s, 9)...)
	}
	for step, before := range map[string]func(*cluster, *scorer){
		"ensure": none,
		"read":   none,
		"label":  func(cl *cluster, _ *scorer) { cl.forgetTopicIDs() },
		"set 0":  anew,
		"set 1":  func(cl *cluster, s *scorer) { cl.shrinkTopic(s) },
	} {
		for name, with := range map[string]error{"fails": errors.New("away"), "hangs": errSilent} {
			t.Run(step+" "+name, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					cl, s := newCluster(t), newScorer(5)
					cl.produce(good(s, 21)...)
					cl.process()
					before(cl, s)
					began := time.Now()
					var isBack atomic.Bool
					cl.silent.set(func(at string) error {
						if at != step || isBack.Load() {
							return nil
						}
						return with
					})
					w := cl.start(acceptGap)
					cl.waitFor("the store is named", func() bool { return w.seen.reason("postgres") != "" })
					require.Less(t, time.Since(began), storeTimeout+10*time.Second)
					require.Empty(t, w.seen.reason("gap"), "nothing is missing")
					for time.Since(began) < storeTimeout+10*time.Second {
						time.Sleep(time.Second) // tidy: virtual time
						require.NotEmpty(t, w.seen.reason("postgres"))
					}
					isBack.Store(true)
					cl.waitFor("the store is not named any more", func() bool { return w.seen.reason("postgres") == "" })
					cl.waitApplied()
					w.halt()
				})
			})
		}
	}
}

// shrinkTopic replaces the raw topic by one of a single partition.
func (cl *cluster) shrinkTopic(s *scorer) {
	cl.t.Helper()
	cl.recreate(rawTopic, 1)
	first := good(s, 3)
	for i := range first {
		first[i].Partition = 0
	}
	cl.produce(first...)
}

// The topic had one partition, and has got more since: another processor reads them when their positions of
// the former topic are to be reset.
// guard: a position that another processor has moved is not overwritten
func TestAPositionThatAnotherProcessorHasMovedIsNotReset(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl, s := newCluster(t), newScorer(5)
		cl.produce(good(s, 21)...)
		cl.process()
		cl.shrinkTopic(s)
		moved := schemas.Position{Topic: rawTopic, Partition: 1, NextOffset: 3}
		cl.silent.set(func(step string) error {
			if step == "set 1" && moved.TopicID == "" {
				moved.TopicID = cl.storedPosition(0).TopicID
				cl.setPosition(moved)
			}
			return nil
		})
		w := cl.start(acceptGap)
		cl.waitApplied()
		w.halt()
		require.Equal(t, moved, cl.storedPosition(1))
		reset := schemas.Position{Topic: rawTopic, Partition: 2, TopicID: moved.TopicID, FormerNextOffset: 7}
		require.Equal(t, reset, cl.storedPosition(2))
	})
}

// Two processors accept a gap of the same partition. The one that has lost it does not overwrite what the
// other one has stored since.
// guard: an accepted gap overwrites no position that has moved
func TestAnAcceptedGapOverwritesNoPositionThatHasMoved(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl, s := newCluster(t), newScorer(5)
		cl.produce(good(s, 21)...)
		cl.process()
		cl.recreate(rawTopic, partitionCount)
		cl.produce(good(s, 30)...)
		var moved schemas.Position
		cl.silent.set(func(step string) error {
			if step == "set 1" && moved.NextOffset == 0 {
				moved = cl.storedPosition(0) // which is accepted
				moved.Partition, moved.NextOffset, moved.Gap = 1, 2, ""
				cl.setPosition(moved)
			}
			return nil
		})
		w := cl.start(acceptGap)
		cl.waitFor("all is stored", func() bool { return cl.storedPosition(1).NextOffset == 10 })
		w.halt()
		require.Contains(t, w.log.String(), errPositionMoved.Error())
		require.Equal(t, moved.FormerNextOffset, cl.storedPosition(1).FormerNextOffset)
	})
}
