package kafkaread

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// packed is a batch that is not unpacked as a whole.
type packed struct {
	src   []byte
	codec kgo.CompressionCodecType
}

// place is where the records of a placeholder are in a batch.
type place struct {
	batch  *packed
	start  int64 // in the unpacked stream
	length int64 // of their bytes
	delta  int64 // of the offset of the last record, which is the placeholder's
	age    int64 // of the timestamp of the last record, in ms after that of the batch
	// isNarrowed reports that Load gives records of the offsets of only, which may be none. The bounds of of may
	// lie within the place.
	isNarrowed bool
	of         Span
}

// Narrow has Load give only those records of a placeholder whose offsets are from the first to below the
// second bound, within the bounds of earlier calls. It does nothing with any other record.
func Narrow(r *kgo.Record, from, to int64) {
	if at, ok := placeOf(r); ok {
		// guard: kafkaread: an empty range of packed records has none | !at.isNarrowed -> at.of.To == 0
		if !at.isNarrowed {
			at.of.To = math.MaxInt64
		}
		at.isNarrowed = true
		at.of.From, at.of.To = max(at.of.From, from), min(at.of.To, to)
		r.Context = context.WithValue(r.Context, packedKey{}, at)
	}
}

// placeOf returns where the bytes of a placeholder are; ok is false for any other record.
func placeOf(r *kgo.Record) (at place, ok bool) {
	if r.Context == nil {
		return at, false
	}
	at, ok = r.Context.Value(packedKey{}).(place)
	return at, ok
}

// Bounds of the records that share a placeholder.
const (
	sharedBytes = 256 << 10
	// SharedRecords is how many small records share a placeholder, unless their batch has very many.
	SharedRecords = 32
)

// placeholders returns the records of the batch as the client parses them: one placeholder for a large record
// or up to share small ones in a row. index is that of the batch in unpacker.deferred. It returns a
// TooManyRecordsError if the placeholders would take the memory.
func (p *packed) placeholders(index, share int) (out []byte, err error) {
	// guard: bytes: batches are unpacked as streams one at a time
	loading.Lock()
	defer loading.Unlock()
	// guard: bytes: no stream of zstd is kept while another is read
	loading.closeZstd()
	in, err := openStream(p)
	if err != nil {
		return nil, err
	}
	defer in.close()
	run, shared := place{}, 0
	isFull, total := false, int64(0)
	for {
		begin := in.at
		length, err := binary.ReadVarint(in)
		if errors.Is(err, io.EOF) && isFull {
			return nil, tooMany(total)
		}
		if errors.Is(err, io.EOF) && shared > 0 {
			out = run.append(out, index)
		}
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		end := in.at + length
		if err != nil || length < 0 {
			return nil, fmt.Errorf("a record of the batch has no length: %w", cmp.Or(err, io.ErrUnexpectedEOF))
		}
		if total++; isFull { // only counts
			if err := in.skip(length); err != nil {
				return nil, err
			}
			continue
		}
		if shared > 0 && (shared >= share || end-run.start > sharedBytes) {
			out = run.append(out, index)
			shared = 0
		}
		if shared == 0 {
			run = place{start: begin}
		}
		if err := in.skip(1); err != nil { // attributes
			return nil, err
		}
		if run.age, err = binary.ReadVarint(in); err != nil {
			return nil, err
		}
		if run.delta, err = binary.ReadVarint(in); err != nil {
			return nil, err
		}
		if err := in.skip(end - in.at); err != nil {
			return nil, err
		}
		run.length = end - run.start
		shared++
		// guard: bytes: a batch of very many records does not take the memory
		if len(out) > placeholderBytes {
			isFull, out = true, nil
		}
	}
}

// TooManyRecordsError reports a batch of more records than placeholders fit into memory. It can be read by a
// client of its own, in which more of them share a placeholder: see UnpackSharing.
type TooManyRecordsError struct {
	Records int64
	Share   int // how many must share a placeholder
}

// Error implements error.
func (e *TooManyRecordsError) Error() string {
	return fmt.Sprintf("a batch of %d records: %d of them are to be read at a time", e.Records, e.Share)
}

// placeholderMost is more than the bytes of any placeholder.
const placeholderMost = 128

func tooMany(records int64) *TooManyRecordsError {
	share := SharedRecords
	for records/int64(share) >= int64(placeholderBytes/placeholderMost) {
		share *= 2
	}
	return &TooManyRecordsError{Records: records, Share: share}
}

// append appends the placeholder of a place: a record without key and value, whose only header says where the
// bytes are.
func (at place) append(out []byte, index int) []byte {
	var where []byte
	for _, n := range []int64{int64(index), at.start, at.length, at.delta, at.age} {
		where = binary.AppendVarint(where, n)
	}
	rec := binary.AppendVarint(binary.AppendVarint([]byte{0}, at.age), at.delta)
	rec = binary.AppendVarint(binary.AppendVarint(binary.AppendVarint(rec, -1), -1), 1)
	rec = append(binary.AppendVarint(rec, int64(len(placeholderKey))), placeholderKey...)
	rec = append(binary.AppendVarint(rec, int64(len(where))), where...)
	return append(binary.AppendVarint(out, int64(len(rec))), rec...)
}

// placeOfHeader reads what append wrote; batches are those of the fetch.
func placeOfHeader(where []byte, batches []*packed) (at place) {
	var index int64
	for _, n := range []*int64{&index, &at.start, &at.length, &at.delta, &at.age} {
		value, m := binary.Varint(where)
		*n, where = value, where[m:]
	}
	at.batch = batches[index]
	return at
}

// stream reads the unpacked bytes of a batch in order.
type stream struct {
	*bufio.Reader
	batch *packed
	from  io.Reader
	at    int64 // bytes read so far
}

func openStream(p *packed) (*stream, error) {
	from, err := openPacked(p.src, p.codec)
	if err != nil {
		return nil, err
	}
	return &stream{Reader: bufio.NewReaderSize(from, 64<<10), batch: p, from: from}, nil
}

func (s *stream) close() {
	if c, ok := s.from.(io.Closer); ok {
		_ = c.Close()
	}
}

// ReadByte implements io.ByteReader.
func (s *stream) ReadByte() (byte, error) {
	b, err := s.Reader.ReadByte()
	if err == nil {
		s.at++
	}
	return b, err
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.at += int64(n)
	return n, err
}

// skip passes over n bytes.
func (s *stream) skip(n int64) error {
	for n > 0 {
		m, err := s.Discard(int(min(n, 1<<30)))
		s.at += int64(m)
		if n -= int64(m); err != nil {
			return err
		}
	}
	return nil
}

// KeptBytes is how much of a value, a key or the headers is kept of a record that is not held whole.
const (
	KeptBytes       = 16 << 10
	keptHeaderBytes = 128 << 10 // of all headers, as schemas.Header.HeldBytes counts them
)

// loading is the stream of the last record that was loaded. In a process one batch at a time is read as a
// stream, for its placeholders or to load a record. So all clients together take the memory of one.
var loading lastLoaded

type lastLoaded struct {
	sync.Mutex
	stream *stream // guarded by Mutex
	value  []byte  // guarded by Mutex; memory for the next value
}

// closeZstd closes the stream if it is of zstd, of which a decoder may take 128 MiB for its window. Who loads
// the next record opens the stream again. The caller holds the Mutex.
func (l *lastLoaded) closeZstd() {
	if l.stream != nil && l.stream.batch.codec == kgo.CodecZstd {
		l.stream.close()
		l.stream = nil
	}
}

// IsPacked reports whether a record's bytes are still in its packed batch.
func IsPacked(r *kgo.Record) bool {
	_, ok := placeOf(r)
	return ok
}

// Load calls use with a record as the core reads it; with several, if they share a placeholder. The bytes of
// a packed record are valid only until use returns, and a value of more than limit bytes is cut to its
// beginning (schemas.Record.Cut); 0 reads no value. So is a key or header of more than KeptBytes. Records
// should be loaded in their order, because their batch is a stream. use must not call Load, nor wait for what
// a client fetches: while it runs, no client of the process can unpack a large batch.
func Load(r *kgo.Record, limit int, use func(schemas.Record)) error {
	return LoadWithin(r, Limits{Value: limit, Field: KeptBytes}, use)
}

// Limits are the most bytes of a packed record that are loaded. Longer ones are cut to KeptBytes.
type Limits struct {
	Value int
	Field int // of the key, of each name and value of a header, and of all headers in sum
}

// LoadWithin is Load with other limits.
func LoadWithin(r *kgo.Record, limits Limits, use func(schemas.Record)) error {
	at, ok := placeOf(r)
	if !ok {
		use(recordWithin(r, limits.Field))
		return nil
	}
	loading.Lock()
	defer loading.Unlock()
	if err := load(r, at, limits, use); err != nil {
		return fmt.Errorf("%s/%d offset %d: unpack the record: %w: %w", r.Topic, r.Partition, r.Offset,
			schemas.ErrUnreadable, err)
	}
	return nil
}

// load reads the records at a place. The caller holds loading.
func load(r *kgo.Record, at place, limits Limits, use func(schemas.Record)) (err error) {
	in := loading.stream
	if in == nil || in.batch != at.batch || in.at > at.start {
		if in != nil {
			in.close()
		}
		loading.stream = nil
		if in, err = openStream(at.batch); err != nil {
			return err
		}
		loading.stream = in
	}
	if err := in.skip(at.start - in.at); err != nil {
		return err
	}
	for end := at.start + at.length; in.at < end; {
		length, err := binary.ReadVarint(in)
		if err != nil {
			return err
		}
		rec, until := Record(r), in.at+length
		if err := in.fields(&rec, at, r.Attrs.TimestampType() == 0, until, limits); err != nil {
			return err
		}
		if err := in.skip(until - in.at); err != nil {
			return err
		}
		isOutside := at.isNarrowed && (rec.Offset < at.of.From || rec.Offset >= at.of.To)
		// guard: kafkaread: a placeholder across the bounds of a range gives the records within | isOutside -> isOutside && false
		if isOutside {
			continue
		}
		use(rec)
	}
	if _, err := in.Peek(1); errors.Is(err, io.EOF) { // the last record of its batch
		in.close()
		loading.stream = nil
	}
	return nil
}

// fields reads a record whose bytes end at end. rec has the coordinates of the last record at the place.
func (s *stream) fields(rec *schemas.Record, at place, created bool, end int64, limits Limits) error {
	if err := s.skip(1); err != nil { // attributes
		return err
	}
	age, err := binary.ReadVarint(s)
	if err != nil {
		return err
	}
	delta, err := binary.ReadVarint(s)
	if err != nil {
		return err
	}
	rec.Offset -= at.delta - delta
	if created {
		rec.TimestampMS -= at.age - age
	}
	var keySize int64
	if rec.Key, keySize, err = s.bytes(nil, end, limits.Field, nil); err != nil {
		return err
	}
	if err := s.value(rec, end, limits.Value); err != nil {
		return err
	}
	cut, err := s.headers(rec, end, limits.Field)
	// guard: bytes: a record whose key or headers are cut says so | isCut := keySize > int64(len(rec.Key)) || cut > 0 -> isCut := false
	isCut := keySize > int64(len(rec.Key)) || cut > 0
	if err == nil && isCut {
		rec.DescribeWhole()
		rec.Cut.Headers = cut
		if keySize > int64(len(rec.Key)) {
			rec.Cut.KeyBytes = keySize
		}
	}
	return err
}

// value reads the value of a record, of more than limit bytes only the beginning.
func (s *stream) value(rec *schemas.Record, end int64, limit int) error {
	var sum hash.Hash
	if limit > 0 {
		sum = sha256.New()
	}
	value, size, err := s.bytes(loading.value, end, limit, sum)
	if err != nil {
		return err
	}
	if size >= 0 {
		rec.Value = value
		if loading.value = value[:0]; cap(value) > maxScratch {
			loading.value = nil
		}
	}
	if size > int64(len(value)) {
		rec.Cut = &schemas.Cut{Bytes: size}
		if sum != nil {
			rec.Cut.SHA256 = [32]byte(sum.Sum(nil))
		}
	}
	return nil
}

// headers reads the headers of a record, each up to limit bytes, and in sum about as much memory as
// keptHeaderBytes or limit. Beyond that it keeps only those that the core reads, the last of each. It returns
// how many are missing or cut.
func (s *stream) headers(rec *schemas.Record, end int64, limit int) (cut int64, err error) {
	count, err := binary.ReadVarint(s)
	kept := keptHeaders{left: max(keptHeaderBytes, limit)}
	for ; err == nil && count > 0; count-- {
		h, isCut, err := s.header(end, limit)
		if err != nil {
			return 0, err
		}
		kept.add(h, isCut)
	}
	rec.Headers, cut = kept.close()
	return cut, err
}

// keptHeaders are those that are kept of many.
type keptHeaders struct {
	left  int // bytes of memory that they may still take; below 0: only what the core reads is kept
	first []schemas.Header
	late  []schemas.Header // the last of each that the core reads, beyond the bound
	cut   int64            // how many are missing or cut
}

func (k *keptHeaders) add(h schemas.Header, isCut bool) {
	if k.left >= 0 {
		k.left -= h.HeldBytes()
	}
	isFull := k.left < 0
	// guard: bytes: headers that the core reads are kept behind many others | isFull && !schemas.IsRead(h.Key) -> isFull
	if isFull && !schemas.IsRead(h.Key) {
		k.cut++
		return
	}
	if isCut {
		k.cut++
	}
	if isFull {
		k.late = append(k.without(k.late, h.Key), h)
	} else {
		k.first = append(k.first, h)
	}
}

// close returns the headers. Those that a late one replaces go only now, because to look for them at each
// late one would take the square of their number.
func (k *keptHeaders) close() (headers []schemas.Header, cut int64) {
	for _, h := range k.late {
		k.first = k.without(k.first, h.Key)
	}
	return append(k.first, k.late...), k.cut
}

func (k *keptHeaders) without(headers []schemas.Header, key string) []schemas.Header {
	before := len(headers)
	headers = slices.DeleteFunc(headers, func(h schemas.Header) bool { return h.Key == key })
	k.cut += int64(before - len(headers))
	return headers
}

// CutHeaders leaves of the headers of a record what Load leaves of those of a packed one.
func CutHeaders(rec *schemas.Record) { cutHeadersTo(rec, KeptBytes, keptHeaderBytes) }

// cutHeadersTo leaves up to each bytes of a header, and of those that the core does not read about as much
// memory as all.
func cutHeadersTo(rec *schemas.Record, each, all int) {
	rec.DescribeWhole()
	whole := *rec.Cut // which other copies of the record may share
	kept := keptHeaders{left: all}
	for _, h := range rec.Headers {
		isCut := len(h.Key) > each || len(h.Value) > each
		h.Value = h.Value[:min(len(h.Value), each)]
		if len(h.Key) > each {
			h.Key = strings.Clone(h.Key[:each])
		}
		kept.add(h, isCut)
	}
	headers, cut := kept.close()
	whole.Headers += cut
	rec.Headers, rec.Cut = headers, &whole
}

// CutKey leaves the beginning of a record's key, and says so.
func CutKey(rec *schemas.Record) { cutKeyTo(rec, KeptBytes) }

func cutKeyTo(rec *schemas.Record, most int) {
	rec.DescribeWhole()
	whole := *rec.Cut
	if len(rec.Key) > most {
		whole.KeyBytes = max(whole.KeyBytes, int64(len(rec.Key)))
		rec.Key = rec.Key[:most]
	}
	rec.Cut = &whole
}

// CutFields leaves up to most bytes of a record's key and of each header, and about four times as much of
// the headers that the core does not read. A record within these bounds stays as it is.
func CutFields(rec *schemas.Record, most int) {
	if len(rec.Key) > most {
		cutKeyTo(rec, most)
	}
	held, isLong := 0, false
	for i := range rec.Headers {
		h := &rec.Headers[i]
		held += h.HeldBytes()
		isLong = isLong || len(h.Key) > most || len(h.Value) > most
	}
	if isLong || held > 4*most {
		cutHeadersTo(rec, most, 4*most)
	}
}

// header reads a header, its name and value up to limit bytes each.
func (s *stream) header(end int64, limit int) (h schemas.Header, isCut bool, err error) {
	name, nameSize, err := s.bytes(nil, end, limit, nil)
	if err != nil {
		return h, false, err
	}
	value, valueSize, err := s.bytes(nil, end, limit, nil)
	isCut = nameSize > int64(len(name)) || valueSize > int64(len(value))
	return schemas.Header{Key: string(name), Value: value}, isCut, err
}

// maxScratch is the largest memory for values that is kept between two records.
const maxScratch = 32 << 20

// bytes reads a length and so many bytes, of which it returns at most limit; nil with size −1 for null. A
// field that is longer than limit is cut to KeptBytes. sum, if not nil, gets all bytes of a field that is
// cut.
func (s *stream) bytes(into []byte, end int64, limit int, sum hash.Hash) (b []byte, size int64, err error) {
	if size, err = binary.ReadVarint(s); err != nil || size < 0 {
		return nil, -1, err
	}
	if size > end-s.at {
		return nil, 0, io.ErrUnexpectedEOF
	}
	keep := int(size)
	if size > int64(limit) {
		keep = min(limit, KeptBytes)
	}
	if cap(into) < keep {
		into = make([]byte, keep)
	}
	b = into[:keep]
	if _, err := io.ReadFull(s, b); err != nil {
		return nil, 0, err
	}
	rest := size - int64(keep)
	if sum == nil || rest == 0 {
		return b, size, s.skip(rest)
	}
	sum.Write(b)
	_, err = io.CopyN(sum, s, rest)
	return b, size, err
}

// Cut returns a record of which at most keep bytes of the value are left, with the hash of the whole. It
// shares nothing with rec.
func Cut(rec schemas.Record, keep int) schemas.Record {
	if len(rec.Value) > keep {
		rec.DescribeWhole()
		rec.Value = rec.Value[:keep]
	}
	return Clone(rec)
}

// Clone returns a record that shares no bytes with rec.
func Clone(rec schemas.Record) schemas.Record {
	rec.Key, rec.Value = bytes.Clone(rec.Key), bytes.Clone(rec.Value)
	headers := rec.Headers
	rec.Headers = nil
	for _, h := range headers {
		rec.Headers = append(rec.Headers, schemas.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
	}
	return rec
}
