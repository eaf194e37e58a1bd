package kafkaread

import (
	"bytes"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

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
