//go:build synctests

package consumer

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The crash table of docs/ARCHITECTURE.md: a processor dies right before and right after each step of a
// batch. Another one takes over, and rows, aggregates, view and rows topic are right, and each dead letter
// was sent once.
// guard: the start is committed before the first write
// guard: reading starts at the smaller of offset and position
// guard: reading starts at the offset when the position is ahead
// guard: nothing is produced before the store has answered
// guard: what was published and changed since is published again
func TestCrashTable(t *testing.T) {
	for _, c := range []struct {
		name string
		arm  func(cl *cluster, w *worker, n int)
	}{
		{"postgres lost", func(cl *cluster, w *worker, n int) { cl.before.set(dieAt("apply", n, w)) }},
		{"postgres landed", func(cl *cluster, w *worker, n int) { cl.after.set(dieAt("apply", n, w)) }},
		{"redis lost", func(cl *cluster, w *worker, n int) { cl.before.set(dieAt("push", n, w)) }},
		{"redis landed", func(cl *cluster, w *worker, n int) { cl.after.set(dieAt("push", n, w)) }},
		{"letters lost", func(cl *cluster, w *worker, n int) { cl.dieAtProduce(deadTopic, n, w, false) }},
		{"letters landed", func(cl *cluster, w *worker, n int) { cl.dieAtProduce(deadTopic, n, w, true) }},
		{"rows topic lost", func(cl *cluster, w *worker, n int) { cl.dieAtProduce(rowsTopic, n, w, false) }},
		{"rows topic landed", func(cl *cluster, w *worker, n int) { cl.dieAtProduce(rowsTopic, n, w, true) }},
		{"offsets lost", func(cl *cluster, w *worker, n int) { cl.dieAtRequest(int16(kmsg.TxnOffsetCommit), n, w, false) }},
		{"offsets landed, not committed", func(cl *cluster, w *worker, n int) { cl.dieAtRequest(int16(kmsg.TxnOffsetCommit), n, w, true) }},
		{"commit lost", func(cl *cluster, w *worker, n int) { cl.dieAtRequest(int16(kmsg.EndTxn), n, w, false) }},
		{"commit landed", func(cl *cluster, w *worker, n int) { cl.dieAtRequest(int16(kmsg.EndTxn), n, w, true) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cl := newCluster(t)
				cl.produce(newScorer(11).records(150)...)
				first := cl.start(commitEachPoll)
				c.arm(cl, first, 2)
				cl.takeOver(first)
			})
		})
		t.Run(c.name+", polls gathered", func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cl := newCluster(t)
				s := newScorer(11)
				cl.produce(s.records(50)...)
				first := cl.start(func(cfg *Config) { cfg.PollMaxRecords = 30 })
				cl.waitCommitted()
				c.arm(cl, first, 1)
				cl.produce(s.records(150)...)
				cl.takeOver(first)
			})
		})
		t.Run(c.name+", rows sent ahead", func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cl := newCluster(t)
				s := newScorer(11)
				cl.produce(s.records(50)...)
				first := cl.start(func(cfg *Config) { cfg.PollMaxRecords, cfg.CommitEvery = 10, time.Millisecond })
				cl.waitCommitted()
				c.arm(cl, first, 1)
				cl.produce(s.records(150)...)
				cl.takeOver(first)
			})
		})
	}
}

// The same in the first batch, when the group has no committed offset.
// guard: the start is committed before the first write
// guard: reading starts at the smaller of offset and position
// guard: reading starts at the offset when the position is ahead
// guard: nothing is produced before the store has answered
// guard: what was published and changed since is published again
func TestCrashTableOfTheFirstBatch(t *testing.T) {
	for name, arm := range map[string]func(cl *cluster, w *worker){
		"postgres landed": func(cl *cluster, w *worker) { cl.after.set(dieAt("apply", 1, w)) },
		"commit lost":     func(cl *cluster, w *worker) { cl.dieAtRequest(int16(kmsg.EndTxn), 1, w, false) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cl := newCluster(t)
				cl.produce(newScorer(11).records(150)...)
				first := cl.start(commitEachPoll)
				arm(cl, first)
				cl.takeOver(first)
			})
		})
	}
}

// The same in a rolling change of the core. The processor that takes over is of an older core, and its writes
// lose against those of the one that died. The rows are published all the same.
func TestCrashTableOfANewerCore(t *testing.T) {
	for name, arm := range map[string]func(cl *cluster, w *worker){
		"postgres landed": func(cl *cluster, w *worker) { cl.after.set(dieAt("apply", 1, w)) },
		"commit lost":     func(cl *cluster, w *worker) { cl.dieAtRequest(int16(kmsg.EndTxn), 1, w, false) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cl := newCluster(t)
				cl.store.CoreVersion = 2
				cl.produce(newScorer(11).records(150)...)
				first := cl.start(commitEachPoll)
				arm(cl, first)
				cl.waitFor("the processor died", first.dead.Load)
				cl.store.CoreVersion = 1
				cl.takeOver(first)
			})
		})
	}
}

// The same during a refill, where no offset is committed: the row published last must be the current one.
// guard: a store that is filled again moves on when its rows are published
func TestCrashesDuringARefill(t *testing.T) {
	for n := range 12 {
		t.Run(fmt.Sprint("write ", n+1), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cl := newCluster(t)
				s := newScorer(13)
				cl.produce(s.records(90)...)
				cl.process()
				cl.store.Restore()
				cl.produce(s.records(3)...)
				first := cl.start(commitEachPoll, func(cfg *Config) { cfg.PollMaxRecords = 10 })
				cl.after.set(dieAt("apply", n+1, first))
				cl.waitFor("the processor died, or is done", func() bool { return first.dead.Load() || cl.lag() == 0 })
				first.kill()
				cl.start()
				cl.waitCommitted()
				cl.waitFor("refilled", func() bool { return cl.holds(cl.sent...) })
				cl.waitClosed()
				cl.requireConsistent()
			})
		})
	}
}

// takeOver waits until a processor is dead, and starts another one.
func (cl *cluster) takeOver(first *worker) {
	cl.t.Helper()
	cl.waitFor("the processor died", first.dead.Load)
	cl.produce(newScorer(12).records(10)...)
	require.Greater(cl.t, cl.lag(), int64(0), "it died in the middle")
	cl.start()
	cl.waitCommitted()
	cl.waitClosed()
	cl.requireConsistent()
}

// dieAt kills the processor at the n-th time that a step is taken.
func dieAt(step string, n int, w *worker) func(string) error {
	return func(at string) error {
		if at != step || w.dead.Load() {
			return nil
		}
		if n--; n > 0 {
			return nil
		}
		w.kill()
		w.cl.events.note()
		return errDead
	}
}

var errLost = errors.New("lost on the way")

// dieAtRequest kills the processor at its n-th request of a kind, before the broker does it or after.
func (cl *cluster) dieAtRequest(key int16, n int, w *worker, landed bool) {
	cl.kafka.ControlKey(key, func(kmsg.Request) (kmsg.Response, error, bool) {
		cl.kafka.KeepControl()
		return cl.dieNow(&n, w, landed)
	})
}

// dieAtProduce does so at the n-th batch of records for a topic.
func (cl *cluster) dieAtProduce(topic string, n int, w *worker, landed bool) {
	cl.kafka.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cl.kafka.KeepControl()
		info := cl.kafka.TopicInfo(topic)
		for _, t := range req.(*kmsg.ProduceRequest).Topics {
			if t.Topic == topic || info != nil && t.TopicID == info.TopicID {
				return cl.dieNow(&n, w, landed)
			}
		}
		return nil, nil, false
	})
}

func (cl *cluster) dieNow(n *int, w *worker, landed bool) (kmsg.Response, error, bool) {
	if w.dead.Load() {
		return nil, nil, false
	}
	if *n--; *n > 0 {
		return nil, nil, false
	}
	w.kill()
	cl.events.note()
	if landed {
		return nil, nil, false
	}
	return nil, errLost, true
}

// A dead connection reports no error: the attempt ends by its timeout, and the next one succeeds.
// guard: an attempt that gets no answer ends
func TestAStoreWithoutAnAnswerIsRetried(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(newScorer(9).records(30)...)
		w := cl.start()
		w.hang.Store(true)
		cl.waitCommitted()
		cl.requireConsistent()
	})
}
