package consumer

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pitchstream/pitchstream/schemas"
)

// refuseFetches makes every fetch of one partition fail at once with an error, until stop, and counts the
// fetches.
func (cl *cluster) refuseFetches(partition int32, with *kerr.Error) (fetches *atomic.Int64, stop func()) {
	var stopped atomic.Bool
	fetches = new(atomic.Int64)
	cl.kafka.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if stopped.Load() {
			return nil, nil, false
		}
		cl.kafka.KeepControl()
		fetch := req.(*kmsg.FetchRequest)
		resp := fetch.ResponseKind().(*kmsg.FetchResponse)
		for _, t := range fetch.Topics {
			failed := kmsg.NewFetchResponseTopic()
			failed.Topic, failed.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				if p.Partition == partition {
					fp := kmsg.NewFetchResponseTopicPartition()
					fp.Partition, fp.ErrorCode = partition, with.Code
					failed.Partitions = append(failed.Partitions, fp)
				}
			}
			if len(failed.Partitions) > 0 {
				resp.Topics = append(resp.Topics, failed)
			}
		}
		if len(resp.Topics) == 0 {
			return nil, nil, false
		}
		fetches.Add(1)
		return resp, nil, true
	})
	return fetches, func() { stopped.Store(true) }
}

// guard: a fetch that keeps failing is reported and ends the session
// guard: errors that come back at once are paced
func TestAPartitionWhoseFetchesFailIsNamedAndPaced(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		fetches, stop := cl.refuseFetches(1, kerr.UnknownTopicID)
		began := time.Now()
		w := cl.start()
		cl.waitFor("it is not ready", func() bool { return w.seen.reason("fetch") != "" })
		require.Regexp(t, `^pitches.raw/1: fetches have failed for 1[0-4]s: UNKNOWN_TOPIC_ID`, w.seen.reason("fetch"))
		require.Less(t, time.Since(began), 20*time.Second)
		require.Less(t, fetches.Load(), int64(500), "fetches are paced")
		stop()
		cl.produce(newScorer(3).records(20)...)
		cl.waitCommitted()
		cl.waitFor("it is ready again", func() bool { return w.seen.reason("fetch") == "" })
		w.halt()
		cl.requireConsistent()
	})
}

// A session that ended would take the place back, because its successor joins as a new member. The client
// says that it is fenced at intervals that grow to 5 s.
// guard: a fenced processor does not take the place back
func TestAProcessorThatStaysFencedKeepsItsSession(t *testing.T) {
	now := time.Unix(0, 0)
	p := New(Config{Now: func() time.Time { return now }, Observer: NopObserver{}}, nil, nil, nil)
	s := &session{cfg: &p.cfg, failing: &p.failing}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // no pauses
	for end := now.Add(2 * fetchFailureLimit); now.Before(end); now = now.Add(fetchFailureQuiet - time.Second) {
		require.NoError(t, s.fetchErrors(ctx, kgo.NewErrFetch(kerr.FencedInstanceID)))
	}
}

// transact produces records in one transaction, which it ends as said.
func (cl *cluster) transact(client *kgo.Client, end kgo.TransactionEndTry, records ...schemas.Record) {
	cl.t.Helper()
	require.NoError(cl.t, client.BeginTransaction())
	for i := range records {
		r := &records[i]
		k := &kgo.Record{Topic: rawTopic, Partition: r.Partition, Key: r.Key, Value: r.Value,
			Timestamp: time.UnixMilli(r.TimestampMS)}
		for _, h := range r.Headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		require.NoError(cl.t, client.ProduceSync(cl.t.Context(), k).FirstErr())
		r.Topic, r.Offset = rawTopic, k.Offset
		if end == kgo.TryCommit {
			cl.sent = append(cl.sent, *r)
		}
	}
	require.NoError(cl.t, client.EndTransaction(cl.t.Context(), end))
}

// guard: markers of transactions are no records
func TestATransactionalFeedIsReadToItsEnd(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
			cl := newCluster(t)
			feed := cl.newClient(kgo.TransactionalID("feed"))
			t.Cleanup(feed.Close)
			s := newScorer(7)
			cl.transact(feed, kgo.TryCommit, s.records(9)...)
			w := cl.start()
			cl.waitCommitted() // the offsets pass the markers
			cl.transact(feed, end, s.records(5)...)
			cl.waitCommitted()
			before := w.seen.count("progress")
			cl.waitFor("it was looked at for half a minute", func() bool {
				require.Empty(t, w.seen.reason("progress"))
				return w.seen.count("progress") > before+10
			})
			for id := range int32(partitionCount) {
				since, _ := w.seen.waiting(id)
				require.Zero(t, since, "no record waits in partition %d", id)
			}
			w.halt()
			cl.requireConsistent()
		}
	})
}

func TestRecordsBehindAnOpenTransactionAreLag(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newClusterOf(t, 1)
		feed := cl.newClient(kgo.TransactionalID("feed"))
		t.Cleanup(feed.Close)
		s := newScorer(8)
		one := func() schemas.Record { r := s.record(); r.Partition = 0; return r }
		cl.produce(one())
		w := cl.start()
		cl.waitCommitted()
		require.NoError(t, feed.BeginTransaction())
		r := one()
		open := &kgo.Record{Topic: rawTopic, Partition: 0, Key: r.Key, Value: r.Value}
		require.NoError(t, feed.ProduceSync(t.Context(), open).FirstErr())
		cl.produce(one())
		before := w.seen.count("progress")
		cl.waitFor("it is known that records wait", func() bool {
			since, _ := w.seen.waiting(0)
			return !since.IsZero()
		})
		cl.waitFor("it was looked at for half a minute", func() bool { return w.seen.count("progress") > before+10 })
		require.Empty(t, w.seen.reason("progress"), "the processor itself is not stuck")
		require.NoError(t, feed.EndTransaction(t.Context(), kgo.TryAbort))
		cl.waitCommitted()
		cl.waitFor("nothing waits", func() bool { since, _ := w.seen.waiting(0); return since.IsZero() })
		w.halt()
	})
}

func TestAddedPartitionsAreReadWithin15Seconds(t *testing.T) {
	inVirtualTime(t, "15 seconds")
	inBubble(t, func(t *testing.T) {
		cl := newClusterOf(t, 2)
		s := newScorer(9)
		cl.produce(s.records(4)...)
		w := cl.start()
		cl.waitCommitted()
		created, err := kadm.NewClient(cl.client).CreatePartitions(t.Context(), 2, rawTopic)
		require.NoError(t, err)
		require.NoError(t, created.Error())
		began := time.Now()
		late := cl.newClient()
		t.Cleanup(late.Close)
		for id := range int32(4) {
			r := s.record()
			k := &kgo.Record{Topic: rawTopic, Partition: id, Key: r.Key, Value: r.Value, Headers: []kgo.RecordHeader{}}
			for _, h := range r.Headers {
				k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
			}
			require.NoError(t, late.ProduceSync(t.Context(), k).FirstErr())
		}
		cl.waitCommitted()
		require.Less(t, time.Since(began), 15*time.Second)
		w.halt()
	})
}
