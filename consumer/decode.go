package consumer

import (
	"bytes"
	"math/bits"
	"runtime"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// decode runs the core on every record, spread over the cores. This goroutine takes part, so that a single
// pitch waits for no other one.
func decode(cfg *Config, records []*kgo.Record) []Decoded {
	defer cfg.observeStep("decode", cfg.Now())
	decoded := make([]Decoded, len(records))
	workers := cfg.Workers
	if workers <= 0 {
		workers = max(1, runtime.GOMAXPROCS(0)-1)
	}
	const chunk = 8
	next := make(chan int, (len(records)+chunk-1)/chunk)
	for i := 0; i < len(records); i += chunk {
		next <- i
	}
	close(next)
	work := func() {
		for from := range next {
			for i := from; i < min(from+chunk, len(records)); i++ {
				decoded[i] = transform(records[i], cfg.Limits)
			}
		}
	}
	var others sync.WaitGroup
	for range min(workers, cap(next)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	return decoded
}

func transform(r *kgo.Record, limits features.Limits) Decoded {
	d := Decoded{Record: kafkaread.Record(r), Bytes: len(r.Value)}
	d.Change, d.Rejection = features.Transform(d.Record, limits)
	return d
}

// recycleBytes gives the bytes of a poll back to the client, which unpacks the next fetch into them. Decoded
// rows share nothing with them, and a rejected record gets a copy for its dead letter. When many are
// rejected, copying costs more than it saves: the poll keeps its bytes then.
func recycleBytes(decoded []Decoded, records []*kgo.Record) {
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

// size returns the bytes of a record.
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

// unpackBuffers is shared by all clients of this process.
var unpackBuffers = new(buffers)

// buffers is a pool of memory into which the client unpacks fetches, because fresh memory for each costs a
// tenth of the time that unpacking takes. The garbage collector takes the buffers that are not used.
type buffers struct {
	bySize [4 * 64]sync.Pool // of *[]byte; four sizes to each power of two
}

const (
	smallestBuffer = 64 << 10
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
