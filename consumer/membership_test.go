package consumer

import (
	"errors"
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

// guard: a fenced processor names the reason
func TestAProcessorWhoseNameAnotherHasIsNotReady(t *testing.T) {
	inVirtualTime(t, "a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(4)
		cl.produce(s.records(30)...)
		first := cl.start(named("p-0"))
		cl.waitAssigned(first)
		cl.waitCommitted()
		second := cl.start(named("p-0"))
		cl.waitFor("the first one is fenced", func() bool { return first.seen.reason("assigned") != "" })
		require.Contains(t, first.seen.reason("assigned"), `another processor has the instance id "p-0"`)
		cl.waitAssigned(second)
		for range 5 {
			cl.produce(s.records(10)...)
			cl.waitCommitted()
			time.Sleep(5 * time.Second) // tidy: virtual time, in which both heartbeat
			require.Contains(t, first.seen.reason("assigned"), `another processor has the instance id "p-0"`)
			require.Empty(t, second.seen.reason("assigned"))
		}
		require.False(t, first.seen.has(), "it owns nothing")
		second.halt()
		first.halt()
	})
}

// fenceCommits makes the brokers refuse the commits of a member whose name another one has, as those of Kafka
// do.
func (cl *cluster) fenceCommits() {
	var newest atomic.Value
	cl.kafka.ControlKey(int16(kmsg.SyncGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cl.kafka.KeepControl()
		newest.Store(req.(*kmsg.SyncGroupRequest).MemberID)
		return nil, nil, false
	})
	cl.kafka.ControlKey(int16(kmsg.TxnOffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cl.kafka.KeepControl()
		commit := req.(*kmsg.TxnOffsetCommitRequest)
		if commit.MemberID == newest.Load() {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
		for _, t := range commit.Topics {
			refused := kmsg.NewTxnOffsetCommitResponseTopic()
			refused.Topic = t.Topic
			for _, p := range t.Partitions {
				at := kmsg.NewTxnOffsetCommitResponseTopicPartition()
				at.Partition, at.ErrorCode = p.Partition, kerr.FencedInstanceID.Code
				refused.Partitions = append(refused.Partitions, at)
			}
			resp.Topics = append(resp.Topics, refused)
		}
		return resp, nil, true
	})
}

// often commits after each poll.
func often(c *Config) { c.CommitEvery = -1 }

// The same while records flow, when a processor learns of the other one from a commit.
// guard: a fenced processor does not take the place from the other one
func TestTwoProcessorsOfOneNameDoNotTakeTurns(t *testing.T) {
	inVirtualTime(t, "two minutes")
	inBubble(t, func(t *testing.T) {
		cl, s := newCluster(t), newScorer(5)
		cl.fenceCommits()
		first := cl.start(named("p-0"), often)
		cl.waitAssigned(first)
		var second *worker
		assignments := func() int {
			return strings.Count(first.log.String()+second.log.String(), "partitions assigned")
		}
		settled := 0
		began := time.Now()
		for time.Since(began) < time.Minute {
			cl.produce(s.records(1)...)
			time.Sleep(50 * time.Millisecond) // tidy: virtual time, in which both commit
			if second == nil && time.Since(began) > time.Second {
				second = cl.start(named("p-0"), often)
			}
			if settled == 0 && time.Since(began) > 20*time.Second {
				settled = assignments()
			}
		}
		cl.waitCommitted()
		require.Equal(t, settled, assignments(), "%s\n%s", &first.log, &second.log)
		loser, winner := first, second
		if winner.seen.reason("assigned") != "" {
			loser, winner = winner, loser
		}
		require.Contains(t, loser.seen.reason("assigned"), `another processor has the instance id "p-0"`)
		winner.kill()
		cl.waitAssigned(loser)
		cl.produce(s.records(10)...)
		cl.waitCommitted()
		loser.halt()
		cl.requireConsistent()
	})
}

// The brokers forget a member that has no partitions, and later the same one with partitions.
// guard: a loss with nothing assigned hides no later one
func TestALossWithNothingAssignedHidesNoLaterOne(t *testing.T) {
	inVirtualTime(t, "two minutes")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		var refused atomic.Int32
		cl.kafka.ControlKey(int16(kmsg.SyncGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
			cl.kafka.KeepControl()
			if refused.Add(1) > 1 {
				return nil, nil, false
			}
			resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
			resp.ErrorCode = kerr.UnknownServerError.Code
			return resp, nil, true
		})
		w := cl.start()
		cl.waitAssigned(w)
		require.Greater(t, refused.Load(), int32(1))
		forgotten := false
		cl.kafka.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
			cl.kafka.KeepControl()
			if forgotten {
				return nil, nil, false
			}
			forgotten = true
			resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
			resp.ErrorCode = kerr.UnknownMemberID.Code
			return resp, nil, true
		})
		cl.waitFor("all partitions are revoked", func() bool { return w.seen.count("revoked") == partitionCount })
		cl.produce(newScorer(6).records(20)...)
		cl.waitCommitted()
		w.halt()
		cl.requireConsistent()
	})
}

// guard: a dead letter that is refused is named until one is taken
func TestADeadLetterThatTheBrokersRefuseIsNamedUntilOneIsTaken(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		limit := func(bytes string) {
			_, err := kadm.NewClient(cl.client).AlterTopicConfigs(t.Context(),
				[]kadm.AlterConfig{{Name: "max.message.bytes", Value: &bytes}}, deadTopic)
			require.NoError(t, err)
		}
		limit("2000")
		w := cl.start()
		large := make([]byte, 8000)
		cl.produce(schemas.Record{Key: []byte("1"), Value: large})
		cl.waitFor("it is named", func() bool { return w.seen.reason("kafka") != "" })
		require.Contains(t, w.seen.reason("kafka"), "topic pitches.dead refuses a record of 8000 bytes")
		w.cfg.produceFault.record(&w.cfg, nil, 0, 3)
		require.NotEmpty(t, w.seen.reason("kafka"), "rows that another session sends are no dead letters")
		seen := w.seen.count("kafka")
		cl.waitFor("brokers have answered since", func() bool {
			require.NotEmpty(t, w.seen.reason("kafka"))
			return w.seen.count("kafka") > seen+10
		})
		limit("100000")
		cl.waitCommitted()
		cl.waitFor("it is ready again", func() bool { return w.seen.reason("kafka") == "" })
		require.Empty(t, w.seen.reason("assigned"))
		w.halt()
		cl.requireConsistent()
	})
}

func TestAFaultOfADeadLetterOutlivesThatOfRows(t *testing.T) {
	f := &produceFault{}
	cfg := &Config{Observer: NopObserver{}, Now: time.Now, produceFault: f}
	refused := errors.New("refused")
	f.record(cfg, refused, 1, 0)
	f.record(cfg, refused, 0, 1)
	f.record(cfg, nil, 0, 1)
	require.Error(t, f.err)
	f.record(cfg, nil, 1, 0)
	require.NoError(t, f.err)
}

// An abort while the client loses its partitions makes it read them again for a moment.
// guard: records of a partition that was revoked are no poll of the session
func TestRecordsOfARevokedPartitionAreNoPoll(t *testing.T) {
	p := &partitions{byID: map[int32]*partition{1: {}, 2: {uncommitted: true}}}
	noted := 0
	note := func() { noted++ }
	one, two := reach{partition: 1}, reach{partition: 2}
	uncommitted, err := p.notePoll([]reach{one, two}, note)
	require.NoError(t, err)
	require.Equal(t, []reach{two}, uncommitted)
	delete(p.byID, 2)
	_, err = p.notePoll([]reach{one, two}, note)
	require.ErrorIs(t, err, errRevoked)
	uncommitted, err = p.notePoll([]reach{one}, note)
	require.NoError(t, err)
	require.Empty(t, uncommitted)
	require.Equal(t, 2, noted)
}
