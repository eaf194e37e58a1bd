package consumer

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// refuseCommits makes the brokers answer commits with an error until stop, and counts them.
func (cl *cluster) refuseCommits(with *kerr.Error) (commits *atomic.Int64, stop func()) {
	var stopped atomic.Bool
	commits = new(atomic.Int64)
	cl.kafka.ControlKey(int16(kmsg.TxnOffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if stopped.Load() {
			return nil, nil, false
		}
		cl.kafka.KeepControl()
		commits.Add(1)
		resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
		for _, asked := range req.(*kmsg.TxnOffsetCommitRequest).Topics {
			topic := kmsg.NewTxnOffsetCommitResponseTopic()
			topic.Topic = asked.Topic
			for _, p := range asked.Partitions {
				at := kmsg.NewTxnOffsetCommitResponseTopicPartition()
				at.Partition, at.ErrorCode = p.Partition, with.Code
				topic.Partitions = append(topic.Partitions, at)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
	return commits, func() { stopped.Store(true) }
}

// The client ends the session for the first error. For the others it aborts the transaction and says nothing,
// so that the batch is read and sent again.
//
// guard: a commit that the brokers refuse is named
// guard: commits that are aborted again and again are paced
func TestAProcessorWhoseCommitsAreRefusedIsNotReady(t *testing.T) {
	inVirtualTime(t, "two minutes")
	for _, with := range []*kerr.Error{
		kerr.GroupAuthorizationFailed, kerr.CoordinatorNotAvailable, kerr.UnknownServerError,
	} {
		t.Run(with.Message, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cl := newCluster(t)
				s := newScorer(4)
				commits, stop := cl.refuseCommits(with)
				w := cl.start()
				cl.produce(s.records(30)...)
				began := time.Now()
				cl.waitFor("it is named", func() bool { return w.seen.reason("kafka") != "" })
				require.Contains(t, w.seen.reason("kafka"), "kafka: commit: ")
				require.Less(t, time.Since(began), 45*time.Second)
				before := commits.Load()
				for range 60 {
					time.Sleep(time.Second) // tidy: virtual time, in which it tries again
					require.NotEmpty(t, w.seen.reason("kafka"))
				}
				require.Less(t, commits.Load()-before, int64(120), "commits are paced")
				stop()
				cl.waitCommitted()
				cl.waitFor("it is ready again", func() bool { return w.seen.reason("kafka") == "" })
				w.halt()
				cl.requireConsistent()
			})
		})
	}
}

// guard: the fault of a commit ends with the next one
func TestTheFaultOfACommitEndsWithTheNextOne(t *testing.T) {
	f := &produceFault{}
	cfg := &Config{Observer: NopObserver{}, Now: time.Now, produceFault: f}
	f.refused(cfg, kerr.RebalanceInProgress)
	require.NoError(t, f.err, "another member is the reason")
	f.refused(cfg, kerr.GroupAuthorizationFailed)
	require.Error(t, f.err)
	f.record(cfg, nil, 0, 0)
	require.NoError(t, f.err)
	f.record(cfg, kerr.MessageTooLarge, 1, 0)
	f.refused(cfg, kerr.GroupAuthorizationFailed)
	f.record(cfg, nil, 0, 1)
	require.ErrorIs(t, f.err, kerr.MessageTooLarge, "the dead letter was not taken")
}

// guard: a revoke that ends a commit is not the brokers' refusal
func TestACommitThatAShutdownEndsIsNoFault(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		asked, released := make(chan struct{}), make(chan struct{})
		cl.kafka.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
			cl.kafka.SleepControl(func() {
				close(asked)
				select {
				case <-released:
				case <-time.After(time.Minute):
				}
			})
			return nil, nil, false
		})
		w := cl.start()
		cl.produce(good(newScorer(5), 21)...)
		<-asked
		w.halt()
		close(released)
		require.Empty(t, w.seen.reason("kafka"))
		require.NoError(t, w.cfg.produceFault.err)
	})
}

// guard: a fault that has ended hides no other
func TestAFaultThatHasEndedHidesNoRefusedCommit(t *testing.T) {
	now := time.Unix(0, 0)
	f := &produceFault{}
	cfg := &Config{Observer: NopObserver{}, Now: func() time.Time { return now }, produceFault: f}
	f.record(cfg, kerr.MessageTooLarge, 1, 0)
	now = now.Add(produceFaultQuiet - 1)
	f.refused(cfg, kerr.GroupAuthorizationFailed)
	require.ErrorIs(t, f.err, kerr.MessageTooLarge, "the dead letter is still named")
	now = now.Add(1)
	f.refused(cfg, kerr.GroupAuthorizationFailed)
	require.ErrorIs(t, f.err, kerr.GroupAuthorizationFailed)
}

// guard: aborts with quiet hours between them are not in a row
func TestAbortsWithQuietHoursBetweenThemAreNotInARow(t *testing.T) {
	now := time.Unix(0, 0)
	f := &produceFault{}
	cfg := &Config{Observer: NopObserver{}, Now: func() time.Time { return now }, produceFault: f, Group: group}
	ctx, end := context.WithCancel(t.Context())
	end() // no pauses
	var a abortedCommits
	a.add(ctx, cfg, now)
	for range 3 {
		now = now.Add(12 * time.Hour)
		a.add(ctx, cfg, now)
	}
	require.NoError(t, f.err)
	a.add(ctx, cfg, now)
	now = now.Add(progressLimit)
	a.add(ctx, cfg, now.Add(-1)) // a batch that has lasted for long
	require.EqualError(t, f.err, "kafka: commit: the brokers have taken no offsets of group pitchstream for 8s")
}
