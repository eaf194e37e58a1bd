package consumer

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// polls has the first offset and the number of the records of each poll of a processor.
type polls struct {
	*conditions
	firsts, sizes []int64
}

func (p *polls) Polled(records []*kgo.Record) {
	if len(records) > 0 {
		p.firsts, p.sizes = append(p.firsts, records[0].Offset), append(p.sizes, int64(len(records)))
	}
}

// refillByTen has a processor refill one partition of a restored store, with ten records a poll. compare is
// called before the store compares rows.
func (cl *cluster) refillByTen(compare func() error) (*worker, *polls) {
	cl.t.Helper()
	records := good(newScorer(3), 60)
	for i := range records {
		records[i].Partition = 0
	}
	cl.produce(records...)
	cl.process()
	cl.store.Restore()
	cl.before.set(func(step string) error {
		if step == "changed" {
			return compare()
		}
		return nil
	})
	seen := &polls{}
	w := cl.start(func(c *Config) {
		seen.conditions = c.Observer.(*conditions)
		c.Observer, c.PollMaxRecords, c.StoreMaxRecords = seen, 10, 10
	})
	return w, seen
}

// The store compares the rows of the third poll for longer than a transaction may be open. The refill goes on
// from there, with half of the records.
// guard: a refill does not start over after an abort
// guard: a refill whose rows the store compares too slowly takes fewer records
func TestARefillGoesOnAfterASlowComparison(t *testing.T) {
	inVirtualTime(t, "some seconds")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		var compared atomic.Int32
		var isBack atomic.Bool
		w, seen := cl.refillByTen(func() error {
			if isBack.Load() || compared.Add(1) < 3 {
				return nil
			}
			return errors.New("away")
		})
		cl.waitFor("it gives up", func() bool { return strings.Contains(w.log.String(), errEarlyTooLong.Error()) })
		isBack.Store(true)
		cl.waitFilled()
		w.halt()
		cl.requireConsistent()
		require.IsNonDecreasing(t, seen.firsts)
		require.Equal(t, seen.firsts[2], seen.firsts[3], "the dropped poll is read again")
		require.LessOrEqual(t, seen.sizes[3], seen.sizes[2]/2)
	})
}

// A broker takes rows more slowly than the store may compare them. That is no reason to send them again.
func TestASlowBrokerIsNotTakenForASlowStore(t *testing.T) {
	inVirtualTime(t, "a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.kafka.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
			cl.kafka.KeepControl()
			if req.(*kmsg.ProduceRequest).TransactionID != nil {
				cl.kafka.SleepControl(func() { time.Sleep(earlyLimit + time.Second) }) // tidy: virtual time
			}
			return nil, nil, false
		})
		w, seen := cl.refillByTen(func() error { return nil })
		cl.waitFilled()
		w.halt()
		for _, w := range cl.workers {
			require.NotContains(t, w.log.String(), errEarlyTooLong.Error())
		}
		cl.requireConsistent()
		require.IsIncreasing(t, seen.firsts)
	})
}
