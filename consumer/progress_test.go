package consumer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// withhold makes Kafka return no records of one partition, without an error.
func (cl *cluster) withhold(partition int32) {
	cl.kafka.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cl.kafka.KeepControl()
		fetch := req.(*kmsg.FetchRequest)
		for i := range fetch.Topics {
			t := &fetch.Topics[i]
			t.Partitions = slices.DeleteFunc(t.Partitions, func(p kmsg.FetchRequestTopicPartition) bool {
				return p.Partition == partition
			})
		}
		return nil, nil, false
	})
}

func (cl *cluster) stopWithholding() {
	cl.kafka.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		return nil, nil, false
	})
}

// guard: a stuck partition is named
func TestOneStuckPartitionOfTwelveIsNamedWithin15Seconds(t *testing.T) {
	inVirtualTime(t, "15 seconds")
	inBubble(t, func(t *testing.T) {
		cl := newClusterOf(t, 12)
		cl.withhold(7)
		s := newScorer(1)
		w := cl.start()
		cl.waitFor("it is a member", func() bool { return w.seen.count("assigned") > 0 })
		began := time.Now()
		for id := range int32(12) {
			r := s.record()
			r.Partition = id
			cl.produce(r)
		}
		for tick := time.NewTicker(time.Second); w.seen.reason("progress") == ""; <-tick.C {
			r := s.record() // the others go on
			r.Partition = 3
			cl.produce(r)
			require.Less(t, time.Since(began), 15*time.Second)
		}
		require.Regexp(t, `^pitches.raw/7 stands at offset 0 for [89]s, 1 records wait$`, w.seen.reason("progress"))
		cl.stopWithholding()
		w.halt()
		require.Equal(t, "not a member of the group", w.seen.reason("assigned"))
	})
}

// guard: a partition without records waiting is not stuck
func TestAnIdleProcessorIsNotStuck(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(newScorer(2).records(10)...)
		w := cl.start()
		cl.waitCommitted()
		before := w.seen.count("progress")
		cl.waitFor("it was looked at for half a minute", func() bool {
			require.Empty(t, w.seen.reason("progress"))
			return w.seen.count("progress") > before+10
		})
	})
}

func TestAnUnavailableStoreMakesItsPartitionStuck(t *testing.T) {
	inVirtualTime(t, "15 seconds")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		w := cl.start()
		w.hang.Store(true)
		r := newScorer(2).record()
		r.Partition = 2
		cl.produce(r)
		cl.waitFor("the partition is named", func() bool { return w.seen.reason("progress") != "" })
		require.Contains(t, w.seen.reason("progress"), "pitches.raw/2 stands at offset 0")
		cl.waitCommitted()
		cl.waitFor("it has recovered", func() bool { return w.seen.reason("progress") == "" })
	})
}

// Readers must know how far behind a processor is, so it reports since when the oldest record waits.
// guard: api: lag is reported while a batch waits
// guard: api: lag ends when a partition is caught up
func TestPositionReportsSinceWhenARecordWaits(t *testing.T) {
	inVirtualTime(t, "some seconds")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		w := cl.start()
		caughtUp := func(id int32) func() bool {
			return func() bool { since, seen := w.seen.waiting(id); return seen && since.IsZero() }
		}
		cl.waitFor("nothing waits", caughtUp(2))
		w.hang.Store(true)
		s := newScorer(2)
		r := s.record()
		r.Partition = 2
		cl.produce(r)
		cl.waitFor("it is reported", func() bool { since, _ := w.seen.waiting(2); return since.UnixMilli() == r.TimestampMS })
		later := s.record()
		later.Partition = 2
		cl.produce(later)
		require.True(t, caughtUp(1)())
		cl.waitCommitted()
		cl.waitFor("nothing waits any more", caughtUp(2))
	})
}

// A partition whose records cannot be fetched is behind, too.
// guard: api: lag of what cannot be read
func TestRecordsThatCannotBeFetchedCountAsWaiting(t *testing.T) {
	inVirtualTime(t, "some seconds")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.withhold(1)
		w := cl.start()
		cl.waitFor("it is a member", func() bool { return w.seen.count("assigned") > 0 })
		r := newScorer(1).record()
		r.Partition = 1
		cl.produce(r)
		cl.waitFor("it is reported", func() bool { since, seen := w.seen.waiting(1); return seen && !since.IsZero() })
		cl.stopWithholding()
	})
}

// takeLeader makes brokers say from now on that a partition has no leader.
func (cl *cluster) takeLeader(partition int32) {
	cl.t.Helper()
	known, err := kmsg.NewPtrMetadataRequest().RequestWith(cl.t.Context(), cl.client)
	require.NoError(cl.t, err)
	for i := range known.Topics {
		for j := range known.Topics[i].Partitions {
			if p := &known.Topics[i].Partitions[j]; p.Partition == partition && *known.Topics[i].Topic == rawTopic {
				p.Leader, p.ErrorCode = -1, kerr.LeaderNotAvailable.Code
			}
		}
	}
	cl.kafka.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cl.kafka.KeepControl()
		asked, answer := req.(*kmsg.MetadataRequest), *known
		answer.SetVersion(req.GetVersion())
		if asked.Topics != nil {
			answer.Topics = slices.DeleteFunc(slices.Clone(known.Topics), func(t kmsg.MetadataResponseTopic) bool {
				return !slices.ContainsFunc(asked.Topics, func(a kmsg.MetadataRequestTopic) bool {
					return a.Topic != nil && *a.Topic == *t.Topic || a.TopicID == t.TopicID
				})
			})
		}
		return &answer, nil, true
	})
}

// A partition without a leader is named, and so is another one that is stuck.
// guard: a partition without a leader hides no other
func TestAPartitionWithoutALeaderHidesNoOther(t *testing.T) {
	inVirtualTime(t, "some seconds")
	inBubble(t, func(t *testing.T) {
		cl, s := newClusterOf(t, 12), newScorer(1)
		cl.withhold(3)
		w := cl.start()
		cl.waitFor("it is a member", func() bool { return w.seen.count("assigned") > 0 })
		r := s.record()
		r.Partition = 3
		cl.produce(r)
		cl.takeLeader(7)
		cl.waitFor("both are named", func() bool {
			said := w.seen.reason("progress")
			return strings.Contains(said, "pitches.raw/3 stands at offset 0") && strings.Contains(said, "pitches.raw/7 stands")
		})
		require.Empty(t, w.seen.reason("kafka"))
		t.Log(w.seen.reason("progress"))
		cl.stopWithholding()
	})
}
