package kafkaread

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// xerialCompressor packs snappy as Java producers do, in blocks of a size.
type xerialCompressor int

func (size xerialCompressor) Compress(
	dst *bytes.Buffer, src []byte, _ ...kgo.CompressFlag,
) ([]byte, kgo.CompressionCodecType) {
	dst.Write(append(bytes.Clone(xerial), 0, 0, 0, 1, 0, 0, 0, 1))
	for len(src) > 0 {
		n := min(int(size), len(src))
		block := s2.EncodeSnappy(nil, src[:n])
		dst.Write(binary.BigEndian.AppendUint32(nil, uint32(len(block))))
		dst.Write(block)
		src = src[n:]
	}
	return dst.Bytes(), kgo.CodecSnappy
}

// codecs are all ways in which producers pack a batch.
var codecs = map[string]kgo.Opt{
	"zstd":           kgo.ProducerBatchCompression(kgo.ZstdCompression()),
	"gzip":           kgo.ProducerBatchCompression(kgo.GzipCompression()),
	"lz4":            kgo.ProducerBatchCompression(kgo.Lz4Compression()),
	"snappy":         kgo.ProducerBatchCompression(kgo.SnappyCompression()),
	"snappy, xerial": kgo.WithCompressor(xerialCompressor(32 << 10)),
	"snappy, large":  kgo.WithCompressor(xerialCompressor(1 << 30)),
}

// partitioned is notified of each record that a producer has put into a batch.
type partitioned chan struct{}

func (p partitioned) OnProduceRecordPartitioned(*kgo.Record, int32) { p <- struct{}{} }

// produceBatch writes records as one batch. All must be in it before the flush, because a producer that
// learns of the topic during a flush sends the first ones at once.
func produceBatch(t *testing.T, kafka *kfake.Cluster, codec kgo.Opt, records ...*kgo.Record) {
	t.Helper()
	inBatch := make(partitioned, len(records))
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.ListenAddrs()...), codec, kgo.WithHooks(inBatch),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("raw"),
		kgo.ProducerBatchMaxBytes(1<<30), kgo.BrokerMaxWriteBytes(1<<30), kgo.MaxBufferedRecords(1<<30),
		kgo.ProducerLinger(time.Minute), kgo.DisableIdempotentWrite(),
	)
	require.NoError(t, err)
	defer client.Close()
	limit := "200000000"
	_, err = kadm.NewClient(client).AlterTopicConfigs(t.Context(),
		[]kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}, "raw")
	require.NoError(t, err)
	failed := make(chan error, len(records))
	for _, r := range records {
		client.Produce(t.Context(), r, func(_ *kgo.Record, err error) { failed <- err })
	}
	for range records {
		select {
		case <-inBatch:
		case err := <-failed:
			t.Fatal("a record could not be put into the batch:", err)
		}
	}
	require.NoError(t, client.Flush(t.Context()))
	for range records {
		require.NoError(t, <-failed)
	}
}

// readAll returns all records of partition 0, whole up to limit.
func readAll(t *testing.T, kafka *kfake.Cluster, n int64, limit int) (all []schemas.Record, polled int) {
	t.Helper()
	opts := []kgo.Opt{kgo.SeedBrokers(kafka.ListenAddrs()...)}
	err := Read(t.Context(), opts, "raw", Spans{0: {To: n}}, func(records []*kgo.Record) error {
		polled += len(records)
		some, err := Map(records, limit, 2, func(rec schemas.Record, _ bool) schemas.Record { return Clone(rec) })
		all = append(all, some...)
		return err
	})
	require.NoError(t, err)
	return all, polled
}

// noisy returns a value of n bytes that hardly packs, different for each seed.
func noisy(seed uint64, n int) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// A batch beyond the bounds gives the records that it has, byte for byte: large ones, small ones, and one
// without a value, with their keys, headers, offsets and timestamps.
// guard: bytes: a batch is unpacked whole only within its bound
func TestABatchBeyondItsBoundGivesEveryRecord(t *testing.T) {
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			kafka, _ := cluster(t)
			var want []*kgo.Record
			for i := range 50 {
				r := &kgo.Record{
					Key: fmt.Append(nil, i), Timestamp: time.UnixMilli(1_700_000_000_000 + int64(i)),
					Headers: []kgo.RecordHeader{{Key: "n", Value: fmt.Append(nil, "header ", i)}},
					Value:   bytes.Repeat([]byte(" "), 3<<19),
				}
				switch {
				case i%10 == 3:
					r.Value = noisy(uint64(i), 100<<10)
				case i%10 >= 7:
					r.Value = fmt.Append(nil, "a small one: ", i)
				case i == 25:
					r.Value = nil
				}
				want = append(want, r)
			}
			produceBatch(t, kafka, codec, want...)
			got, polled := readAll(t, kafka, 50, 16<<20)
			require.Len(t, got, 50)
			require.Less(t, polled, 50, "small ones share a placeholder")
			for i, r := range got {
				w := want[i]
				require.Equal(t, int64(i), r.Offset)
				require.Equal(t, w.Timestamp.UnixMilli(), r.TimestampMS)
				require.Equal(t, w.Key, r.Key)
				require.Equal(t, w.Headers[0].Value, r.Headers[0].Value)
				require.True(t, bytes.Equal(w.Value, r.Value), i)
				require.Nil(t, r.Cut)
			}
			require.Nil(t, got[25].Value)
		})
	}
}

// A value beyond the limit is cut, and its hash is that of the whole.
func TestALargeValueOfAPackedBatchIsCut(t *testing.T) {
	kafka, _ := cluster(t)
	large := bytes.Repeat([]byte(" "), 40<<20)
	produceBatch(t, kafka, codecs["zstd"], &kgo.Record{Value: large}, &kgo.Record{Value: []byte("small")})
	got, _ := readAll(t, kafka, 2, 16<<20)
	require.Len(t, got, 2)
	require.Equal(t, &schemas.Cut{Bytes: 40 << 20, SHA256: sha256.Sum256(large)}, got[0].Cut)
	require.Len(t, got[0].Value, KeptBytes)
	require.EqualValues(t, 40<<20, got[0].Size())
	require.Equal(t, "small", string(got[1].Value))
}

// Keys and headers of a packed batch are cut, too, and the record says so. The headers that the core reads
// are there behind any number of others, because without its revision a correction would be an older version.
// guard: bytes: a record whose key or headers are cut says so
// guard: bytes: headers that the core reads are kept behind many others
// guard: bytes: a single record has its whole key
func TestLongKeysAndHeadersOfAPackedBatchAreCut(t *testing.T) {
	kafka, _ := cluster(t)
	key := noisy(1, 20<<10)
	long := &kgo.Record{Key: key, Value: []byte("long key")}
	many := &kgo.Record{Key: []byte("1"), Value: []byte("many headers")}
	revision := func(n string) kgo.RecordHeader { return kgo.RecordHeader{Key: "revision", Value: []byte(n)} }
	many.Headers = append(many.Headers, revision("1"))
	for i := range 12 {
		many.Headers = append(many.Headers, kgo.RecordHeader{Key: "noise", Value: noisy(uint64(i), 15<<10)})
	}
	many.Headers = append(many.Headers, revision("2"), revision("3"))
	short := &kgo.Record{Key: []byte("1"), Value: []byte("short")}
	filler := &kgo.Record{Value: bytes.Repeat([]byte(" "), 40<<20)}
	produceBatch(t, kafka, codecs["zstd"], filler, long, many, short)
	got, _ := readAll(t, kafka, 4, 50<<20)
	require.Len(t, got, 4)
	require.Equal(t, key[:KeptBytes], got[1].Key)
	want := schemas.Cut{Bytes: 8, SHA256: sha256.Sum256(long.Value), KeyBytes: 20 << 10}
	require.Equal(t, &want, got[1].Cut)
	require.Equal(t, "long key", string(got[1].Value))
	last := got[2].Headers[len(got[2].Headers)-1]
	require.Equal(t, schemas.Header{Key: "revision", Value: []byte("3")}, last)
	require.EqualValues(t, len(many.Headers), int64(len(got[2].Headers))+got[2].Cut.Headers)
	require.Zero(t, got[2].Cut.KeyBytes)
	require.Nil(t, got[3].Cut)

	r := NewReader(kgo.SeedBrokers(kafka.ListenAddrs()...))
	defer r.Close()
	for i, w := range []*kgo.Record{long, many} {
		one, err := r.Record(t.Context(), schemas.Coordinates{Topic: "raw", Offset: int64(i + 1)}, 100)
		require.NoError(t, err)
		require.Nil(t, one.Cut)
		require.Equal(t, w.Key, one.Key)
		require.Equal(t, w.Headers, Headers(one.Headers))
	}
}

// An empty header has two bytes in a batch, which pack to none, and forty in memory. So a record of a million
// is cut, in a batch of any size.
// guard: bytes: an empty header is not free
// guard: bytes: headers without bytes do not take the memory
func TestAMillionEmptyHeadersAreNotHeld(t *testing.T) {
	kafka, _ := cluster(t)
	const n = 1 << 20
	many := &kgo.Record{Key: []byte("1"), Value: []byte("x"), Headers: make([]kgo.RecordHeader, n)}
	many.Headers = append(many.Headers, kgo.RecordHeader{Key: "revision", Value: []byte("2")})
	short := &kgo.Record{Headers: []kgo.RecordHeader{{Key: "revision", Value: []byte("3")}}}
	produceBatch(t, kafka, codecs["zstd"], short, many, &kgo.Record{Headers: short.Headers})
	got, _ := readAll(t, kafka, 3, 16<<20)
	require.Len(t, got, 3)
	headers := got[1].Headers
	require.LessOrEqual(t, len(headers), keptHeaderBytes/40+1)
	require.Equal(t, schemas.Header{Key: "revision", Value: []byte("2")}, headers[len(headers)-1])
	require.EqualValues(t, n+1, int64(len(headers))+got[1].Cut.Headers)
	require.Equal(t, "x", string(got[1].Value))
	for _, i := range []int{0, 2} {
		require.Nil(t, got[i].Cut)
		require.Equal(t, short.Headers, Headers(got[i].Headers))
	}
}

func TestHeadersOfABatchAreCountedAsTheClientMakesThem(t *testing.T) {
	u := newFetch()
	record := []byte{0, 0, 0, 1, 1} // no key, no value
	record = append(binary.AppendVarint(record, 300_000), make([]byte, 600_000)...)
	batch := append(binary.AppendVarint(nil, int64(len(record))), record...)
	packed := s2.EncodeSnappy(nil, batch)
	for i := range 4 {
		out, err := u.Decompress(packed, kgo.CodecSnappy)
		require.NoError(t, err)
		require.Equal(t, i < 2, bytes.Equal(batch, out), "batch %d of a fetch", i)
	}
	u.OnBrokerRead(kgo.BrokerMetadata{}, 1, 0, 0, 0, nil)
	out, err := u.Decompress(packed, kgo.CodecSnappy)
	require.NoError(t, err)
	require.True(t, bytes.Equal(batch, out), "the next fetch")
	lying := []byte{20, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f}
	_, headers := countParts(lying)
	require.Zero(t, headers, "more headers than bytes are none")
}

// emptyRecords returns a packed batch of n records without anything.
func emptyRecords(n int) []byte {
	return s2.EncodeSnappy(nil, bytes.Repeat([]byte{6 << 1, 0, 0, 0, 1, 1, 0}, n))
}

func newFetch() *unpacker {
	return &unpacker{share: SharedRecords, fetchBytes: unpackedFetchBytes, left: unpackedFetchBytes}
}

// Small batches count with their buffers: those unpacked whole, and behind them those with placeholders. The
// first that would be too much ends the fetch, in a way that the client retries. The next fetch takes it.
// guard: bytes: a small batch counts with its buffer
func TestVeryManySmallBatchesOfAFetchAreHeldWithinABound(t *testing.T) {
	u, one := newFetch(), emptyRecords(1)
	held, whole := 0, 0
	out, err := u.Decompress(one, kgo.CodecSnappy)
	for ; err == nil && len(u.deferred) == 0; out, err = u.Decompress(one, kgo.CodecSnappy) {
		held += cap(out)
		whole++
	}
	require.NoError(t, err)
	require.LessOrEqual(t, held, unpackedFetchBytes+smallestBuffer)
	require.Greater(t, whole, 10_000, "small batches have small buffers")
	for err == nil {
		_, err = u.Decompress(one, kgo.CodecSnappy)
	}
	require.ErrorIs(t, err, errFetchFull)
	require.True(t, kerr.IsRetriable(err))
	require.InDelta(t, placeholderBytes/(deferredBytes+len(out)), len(u.deferred), 10)
	u.OnBrokerRead(kgo.BrokerMetadata{}, 1, 0, 0, 0, nil)
	_, err = u.Decompress(one, kgo.CodecSnappy)
	require.NoError(t, err)
}

// Batches of 50,000 records each would be a gigabyte of the client's records.
// guard: bytes: the records of a fetch are bounded
func TestTheRecordsOfAFetchAreHeldWithinABound(t *testing.T) {
	u, batch := newFetch(), emptyRecords(wholeRecords)
	for i := range wholeFetchRecords/wholeRecords + 2 {
		_, err := u.Decompress(batch, kgo.CodecSnappy)
		require.NoError(t, err)
		require.Len(t, u.deferred, max(0, i+1-wholeFetchRecords/wholeRecords))
	}
	require.Equal(t, wholeFetchRecords, u.records)
}

// guard: bytes: the placeholders of a fetch are bounded
func TestThePlaceholdersOfAFetchAreHeldWithinABound(t *testing.T) {
	u, batch := newFetch(), emptyRecords(2_000_000)
	held := 0
	for {
		out, err := u.Decompress(batch, kgo.CodecSnappy)
		if err != nil {
			require.ErrorIs(t, err, errFetchFull)
			break
		}
		held += len(out)
	}
	require.LessOrEqual(t, held, placeholderBytes)
	require.Greater(t, held, placeholderBytes/2)
}

// A fetch takes two of these batches, of which each partition has eight. The rest comes with later fetches.
func TestWhatAFetchDoesNotTakeComesWithTheNextOne(t *testing.T) {
	before := placeholderBytes
	t.Cleanup(func() { placeholderBytes = before })
	placeholderBytes = 250_000
	kafka, _ := cluster(t)
	const batches, n = 8, wholeRecords + 1
	for range batches {
		for id := range int32(2) {
			records := make([]*kgo.Record, n)
			for i := range records {
				records[i] = &kgo.Record{Partition: id, Value: []byte("x")}
			}
			produceBatch(t, kafka, codecs["snappy"], records...)
		}
	}
	next := map[int32]int64{}
	opts := []kgo.Opt{kgo.SeedBrokers(kafka.ListenAddrs()...)}
	spans := Spans{0: {0, 0, batches * n}, 1: {1, 0, batches * n}}
	err := Read(within(t, time.Minute), opts, "raw", spans, func(records []*kgo.Record) error {
		_, err := Map(records, 0, 1, func(rec schemas.Record, isPacked bool) bool {
			require.True(t, isPacked)
			require.Equal(t, next[rec.Partition], rec.Offset)
			next[rec.Partition]++
			return true
		})
		return err
	})
	require.NoError(t, err)
	require.Equal(t, map[int32]int64{0: batches * n, 1: batches * n}, next)
}

// The client has made the headers of a batch that is not packed. The core's record has few of them.
// guard: bytes: the headers of a batch that is not packed do not take the memory twice
func TestAMillionEmptyHeadersOfAnUncompressedBatchAreNotCopied(t *testing.T) {
	kafka, _ := cluster(t)
	const n = 1 << 20
	revision := kgo.RecordHeader{Key: "revision", Value: []byte("2")}
	many := &kgo.Record{Headers: append(make([]kgo.RecordHeader, n), revision), Value: []byte("x")}
	usual := &kgo.Record{Headers: slices.Repeat([]kgo.RecordHeader{revision}, 1000)}
	produceBatch(t, kafka, kgo.ProducerBatchCompression(kgo.NoCompression()), usual, many)
	got, _ := readAll(t, kafka, 2, 16<<20)
	require.Len(t, got, 2)
	require.Nil(t, got[0].Cut)
	require.Equal(t, usual.Headers, Headers(got[0].Headers))
	headers := got[1].Headers
	require.LessOrEqual(t, len(headers), keptHeaderBytes/emptyHeaderBytes+1)
	require.Equal(t, Headers(headers)[len(headers)-1], revision)
	want := &schemas.Cut{Bytes: 1, SHA256: sha256.Sum256(many.Value), Headers: int64(n + 1 - len(headers))}
	require.Equal(t, want, got[1].Cut)
}

// Very many records of a few bytes are not held as records of the client.
func TestVeryManySmallRecordsShareAFewPlaceholders(t *testing.T) {
	kafka, _ := cluster(t)
	const n = 300_000
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Value: []byte("x")}
	}
	produceBatch(t, kafka, codecs["zstd"], records...)
	got, polled := readAll(t, kafka, n, 16<<20)
	require.Len(t, got, n)
	require.LessOrEqual(t, polled, n/SharedRecords+1)
	for i := range got {
		require.Equal(t, int64(i), got[i].Offset)
	}
}

// guard: kafkaread: a placeholder across the bounds of a range gives the records within
func TestARangeThatBeginsAndEndsWithinAPlaceholderHasItsRecords(t *testing.T) {
	kafka, _ := cluster(t)
	const n = 60_000
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Value: []byte("x")}
	}
	produceBatch(t, kafka, codecs["zstd"], records...)
	opts := []kgo.Opt{kgo.SeedBrokers(kafka.ListenAddrs()...)}
	for _, span := range []Span{{From: 5, To: 7}, {From: 40, To: 101}, {From: 64, To: 96}, {From: 31, To: 33}} {
		var got []int64
		err := Read(t.Context(), opts, "raw", Spans{0: span}, func(records []*kgo.Record) error {
			some, err := Map(records, 0, 1, func(rec schemas.Record, _ bool) int64 { return rec.Offset })
			got = append(got, some...)
			return err
		})
		require.NoError(t, err)
		require.Len(t, got, int(span.To-span.From), "%+v", span)
		for i, offset := range got {
			require.Equal(t, span.From+int64(i), offset)
		}
	}
}

// An empty partition of a replay ends at offset 0.
// guard: kafkaread: an empty range of packed records has none
func TestAnEmptyRangeOfAPlaceholderHasNoRecords(t *testing.T) {
	kafka, _ := cluster(t)
	const n = 60_000
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Value: []byte("x")}
	}
	produceBatch(t, kafka, codecs["zstd"], records...)
	client, err := kgo.NewClient(append(UnpackSharing(SharedRecords), kgo.SeedBrokers(kafka.ListenAddrs()...), kgo.ConsumeTopics("raw"))...)
	require.NoError(t, err)
	defer client.Close()
	r := client.PollRecords(t.Context(), 1).Records()[0]
	count := func() (n int) {
		require.NoError(t, Load(r, 0, func(schemas.Record) { n++ }))
		return n
	}
	require.Equal(t, SharedRecords, count())
	Narrow(r, 0, 0)
	require.Zero(t, count())
	Narrow(r, 0, 5)
	require.Zero(t, count(), "within the bounds of earlier calls")
}

// Each placeholder stands for 32 records, and is as large as one can be, because the last of these is far in
// the future and far behind the first.
// guard: bytes: a batch of very many records does not take the memory
func TestMoreRecordsOfAVeryLargeBatchShareAPlaceholder(t *testing.T) {
	compressor, err := kgo.DefaultCompressor(kgo.ZstdCompression())
	require.NoError(t, err)
	far := binary.AppendVarint(nil, 1<<62)
	last := slices.Concat([]byte{byte(1+2*len(far)) << 1, 0}, far, far)
	shared := append(bytes.Repeat([]byte{3 << 1, 0, 0, 0}, SharedRecords-1), last...)
	placeholders := func(n, share int) (int, error) {
		var p packed
		p.src, p.codec = compressor.Compress(&bytes.Buffer{}, bytes.Repeat(shared, n))
		out, err := p.placeholders(0, share)
		return len(out), err
	}
	const some = 10_000
	size, err := placeholders(some, SharedRecords)
	require.NoError(t, err)
	require.Less(t, size/some, placeholderMost)
	n := placeholderBytes/(size/some) + 1
	_, err = placeholders(n, SharedRecords)
	tooMany := (*TooManyRecordsError)(nil)
	require.ErrorAs(t, err, &tooMany)
	require.EqualValues(t, n*SharedRecords, tooMany.Records)
	size, err = placeholders(n, tooMany.Share)
	require.NoError(t, err)
	require.Less(t, size, placeholderBytes)
}

// The bound of the placeholders is lower than it is, because the batch would have 11 million records.
// guard: kafkaread: a batch of very many records is read, some at a time
func TestABatchOfVeryManyRecordsIsReadSomeAtATime(t *testing.T) {
	before := placeholderBytes
	t.Cleanup(func() { placeholderBytes = before })
	placeholderBytes = 20_000
	kafka, client := cluster(t)
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Value: []byte("first")}).FirstErr())
	const n = 60_000
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Value: []byte("x")}
	}
	produceBatch(t, kafka, codecs["zstd"], records...)
	got, polled := readAll(t, kafka, n+1, 16<<20)
	require.Len(t, got, n+1)
	require.Less(t, polled, n/SharedRecords)
	for i := range got {
		require.Equal(t, int64(i), got[i].Offset)
	}
	r := NewReader(kgo.SeedBrokers(kafka.ListenAddrs()...))
	defer r.Close()
	one, err := r.Record(t.Context(), schemas.Coordinates{Topic: "raw", Offset: 50_000}, 100)
	require.NoError(t, err)
	require.EqualValues(t, 50_000, one.Offset)
}

// guard: bytes: batches are unpacked as streams one at a time
// guard: bytes: no stream of zstd is kept while another is read
func TestNoStreamOfZstdIsKeptWhileAnotherBatchIsRead(t *testing.T) {
	z, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	content := bytes.Repeat([]byte{6 << 1, 0, 0, 0, 1, 1, 0}, 1000)
	next := packed{src: z.EncodeAll(content, nil), codec: kgo.CodecZstd}
	for codec, src := range map[kgo.CompressionCodecType][]byte{
		kgo.CodecZstd: next.src, kgo.CodecSnappy: s2.EncodeSnappy(nil, content),
	} {
		kept, err := openStream(&packed{src: src, codec: codec})
		require.NoError(t, err)
		loading.Lock()
		loading.stream = kept
		loading.Unlock()
		_, err = next.placeholders(0, SharedRecords)
		require.NoError(t, err)
		require.Equal(t, codec == kgo.CodecZstd, loading.stream == nil)
	}
	loading.Lock()
	defer loading.Unlock()
	loading.stream = nil
}

// guard: bytes: the buffer of a batch grows to its bound only
func TestTheBufferOfABatchGrowsToItsBoundOnly(t *testing.T) {
	content := noisy(1, 300<<10)
	for _, most := range []int{1, 100, 64 << 10, 200 << 10, len(content), len(content) + 1} {
		b, err := readUpTo(iotest.HalfReader(bytes.NewReader(content)), make([]byte, 0, 10), most)
		require.NoError(t, err)
		require.Equal(t, content[:min(most, len(content))], b)
		require.LessOrEqual(t, cap(b), max(most, 10))
	}
	_, err := readUpTo(iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(content))), nil, 10)
	require.ErrorIs(t, err, iotest.ErrTimeout)
}
