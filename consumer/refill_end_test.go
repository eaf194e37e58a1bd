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
)

// refuseAborts has the brokers answer requests to abort a transaction with an error, as long as while is
// true.
func (cl *cluster) refuseAborts(while func() bool) {
	cl.kafka.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cl.kafka.KeepControl()
		if req.(*kmsg.EndTxnRequest).Commit || !while() {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ErrorCode = kerr.UnknownServerError.Code
		return resp, nil, true
	})
}

// ends returns a channel that gets a value when the brokers are asked to end a transaction. Who waits for an
// open and then for a closed one would miss that it was closed, because the next may begin at the same time.
func (cl *cluster) ends() <-chan bool {
	ends := make(chan bool, 1000)
	cl.kafka.ControlKey(int16(kmsg.EndTxn), func(kmsg.Request) (kmsg.Response, error, bool) {
		cl.kafka.KeepControl()
		ends <- true
		return nil, nil, false
	})
	return ends
}

// The store compares the rows of a refill too slowly, and the abort fails. Readers of the rows do not wait
// for the time-out of the transaction, and the processor stays in the group.
// guard: a refill whose abort fails leaves nothing open
func TestARefillWhoseAbortFailsLeavesNothingOpen(t *testing.T) {
	inVirtualTime(t, "some seconds")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		var isBack atomic.Bool
		w, _ := cl.refillByTen(func() error {
			if isBack.Load() {
				return nil
			}
			return errors.New("away")
		})
		var refused atomic.Int32
		cl.refuseAborts(func() bool { return refused.Add(1) == 1 })
		fenced := make(chan bool, 1000) // which ends an open transaction of the producer
		cl.kafka.ControlKey(int16(kmsg.InitProducerID), func(kmsg.Request) (kmsg.Response, error, bool) {
			cl.kafka.KeepControl()
			if refused.Load() > 0 {
				fenced <- true
			}
			return nil, nil, false
		})
		cl.waitFor("the abort is refused", func() bool { return refused.Load() > 0 })
		before := time.Now()
		cl.waitFor("the transaction ends", func() bool { return len(fenced) > 0 })
		require.Less(t, time.Since(before), 2*time.Second, "not by the time-out of the transaction")
		isBack.Store(true)
		cl.waitFilled()
		require.Equal(t, 1, w.seen.count("assigned"), "the processor stayed in the group")
		w.halt()
		cl.requireConsistent()
	})
}

// Kafka does not let the processor abort at all. It says so, and starts over, also when it was to give the
// partition to another one.
// guard: a refill that leaves a transaction open ends the session
// guard: a revoke does not hide that a refill left a transaction open
func TestARefillThatCannotAbortSaysSo(t *testing.T) {
	inVirtualTime(t, "some seconds")
	for name, isRevoked := range map[string]bool{"the store is too slow": false, "a revoke": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cl := newCluster(t)
				var isBack, isAborting atomic.Bool
				w, _ := cl.refillByTen(func() error {
					if isBack.Load() {
						return nil
					}
					return errors.New("away")
				})
				cl.refuseAborts(func() bool {
					isAborting.Store(true)
					return !isBack.Load()
				})
				cl.kafka.ControlKey(int16(kmsg.InitProducerID), func(req kmsg.Request) (kmsg.Response, error, bool) {
					cl.kafka.KeepControl()
					if !isAborting.Load() || isBack.Load() {
						return nil, nil, false
					}
					resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
					resp.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
					return resp, nil, true
				})
				cl.waitFor("rows are sent", func() bool { return !cl.closed() })
				if isRevoked {
					cl.start()
					cl.waitFor("a partition is taken away", func() bool { return w.seen.count("revoked") > 0 })
				}
				cl.waitFor("it starts over", func() bool { return strings.Contains(w.log.String(), "starting over") })
				require.Contains(t, w.log.String(), errLeftOpen.Error())
				isBack.Store(true)
				cl.waitFilled()
				w.halt()
			})
		})
	}
}

// The topic of the rows is missing while the store is refilled. The processor names it, and is not ready.
// guard: rows that a refill cannot send are named
func TestRowsThatARefillCannotSendAreNamed(t *testing.T) {
	inVirtualTime(t, "a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(good(newScorer(3), 30)...)
		cl.process()
		cl.store.Restore()
		admin := kadm.NewClient(cl.client)
		_, err := admin.DeleteTopic(t.Context(), rowsTopic)
		require.NoError(t, err)
		w := cl.start()
		cl.waitFor("it is named", func() bool { return w.seen.reason("kafka") != "" })
		require.Contains(t, w.seen.reason("kafka"), "kafka: produce: topic "+rowsTopic+" does not exist")
		_, err = admin.CreateTopic(t.Context(), partitionCount, 1, nil, rowsTopic)
		require.NoError(t, err)
		cl.waitFilled()
		cl.waitFor("it is ready again", func() bool { return w.seen.reason("kafka") == "" })
		w.halt()
		cl.requireConsistent()
	})
}

// The brokers refuse to commit what a refill has sent. It is sent again, and the processor names it.
// guard: a commit that the brokers refuse in a refill is named
func TestARefillWhoseCommitFailsIsNamedAndSentAgain(t *testing.T) {
	inVirtualTime(t, "a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(good(newScorer(3), 30)...)
		cl.process()
		cl.store.Restore()
		var isBack atomic.Bool
		cl.kafka.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
			cl.kafka.KeepControl()
			if !req.(*kmsg.EndTxnRequest).Commit || isBack.Load() {
				return nil, nil, false
			}
			resp := req.ResponseKind().(*kmsg.EndTxnResponse)
			resp.ErrorCode = kerr.UnknownServerError.Code
			return resp, nil, true
		})
		w := cl.start()
		cl.waitFor("it is named", func() bool { return w.seen.reason("kafka") != "" })
		require.Contains(t, w.seen.reason("kafka"), "kafka: commit of a refill's rows: ")
		cl.waitBriefly(cl.closed)
		require.True(t, cl.closed(), "not by the time-out of the transaction")
		isBack.Store(true)
		cl.waitFilled()
		cl.waitFor("it is ready again", func() bool { return w.seen.reason("kafka") == "" })
		w.halt()
		cl.requireConsistent()
	})
}
