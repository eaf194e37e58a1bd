package consumer

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/memsink"
)

// recreate deletes a topic and creates it again with n partitions.
func (cl *cluster) recreate(topic string, n int32) {
	cl.t.Helper()
	admin := kadm.NewClient(cl.client)
	_, err := admin.DeleteTopic(cl.t.Context(), topic)
	require.NoError(cl.t, err)
	_, err = admin.CreateTopic(cl.t.Context(), n, 1, nil, topic)
	require.NoError(cl.t, err)
	cl.renewClient()
}

// renewClient replaces the client of the test, which keeps the ID and the partitions of a topic.
func (cl *cluster) renewClient() {
	cl.client.Close()
	cl.client = cl.newClient()
	cl.t.Cleanup(cl.client.Close)
}

// good returns n records that become rows, in all partitions.
func good(s *scorer, n int) (records []schemas.Record) {
	for len(records) < n {
		for _, r := range s.records(n) {
			if c, rejection := features.Transform(r, features.Limits{}); rejection == nil && c.Op == schemas.OpUpsert {
				r.Partition = int32(len(records) % partitionCount)
				records = append(records, r)
			}
		}
	}
	return records[:n]
}

// requireRows requires that the store has the winner of all records that were sent, to whichever topic.
func (cl *cluster) requireRows() {
	cl.t.Helper()
	var changes []schemas.Change
	for _, r := range cl.sent {
		c, rejection := features.Transform(r, features.Limits{})
		require.Nil(cl.t, rejection)
		changes = append(changes, c)
	}
	rows, err := cl.store.Rows(cl.t.Context())
	require.NoError(cl.t, err)
	same(cl.t, "rows", withoutWriter(reference.Resolve(changes)), withoutWriter(rows))
}

func acceptGap(c *Config) { c.AcceptGap = true }

// guard: a topic that was created anew ends the session
// guard: another topic of the same name is a gap
// guard: a gap is not jumped over
func TestATopicCreatedAnewIsAGapWhateverItsOffsets(t *testing.T) {
	inVirtualTime(t, "half a minute")
	for name, more := range map[string]int{"shorter": 6, "as long": 21, "grown past the position": 60} {
		for _, running := range []bool{true, false} {
			inBubble(t, func(t *testing.T) {
				cl := newCluster(t)
				s := newScorer(5)
				cl.produce(good(s, 21)...)
				w := cl.start()
				cl.waitCommitted()
				if !running {
					w.halt()
				}
				before, err := cl.store.Positions(t.Context(), rawTopic)
				require.NoError(t, err)
				began := time.Now()
				cl.recreate(rawTopic, partitionCount)
				cl.produce(good(s, more)...)
				if !running {
					w = cl.start()
				}
				cl.waitFor("the gap is named", func() bool { return w.seen.reason("gap") != "" })
				require.Less(t, time.Since(began), 15*time.Second, name)
				require.Regexp(t, `^pitches.raw/\d: the topic was created anew \(its ID is \S{22}, and was \S{22}\): `+
					`the next record to apply was offset 7, but the topic holds 0 to \d+`, w.seen.reason("gap"))
				w.halt()
				after, err := cl.store.Positions(t.Context(), rawTopic)
				require.NoError(t, err)
				require.Equal(t, before, after, "nothing is read behind the gap")

				w = cl.start(acceptGap)
				cl.waitApplied()
				w.halt()
				require.Empty(t, w.seen.reason("gap"))
				cl.requireRows()
				cl.produce(good(s, 3)...)
				w = cl.start() // without the flag
				cl.waitApplied()
				w.halt()
				cl.requireRows()
			})
		}
	}
}

// The topic is created anew with one partition, and gets more of them later: some that the former topic had,
// and one that it had not.
// guard: a topic with fewer partitions may grow again without a gap
func TestATopicWithFewerPartitionsGrowsAgainWithoutAGap(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(5)
		cl.produce(good(s, 21)...)
		cl.process()
		cl.recreate(rawTopic, 1)
		first := good(s, 3)
		for i := range first {
			first[i].Partition = 0
		}
		cl.produce(first...)
		w := cl.start(acceptGap)
		cl.waitApplied()
		w.halt()
		_, err := kadm.NewClient(cl.client).UpdatePartitions(t.Context(), partitionCount+1, rawTopic)
		require.NoError(t, err)
		cl.renewClient()
		more := good(s, 30)
		for i := range more {
			more[i].Partition = int32(i % (partitionCount + 1))
		}
		cl.produce(more...)
		w = cl.start()
		cl.waitFor("the new partitions are read, or a gap is named", func() bool {
			return w.seen.reason("gap") != "" || cl.lag() == 0
		})
		require.Empty(t, w.seen.reason("gap"))
		w.halt()
		cl.requireRows()
		require.Equal(t, int64(7), cl.storedPosition(1).FormerNextOffset)
	})
}

// No record comes after a gap was accepted. The group has its new start all the same.
// guard: a gap that was accepted is committed
func TestAnAcceptedGapIsCommittedBeforeTheFirstRecord(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(5)
		cl.produce(good(s, 21)...)
		cl.process()
		cl.produce(good(s, 6)...)
		end := cl.committedAt(1) + 2
		require.NoError(t, cl.kafka.DeleteRecords(rawTopic, 1, end))

		w := cl.start(acceptGap)
		cl.waitFor("the new start is committed", func() bool { return cl.committedAt(1) == end })
		w.halt()
		w = cl.start() // without the flag
		cl.waitAssigned(w)
		require.Empty(t, w.seen.reason("gap"))
		w.halt()
	})
}

// guard: a gap does not clear itself
func TestAGapThatWasNamedStaysWhenTheTopicGrows(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(6)
		cl.produce(good(s, 21)...)
		cl.process()
		cl.forgetTopicIDs() // as before the upgrade
		cl.recreate(rawTopic, partitionCount)
		w := cl.start()
		cl.waitFor("the gap is named", func() bool { return w.seen.reason("gap") != "" })
		cl.produce(good(s, 60)...)
		seen := w.seen.count("gap")
		cl.waitFor("it is looked at again", func() bool { return w.seen.count("gap") > seen+5 })
		require.Contains(t, w.seen.reason("gap"), "the topic has become shorter: the next record to apply was offset 7, and its end 0")
		w.halt()
		w = cl.start()
		cl.waitFor("it is named after a restart", func() bool { return w.seen.reason("gap") != "" })
		w.halt()
		w = cl.start(acceptGap)
		cl.waitApplied()
		w.halt()
		require.Empty(t, w.seen.reason("gap"))
		cl.requireRows()
	})
}

// waitApplied returns when the store's positions are the ends of the present topic. The offsets of the group
// may be of a former one.
func (cl *cluster) waitApplied() {
	cl.t.Helper()
	cl.waitFor("all applied", func() bool {
		admin := kadm.NewClient(cl.client)
		ids, err := topicIDs(cl.t.Context(), admin, rawTopic)
		require.NoError(cl.t, err)
		ends, err := admin.ListEndOffsets(cl.t.Context(), rawTopic)
		require.NoError(cl.t, err)
		isApplied := true
		ends.Each(func(o kadm.ListedOffset) {
			place := []schemas.Position{{Topic: rawTopic, Partition: o.Partition}}
			at, err := cl.store.EnsurePositions(cl.t.Context(), place)
			require.NoError(cl.t, err)
			isApplied = isApplied && at[0].NextOffset == o.Offset && at[0].TopicID == ids[rawTopic]
		})
		return isApplied
	})
}

// forgetTopicIDs takes the topic's ID from all positions.
func (cl *cluster) forgetTopicIDs() {
	for id := range int32(partitionCount) {
		p := cl.storedPosition(id)
		p.TopicID = ""
		cl.setPosition(p)
	}
}

func TestAPositionWithoutATopicIDTakesTheTopics(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(6)
		cl.produce(good(s, 21)...)
		cl.process()
		cl.forgetTopicIDs()
		w := cl.start() // no record comes
		cl.waitFor("the ID is stored", func() bool {
			at, err := cl.store.EnsurePositions(t.Context(), []schemas.Position{{Topic: rawTopic}})
			require.NoError(t, err)
			return at[0].TopicID != ""
		})
		w.halt()
		cl.recreate(rawTopic, partitionCount+2)
		cl.produce(good(s, 60)...)
		w = cl.start()
		cl.waitFor("the gap is named", func() bool { return w.seen.reason("gap") != "" })
		require.Contains(t, w.seen.reason("gap"), "created anew")
		w.halt()
	})
}

// guard: an output that was created anew is named
func TestOutputsThatAreMissingOrCreatedAnewAreNamed(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		outputs := func(c *Config) { c.Outputs = []string{rowsTopic, deadTopic} }
		w := cl.start(outputs)
		cl.waitFor("the topics were looked at", func() bool { return w.seen.count("topics") > 1 })
		require.Empty(t, w.seen.reason("topics"))
		_, err := kadm.NewClient(cl.client).DeleteTopic(t.Context(), deadTopic)
		require.NoError(t, err)
		cl.waitFor("it is missing", func() bool { return w.seen.reason("topics") != "" })
		require.Equal(t, "topic pitches.dead does not exist: run `pitchstream topics`", w.seen.reason("topics"))
		_, err = kadm.NewClient(cl.client).CreateTopic(t.Context(), partitionCount, 1, nil, deadTopic)
		require.NoError(t, err)
		anew := func(w *worker) func() bool {
			return func() bool { return strings.Contains(w.seen.reason("topics"), "topic pitches.dead was created anew") }
		}
		cl.waitFor("it was created anew", anew(w))
		w.halt()
		w = cl.start(outputs)
		cl.waitFor("it is named after a restart", anew(w))
		w.halt()
		w = cl.start(outputs, acceptGap)
		cl.waitFor("it was accepted", func() bool { return w.seen.count("topics") > 1 })
		require.Empty(t, w.seen.reason("topics"))
		_, err = kadm.NewClient(cl.client).DeleteTopic(t.Context(), rowsTopic)
		require.NoError(t, err)
		cl.waitFor("another is missing", func() bool { return w.seen.reason("topics") != "" })
		_, err = kadm.NewClient(cl.client).CreateTopic(t.Context(), partitionCount, 1, nil, rowsTopic)
		require.NoError(t, err)
		later := func() bool { return strings.Contains(w.seen.reason("topics"), "topic pitches.rows was created anew") }
		cl.waitFor("what was created anew after that is another gap", later)
		w.halt()
		w = cl.start(outputs, acceptGap)
		cl.waitFor("it was accepted, too", func() bool { return w.seen.count("topics") > 1 })
		w.halt()
		w = cl.start(outputs)
		cl.waitFor("the topics were looked at", func() bool { return w.seen.count("topics") > 1 })
		require.Empty(t, w.seen.reason("topics"))
		w.halt()
	})
}

// silentStore does not answer about topics.
type silentStore struct{ Store }

func (silentStore) EnsureTopicIDs(context.Context, map[string]string, bool) (map[string]string, error) {
	return nil, errors.New("no answer")
}

// A store that does not answer takes no fault away.
func TestAnOutputStaysNamedWhileTheStoreDoesNotAnswer(t *testing.T) {
	w := &topicWatch{cfg: &Config{outputsAccepted: &atomic.Bool{}}, store: silentStore{}, known: map[string]string{deadTopic: "A"}}
	faults := w.checkOutputs(t.Context(), map[string]string{deadTopic: "B", rowsTopic: "C"})
	require.Len(t, faults, 1, "of the other one nothing is known")
	require.Contains(t, faults[0], deadTopic)
}

// Who sees a processor with --accept-gap ready may stop it and start it without the flag.
//
// guard: a processor that accepts gaps is ready only when the store knows
func TestAProcessorThatAcceptsGapsIsReadyOnlyWhenTheStoreKnows(t *testing.T) {
	seen := &conditions{
		events: &events{changed: make(chan struct{})}, is: map[string]string{}, times: map[string]int{},
	}
	cfg := &Config{AcceptGap: true, outputsAccepted: &atomic.Bool{}, Observer: seen}
	reportOutputsPending(cfg)
	require.Equal(t, outputsPending, seen.reason("topics"))
	w := &topicWatch{cfg: cfg, store: silentStore{}}
	require.Equal(t, []string{outputsPending}, w.checkOutputs(t.Context(), map[string]string{deadTopic: "B"}))
	w.store = memsink.New()
	require.Empty(t, w.checkOutputs(t.Context(), map[string]string{deadTopic: "B"}))
	seen.Condition("topics", true, "")
	reportOutputsPending(cfg) // of a later session
	require.Empty(t, seen.reason("topics"))
}
