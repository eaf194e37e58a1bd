package consumer

import (
	"bytes"
	"math/bits"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// letGo gives the bytes of a poll back to the client, to unpack the next fetch into: decoded rows share nothing with
// them. What the core rejected keeps a copy of its own, for its letter. Where that would be much, the poll keeps its
// bytes and the garbage collector takes them in the end.
func letGo(decoded []Decoded, records []*kgo.Record) {
	all, rejected := 0, 0
	for i := range decoded {
		n := size(&decoded[i].Record)
		all += n
		if decoded[i].Rejection != nil {
			rejected += n
		}
	}
	if rejected > all/4 {
		return
	}
	for i := range decoded {
		d := &decoded[i]
		if d.Rejection != nil {
			// guard: what was rejected keeps its bytes when the poll's are let go
			d.Record = copied(d.Record)
		} else {
			d.Record = schemas.Record{Coordinates: d.Record.Coordinates}
		}
		records[i].Recycle()
	}
}

// size is what a record holds.
func size(r *schemas.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

func copied(r schemas.Record) schemas.Record {
	r.Key, r.Value, r.Headers = bytes.Clone(r.Key), bytes.Clone(r.Value), slices.Clone(r.Headers)
	for i := range r.Headers {
		r.Headers[i].Value = bytes.Clone(r.Headers[i].Value)
	}
	return r
}

// unpacked are what all clients of this process unpack into.
var unpacked = new(buffers)

// buffers are what fetches are unpacked into, again and again: fresh memory for each costs a tenth of the time that
// unpacking takes. The collector takes what is not used.
type buffers struct {
	bySize [4 * 64]sync.Pool // of *[]byte; four sizes to each power of two
}

const (
	smallestBuffer = 64 << 10
	largestBuffer  = 16 << 20 // larger ones are rare and not kept
	// unpackingMargin is what the unpacker wants beyond the size, to copy in long words.
	unpackingMargin = 64
)

// GetDecompressBytes gives a buffer for what this unpacks to, where that can be told.
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
		return // not one of ours
	}
	buffer = buffer[:0]
	b.bySize[class].Put(&buffer)
}

// sizeClass is the smallest class of buffers that holds n bytes, n ≥ 8, and what it holds.
func sizeClass(n uint64) (class int, size uint64) {
	step := bits.Len64(n-1) - 3 // n-1 is 1xx in steps of this power of two
	steps := (n-1)>>step + 1
	return step*4 + int(steps-5), steps << step
}
