package consumer

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// manyRecords is a decompressor that takes the first batch for one of very many records.
type manyRecords struct {
	refused atomic.Int64
}

func (d *manyRecords) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if codec != kgo.CodecNone && d.refused.Add(1) == 1 {
		return nil, &kafkaread.TooManyRecordsError{Records: 12_000_000, Share: 100 * kafkaread.SharedRecords}
	}
	return kgo.DefaultDecompressor().Decompress(src, codec)
}

// guard: a batch of very many records stops no partition
// guard: polls become large again behind a batch of very many records
func TestABatchOfVeryManyRecordsStopsNoPartition(t *testing.T) {
	inVirtualTime(t, "some seconds")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.client.Close()
		cl.client = cl.newClient(kgo.ProducerBatchCompression(kgo.SnappyCompression()))
		t.Cleanup(cl.client.Close)
		s := newScorer(5)
		cl.produce(good(s, 21)...)
		d := &manyRecords{}
		var later atomic.Int64
		w := cl.start(func(c *Config) {
			c.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
			c.CommitEvery, c.PollMaxRecords = -1, 50
			c.Client = append(c.Client, kgo.WithDecompressor(d))
		})
		cl.waitCommitted()
		cl.waitFor("one record at a time", func() bool { return w.seen.batchCount() == 21 })
		later.Store(int64(packedQuiet))
		cl.produce(good(s, 1)...)
		cl.waitFor("another session", func() bool {
			return strings.Contains(w.log.String(), errPackedRead.Error())
		})
		cl.waitCommitted()
		require.EqualValues(t, kafkaread.SharedRecords, w.cfg.share.Load())
		w.halt()
		cl.requireConsistent()
	})
}

// guard: polls stay small while a batch of very many records takes long
func TestABatchOfVeryManyRecordsThatTakesLongIsReadOn(t *testing.T) {
	now := time.Unix(0, 0)
	cfg := &Config{Now: func() time.Time { return now }, share: &atomic.Int64{}}
	s := &session{cfg: cfg, packedAt: now, polledPacked: true}
	cfg.share.Store(2 * kafkaread.SharedRecords)
	now = now.Add(2 * packedQuiet)
	require.NoError(t, s.packedRead(), "so long took what was polled")
	now = now.Add(packedQuiet)
	require.ErrorIs(t, s.packedRead(), errPackedRead)
}

// producePacked sends records as one batch of partition 1. It is too large to be unpacked whole, because of
// the many deletes of one pitch behind them. One other record comes before.
func (cl *cluster) producePacked(records ...schemas.Record) {
	cl.t.Helper()
	cl.produce(readable(1)...) // the topic is known then
	const many = 50_001        // more than are unpacked whole
	limit := "64000000"
	_, err := kadm.NewClient(cl.client).AlterTopicConfigs(cl.t.Context(),
		[]kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}, rawTopic)
	require.NoError(cl.t, err)
	client := cl.newClient(kgo.ProducerBatchCompression(kgo.SnappyCompression()),
		kgo.ProducerLinger(time.Minute), kgo.ProducerBatchMaxBytes(64<<20), kgo.MaxBufferedRecords(2*many),
		kgo.DisableIdempotentWrite(), kgo.DefaultProduceTopic(rawTopic))
	defer client.Close()
	filler := schemas.Record{Key: []byte("1"), Headers: []schemas.Header{
		{Key: "op", Value: []byte("delete")}, {Key: "pitch_id", Value: []byte("00000000-0000-4000-8000-000000000009")},
	}}
	for len(records) < many {
		records = append(records, filler)
	}
	sent := make([]*kgo.Record, len(records))
	failed := make(chan error, len(records))
	for i := range records {
		r := &records[i]
		sent[i] = &kgo.Record{
			Partition: 1, Key: r.Key, Value: r.Value, Headers: kafkaread.Headers(r.Headers),
			Timestamp: time.UnixMilli(r.TimestampMS),
		}
		client.Produce(cl.t.Context(), sent[i], func(_ *kgo.Record, err error) { failed <- err })
	}
	require.NoError(cl.t, client.Flush(cl.t.Context()))
	for i, r := range sent {
		require.NoError(cl.t, <-failed)
		records[i].Coordinates.Topic, records[i].Partition, records[i].Offset = rawTopic, 1, r.Offset
	}
	cl.sent = append(cl.sent, records...)
}

// pitchAt returns a record of a pitch of its own, of a game.
func pitchAt(n int, game string) schemas.Record {
	return schemas.Record{Key: []byte(game), Value: fmt.Appendf(nil,
		`{"summary_acts":{"pitch":{"eventId":"00000000-0000-4000-8000-%012d"}}}`, 1000+n)}
}

// A replay of one game, and one that ends within records that are packed together. Its records are those of
// the game below the end.
// guard: replay: a packed record within the bounds is replayed
// guard: replay: of packed records only those that were asked for are replayed
func TestAReplayHasTheRecordsOfPackedBatches(t *testing.T) {
	inVirtualTime(t, "some seconds")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		var records []schemas.Record
		for i := range 64 {
			records = append(records, pitchAt(i, []string{"1", "2"}[i%2]))
		}
		cl.producePacked(records...)
		first := cl.sent[1].Offset
		r := &Replay{
			ID: "r", From: map[int32]int64{0: 0, 1: first, 2: 0}, To: map[int32]int64{0: 0, 1: first + 41, 2: 0},
			Keep: func(r *kgo.Record) bool { return string(r.Key) == "2" },
		}
		w := cl.start(func(c *Config) { c.Replay = r })
		<-w.done
		require.NoError(t, w.err)
		rows, err := cl.store.Rows(t.Context())
		require.NoError(t, err)
		require.Len(t, rows, 20)
		for _, row := range rows {
			require.Equal(t, "2", string(row.GamePK))
		}
		require.LessOrEqual(t, cl.positions()[1], first+41)
	})
}

// A person has set the group between records that are packed together. Those before are stored again, and get
// no dead letter, and those behind get one.
// guard: no record is processed again for being packed with others
// guard: a refill has the records that are packed with later ones
func TestAGroupWithinAPackedBatchSendsEachDeadLetterOnce(t *testing.T) {
	inVirtualTime(t, "some seconds")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		var records []schemas.Record
		for i := range 64 {
			if i%2 == 0 {
				records = append(records, poison(1, 1)...)
			} else {
				records = append(records, pitchAt(i, "1"))
			}
		}
		cl.producePacked(records...)
		first := cl.sent[1].Offset
		own := tally{Core: features.CoreVersion}
		cl.commit(*own.metadata(), func(id int32) int64 {
			if id == 1 {
				return first + 40
			}
			return 0
		})
		w := cl.start()
		cl.waitCommitted()
		w.halt()
		require.Len(t, cl.readAll(deadTopic), 12)
		rows, err := cl.store.Rows(t.Context())
		require.NoError(t, err)
		require.Len(t, rows, 1+32)
	})
}

// Many records of usual size are packed so well that their batch is not unpacked whole.
// guard: bytes: the dead letter of a packed record is whole
func TestTheDeadLetterOfAPackedRecordIsWhole(t *testing.T) {
	inVirtualTime(t, "some seconds")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		torn := pitchAt(1, "1")
		torn.Value = append(bytes.Repeat([]byte(" "), 130_000), torn.Value[:60]...)
		cl.producePacked(torn)
		cl.process()
		dead := cl.readAll(deadTopic)
		require.Len(t, dead, 1)
		require.True(t, bytes.Equal(torn.Value, dead[0].Value))
		for _, h := range dead[0].Headers {
			require.NotEqual(t, schemas.HeaderDLQTruncated, h.Key)
		}
	})
}

// fetchPacked returns the records of partition 1 as a session polls them.
func (cl *cluster) fetchPacked() (records []*kgo.Record) {
	cl.t.Helper()
	from := map[string]map[int32]kgo.Offset{rawTopic: {1: kgo.NewOffset().AtStart()}}
	unpack := kafkaread.UnpackSharing(kafkaread.SharedRecords)
	client := cl.newClient(append(unpack, kgo.ConsumePartitions(from))...)
	defer client.Close()
	for end := cl.sent[len(cl.sent)-1].Offset; len(records) == 0 || records[len(records)-1].Offset < end; {
		fetches := client.PollFetches(cl.t.Context())
		require.NoError(cl.t, fetches.Err())
		records = append(records, fetches.Records()...)
	}
	return records
}

// The accepted records before the rejected one are larger than all that a poll keeps. They keep bytes only
// where the store may refuse them.
// guard: bytes: accepted records take no room from dead letters
// guard: bytes: a packed record keeps bytes only while it may become a dead letter
func TestAcceptedRecordsTakeNoRoomFromDeadLetters(t *testing.T) {
	inVirtualTime(t, "some seconds")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		var records []schemas.Record
		for i := range keptPollBytes/kafkaread.KeptBytes + 1 {
			r := pitchAt(i, "1")
			r.Value = append(bytes.Repeat([]byte(" "), kafkaread.KeptBytes), r.Value...)
			records = append(records, r)
		}
		torn := pitchAt(1, "1")
		torn.Value = append(bytes.Repeat([]byte(" "), 130_000), torn.Value[:60]...)
		cl.producePacked(append(records, torn)...)
		polled := cl.fetchPacked()
		for _, keepsBytes := range []bool{false, true} {
			cfg := &Config{Now: time.Now, Observer: NopObserver{}}
			decoded, err := decode(t.Context(), cfg, polled, keepsBytes)
			require.NoError(t, err)
			require.Len(t, decoded, len(cl.sent))
			require.Equal(t, keepsBytes, len(decoded[1].Record.Value) > 0)
			last := decoded[1+len(records)]
			require.NotNil(t, last.Rejection)
			require.True(t, bytes.Equal(torn.Value, last.Record.Value), "%v", keepsBytes)
		}
	})
}

// The rejected records have more headers than a poll keeps, of two bytes each in their batch.
// guard: bytes: what is kept of the headers of a poll is bounded
func TestRejectedRecordsOfManyHeadersAreHeldWithinABound(t *testing.T) {
	inVirtualTime(t, "some seconds")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		revision := schemas.Header{Key: schemas.HeaderRevision, Value: []byte("2")}
		many := append(make([]schemas.Header, 3000), revision)
		held := size(&schemas.Record{Headers: many})
		var records []schemas.Record
		for range 3 * keptPollBytes / held {
			records = append(records, schemas.Record{Key: []byte("1"), Headers: many, Value: []byte("{")})
		}
		cl.producePacked(records...)
		cfg := &Config{Now: time.Now, Observer: NopObserver{}}
		decoded, err := decode(t.Context(), cfg, cl.fetchPacked(), false)
		require.NoError(t, err)
		total := 0
		for i := range records {
			d := decoded[1+i]
			require.NotNil(t, d.Rejection)
			require.Contains(t, d.Record.Headers, revision)
			missing := int64(len(many) - len(d.Record.Headers))
			require.Equal(t, missing > 0, d.Record.Cut != nil)
			if missing > 0 {
				require.Equal(t, missing, d.Record.Cut.Headers)
			}
			total += size(&d.Record)
		}
		require.Less(t, total, keptPollBytes+held+len(records)*2048)
		require.Greater(t, total, keptPollBytes)
	})
}

// abortingSource aborts each transaction.
type abortingSource struct{ recordSource }

func (abortingSource) Begin() error { return nil }

func (abortingSource) End(context.Context, kgo.TransactionEndTry) (committed bool, err error) {
	return false, nil
}

// guard: what was dropped is loaded again from packed batches, too
func TestAfterAnAbortAllRecordsOfAPackedBatchAreLoadedAgain(t *testing.T) {
	p := &partitions{byID: map[int32]*partition{1: {rewind: 3, polled: 9}}}
	txn := &transaction{cfg: &Config{}, kafka: abortingSource{}, rewound: p.rewound}
	require.NoError(t, txn.abort(t.Context()))
	at, _ := p.get(1)
	require.EqualValues(t, -1, at.polled)
}
