package consumer

import (
	"bytes"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
)

// recycledAndUntouched are records whose bytes are overwritten after they were decoded and let go, and the
// same untouched.
func recycledAndUntouched(t *testing.T, seed uint64, n int) (after, want []Decoded) {
	t.Helper()
	var records []*kgo.Record
	var bytesOf [][]byte
	for _, r := range newScorer(seed).records(n) {
		k := &kgo.Record{Topic: rawTopic, Partition: r.Partition, Key: r.Key, Value: r.Value}
		bytesOf = append(bytesOf, r.Key, r.Value)
		for _, h := range r.Headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
			bytesOf = append(bytesOf, h.Value)
		}
		records = append(records, k)
		want = append(want, transform(&kgo.Record{
			Topic: k.Topic, Partition: k.Partition,
			Key: bytes.Clone(k.Key), Value: bytes.Clone(k.Value), Headers: cloned(k.Headers),
		}, features.Limits{}))
		after = append(after, transform(k, features.Limits{}))
	}
	recycleBytes(after, records)
	for _, b := range bytesOf {
		for i := range b {
			b[i] = 0xdb
		}
	}
	return after, want
}

// guard: what was rejected keeps its bytes when the poll's are let go
func TestAcceptedRecordsShareNoBytesWithThePoll(t *testing.T) {
	after, want := recycledAndUntouched(t, 31, 300)
	kept := 0
	for i := range after {
		require.Equal(t, want[i].Change, after[i].Change)
		require.Equal(t, want[i].Rejection, after[i].Rejection)
		require.Equal(t, want[i].Bytes, after[i].Bytes)
		if after[i].Rejection != nil {
			kept++
			require.Equal(t, want[i].Record, after[i].Record, "a dead letter needs all of its record")
		} else {
			require.Nil(t, after[i].Record.Value)
		}
	}
	require.Positive(t, kept)
}

func TestBuffersHoldTheUnpackedSize(t *testing.T) {
	for n := uint64(smallestBuffer); n <= largestBuffer; n += n/7 + 1 {
		class, size := sizeClass(n)
		require.LessOrEqual(t, n, size)
		require.LessOrEqual(t, size, n+n/4+1)
		again, same := sizeClass(size)
		require.Equal(t, class, again, "a buffer returns to its class")
		require.Equal(t, size, same)
	}
	encoder, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	text := bytes.Repeat([]byte("a swing and a miss "), 50_000)
	packed := encoder.EncodeAll(text, nil)
	b := new(buffers).GetDecompressBytes(packed, kgo.CodecZstd)
	require.GreaterOrEqual(t, cap(b), len(text)+unpackingMargin)
	decoder, err := zstd.NewReader(nil)
	require.NoError(t, err)
	defer decoder.Close()
	unpacked, err := decoder.DecodeAll(packed, b)
	require.NoError(t, err)
	require.Same(t, &b[:1][0], &unpacked[0], "unpacked into the buffer, and nowhere else")
}

func cloned(headers []kgo.RecordHeader) []kgo.RecordHeader {
	var c []kgo.RecordHeader
	for _, h := range headers {
		c = append(c, kgo.RecordHeader{Key: h.Key, Value: bytes.Clone(h.Value)})
	}
	return c
}
