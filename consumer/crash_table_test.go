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

// The crash table of docs/ARCHITECTURE.md: the processor dies right before and right after each step of a
// batch, in the middle of the stream. Another one takes over, and the books balance: rows, aggregates, view,
// rows topic, and each letter once.
// guard: the start is committed before the first write
// guard: reading starts at the smaller of offset and position
// guard: reading starts at the offset when the position is ahead
// guard: nothing is produced before the store has answered
// guard: what was published and changed since is published again
func TestCrashTable(t *testing.T) {
	for _, c := range []struct {
		name string
		arm  func(tn *town, w *worker, n int)
	}{
		{"postgres lost", func(tn *town, w *worker, n int) { tn.before.set(dieAt("apply", n, w)) }},
		{"postgres landed", func(tn *town, w *worker, n int) { tn.after.set(dieAt("apply", n, w)) }},
		{"redis lost", func(tn *town, w *worker, n int) { tn.before.set(dieAt("push", n, w)) }},
		{"redis landed", func(tn *town, w *worker, n int) { tn.after.set(dieAt("push", n, w)) }},
		{"letters lost", func(tn *town, w *worker, n int) { tn.dieAtProduce(deadTopic, n, w, false) }},
		{"letters landed", func(tn *town, w *worker, n int) { tn.dieAtProduce(deadTopic, n, w, true) }},
		{"rows topic lost", func(tn *town, w *worker, n int) { tn.dieAtProduce(rowsTopic, n, w, false) }},
		{"rows topic landed", func(tn *town, w *worker, n int) { tn.dieAtProduce(rowsTopic, n, w, true) }},
		{"offsets lost", func(tn *town, w *worker, n int) { tn.dieAtRequest(int16(kmsg.TxnOffsetCommit), n, w, false) }},
		{"offsets landed, not committed", func(tn *town, w *worker, n int) { tn.dieAtRequest(int16(kmsg.TxnOffsetCommit), n, w, true) }},
		{"commit lost", func(tn *town, w *worker, n int) { tn.dieAtRequest(int16(kmsg.EndTxn), n, w, false) }},
		{"commit landed", func(tn *town, w *worker, n int) { tn.dieAtRequest(int16(kmsg.EndTxn), n, w, true) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tn := newTown(t)
				tn.produce(newScorer(11).records(150)...)
				first := tn.start(eachPoll)
				c.arm(tn, first, 2)
				tn.takeOver(first)
			})
		})
		t.Run(c.name+", polls gathered", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tn := newTown(t)
				s := newScorer(11)
				tn.produce(s.records(50)...)
				first := tn.start(func(cfg *Config) { cfg.PollMaxRecords = 30 })
				tn.waitCommitted()
				c.arm(tn, first, 1)
				tn.produce(s.records(150)...)
				tn.takeOver(first)
			})
		})
		t.Run(c.name+", rows sent ahead", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tn := newTown(t)
				s := newScorer(11)
				tn.produce(s.records(50)...)
				first := tn.start(func(cfg *Config) { cfg.PollMaxRecords, cfg.CommitEvery = 10, time.Millisecond })
				tn.waitCommitted()
				c.arm(tn, first, 1)
				tn.produce(s.records(150)...)
				tn.takeOver(first)
			})
		})
	}
}

// The same in the very first batch, when the group has no offset to go back to.
// guard: the start is committed before the first write
// guard: reading starts at the smaller of offset and position
// guard: reading starts at the offset when the position is ahead
// guard: nothing is produced before the store has answered
// guard: what was published and changed since is published again
func TestCrashTableOfTheFirstBatch(t *testing.T) {
	for name, arm := range map[string]func(tn *town, w *worker){
		"postgres landed": func(tn *town, w *worker) { tn.after.set(dieAt("apply", 1, w)) },
		"commit lost":     func(tn *town, w *worker) { tn.dieAtRequest(int16(kmsg.EndTxn), 1, w, false) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tn := newTown(t)
				tn.produce(newScorer(11).records(150)...)
				first := tn.start(eachPoll)
				arm(tn, first)
				tn.takeOver(first)
			})
		})
	}
}

// The same while an emptied store is filled again, where no offset is committed: what was published last is
// what stands.
// guard: a store that is filled again moves on when its rows are published
func TestCrashesWhileTheStoreIsFilledAgain(t *testing.T) {
	for n := range 12 {
		t.Run(fmt.Sprint("write ", n+1), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tn := newTown(t)
				s := newScorer(13)
				tn.produce(s.records(90)...)
				tn.process()
				tn.store.Restore()
				tn.produce(s.records(3)...)
				first := tn.start(eachPoll, func(cfg *Config) { cfg.PollMaxRecords = 10 })
				tn.after.set(dieAt("apply", n+1, first))
				tn.waitFor("the processor died, or is done", func() bool { return first.dead.Load() || tn.lag() == 0 })
				first.kill()
				tn.start()
				tn.waitCommitted()
				tn.waitFor("filled again", func() bool { return tn.holds(tn.sent...) })
				tn.waitClosed()
				tn.requireBooks()
			})
		})
	}
}

func eachPoll(cfg *Config) { cfg.PollMaxRecords, cfg.CommitEvery = 30, -1 }

// takeOver waits for the death of a processor, and lets another one go on.
func (tn *town) takeOver(first *worker) {
	tn.t.Helper()
	tn.waitFor("the processor died", first.dead.Load)
	tn.produce(newScorer(12).records(10)...)
	require.Greater(tn.t, tn.lag(), int64(0), "it died in the middle")
	tn.start()
	tn.waitCommitted()
	tn.waitClosed()
	tn.requireBooks()
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
		w.tn.events.note()
		return errDead
	}
}

var errLost = errors.New("lost on the way")

// dieAtRequest kills the processor at its n-th request of a kind, before the broker does it or after.
func (tn *town) dieAtRequest(key int16, n int, w *worker, landed bool) {
	tn.cluster.ControlKey(key, func(kmsg.Request) (kmsg.Response, error, bool) {
		tn.cluster.KeepControl()
		return tn.dieNow(&n, w, landed)
	})
}

// dieAtProduce does so at the n-th batch of records for a topic.
func (tn *town) dieAtProduce(topic string, n int, w *worker, landed bool) {
	tn.cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		tn.cluster.KeepControl()
		info := tn.cluster.TopicInfo(topic)
		for _, t := range req.(*kmsg.ProduceRequest).Topics {
			if t.Topic == topic || info != nil && t.TopicID == info.TopicID {
				return tn.dieNow(&n, w, landed)
			}
		}
		return nil, nil, false
	})
}

func (tn *town) dieNow(n *int, w *worker, landed bool) (kmsg.Response, error, bool) {
	if w.dead.Load() {
		return nil, nil, false
	}
	if *n--; *n > 0 {
		return nil, nil, false
	}
	w.kill()
	tn.events.note()
	if landed {
		return nil, nil, false
	}
	return nil, errLost, true
}

// A connection is dead and nobody has said so: the attempt ends by itself, and the next one gets through.
// guard: an attempt that gets no answer ends
func TestAStoreThatGivesNoAnswerIsAskedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		tn.produce(newScorer(9).records(30)...)
		w := tn.start()
		w.hang.Store(true)
		tn.waitCommitted()
		tn.requireBooks()
	})
}
