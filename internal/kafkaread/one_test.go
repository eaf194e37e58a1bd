package kafkaread

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/pitchstream/pitchstream/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster is a Kafka in memory with a topic of two partitions, and its client.
func cluster(t *testing.T, opts ...kgo.Opt) (*kfake.Cluster, *kgo.Client) {
	t.Helper()
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "raw"))
	require.NoError(t, err)
	t.Cleanup(kafka.Close)
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(kafka.ListenAddrs()...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("raw"))...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return kafka, client
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestReaderReturnsTheRecordAtItsCoordinates(t *testing.T) {
	kafka, client := cluster(t)
	large := make([]byte, 900<<10) // its batch is about what a fetch is bounded by
	for i := range large {
		large[i] = byte(rand.Uint32())
	}
	values := [][]byte{[]byte("0"), large, []byte("2"), nil}
	for _, v := range values {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Partition: 1, Value: v}).FirstErr())
	}
	r := NewReader(kgo.SeedBrokers(kafka.ListenAddrs()...))
	defer r.Close()
	for i, want := range values {
		got, err := valueOf(within(t, time.Minute), r, schemas.Coordinates{Topic: "raw", Partition: 1, Offset: int64(i)})
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), i)
	}
}

// guard: api: a record that is to come is not waited for
func TestReaderReportsARecordThatIsGone(t *testing.T) {
	kafka, client := cluster(t)
	for range 5 {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Value: []byte("x")}).FirstErr())
	}
	_, err := kadm.NewClient(client).DeleteRecords(t.Context(), kadm.Offsets{"raw": {0: {Topic: "raw", Partition: 0, At: 3}}})
	require.NoError(t, err)
	r := NewReader(kgo.SeedBrokers(kafka.ListenAddrs()...))
	defer r.Close()
	var fetches atomic.Int64
	kafka.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		fetches.Add(1)
		return nil, nil, false
	})
	_, err = valueOf(within(t, time.Minute), r, schemas.Coordinates{Topic: "raw", Offset: 5})
	require.ErrorIs(t, err, ErrGone)
	require.Zero(t, fetches.Load(), "a fetch would wait for the next record")
	for _, at := range []schemas.Coordinates{
		{Topic: "raw", Offset: 1}, {Topic: "raw", Offset: 99}, {Topic: "raw", Partition: 7}, {Topic: "none"},
	} {
		_, err := valueOf(within(t, time.Minute), r, at)
		require.ErrorIs(t, err, ErrGone, "%+v", at)
	}
	_, err = valueOf(within(t, time.Minute), r, schemas.Coordinates{Topic: "raw", Offset: 3})
	require.NoError(t, err)
}

// guard: bytes: single records are read two at a time
func TestASecondRecordIsReadMeanwhileButNoThird(t *testing.T) {
	kafka, client := cluster(t)
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Value: []byte("x")}).FirstErr())
	r := NewReader(kgo.SeedBrokers(kafka.ListenAddrs()...))
	defer r.Close()
	at := schemas.Coordinates{Topic: "raw"}
	require.True(t, r.turn.TryAcquire(1))
	_, err := valueOf(within(t, time.Minute), r, at)
	require.NoError(t, err)
	require.True(t, r.turn.TryAcquire(1))
	_, err = valueOf(within(t, 200*time.Millisecond), r, at)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	r.turn.Release(2)
	require.NoError(t, r.Use(within(t, time.Minute), at, MaxAnswerBytes, func(schemas.Record) {
		require.False(t, r.turn.TryAcquire(2), "a record has its turn while it is used")
	}))
	require.True(t, r.turn.TryAcquire(2))
}

// Without an answer of Kafka, Value returns when the caller's context ends.
func TestReaderGivesUpAtTheDeadlineWhenKafkaIsUnavailable(t *testing.T) {
	r := NewReader(kgo.SeedBrokers("127.0.0.1:1"))
	defer r.Close()
	began := time.Now()
	_, err := valueOf(within(t, 500*time.Millisecond), r, schemas.Coordinates{Topic: "raw"})
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrGone)
	require.Less(t, time.Since(began), 30*time.Second)
}

// The records of a packed batch are read one after the other without fetching and unpacking it again each
// time, also those that share a placeholder.
// guard: bytes: the next record of a packed batch is read without unpacking those before it
// guard: bytes: a batch that is kept for its next record is bounded
func TestReaderUnpacksABatchOnceForItsRecordsInARow(t *testing.T) {
	kafka, _ := cluster(t)
	var want []*kgo.Record
	for i := range 60 {
		value := append(fmt.Append(nil, i), bytes.Repeat([]byte(" "), 2<<20)...)
		if i >= 40 {
			value = value[:40<<10]
		}
		want = append(want, &kgo.Record{Value: value})
	}
	produceBatch(t, kafka, codecs["zstd"], want...)
	var fetches atomic.Int64
	kafka.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		kafka.KeepControl()
		fetches.Add(1)
		return nil, nil, false
	})
	r := NewReader(kgo.SeedBrokers(kafka.ListenAddrs()...))
	defer r.Close()
	for i, w := range want {
		got, err := valueOf(within(t, time.Minute), r, schemas.Coordinates{Topic: "raw", Offset: int64(i)})
		require.NoError(t, err)
		require.True(t, bytes.Equal(w.Value, got), i)
	}
	require.EqualValues(t, 1, fetches.Load())
	kept := r.last.Load()
	require.NotNil(t, kept)
	require.False(t, kept.has(kept.topicID, schemas.Coordinates{Topic: "raw", Partition: 1, Offset: 59}))
	require.False(t, kept.has(kadm.TopicID{9}, schemas.Coordinates{Topic: "raw", Offset: 59}))
	_, err := valueOf(within(t, time.Minute), r, schemas.Coordinates{Topic: "raw", Offset: 3})
	require.NoError(t, err, "one before them is fetched again")
	require.EqualValues(t, 2, fetches.Load())

	many := make([]*kgo.Record, keptRecords+1)
	for i := range many {
		many[i] = kept.records[len(kept.records)-1]
	}
	require.Len(t, samePacked(many[1:]), keptRecords)
	require.Empty(t, samePacked(many))
}

// valueOf returns the value of one record.
func valueOf(ctx context.Context, r *Reader, at schemas.Coordinates) ([]byte, error) {
	rec, err := r.Record(ctx, at, MaxAnswerBytes)
	return rec.Value, err
}

// brokenBatch has the broker answer each fetch with a batch whose packed bytes are none.
func brokenBatch(t *testing.T, kafka *kfake.Cluster) {
	t.Helper()
	batch := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: int16(kgo.CodecGzip), ProducerID: -1, ProducerEpoch: -1,
		FirstSequence: -1, NumRecords: 1, Records: []byte("not packed"),
	}
	batch.Length = int32(len(batch.AppendTo(nil)) - 12)
	raw := batch.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	kafka.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		kafka.KeepControl()
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		for _, asked := range req.(*kmsg.FetchRequest).Topics {
			topic := kmsg.NewFetchResponseTopic()
			topic.Topic, topic.TopicID = asked.Topic, asked.TopicID
			part := kmsg.NewFetchResponseTopicPartition()
			part.HighWatermark, part.LastStableOffset, part.RecordBatches = 1, 1, raw
			topic.Partitions = append(topic.Partitions, part)
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
}

// guard: kafkaread: a batch that cannot be read is no fault of the brokers
func TestABrokenBatchIsNoFaultOfTheBrokers(t *testing.T) {
	kafka, client := cluster(t)
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Value: []byte("x")}).FirstErr())
	brokenBatch(t, kafka)
	r := NewReader(kgo.SeedBrokers(kafka.ListenAddrs()...))
	defer r.Close()
	_, err := r.Record(within(t, time.Minute), schemas.Coordinates{Topic: "raw"}, 100)
	require.ErrorIs(t, err, schemas.ErrUnreadable)
}

func TestAReaderThatWaitsForOthersSaysSo(t *testing.T) {
	r := NewReader()
	require.NoError(t, r.turn.Acquire(t.Context(), 2))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Record(ctx, schemas.Coordinates{Topic: "raw"}, 100)
	require.ErrorIs(t, err, schemas.ErrOccupied)
	require.ErrorIs(t, err, context.Canceled)
}
