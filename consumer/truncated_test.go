package consumer

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pitchstream/pitchstream/schemas"
)

// cut is what the leaders say of logs that were cut back.
type cut struct {
	asked atomic.Int64 // how often they were asked for the ends of epochs
	// truths is how often they say so, before they say that they have everything; 0: always.
	truths atomic.Int64
}

// cutBack has the leaders of partitions, by default of 1, say that their logs were cut back to an offset, as
// those that lacked records when they were elected. The logs themselves stay, which is how they look once
// they have grown again. A consumer that reads learns of it by its next fetch.
func (cl *cluster) cutBack(to int64, partitions ...int32) *cut {
	if len(partitions) == 0 {
		partitions = []int32{1}
	}
	c := &cut{}
	cl.answerEpochs(func(first bool, partition int32) (end int64, err *kerr.Error) {
		if first {
			c.asked.Add(1)
		}
		truths := c.truths.Load()
		if slices.Contains(partitions, partition) && (truths == 0 || c.asked.Load() <= truths) {
			return to, nil
		}
		return 1000, nil
	})
	fenced := map[int32]bool{} // each once
	cl.kafka.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cl.kafka.KeepControl()
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		for _, asked := range req.(*kmsg.FetchRequest).Topics {
			topic := kmsg.NewFetchResponseTopic()
			topic.Topic, topic.TopicID = asked.Topic, asked.TopicID
			for _, p := range asked.Partitions {
				if !slices.Contains(partitions, p.Partition) || p.FetchOffset <= to || fenced[p.Partition] {
					continue
				}
				fenced[p.Partition] = true
				at := kmsg.NewFetchResponseTopicPartition()
				at.Partition, at.ErrorCode = p.Partition, kerr.FencedLeaderEpoch.Code
				topic.Partitions = append(topic.Partitions, at)
			}
			if len(topic.Partitions) > 0 {
				resp.Topics = append(resp.Topics, topic)
			}
		}
		return resp, nil, len(resp.Topics) > 0
	})
	return c
}

// answerEpochs has the leaders answer where the log of an epoch ends. first is true once in each request.
func (cl *cluster) answerEpochs(answer func(first bool, partition int32) (end int64, err *kerr.Error)) {
	cl.kafka.ControlKey(int16(kmsg.OffsetForLeaderEpoch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cl.kafka.KeepControl()
		first := true
		resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
		for _, asked := range req.(*kmsg.OffsetForLeaderEpochRequest).Topics {
			topic := kmsg.NewOffsetForLeaderEpochResponseTopic()
			topic.Topic = asked.Topic
			for _, p := range asked.Partitions {
				at := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
				at.Partition, at.LeaderEpoch = p.Partition, p.LeaderEpoch
				var err *kerr.Error
				if at.EndOffset, err = answer(first, p.Partition); err != nil {
					at.ErrorCode = err.Code
				}
				first = false
				topic.Partitions = append(topic.Partitions, at)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
}

func TestALogThatWasCutBackAndHasGrownAgainIsAGap(t *testing.T) {
	inVirtualTime(t, "a minute")
	for name, isRunning := range map[string]bool{"while it is read": true, "while nobody reads": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cl := newCluster(t)
				s := newScorer(5)
				cl.produce(good(s, 21)...)
				w := cl.start()
				cl.waitCommitted()
				before := cl.positions()
				if !isRunning {
					w.halt()
				}
				cl.cutBack(4)
				if !isRunning {
					cl.produce(good(s, 6)...)
					w = cl.start()
				}
				cl.waitFor("the gap is named", func() bool { return w.seen.reason("gap") != "" })
				const gap = "pitches.raw/1: the topic has become shorter: the next record to apply was offset 7, and its end 4"
				require.Contains(t, w.seen.reason("gap"), gap)
				other := cl.start()
				w.kill()
				cl.waitFor("another processor names it", func() bool { return other.seen.reason("gap") != "" })
				require.Contains(t, other.seen.reason("gap"), gap)
				require.Equal(t, before[1], cl.positions()[1])
				require.NotEmpty(t, cl.storedPosition(1).Gap, "Kafka may forget the group's offset")
				other.halt()
				cl.process(acceptGap)
				cl.requireRows()
			})
		})
	}
}

// Kafka came back older than the store, as from a snapshot: the group's offset is within the topic, and the
// store's position beyond its end. A record that takes an offset of a lost one is rejected, and the range of
// the committed dead letters says that its dead letter is there.
// guard: a topic that ends before the position is a gap
func TestATopicThatCameBackOlderThanTheStoreIsAGap(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(good(newScorer(5), 21)...)
		cl.process()
		at := cl.storedPosition(1)
		at.NextOffset, at.DeadLettersFrom, at.DeadLettersBelow = 20, 0, 20
		cl.setPosition(at)
		w := cl.start()
		cl.waitFor("the gap is named", func() bool { return w.seen.reason("gap") != "" })
		require.Contains(t, w.seen.reason("gap"), "pitches.raw/1: the topic has become shorter: the next record to "+
			"apply was offset 20, and its end 7")
		cl.produce(poison(20, 1)...)
		seen := w.seen.count("gap")
		cl.waitFor("it stays named", func() bool { return w.seen.count("gap") > seen+5 })
		require.NotEmpty(t, w.seen.reason("gap"))
		w.halt()
		cl.process(acceptGap)
		cl.requireConsistent()
	})
}

// The former owner of a partition writes until it learns of the rebalance, so that its position may be newer
// than what Kafka has said of the end.
// guard: a position that is newer than the end of its partition is no gap
func TestAPositionThatMovesWhileAPartitionIsAssignedIsNoGap(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(5)
		cl.produce(good(s, 21)...)
		cl.process()
		isAsked := false
		cl.before.set(func(step string) error {
			if step == "positions" && !isAsked {
				isAsked = true
				cl.produce(good(s, 21)...)
				at := cl.storedPosition(1)
				at.NextOffset = 14
				cl.setPosition(at)
				return nil
			}
			return nil
		})
		w := cl.start()
		cl.waitAssigned(w)
		cl.waitCommitted()
		require.True(t, isAsked)
		require.Zero(t, w.seen.reason("gap"))
		w.halt()
	})
}

// storedPosition returns the stored position of a partition.
func (cl *cluster) storedPosition(id int32) schemas.Position {
	cl.t.Helper()
	at, err := cl.store.EnsurePositions(cl.t.Context(), []schemas.Position{{Topic: rawTopic, Partition: id}})
	require.NoError(cl.t, err)
	return at[0]
}

// setPosition overwrites a stored position, also one that a processor moves.
func (cl *cluster) setPosition(p schemas.Position) {
	cl.t.Helper()
	for isSet := false; !isSet; {
		var err error
		isSet, err = cl.store.SetPosition(cl.t.Context(), cl.storedPosition(p.Partition), p)
		require.NoError(cl.t, err)
	}
}

// A person types the flag once, and the processor runs for months.
// guard: a gap that comes after the one that was accepted is named
func TestAFlagAcceptsNoGapThatComesLater(t *testing.T) {
	inVirtualTime(t, "half a minute")
	for name, hasGap := range map[string]bool{"after a gap": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cl := newCluster(t)
				s := newScorer(5)
				cl.produce(good(s, 21)...)
				cl.process()
				if hasGap {
					cl.recreate(rawTopic, partitionCount)
					cl.produce(good(s, 30)...)
				}
				w := cl.start(acceptGap)
				cl.waitAssigned(w)
				cl.waitApplied()
				admin := kadm.NewClient(cl.client)
				_, err := admin.ListTopics(t.Context(), rawTopic)
				require.NoError(t, err)
				cl.recreate(rawTopic, partitionCount)
				cl.produce(good(s, 9)...)
				began := time.Now()
				cl.waitFor("the later gap is named", func() bool { return w.seen.reason("gap") != "" })
				require.Less(t, time.Since(began), 15*time.Second)
				require.Contains(t, w.seen.reason("gap"), "created anew")
				w.halt()
				w = cl.start(acceptGap)
				cl.waitApplied()
				require.Empty(t, w.seen.reason("gap"))
				w.halt()
				cl.requireRows()
			})
		})
	}
}
