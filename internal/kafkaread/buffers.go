package kafkaread

import (
	"math/bits"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"
)

// unpackBuffers is shared by all clients of this process.
var unpackBuffers = new(buffers)

// buffers is a pool of memory into which the client unpacks fetches, because fresh memory for each costs a
// tenth of the time that unpacking takes. The garbage collector takes the buffers that are not used.
type buffers struct {
	bySize [4 * 64]sync.Pool // of *[]byte; four sizes to each power of two
}

const (
	// smallestBuffer is small because a fetch may have very many small batches, each with a buffer of its own.
	smallestBuffer = 1 << 10
	largestBuffer  = 16 << 20 // larger ones are rare and not kept
	// unpackingMargin is the space that the unpacker wants beyond the content, to copy in long words.
	unpackingMargin = 64
)

// GetDecompressBytes returns a buffer for the unpacked content, as large as its header says or as is likely;
// nil when it is too large to be kept.
func (b *buffers) GetDecompressBytes(packed []byte, codec kgo.CompressionCodecType) []byte {
	want := uint64(4 * len(packed))
	if codec == kgo.CodecZstd {
		var h zstd.Header
		if h.Decode(packed) == nil && h.HasFCS {
			want = h.FrameContentSize + unpackingMargin
		}
	}
	if want > largestBuffer {
		return nil
	}
	class, size := sizeClass(max(want, smallestBuffer))
	if p, ok := b.bySize[class].Get().(*[]byte); ok {
		return (*p)[:0]
	}
	return make([]byte, 0, size)
}

// PutDecompressBytes takes a buffer back.
func (b *buffers) PutDecompressBytes(buffer []byte) {
	n := uint64(cap(buffer))
	if n < smallestBuffer || n > largestBuffer {
		return
	}
	class, size := sizeClass(n)
	if size != n {
		return // allocated by the client
	}
	buffer = buffer[:0]
	b.bySize[class].Put(&buffer)
}

// sizeClass returns the smallest class of buffers that holds n bytes, n ≥ 8, and its size.
func sizeClass(n uint64) (class int, size uint64) {
	step := bits.Len64(n-1) - 3 // n-1 is 1xx in steps of this power of two
	steps := (n-1)>>step + 1
	return step*4 + int(steps-5), steps << step
}
