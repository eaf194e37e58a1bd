package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// xerialWriter packs snappy as Java producers do.
type xerialWriter struct{ out *bytes.Buffer }

// Write implements io.Writer.
func (w xerialWriter) Write(p []byte) (int, error) {
	for some := p; len(some) > 0; {
		n := min(32<<10, len(some))
		block := s2.EncodeSnappy(nil, some[:n])
		w.out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(block))))
		w.out.Write(block)
		some = some[n:]
	}
	return len(p), nil
}

// Close implements io.Closer.
func (xerialWriter) Close() error { return nil }

// packedWith returns a writer that packs with a codec of Kafka.
func packedWith(t *testing.T, codec kgo.CompressionCodecType, out *bytes.Buffer) io.WriteCloser {
	t.Helper()
	switch codec {
	case kgo.CodecGzip:
		return gzip.NewWriter(out)
	case kgo.CodecSnappy:
		out.Write([]byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1})
		return xerialWriter{out}
	case kgo.CodecLz4:
		return lz4.NewWriter(out)
	}
	window := 8 << 20
	if codec == longZstd {
		window = 128 << 20 // zstd --long=27, the largest that Kafka reads
	}
	w, err := zstd.NewWriter(out, zstd.WithWindowSize(window))
	require.NoError(t, err)
	return w
}

// longZstd is zstd whose reader must remember as much as it can be asked to.
const longZstd = kgo.CodecZstd | 1<<3

// hostileBatch is a batch of n records with a value of size spaces each, as it is on the wire.
func hostileBatch(t *testing.T, codec kgo.CompressionCodecType, n, size int) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := packedWith(t, codec, &packed)
	spaces := bytes.Repeat([]byte(" "), size)
	for i := range n {
		head := binary.AppendVarint(binary.AppendVarint([]byte{0}, 0), int64(i)) // attributes, timestamp, offset
		head = append(binary.AppendVarint(head, 6), "716404"...)
		head = binary.AppendVarint(head, int64(size))
		_, err := w.Write(append(binary.AppendVarint(nil, int64(len(head)+size+1)), head...))
		require.NoError(t, err)
		_, err = w.Write(spaces)
		require.NoError(t, err)
		_, err = w.Write(binary.AppendVarint(nil, 0)) // headers
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	batch := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: int16(codec &^ (1 << 3)), LastOffsetDelta: int32(n - 1),
		FirstTimestamp: 1_727_561_077_000, MaxTimestamp: 1_727_561_077_000,
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
		NumRecords: int32(n), Records: packed.Bytes(),
	}
	batch.Length = int32(len(batch.AppendTo(nil)) - 12)
	raw := batch.AppendTo(nil)
	sum := crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(raw[17:], sum)
	return raw
}

// produceRaw appends a batch to a partition of the raw topic.
func produceRaw(w *stack.Stack, partition int32, batch []byte) {
	w.T.Helper()
	topics, err := w.Admin.ListTopics(w.T.Context(), w.Raw())
	require.NoError(w.T, err)
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 30_000
	part := kmsg.NewProduceRequestTopicPartition()
	part.Partition, part.Records = partition, batch
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic, topic.TopicID = w.Raw(), topics[w.Raw()].ID
	topic.Partitions = []kmsg.ProduceRequestTopicPartition{part}
	req.Topics = []kmsg.ProduceRequestTopic{topic}
	resp, err := req.RequestWith(w.T.Context(), w.Client)
	require.NoError(w.T, err)
	require.NoError(w.T, kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode))
}

// hostileStack is a Kafka in memory whose raw topic takes batches of 64 MiB.
func hostileStack(t *testing.T) *stack.Stack {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	w := stack.On(t, strings.Join(cluster.ListenAddrs(), ","), testkit.Postgres(t), testkit.Redis(t), 2)
	limit := "67108864"
	_, err = w.Admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}, w.Raw())
	require.NoError(t, err)
	return w
}

// deadLettersOf counts the dead letters, and requires each only once.
func deadLettersOf(w *stack.Stack) map[string]map[string]string {
	w.T.Helper()
	found := map[string]map[string]string{}
	w.Each(w.Dead(), func(r *kgo.Record) {
		h := stack.Headers(r)
		at := h[schemas.HeaderDLQPartition] + "@" + h[schemas.HeaderDLQOffset]
		require.Nil(w.T, found[at], "a second dead letter of %s", at)
		found[at] = h
	})
	return found
}

// Batches that unpack to some hundred times their size take no more memory than others, by default settings.
// Each of their records is a dead letter, and each real one among them a row. PITCHSTREAM_HOSTILE_BATCHES
// says how many; make hostile has 1,000.
// guard: bytes: what is kept of large records is bounded
func TestHostileBatchesTakeNoMemory(t *testing.T) {
	w := hostileStack(t)
	batches := 6
	if n, err := strconv.Atoi(os.Getenv("PITCHSTREAM_HOSTILE_BATCHES")); err == nil {
		batches = n
	}
	w.Patience = 2*time.Minute + time.Duration(batches)*3*time.Second
	shapes := []struct {
		codec   kgo.CompressionCodecType
		n, size int
	}{
		{kgo.CodecZstd, 60, 16_000_000}, {kgo.CodecGzip, 60, 16_000_000}, {kgo.CodecLz4, 60, 16_000_000},
		{kgo.CodecSnappy, 20, 16_000_000}, {longZstd, 3, 100_000_000}, {kgo.CodecZstd, 100_000, 10_000},
	}
	const fewer = 3000 // records of the last shape from its third batch on, because 100,000 take 10 s
	packed := make([][]byte, len(shapes))
	rows, hostile := 0, 0
	real := func() {
		var some []*kgo.Record
		for range 20 {
			rows++
			some = append(some, &kgo.Record{Key: []byte(strconv.Itoa(rows % 3)), Value: monster(rows, 50_000)})
		}
		w.Produce(some...)
	}
	p := w.Start("--breaker-in-a-row=0", "--breaker-share=0")
	for i := range batches {
		real()
		if i == 2*len(shapes) {
			shapes[len(shapes)-1].n, packed[len(shapes)-1] = fewer, nil
		}
		s := shapes[i%len(shapes)]
		if packed[i%len(shapes)] == nil {
			packed[i%len(shapes)] = hostileBatch(t, s.codec, s.n, s.size)
		}
		produceRaw(w, int32(i%2), packed[i%len(shapes)])
		hostile += s.n
	}
	real()
	w.WaitCaughtUp()
	peak := peakBytes(t, p)
	t.Logf("%d hostile records in %d batches, %d real ones: peak %d MiB", hostile, batches, rows, peak>>20)
	require.Equal(t, hostile, countDeadLetters(w))
	require.Equal(t, rows, pitchesOf(w))
	require.Less(t, peak, int64(400<<20))
	p.Halt()
	if batches < 100 { // which unpacks everything once more
		w.Output("verify", "topic")
	}
}

// countDeadLetters counts the dead letters, and requires each only once.
func countDeadLetters(w *stack.Stack) int {
	w.T.Helper()
	type place struct{ partition, offset string }
	found := map[place]bool{}
	w.Each(w.Dead(), func(r *kgo.Record) {
		h := stack.Headers(r)
		at := place{h[schemas.HeaderDLQPartition], h[schemas.HeaderDLQOffset]}
		if found[at] {
			w.T.Fatalf("a second dead letter of %v", at)
		}
		found[at] = true
	})
	return len(found)
}

// pitchesOf counts the rows in Postgres.
func pitchesOf(w *stack.Stack) (n int) {
	w.T.Helper()
	conn, err := pgx.Connect(w.T.Context(), w.Postgres)
	require.NoError(w.T, err)
	defer func() { _ = conn.Close(w.T.Context()) }()
	require.NoError(w.T, conn.QueryRow(w.T.Context(), "SELECT count(*) FROM pitchstream.pitches").Scan(&n))
	return n
}

// A record that its dead-letter topic does not take in any form stops nothing: the dead letter is truncated,
// and dlq finds the whole record where it failed.
// guard: bytes: a dead letter too large for its topic is truncated
func TestADeadLetterThatItsTopicRefusesIsTruncated(t *testing.T) {
	w := hostileStack(t)
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 34<<20)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	small := "40000" // the topic takes less than it took when the processor started
	medium := noise[:80_000]
	p := w.Start("--breaker-in-a-row=0", "--breaker-share=0")
	w.Produce(&kgo.Record{Key: []byte("1"), Value: monster(1, 1000)})
	w.WaitCaughtUp()
	_, err := w.Admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &small}}, w.Dead())
	require.NoError(t, err)
	w.Produce(&kgo.Record{Key: []byte("1"), Value: medium}, &kgo.Record{Key: []byte("1"), Value: monster(2, 1000)})
	headers := []kgo.RecordHeader{{Key: "trace", Value: noise[:200_000]}}
	large := [][]byte{noise[1:], noise[2:], noise[3:]} // in every codec: they do not pack
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.ZstdCompression(), kgo.GzipCompression()}
	for i, codec := range codecs {
		client, err := kgo.NewClient(kgo.SeedBrokers(w.Brokers), kgo.ProducerBatchMaxBytes(64<<20),
			kgo.DefaultProduceTopic(w.Raw()), kgo.ProducerBatchCompression(codec))
		require.NoError(t, err)
		r := &kgo.Record{Key: []byte("1"), Value: large[i]}
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
		client.Close()
	}
	w.Produce(&kgo.Record{Key: noise[:100_000], Value: []byte("no pitch"), Headers: headers})
	w.Produce(&kgo.Record{Key: []byte("1"), Value: monster(3, 1000)})
	w.WaitCaughtUp()
	peak := peakBytes(t, p)
	t.Logf("peak %d MiB", peak>>20)
	require.Equal(t, 3, pitchesOf(w))
	require.Less(t, peak, int64(400<<20))
	dead := deadLettersOf(w)
	require.Len(t, dead, 5)
	sums := map[string]string{}
	for _, h := range dead {
		require.Equal(t, "true", h[schemas.HeaderDLQTruncated])
		sums[h[schemas.HeaderDLQValueBytes]] = h[schemas.HeaderDLQValueSHA256]
	}
	for _, value := range append(large, medium, []byte("no pitch")) {
		sum := sha256.Sum256(value)
		require.Equal(t, hex.EncodeToString(sum[:]), sums[strconv.Itoa(len(value))])
	}
	require.Contains(t, w.Output("dlq", "show", "--code=malformed_json", "--limit=0"), fmt.Sprintf("SHA-256 %x", sha256.Sum256(medium)))
	p.Halt()
	w.Output("dlq", "retry", "--code=too_large", "--max-record-bytes=40MiB", "--limit=1", "--again")
	again := 0
	w.Each(w.Raw(), func(r *kgo.Record) {
		if stack.Headers(r)[schemas.HeaderDLQOriginOffset] != "" {
			again++
			require.Contains(t, slices.Collect(maps.Keys(sums)), strconv.Itoa(len(r.Value)))
			require.Equal(t, sums[strconv.Itoa(len(r.Value))], fmt.Sprintf("%x", sha256.Sum256(r.Value)))
		}
	})
	require.Equal(t, 1, again, "a retry sends the whole record")
}
