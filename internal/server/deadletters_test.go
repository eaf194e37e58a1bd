package server

import (
	"bytes"
	"context"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// countedConn is one connection to the brokers while it is open.
type countedConn struct {
	net.Conn
	close func()
}

func (c *countedConn) Close() error {
	c.close()
	return c.Conn.Close()
}

// Sixty requests at once for dead letters of 12 MiB hold the bytes and the connections of one. Without their
// turn they took 1.3 GB and a client each.
//
// guard: bytes: one dead letter is read at a time
func TestSixtyReadsOfLargeDeadLettersTakeTheMemoryOfOne(t *testing.T) {
	o, _, _ := testOptions(t)
	client, err := kgo.NewClient(append(o.Kafka, kgo.ProducerBatchMaxBytes(20<<20))...)
	require.NoError(t, err)
	defer client.Close()
	large := &kgo.Record{Topic: o.DeadTopic, Key: []byte("1"), Value: bytes.Repeat([]byte(`{"x":`), 12<<20/5)}
	require.NoError(t, client.ProduceSync(t.Context(), large).FirstErr())
	var open, most atomic.Int64
	o.Kafka = append(o.Kafka, kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		for n := open.Add(1); n > most.Load(); {
			most.Store(n)
		}
		return &countedConn{conn, sync.OnceFunc(func() { open.Add(-1) })}, nil
	}))
	dead, err := openDeadLetters(o)
	require.NoError(t, err)
	defer dead.close()
	before := heapInUse()
	var peak uint64
	measured, stop := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(measured)
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-tick.C:
				peak = max(peak, heapInUse())
			case <-stop:
				return
			}
		}
	}()
	began := time.Now()
	var requests sync.WaitGroup
	for range 60 {
		requests.Go(func() {
			l, err := dead.Letter(t.Context(), 0, large.Offset)
			if err != nil || l.Bytes != len(large.Value) {
				t.Errorf("%v: %+v", err, l)
			}
		})
	}
	requests.Wait()
	close(stop)
	<-measured
	t.Logf("%v, at most %d connections, %d MiB more than before", time.Since(began), most.Load(), (peak-before)>>20)
	require.Less(t, most.Load(), int64(10), "of one request: the desk, the reader of the topic, the report")
	require.Less(t, peak-before, uint64(256<<20))
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
