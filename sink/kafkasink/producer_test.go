package kafkasink

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

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

func openTestProducer(t *testing.T, cluster *kfake.Cluster, o ProducerOptions) *Producer {
	t.Helper()
	o.Client, o.Topic = []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, testkit.RawTopic
	p, err := OpenProducer(t.Context(), o)
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

// Small and large records, of several partitions: each partition has them in order, and the answers come in
// order.
func TestProducerKeepsOrder(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	testkit.SetMaxMessageBytes(t, cluster, 8<<20)
	p := openTestProducer(t, cluster, ProducerOptions{MaxInFlightBytes: 4 << 20})
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
	for partition, records := range testkit.RawRecords(t, cluster) {
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

// The producer sends zstd with a producer id. Batches of usual records stay small, although the topic accepts
// large ones.
func TestProducerBatches(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	testkit.SetMaxMessageBytes(t, cluster, 20<<20)
	seen := testkit.WatchBatches(cluster)
	p := openTestProducer(t, cluster, ProducerOptions{})
	var a acks
	value := []byte(strings.Repeat("0123456789", 10_000))
	for i := range 150 {
		require.NoError(t, p.Send(t.Context(), &kgo.Record{Key: []byte("game"), Value: value}, a.note(i)))
	}
	require.NoError(t, p.Flush(t.Context()))
	p.Close()
	require.GreaterOrEqual(t, len(seen.Seen), 15)
	for _, b := range seen.Seen {
		require.EqualValues(t, 4, b.Attributes&7, "zstd")
		require.NotEqualValues(t, -1, b.ProducerID)
		require.LessOrEqual(t, b.NumRecords, int32(10))
	}
}

func TestProducerNeedsItsTopicAndBrokers(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	addrs := cluster.ListenAddrs()
	_, err := OpenProducer(t.Context(), ProducerOptions{Client: []kgo.Opt{kgo.SeedBrokers(addrs...)}, Topic: "other"})
	require.EqualError(t, err, "the topic other does not exist: run: pitchstream topics")
	cluster.Close()
	_, err = OpenProducer(t.Context(), ProducerOptions{
		Client: []kgo.Opt{kgo.SeedBrokers(addrs...)}, Topic: testkit.RawTopic,
	})
	require.ErrorContains(t, err, "Kafka cannot be reached: ")
	require.ErrorContains(t, err, addrs[0])
}

// guard: load: a topic that replaces timestamps is refused
func TestProducerRefusesToHaveATimestampReplaced(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	admin := kadm.NewClient(testkit.KafkaClient(t, cluster))
	arrival := "LogAppendTime"
	_, err := admin.AlterTopicConfigs(t.Context(),
		[]kadm.AlterConfig{{Name: timestampType, Value: &arrival}}, testkit.RawTopic)
	require.NoError(t, err)
	p := openTestProducer(t, cluster, ProducerOptions{})
	var a acks
	require.NoError(t, p.Send(t.Context(), &kgo.Record{Value: []byte("now")}, a.note(0)))
	err = p.Send(t.Context(), &kgo.Record{Timestamp: time.UnixMilli(1)}, a.note(1))
	require.EqualError(t, err, "the topic pitches.raw replaces the times of records by those of their arrival, so that "+
		"old pitches win over newer ones: run: kafka-configs.sh --bootstrap-server HOST:PORT --alter "+
		"--entity-type topics --entity-name pitches.raw --add-config message.timestamp.type=CreateTime")
	require.NoError(t, p.Flush(t.Context()))
	p.Close()
	require.Equal(t, []int{0}, a.got)
}

// guard: load: what the topic would delete for its age is not sent
func TestProducerRefusesWhatTheTopicWouldDelete(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	client := testkit.KafkaClient(t, cluster)
	admin := kadm.NewClient(client)
	set := func(key, value string) {
		configs := []kadm.AlterConfig{{Name: key, Value: &value}}
		_, err := admin.AlterTopicConfigs(t.Context(), configs, testkit.RawTopic)
		require.NoError(t, err)
	}
	old := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	set("retention.ms", "7776000000") // 90 days
	p := openTestProducer(t, cluster, ProducerOptions{})
	var a acks
	err := p.Send(t.Context(), &kgo.Record{Timestamp: old}, a.note(0))
	require.EqualError(t, err, "the topic pitches.raw keeps records for 2160h0m0s, and would delete those of "+
		"2000-01-01T00:00:00Z before they are processed: give a later timestamp, load into a topic of its own, or "+
		"run: kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics --entity-name pitches.raw "+
		"--add-config retention.ms=-1")
	require.Equal(t, err, RefuseOld(t.Context(), admin, testkit.RawTopic, old))
	require.NoError(t, p.Send(t.Context(), &kgo.Record{Value: []byte("now")}, a.note(1)))
	young := time.Now().Add(-89 * 24 * time.Hour)
	require.NoError(t, p.Send(t.Context(), &kgo.Record{Timestamp: young}, a.note(2)))
	require.NoError(t, p.Flush(t.Context()))
	p.Close()
	require.Equal(t, []int{1, 2}, a.got)

	for key, value := range map[string]string{"retention.ms": "-1", "cleanup.policy": "compact"} {
		set("retention.ms", "7776000000")
		set("cleanup.policy", "delete")
		set(key, value)
		require.NoError(t, RefuseOld(t.Context(), admin, testkit.RawTopic, old), key)
	}
}

// A record that the topic does not take fails alone.
func TestProducerRefusals(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	testkit.SetMaxMessageBytes(t, cluster, 2<<20)
	p := openTestProducer(t, cluster, ProducerOptions{})
	var a acks
	for i, size := range []int{10, 3 << 20, 10} {
		require.NoError(t, p.Send(t.Context(), &kgo.Record{Value: make([]byte, size)}, a.note(i)))
	}
	p.Refuse(ErrTooLarge, a.note(3))
	require.NoError(t, p.Flush(t.Context()))
	p.Close()
	require.Equal(t, []int{0, 1, 2, 3}, a.got)
	require.NoError(t, a.errs[0])
	require.ErrorIs(t, a.errs[1], kerr.MessageTooLarge)
	require.NoError(t, a.errs[2])
	for i, refusal := range []bool{false, true, false, true} {
		require.Equal(t, refusal, IsRefusal(a.errs[i]))
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

// Send waits when MaxInFlightBytes are under way, and ends with its context; what was sent before arrives
// nevertheless.
func TestProducerBoundsWhatIsUnderWay(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	_, release := holdProduce(t, cluster)
	p := openTestProducer(t, cluster, ProducerOptions{MaxInFlightBytes: 1000})
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

// Close answers for what no broker acknowledged.
func TestProducerCloseAnswersAll(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	held, _ := holdProduce(t, cluster)
	p := openTestProducer(t, cluster, ProducerOptions{})
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
		require.Equal(t, ErrNotSent, err)
	}
}

// virtualProducer is a producer on a Kafka in memory, both in the bubble of a synctest.
func virtualProducer(t *testing.T, o ProducerOptions) (*Producer, *kfake.Cluster) {
	t.Helper()
	var network kfake.VirtualNetwork
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, testkit.RawTopic),
		kfake.ListenFn(network.Listen))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	o.Client = []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.Dialer(network.DialContext)}
	o.Topic = testkit.RawTopic
	testkit.KeepRecords(t, o.Client...)
	p, err := OpenProducer(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p, cluster
}

// A Kafka that takes nothing for long fails the records, also those of an old time; it does not hang. Neither
// does one that hangs up on every request, so that it is not known what it took.
func TestProducerTimesOut(t *testing.T) {
	for name, fail := range map[string]func(*kfake.Cluster){
		"answers with an error": func(c *kfake.Cluster) { testkit.FailProduce(c, kerr.NotEnoughReplicas) },
		"hangs up": func(c *kfake.Cluster) {
			c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
				c.KeepControl()
				return nil, errors.New("hang up"), true
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, cluster := virtualProducer(t, ProducerOptions{})
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
		p, _ := virtualProducer(t, ProducerOptions{RecordsPerSecond: 20})
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
