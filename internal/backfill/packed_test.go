package backfill

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/internal/replay"
	"github.com/pitchstream/pitchstream/internal/target"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// partitioned is notified of each record that a producer has put into a batch.
type partitioned chan struct{}

func (p partitioned) OnProduceRecordPartitioned(*kgo.Record, int32) { p <- struct{}{} }

// A batch of very many records is read as a stream, whose records have their dates only once they are loaded.
func TestTheRecordsOfALargeBatchArePlannedOneByOne(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	const n = 60_000
	inBatch := make(partitioned, n)
	client := testkit.KafkaClient(t, cluster, kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.WithHooks(inBatch), kgo.ProducerLinger(time.Minute), kgo.MaxBufferedRecords(2*n),
		kgo.ProducerBatchMaxBytes(64<<20),
		kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	failed := make(chan error, n)
	for i := range n {
		date := []byte("2024-04-01")
		if i >= n/2+5 {
			date = []byte("2024-05-01")
		}
		headers := []kgo.RecordHeader{{Key: schemas.HeaderGameDate, Value: date}}
		r := &kgo.Record{Topic: testkit.RawTopic, Key: []byte("7"), Headers: headers}
		client.Produce(context.WithoutCancel(t.Context()), r, func(_ *kgo.Record, err error) { failed <- err })
	}
	for range n {
		<-inBatch
	}
	require.NoError(t, client.Flush(t.Context()))
	for range n {
		require.NoError(t, <-failed)
	}
	brokers := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	b := &backfill{o: Options{Spec: &Spec{Batches: "month"}, Replay: replay.Options{
		Live: target.Options{TopicRaw: testkit.RawTopic}, Processor: processor.Options{Kafka: brokers},
	}}}
	require.NoError(t, b.connect())
	defer b.client.Close()
	var packed int
	spans := kafkaread.Spans{0: {To: n}}
	err := kafkaread.Read(t.Context(), brokers, testkit.RawTopic, spans, func(all []*kgo.Record) error {
		for _, r := range all {
			if kafkaread.IsPacked(r) {
				packed++
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Positive(t, packed, "the batch is read as a stream")
	batches, err := b.plan(t.Context())
	require.NoError(t, err)
	require.Len(t, batches, 2)
	require.Equal(t, []int64{n/2 + 5, n/2 - 5}, []int64{batches[0].Records, batches[1].Records})
	require.EqualValues(t, n/2+5, batches[1].First[0])
}
