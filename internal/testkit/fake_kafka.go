package testkit

import (
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// RawTopic is the topic of FakeKafka.
const RawTopic = "pitches.raw"

// FakeKafka starts a Kafka in memory with an empty RawTopic of three partitions, which keeps its records.
func FakeKafka(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	opts = append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(3, RawTopic)}, opts...)
	cluster, err := kfake.NewCluster(opts...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	KeepRecords(t, kgo.SeedBrokers(cluster.ListenAddrs()...))
	return cluster
}

// KeepRecords has RawTopic keep its records for ever, as `pitchstream topics` makes it.
func KeepRecords(t testing.TB, client ...kgo.Opt) {
	t.Helper()
	c, err := kgo.NewClient(client...)
	require.NoError(t, err)
	defer c.Close()
	forever := "-1"
	configs := []kadm.AlterConfig{{Name: "retention.ms", Value: &forever}}
	answers, err := kadm.NewClient(c).AlterTopicConfigs(t.Context(), configs, RawTopic)
	require.NoError(t, err)
	for _, answer := range answers {
		require.NoError(t, answer.Err)
	}
}

// KafkaClient opens a client of a Kafka in memory.
func KafkaClient(t testing.TB, cluster *kfake.Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(cluster.ListenAddrs()...))...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// SetMaxMessageBytes sets the largest batch that RawTopic takes.
func SetMaxMessageBytes(t testing.TB, cluster *kfake.Cluster, n int) {
	t.Helper()
	value := strconv.Itoa(n)
	configs := []kadm.AlterConfig{{Name: "max.message.bytes", Value: &value}}
	_, err := kadm.NewClient(KafkaClient(t, cluster)).AlterTopicConfigs(t.Context(), configs, RawTopic)
	require.NoError(t, err)
}

// RawRecords reads all records of RawTopic, by partition, in order.
func RawRecords(t testing.TB, cluster *kfake.Cluster) map[int32][]*kgo.Record {
	t.Helper()
	client := KafkaClient(t, cluster, kgo.ConsumeTopics(RawTopic),
		kgo.FetchMaxBytes(100<<20), kgo.FetchMaxPartitionBytes(50<<20))
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), RawTopic)
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

// Batches collects the record batches of produce requests. Read Seen after the producer has been closed.
type Batches struct {
	mu   sync.Mutex
	Seen []kmsg.RecordBatch
}

// WatchBatches collects the batches that a Kafka in memory receives from now on.
func WatchBatches(cluster *kfake.Cluster) *Batches {
	var b Batches
	cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, topic := range req.(*kmsg.ProduceRequest).Topics {
			for _, partition := range topic.Partitions {
				var batch kmsg.RecordBatch
				if batch.ReadFrom(partition.Records) == nil {
					b.Seen = append(b.Seen, batch)
				}
			}
		}
		return nil, nil, false
	})
	return &b
}

// FailProduce makes the brokers answer every produce request with an error.
func FailProduce(cluster *kfake.Cluster, why *kerr.Error) {
	cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range req.(*kmsg.ProduceRequest).Topics {
			answer := kmsg.ProduceResponseTopic{Topic: topic.Topic, TopicID: topic.TopicID}
			for _, p := range topic.Partitions {
				failed := kmsg.ProduceResponseTopicPartition{Partition: p.Partition, ErrorCode: why.Code}
				answer.Partitions = append(answer.Partitions, failed)
			}
			resp.Topics = append(resp.Topics, answer)
		}
		return resp, nil, true
	})
}
