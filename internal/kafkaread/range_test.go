package kafkaread

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// read returns the offsets that Read hands over, by partition.
func read(t *testing.T, kafka *kfake.Cluster, spans Spans) map[int32][]int64 {
	t.Helper()
	got := map[int32][]int64{}
	opts := []kgo.Opt{kgo.SeedBrokers(kafka.ListenAddrs()...)}
	require.NoError(t, Read(within(t, time.Minute), opts, "raw", spans, func(batch []*kgo.Record) error {
		for _, r := range batch {
			got[r.Partition] = append(got[r.Partition], r.Offset)
		}
		return nil
	}))
	return got
}

func TestReadReturnsTheRecordsOfItsSpansOnly(t *testing.T) {
	kafka, client := cluster(t)
	for i := range 10 {
		r := &kgo.Record{Partition: int32(i % 2), Value: []byte("x"), Timestamp: time.UnixMilli(int64(1000 * (i + 1)))}
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
	}
	admin := kadm.NewClient(client)
	bounds, err := Bounds(t.Context(), admin, "raw", kgo.ReadCommitted())
	require.NoError(t, err)
	require.Equal(t, Spans{0: {0, 0, 5}, 1: {1, 0, 5}}, bounds)
	require.EqualValues(t, 10, bounds.Total())
	require.Equal(t, map[int32][]int64{0: {1, 2}, 1: {4}}, read(t, kafka, Spans{0: {0, 1, 3}, 1: {1, 4, 5}}))
	require.Empty(t, read(t, kafka, Spans{0: {0, 3, 3}}))

	since, err := Since(t.Context(), admin, "raw", bounds, time.UnixMilli(7000))
	require.NoError(t, err)
	require.Equal(t, Spans{0: {0, 3, 5}, 1: {1, 3, 5}}, since)
	since, err = Since(t.Context(), admin, "raw", bounds, time.UnixMilli(99_000))
	require.NoError(t, err)
	require.Zero(t, since.Total(), "no record is that new")
}

// guard: bytes: a range is read in smaller fetches than the stream
// guard: bytes: a range of few records is read in small fetches
func TestAFetchOfARangeIsHeldWithinItsBound(t *testing.T) {
	const size = 3 << 20
	packing := kgo.ProducerBatchCompression(kgo.SnappyCompression())
	kafka, client := cluster(t, packing, kgo.ProducerBatchMaxBytes(2*size))
	for range 3 * fewRecords {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Value: make([]byte, size)}).FirstErr())
	}
	opts := []kgo.Opt{kgo.SeedBrokers(kafka.ListenAddrs()...)}
	for to, bound := range map[int64]int{fewRecords: oneFetchBytes, 3 * fewRecords: rangeUnpackedBytes} {
		whole, packed := 0, 0
		err := Read(within(t, time.Minute), opts, "raw", Spans{0: {0, 0, to}}, func(batch []*kgo.Record) error {
			held := 0
			for _, r := range batch {
				if IsPacked(r) {
					packed++
				} else {
					whole, held = whole+1, held+len(r.Value)
				}
			}
			require.LessOrEqual(t, held, bound)
			return nil
		})
		require.NoError(t, err)
		require.EqualValues(t, to, whole+packed)
		require.Positive(t, packed, "a fetch has more than the bound")
	}
}

func TestAnErrorOfTheCallerEndsTheReading(t *testing.T) {
	kafka, client := cluster(t)
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Value: []byte("x")}).FirstErr())
	opts := []kgo.Opt{kgo.SeedBrokers(kafka.ListenAddrs()...)}
	failed := fmt.Errorf("full")
	err := Read(within(t, time.Minute), opts, "raw", Spans{0: {0, 0, 1}}, func([]*kgo.Record) error { return failed })
	require.Equal(t, failed, err)
}

func TestBoundsStopBeforeAnOpenTransactionUnlessUncommitted(t *testing.T) {
	kafka, client := cluster(t)
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Value: []byte("x")}).FirstErr())
	tx, err := kgo.NewClient(kgo.SeedBrokers(kafka.ListenAddrs()...), kgo.TransactionalID("t"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("raw"))
	require.NoError(t, err)
	defer tx.Close()
	require.NoError(t, tx.BeginTransaction())
	require.NoError(t, tx.ProduceSync(t.Context(), &kgo.Record{Value: []byte("y")}).FirstErr())
	admin := kadm.NewClient(client)
	stable, err := Bounds(t.Context(), admin, "raw", kgo.ReadCommitted())
	require.NoError(t, err)
	all, err := Bounds(t.Context(), admin, "raw", kgo.ReadUncommitted())
	require.NoError(t, err)
	require.EqualValues(t, 1, stable[0].To)
	require.EqualValues(t, 2, all[0].To)
	require.NoError(t, tx.EndTransaction(t.Context(), kgo.TryAbort))
	stable, err = Bounds(t.Context(), admin, "raw", kgo.ReadCommitted())
	require.NoError(t, err)
	require.EqualValues(t, 3, stable[0].To)
	require.Equal(t, map[int32][]int64{0: {0}}, read(t, kafka, stable), "neither aborted records nor markers")

	_, err = Bounds(t.Context(), admin, "none", kgo.ReadCommitted())
	require.ErrorContains(t, err, "none")
}

func TestRecordKeepsCoordinatesKeyHeadersAndValue(t *testing.T) {
	headers := []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "a", Value: nil}}
	r := Record(&kgo.Record{Topic: "raw", Partition: 1, Offset: 2, Timestamp: time.UnixMilli(3), Key: []byte("k"),
		Value: []byte("v"), Headers: headers})
	require.Equal(t, schemas.Record{
		Coordinates: schemas.Coordinates{Topic: "raw", Partition: 1, Offset: 2, TimestampMS: 3},
		Key:         []byte("k"), Value: []byte("v"),
		Headers: []schemas.Header{{Key: "a", Value: []byte("1")}, {Key: "a"}},
	}, r)
	require.Equal(t, headers, Headers(r.Headers))
	require.Nil(t, Headers(nil))
}
