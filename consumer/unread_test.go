package consumer

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// guard: the lag of unread partitions is reported
func TestAddedPartitionsAreLagUntilTheyAreRead(t *testing.T) {
	inVirtualTime(t, "15 seconds")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(3)
		cl.produce(good(s, 6)...)
		w := cl.start()
		cl.waitCommitted()
		var mayJoin atomic.Bool
		cl.kafka.ControlKey(int16(kmsg.JoinGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
			cl.kafka.KeepControl()
			resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
			resp.ErrorCode = kerr.CoordinatorLoadInProgress.Code
			return resp, nil, !mayJoin.Load()
		})
		_, err := kadm.NewClient(cl.client).UpdatePartitions(t.Context(), partitionCount+1, rawTopic)
		require.NoError(t, err)
		cl.renewClient()
		r := good(s, 1)[0]
		r.Partition = partitionCount
		began := time.Now()
		cl.produce(r)
		cl.waitFor("the lag of the added partition is reported", func() bool {
			since, seen := w.seen.waiting(partitionCount)
			return seen && !since.IsZero()
		})
		require.Less(t, time.Since(began), 2*progressEvery)
		mayJoin.Store(true)
		cl.waitFor("the added partition is read", func() bool {
			since, seen := w.seen.waiting(partitionCount)
			return seen && since.IsZero() && cl.lag() == 0
		})
		require.Less(t, time.Since(began), 15*time.Second)
		w.halt()
		cl.requireRows()
	})
}

// Another processor that reads an added partition reports its lag from then on.
func TestTheLagOfAnAddedPartitionIsReportedByItsOwnerAlone(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(4)
		workers := []*worker{cl.start(), cl.start()}
		cl.produce(good(s, 6)...)
		cl.waitCommitted()
		_, err := kadm.NewClient(cl.client).UpdatePartitions(t.Context(), partitionCount+1, rawTopic)
		require.NoError(t, err)
		cl.renewClient()
		r := good(s, 1)[0]
		r.Partition = partitionCount
		cl.produce(r)
		cl.waitFor("one of them reads it", func() bool {
			readers := 0
			for _, w := range workers {
				if since, seen := w.seen.waiting(partitionCount); seen && since.IsZero() {
					readers++
				} else if seen {
					readers = 9
				}
			}
			return readers == 1 && cl.lag() == 0
		})
		for _, w := range workers {
			w.halt()
		}
		cl.requireRows()
	})
}
