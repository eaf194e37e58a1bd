package kafkaread

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A batch is packed by its producer, and 200 KB on the wire may unpack to a gigabyte. The client unpacks all
// batches of a fetch before its caller sees a record. So it unpacks with an unpacker, which bounds the bytes
// of one fetch.
//
// A batch that does not fit is read as a stream instead. Each large record of it becomes a placeholder, and
// so do small ones together. A placeholder is a record without key and value, with the offset and the
// timestamp of the last record that it replaces. The client parses the result like any batch. When it buffers
// a placeholder, the unpacker attaches the packed batch to the record's context, so that it lives as long as
// the record. Load reads one such record from the stream again, when its turn comes (packed.go).
//
// A fetch begins when a broker's answer has been read, and at most one is in the client, because every client
// that unpacks here has kgo.MaxConcurrentFetches(1).

const (
	// unpackedBatchBytes bounds one batch that is unpacked whole. It is twice the largest record by default.
	unpackedBatchBytes = 32 << 20
	// unpackedFetchBytes bounds all batches of a fetch that are unpacked whole. Real batches, of which a
	// fetch has 16 MiB, unpack to three times their size.
	unpackedFetchBytes = 64 << 20
	// wholeRecords bounds the records of a batch that is unpacked whole: each costs the client 160 bytes.
	wholeRecords = 50_000
	// wholeFetchRecords bounds the records of all batches of a fetch that are unpacked whole. Real fetches have
	// some thousands.
	wholeFetchRecords = 400_000
	// wholeHeaders bounds the headers of all batches of a fetch that are unpacked whole. Each costs 40 bytes in
	// the client and as much again in the core's record, and may have two on the wire. Real records have ten.
	wholeHeaders = 800_000
	// deferredBytes is what a batch with placeholders counts beside them, because opening its stream takes
	// memory and time.
	deferredBytes = 4 << 10
	// maxWindow is the largest window of a zstd frame. Kafka itself reads no larger one.
	maxWindow = 128 << 20
)

// placeholderBytes bounds the placeholders of a batch, and of a fetch. One has 50 bytes, and costs 400 in the
// client. Only tests change it.
var placeholderBytes = 16 << 20

// errFetchFull ends a fetch whose batches have taken their memory. The client keeps the records before it,
// and fetches the rest again. It tells its caller nothing, because it takes the error for a retryable one.
var errFetchFull = fmt.Errorf("the fetch takes no more batches: %w", kerr.ThrottlingQuotaExceeded)

// UnpackSharing returns the options with which a client unpacks batches in bounded memory. Its records must
// be read with Load or Map, because a placeholder has neither key nor value. Up to share of them, at least
// SharedRecords, share a placeholder. A client that polls placeholders of more must poll fewer: see
// PollsSharing.
func UnpackSharing(share int) []kgo.Opt { return unpackSharing(share, unpackedFetchBytes) }

// unpackSharing is UnpackSharing for a client of which a fetch unpacks to another number of bytes.
func unpackSharing(share, fetchBytes int) []kgo.Opt {
	u := &unpacker{share: share, fetchBytes: fetchBytes}
	return []kgo.Opt{
		kgo.WithDecompressor(u), kgo.WithHooks(u), kgo.WithPools(unpackBuffers), kgo.MaxConcurrentFetches(1),
	}
}

// PollsSharing returns how many records a poll may bring instead of most, if so many share a placeholder.
func PollsSharing(most, share int) int { return max(1, most*SharedRecords/max(SharedRecords, share)) }

// unpacker is the decompressor of one client.
type unpacker struct {
	share      int // the most records of a placeholder
	fetchBytes int // what a fetch may unpack to

	mu           sync.Mutex
	left         int       // guarded by mu; bytes that the current fetch may still unpack to
	records      int       // guarded by mu; records that the current fetch has unpacked whole
	headers      int       // guarded by mu; headers of these
	deferred     []*packed // guarded by mu; batches of that fetch with placeholders
	placeholders int       // guarded by mu; bytes of these placeholders, and deferredBytes for each batch
}

// OnBrokerRead implements kgo.HookBrokerRead. An answer to a fetch begins a new budget.
func (u *unpacker) OnBrokerRead(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	const fetch = 1
	if key == fetch {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.left, u.records, u.headers = u.fetchBytes, 0, 0
		u.deferred, u.placeholders = nil, 0
	}
}

// Decompress implements kgo.Decompressor.
func (u *unpacker) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if codec == kgo.CodecNone {
		return src, nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	// guard: bytes: a batch is unpacked whole only within its bound | min(u.left, unpackedBatchBytes) -> 1<<40
	out, err := unpackWhole(src, codec, min(u.left, unpackedBatchBytes))
	if err == nil && u.takesWhole(out) {
		// A larger buffer is at most four times its packed batch, which --fetch-max-bytes bounds. It does not count
		// whole, so that a usual fetch of any codec has its room.
		// guard: bytes: a small batch counts with its buffer | max(len(out), smallestBuffer) -> len(out)
		u.left -= max(len(out), smallestBuffer)
		return out, nil
	}
	if err == nil {
		unpackBuffers.PutDecompressBytes(out)
		err = errTooLarge
	}
	if errors.Is(err, errTooLarge) {
		return u.putOff(&packed{src: src, codec: codec})
	}
	return nil, err
}

// takesWhole counts the records and headers of an unpacked batch, unless they are too many. mu is held.
func (u *unpacker) takesWhole(batch []byte) bool {
	records, headers := countParts(batch)
	// guard: bytes: the records of a fetch are bounded | u.records+records > wholeFetchRecords -> false
	if records > wholeRecords || u.records+records > wholeFetchRecords {
		return false
	}
	// guard: bytes: headers without bytes do not take the memory | u.headers+headers > wholeHeaders -> false
	if u.headers+headers > wholeHeaders {
		return false
	}
	u.records, u.headers = u.records+records, u.headers+headers
	return true
}

// putOff returns the placeholders of a batch. The first of a fetch may have as many as one may have at all,
// so that each fetch brings something. mu is held.
func (u *unpacker) putOff(p *packed) ([]byte, error) {
	if len(u.deferred) > 0 && u.placeholders+deferredBytes > placeholderBytes {
		return nil, errFetchFull // without reading it
	}
	out, err := p.placeholders(len(u.deferred), u.share)
	if err != nil {
		return nil, err
	}
	held := u.placeholders + deferredBytes + len(out)
	// guard: bytes: the placeholders of a fetch are bounded | held > placeholderBytes -> false
	if len(u.deferred) > 0 && held > placeholderBytes {
		return nil, errFetchFull
	}
	u.placeholders = held
	u.deferred = append(u.deferred, p)
	return out, nil
}

// OnFetchRecordBuffered implements kgo.HookFetchRecordBuffered. It attaches its batch to a placeholder.
func (u *unpacker) OnFetchRecordBuffered(r *kgo.Record) {
	if len(r.Headers) != 1 || r.Headers[0].Key != placeholderKey {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	at := placeOfHeader(r.Headers[0].Value, u.deferred)
	r.Headers = nil
	if r.Context == nil {
		r.Context = context.Background()
	}
	r.Context = context.WithValue(r.Context, packedKey{}, at)
}

// placeholderKey names the header of a placeholder. It is drawn by chance, so that no producer can write one.
var placeholderKey = rand.Text()

// packedKey is the key of a place in a record's context.
type packedKey struct{}

// errTooLarge reports that a batch does not fit into its bound.
var errTooLarge = errors.New("the batch unpacks to more than its bound")

// wholeZstd does not look at the checksum of a frame, which took 3 % of the processor's time. The client has
// checked the batch's own checksum, which covers all packed bytes.
var wholeZstd = zstdDecoders(zstd.WithDecoderMaxMemory(unpackedBatchBytes), zstd.IgnoreChecksum(true))

// zstdDecoders returns a pool of decoders that take little memory.
func zstdDecoders(opts ...zstd.DOption) *sync.Pool {
	opts = append(opts, zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1))
	return &sync.Pool{New: func() any {
		d, err := zstd.NewReader(nil, opts...)
		if err != nil {
			panic(err) // the options are right
		}
		return d
	}}
}

// unpackWhole unpacks a batch of at most limit bytes.
func unpackWhole(src []byte, codec kgo.CompressionCodecType, limit int) (out []byte, err error) {
	if limit <= 0 {
		return nil, errTooLarge
	}
	out = unpackBuffers.GetDecompressBytes(src, codec)
	switch codec {
	case kgo.CodecZstd:
		d := wholeZstd.Get().(*zstd.Decoder)
		defer wholeZstd.Put(d)
		out, err = d.DecodeAll(src, out)
		if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
			return nil, errTooLarge
		}
	case kgo.CodecSnappy:
		out, err = unpackSnappy(out, src, limit)
	default:
		var r io.Reader
		if r, err = openPacked(src, codec); err == nil {
			out, err = readUpTo(r, out[:0], limit+1)
		}
	}
	if err == nil && (len(out) > limit) {
		return nil, errTooLarge
	}
	return out, err
}

// readUpTo appends the bytes of r to b, at most most. b grows to most at the most, because of a batch of the
// largest size a doubled buffer would take four times that while it is copied.
func readUpTo(r io.Reader, b []byte, most int) ([]byte, error) {
	for len(b) < most {
		if len(b) == cap(b) {
			// guard: bytes: the buffer of a batch grows to its bound only | min(most, max(2*cap(b), smallestBuffer)) -> max(2*cap(b), smallestBuffer)
			grown := make([]byte, len(b), min(most, max(2*cap(b), smallestBuffer)))
			copy(grown, b)
			b = grown
		}
		n, err := r.Read(b[len(b):min(cap(b), most)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// countParts returns how many records and headers the client would make of a batch. It stops where either are
// too many, or the client would stop.
func countParts(batch []byte) (records, headers int) {
	for records <= wholeRecords && headers <= wholeHeaders {
		length, m := binary.Varint(batch)
		if m <= 0 || length < 0 || length > int64(len(batch)-m) {
			break
		}
		headers += countHeaders(batch[m : m+int(length)])
		batch = batch[m+int(length):]
		records++
	}
	return records, headers
}

// countHeaders returns the number of headers that a record says it has. The client makes room for so many,
// unless they are more than the bytes that follow.
func countHeaders(record []byte) int {
	rest := record[min(1, len(record)):] // behind the attributes
	next := func() (n int64) {
		n, m := binary.Varint(rest)
		rest = rest[max(0, m):]
		return n
	}
	next() // age
	next() // offset
	for range 2 {
		if n := next(); n > 0 { // of the key, and of the value
			rest = rest[min(n, int64(len(rest))):]
		}
	}
	if n := next(); n > 0 && n <= int64(len(rest)) {
		return int(n)
	}
	return 0
}

// unpackSnappy appends the blocks of src to out.
func unpackSnappy(out, src []byte, limit int) ([]byte, error) {
	total := 0
	err := snappyBlocks(src, func(block []byte) error {
		n, err := s2.DecodedLen(block)
		if total += n; err == nil && total > limit {
			err = errTooLarge
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out = append(out[:0], make([]byte, total)...)
	done := 0
	return out, snappyBlocks(src, func(block []byte) error {
		n, _ := s2.DecodedLen(block)
		_, err := s2.Decode(out[done:done+n], block)
		done += n
		return err
	})
}

// xerial begins the framing with which Java producers write snappy: 16 bytes, and each block behind its
// length.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

// snappyBlocks calls each with the blocks of a snappy batch.
func snappyBlocks(src []byte, each func([]byte) error) error {
	if len(src) <= 16 || !bytes.HasPrefix(src, xerial) {
		return each(src)
	}
	for src = src[16:]; len(src) > 0; {
		if len(src) < 4 {
			return io.ErrUnexpectedEOF
		}
		n := int(binary.BigEndian.Uint32(src))
		if src = src[4:]; n < 0 || n > len(src) {
			return io.ErrUnexpectedEOF
		}
		if err := each(src[:n]); err != nil {
			return err
		}
		src = src[n:]
	}
	return nil
}

// openPacked returns a stream of a batch's unpacked bytes. One that is an io.Closer must be closed.
func openPacked(src []byte, codec kgo.CompressionCodecType) (io.Reader, error) {
	in := bytes.NewReader(src)
	switch codec {
	case kgo.CodecGzip:
		return gzip.NewReader(in)
	case kgo.CodecSnappy:
		return newSnappyReader(src), nil
	case kgo.CodecLz4:
		return lz4.NewReader(in), nil
	case kgo.CodecZstd:
		d := streamZstd.Get().(*zstd.Decoder)
		return pooledZstd{d}, d.Reset(in)
	}
	return nil, fmt.Errorf("unknown codec %d", codec)
}

// streamZstd keeps the decoder of the last stream, because its window may have 128 MiB. Each new one would be
// garbage beside it.
var streamZstd = zstdDecoders(zstd.WithDecoderMaxWindow(maxWindow))

// pooledZstd is a stream of zstd whose decoder is used again after Close.
type pooledZstd struct{ *zstd.Decoder }

// Close implements io.Closer.
func (p pooledZstd) Close() error {
	err := p.Reset(nil)
	streamZstd.Put(p.Decoder)
	return err
}
