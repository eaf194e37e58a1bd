package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

const rawTopic = "pitches.raw"

// newKafka is a Kafka in memory with an empty raw topic of three partitions.
func newKafka(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(3, rawTopic)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

func kafkaClient(t *testing.T, cluster *kfake.Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(cluster.ListenAddrs()...))...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// setMaxMessageBytes sets what a batch of the raw topic may have.
func setMaxMessageBytes(t *testing.T, cluster *kfake.Cluster, n int) {
	t.Helper()
	value := strconv.Itoa(n)
	_, err := kadm.NewClient(kafkaClient(t, cluster)).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &value}}, rawTopic)
	require.NoError(t, err)
}

// onTopic are all records of the raw topic, by partition, in order.
func onTopic(t *testing.T, cluster *kfake.Cluster) map[int32][]*kgo.Record {
	t.Helper()
	client := kafkaClient(t, cluster, kgo.ConsumeTopics(rawTopic), kgo.FetchMaxBytes(100<<20), kgo.FetchMaxPartitionBytes(50<<20))
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), rawTopic)
	require.NoError(t, err)
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	records := map[int32][]*kgo.Record{}
	for left > 0 {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			records[r.Partition] = append(records[r.Partition], r)
			left--
		})
	}
	return records
}

func openTestProducer(t *testing.T, cluster *kfake.Cluster, o producerOptions) *producer {
	t.Helper()
	o.Client, o.Topic = []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, rawTopic
	p, err := openProducer(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

// acks collects what a producer answered.
type acks struct {
	mu   sync.Mutex
	got  []int
	errs []error
}

func (a *acks) note(n int) func(error) {
	return func(err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.got, a.errs = append(a.got, n), append(a.errs, err)
	}
}

// Small and large records, of several partitions: each partition has them in order, and the answers come in order.
func TestProducerKeepsOrder(t *testing.T) {
	cluster := newKafka(t)
	setMaxMessageBytes(t, cluster, 8<<20)
	p := openTestProducer(t, cluster, producerOptions{MaxInFlightBytes: 4 << 20})
	var a acks
	const n = 200
	for i := range n {
		size := 1000
		if i%40 == 39 || i%40 == 38 {
			size = 1<<20 + 1<<18
		}
		value := fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", size))
		require.NoError(t, p.Send(t.Context(), &kgo.Record{Key: fmt.Appendf(nil, "game-%d", i%5), Value: value}, a.note(i)))
	}
	require.NoError(t, p.Flush(t.Context()))
	p.Close()
	require.Len(t, a.got, n)
	for i := range n {
		require.Equal(t, i, a.got[i])
		require.NoError(t, a.errs[i])
	}
	total := 0
	for partition, records := range onTopic(t, cluster) {
		last := -1
		for _, r := range records {
			i, err := strconv.Atoi(strings.SplitN(string(r.Value), " ", 2)[0])
			require.NoError(t, err)
			require.Greater(t, i, last, "partition %d", partition)
			last = i
			total++
		}
	}
	require.Equal(t, n, total)
}

// batches are the produce requests as they arrive.
type batches struct {
	mu   sync.Mutex
	seen []kmsg.RecordBatch
}

func watchBatches(cluster *kfake.Cluster) *batches {
	var b batches
	cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, topic := range req.(*kmsg.ProduceRequest).Topics {
			for _, partition := range topic.Partitions {
				var batch kmsg.RecordBatch
				if batch.ReadFrom(partition.Records) == nil {
					b.seen = append(b.seen, batch)
				}
			}
		}
		return nil, nil, false
	})
	return &b
}

// What goes over the wire: zstd, a producer id, batches of usual records small though the topic takes large ones.
func TestProducerBatches(t *testing.T) {
	cluster := newKafka(t)
	setMaxMessageBytes(t, cluster, 20<<20)
	seen := watchBatches(cluster)
	p := openTestProducer(t, cluster, producerOptions{})
	var a acks
	value := []byte(strings.Repeat("0123456789", 10_000))
	for i := range 150 {
		require.NoError(t, p.Send(t.Context(), &kgo.Record{Key: []byte("game"), Value: value}, a.note(i)))
	}
	require.NoError(t, p.Flush(t.Context()))
	p.Close()
	require.GreaterOrEqual(t, len(seen.seen), 15)
	for _, b := range seen.seen {
		require.EqualValues(t, 4, b.Attributes&7, "zstd")
		require.NotEqualValues(t, -1, b.ProducerID)
		require.LessOrEqual(t, b.NumRecords, int32(10))
	}
}

func TestProducerNeedsItsTopicAndBrokers(t *testing.T) {
	cluster := newKafka(t)
	addrs := cluster.ListenAddrs()
	_, err := openProducer(t.Context(), producerOptions{Client: []kgo.Opt{kgo.SeedBrokers(addrs...)}, Topic: "other"})
	require.EqualError(t, err, "the topic other does not exist: run: pitchstream topics")
	cluster.Close()
	_, err = openProducer(t.Context(), producerOptions{Client: []kgo.Opt{kgo.SeedBrokers(addrs...)}, Topic: rawTopic})
	require.ErrorContains(t, err, "Kafka cannot be reached: ")
	require.ErrorContains(t, err, addrs[0])
}

// A record that the topic does not take fails alone.
func TestProducerRefusals(t *testing.T) {
	cluster := newKafka(t)
	setMaxMessageBytes(t, cluster, 2<<20)
	p := openTestProducer(t, cluster, producerOptions{})
	var a acks
	for i, size := range []int{10, 3 << 20, 10} {
		require.NoError(t, p.Send(t.Context(), &kgo.Record{Value: make([]byte, size)}, a.note(i)))
	}
	p.Refuse(errTooLarge, a.note(3))
	require.NoError(t, p.Flush(t.Context()))
	p.Close()
	require.Equal(t, []int{0, 1, 2, 3}, a.got)
	require.NoError(t, a.errs[0])
	require.ErrorIs(t, a.errs[1], kerr.MessageTooLarge)
	require.NoError(t, a.errs[2])
	for i, refusal := range []bool{false, true, false, true} {
		require.Equal(t, refusal, isRefusal(a.errs[i]))
	}
}

// holdProduce makes the brokers keep quiet about every produce request until release is called.
func holdProduce(t *testing.T, cluster *kfake.Cluster) (held <-chan struct{}, release func()) {
	t.Helper()
	first, free := make(chan struct{}), make(chan struct{})
	once, freeOnce := sync.OnceFunc(func() { close(first) }), sync.OnceFunc(func() { close(free) })
	t.Cleanup(freeOnce)
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		once()
		cluster.SleepControl(func() { <-free })
		return nil, nil, false
	})
	return first, freeOnce
}

// Send waits when MaxInFlightBytes are under way, and ends with its context; what was sent before arrives nevertheless.
func TestProducerBoundsWhatIsUnderWay(t *testing.T) {
	cluster := newKafka(t)
	_, release := holdProduce(t, cluster)
	p := openTestProducer(t, cluster, producerOptions{MaxInFlightBytes: 1000})
	var a acks
	for i := range 2 {
		require.NoError(t, p.Send(t.Context(), &kgo.Record{Value: make([]byte, 500)}, a.note(i)))
	}
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	go cancel(stop)
	require.ErrorIs(t, p.Send(ctx, &kgo.Record{Value: []byte("x")}, a.note(2)), stop)
	release()
	require.NoError(t, p.Flush(t.Context()))
	require.NoError(t, p.Send(t.Context(), &kgo.Record{Value: make([]byte, 5000)}, a.note(3)), "larger than the bound: alone")
	require.NoError(t, p.Flush(t.Context()))
	p.Close()
	require.Equal(t, []int{0, 1, 3}, a.got)
}

// Close answers for what nobody acknowledged.
func TestProducerCloseAnswersAll(t *testing.T) {
	cluster := newKafka(t)
	held, _ := holdProduce(t, cluster)
	p := openTestProducer(t, cluster, producerOptions{})
	var a acks
	for i := range 3 {
		require.NoError(t, p.Send(t.Context(), &kgo.Record{Value: []byte("x")}, a.note(i)))
	}
	p.acks.push(a.note(3)) // as one whose answer the client never gave
	<-held
	p.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	require.Equal(t, []int{0, 1, 2, 3}, a.got)
	for _, err := range a.errs {
		require.Equal(t, errNotSent, err)
	}
}

// failProduce makes the brokers answer every produce request with an error.
func failProduce(cluster *kfake.Cluster, why *kerr.Error) {
	cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range req.(*kmsg.ProduceRequest).Topics {
			answer := kmsg.ProduceResponseTopic{Topic: topic.Topic, TopicID: topic.TopicID}
			for _, p := range topic.Partitions {
				answer.Partitions = append(answer.Partitions, kmsg.ProduceResponseTopicPartition{Partition: p.Partition, ErrorCode: why.Code})
			}
			resp.Topics = append(resp.Topics, answer)
		}
		return resp, nil, true
	})
}

// virtualProducer is a producer on a Kafka in memory, both in the bubble of a synctest.
func virtualProducer(t *testing.T, o producerOptions) (*producer, *kfake.Cluster) {
	t.Helper()
	var network kfake.VirtualNetwork
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, rawTopic), kfake.ListenFn(network.Listen))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	o.Client, o.Topic = []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.Dialer(network.DialContext)}, rawTopic
	p, err := openProducer(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p, cluster
}

// A Kafka that takes nothing for long fails the records, also those of an old time; it does not hang. Neither does one
// that hangs up on every request, so that nobody knows what it took.
func TestProducerTimesOut(t *testing.T) {
	for name, fail := range map[string]func(*kfake.Cluster){
		"answers with an error": func(c *kfake.Cluster) { failProduce(c, kerr.NotEnoughReplicas) },
		"hangs up": func(c *kfake.Cluster) {
			c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
				c.KeepControl()
				return nil, errors.New("hang up"), true
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, cluster := virtualProducer(t, producerOptions{})
				fail(cluster)
				var a acks
				begun := time.Now()
				require.NoError(t, p.Send(t.Context(), &kgo.Record{Value: []byte("x"), Timestamp: time.Unix(1, 0)}, a.note(0)))
				require.NoError(t, p.Flush(t.Context()))
				require.InDelta(t, deliveryTimeout.Seconds(), time.Since(begun).Seconds(), 10)
				p.Close()
				require.Len(t, a.errs, 1)
				require.ErrorIs(t, a.errs[0], errTimeout)
			})
		})
	}
}

func TestProducerRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := virtualProducer(t, producerOptions{RecordsPerSecond: 20})
		begun := time.Now()
		for range 62 {
			require.NoError(t, p.Send(t.Context(), &kgo.Record{Value: []byte("x")}, func(error) {}))
		}
		require.InDelta(t, 3, time.Since(begun).Seconds(), 0.01, "two at once, then 20 a second")
		require.NoError(t, p.Flush(t.Context()))
	})
}

// Answers in any order, and some twice, become calls in order, each once, with the first answer.
func TestAckQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "n")
		var q ackQueue
		var got []int
		var pushed []*ack
		for i := range n {
			pushed = append(pushed, q.push(func(err error) {
				require.EqualError(t, err, strconv.Itoa(i))
				got = append(got, i)
			}))
		}
		settled := map[int]bool{}
		for _, i := range rapid.SliceOf(rapid.IntRange(0, n-1)).Draw(t, "answers") {
			answer := errors.New(strconv.Itoa(i))
			if settled[i] {
				answer = errors.New("again")
			}
			q.settle(pushed[i], answer)
			settled[i] = true
			due := 0
			for settled[due] {
				due++
			}
			require.Len(t, got, due)
		}
		for i := range got {
			require.Equal(t, i, got[i])
		}
	})
}
