package archive

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// line is a record as a segment has it. dlq export and simulate --envelope write such lines, so that load and
// process read a segment too. Bytes that are not UTF-8 are in base64.
type line struct {
	Topic       string   `json:"topic"`
	Partition   int32    `json:"partition"`
	Offset      int64    `json:"offset"`
	TimestampMS int64    `json:"timestamp_ms"`
	Key         *string  `json:"key,omitempty"`
	KeyBase64   *[]byte  `json:"key_base64,omitempty"`
	Headers     []header `json:"headers,omitempty"`
	// SizeBytes and Hash are of the whole value, where only a part of the record is here.
	SizeBytes   int64   `json:"size_bytes,omitempty"`
	Hash        []byte  `json:"sha256,omitempty"`
	KeyBytes    int64   `json:"key_bytes,omitempty"`   // of the whole key, where only its beginning is here
	HeadersCut  int64   `json:"headers_cut,omitempty"` // headers that are missing, or only a beginning
	Value       *string `json:"value,omitempty"`
	ValueBase64 *[]byte `json:"value_base64,omitempty"` // null: the record has no value
}

type header struct {
	Key         string  `json:"key"`
	Value       *string `json:"value,omitempty"`
	ValueBase64 *[]byte `json:"value_base64,omitempty"`
}

// textOrBytes returns UTF-8 as a text, unless base64 is shorter, and anything else as bytes. It returns
// neither for nil.
func textOrBytes(b []byte) (text *string, bytes *[]byte) {
	switch {
	case b == nil:
		return nil, nil
	case utf8.Valid(b) && escapes(b) < len(b)/3+16:
		s := string(b)
		return &s, nil
	}
	return nil, &b
}

// escapes returns how many bytes longer a text is as JSON.
func escapes(b []byte) (n int) {
	for _, c := range b {
		switch {
		case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t':
			n++
		case c < 0x20:
			n += 5
		case c == 0xE2: // of U+2028, which JSON escapes
			n += 3
		}
	}
	return n
}

func bytesOf(text *string, raw *[]byte) []byte {
	switch {
	case text != nil:
		return []byte(*text)
	case raw != nil && *raw == nil:
		return nil
	case raw != nil:
		return append([]byte{}, *raw...)
	}
	return nil
}

// lineOf returns a record as a line. It shares the bytes of the record.
func lineOf(r *schemas.Record) line {
	l := line{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, TimestampMS: r.TimestampMS}
	l.Key, l.KeyBase64 = textOrBytes(r.Key)
	for _, h := range r.Headers {
		out := header{Key: h.Key}
		out.Value, out.ValueBase64 = textOrBytes(h.Value)
		l.Headers = append(l.Headers, out)
	}
	if l.Value, l.ValueBase64 = textOrBytes(r.Value); r.Value == nil {
		l.ValueBase64 = &r.Value
	}
	if r.Cut != nil {
		l.SizeBytes, l.Hash = r.Cut.Bytes, r.Cut.SHA256[:]
		l.KeyBytes, l.HeadersCut = r.Cut.KeyBytes, r.Cut.Headers
	}
	return l
}

// record returns the record of a line.
func (l *line) record() schemas.Record {
	r := schemas.Record{
		Coordinates: schemas.Coordinates{
			Topic: l.Topic, Partition: l.Partition, Offset: l.Offset, TimestampMS: l.TimestampMS,
		},
		Key: bytesOf(l.Key, l.KeyBase64), Value: bytesOf(l.Value, l.ValueBase64),
	}
	for _, h := range l.Headers {
		r.Headers = append(r.Headers, schemas.Header{Key: h.Key, Value: bytesOf(h.Value, h.ValueBase64)})
	}
	if l.Hash != nil {
		r.Cut = &schemas.Cut{Bytes: l.SizeBytes, KeyBytes: l.KeyBytes, Headers: l.HeadersCut}
		copy(r.Cut.SHA256[:], l.Hash)
	}
	return r
}

// builder packs the records of a segment. Its memory is that of the packed bytes and of the packing.
type builder struct {
	segment Segment
	packed  bytes.Buffer
	zip     *zstd.Encoder
	raw     countingWriter
	lines   *json.Encoder
}

type countingWriter struct {
	to io.Writer
	n  int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.n += int64(n)
	return n, err
}

// newBuilder returns a builder of a segment that begins at an offset.
func newBuilder(first int64) *builder {
	return &builder{segment: Segment{First: first, Last: first - 1}}
}

// begin opens the packing, some 10 MB of memory, which a partition without records does without.
func (b *builder) begin() error {
	if b.zip != nil {
		return nil
	}
	zip, err := zstd.NewWriter(&b.packed,
		zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(writtenWindowBytes),
		zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return err
	}
	b.zip, b.raw.to = zip, zip
	b.lines = json.NewEncoder(&b.raw)
	b.lines.SetEscapeHTML(false)
	return nil
}

// mostBytes returns a bound of the bytes of a record's line. The names of headers count six times, because a
// control character is so long in JSON.
func mostBytes(r *schemas.Record) int {
	const (
		largestRest = 1 << 10 // with a topic of 249 bytes
		names       = 64      // of the members of a header, and what textOrBytes allows to escapes
	)
	field := func(b []byte) int { return len(b)/3*4 + names } // as base64, or a text that is as short
	n := largestRest + field(r.Key) + field(r.Value)
	for _, h := range r.Headers {
		n += 6*len(h.Key) + field(h.Value)
	}
	return n
}

// fit cuts a record whose line would be longer than a reader takes, because its segment would count as
// damaged. The headers go first, then the longer one of key and value.
func fit(r *schemas.Record) {
	if mostBytes(r) > maxLineBytes {
		kafkaread.CutHeaders(r)
	}
	if mostBytes(r) > maxLineBytes && len(r.Key) > len(r.Value) {
		kafkaread.CutKey(r)
	}
	if mostBytes(r) > maxLineBytes {
		*r = kafkaread.Cut(*r, kafkaread.KeptBytes)
	}
	if mostBytes(r) > maxLineBytes {
		kafkaread.CutKey(r)
	}
}

// add packs a record, of which it may cut what no line holds.
func (b *builder) add(r *schemas.Record) error {
	s := &b.segment
	// guard: archive: a line that is written can be read | instead
	fit(r)
	if err := b.begin(); err != nil {
		return err
	}
	if err := b.lines.Encode(lineOf(r)); err != nil {
		return fmt.Errorf("%s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	s.count(r.TimestampMS)
	b.cover(r.Offset)
	return nil
}

// cover extends the segment to an offset, also to one without a record.
func (b *builder) cover(offset int64) { b.segment.Last = max(b.segment.Last, offset) }

// isEmpty reports whether the segment covers nothing.
func (b *builder) isEmpty() bool { return b.segment.Last < b.segment.First }

// finish returns the segment and its file.
func (b *builder) finish() (Segment, []byte, error) {
	if err := errors.Join(b.begin(), b.zip.Close()); err != nil {
		return Segment{}, nil, err
	}
	s, content := b.segment, b.packed.Bytes()
	sum := sha256.Sum256(content)
	s.Bytes, s.RawBytes, s.SHA256 = int64(len(content)), b.raw.n, hex.EncodeToString(sum[:])
	s.ArchivedMS = time.Now().UnixMilli()
	return s, content, nil
}

// whole returns the range of a segment.
func whole(s Segment) kafkaread.Span { return kafkaread.Span{From: s.First, To: s.Last + 1} }

// fetch reads the file of a segment and checks it against the manifest, before anything of it is unpacked.
func fetch(ctx context.Context, store blob.Store, folder string, s Segment) ([]byte, error) {
	name := path.Join(folder, s.name())
	content, at, err := store.Read(ctx, name, maxObjectBytes)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	sum := sha256.Sum256(content)
	switch {
	case at.Bytes != s.Bytes:
		err = fmt.Errorf("it has %d bytes, and %d by its manifest", at.Bytes, s.Bytes)
	// guard: archive: a segment with another hash is not read
	case hex.EncodeToString(sum[:]) != s.SHA256:
		err = fmt.Errorf("its SHA-256 is %x, and %s by its manifest", sum, s.SHA256)
	}
	if err != nil {
		return nil, &DamagedError{File: store.URL() + "/" + name, Err: err}
	}
	return content, nil
}

// DamagedError reports a segment that is not as it was written.
type DamagedError struct {
	File string
	Err  error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("archive: %s is damaged: %v: restore it from a copy, or remove it and its entry "+
		"(pitchstream archive verify names all)", e.File, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// unpack calls use with the records of a segment in a range of offsets, in order. All records must lie in the
// segment and rise, and be as many as it says, unless it says −1.
func unpack(
	content []byte, s Segment, of kafkaread.Span, rawLimit int64, use func(schemas.Record) error,
) (rawBytes int64, err error) {
	in, err := zstd.NewReader(bytes.NewReader(content), zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxWindow(maxWindowBytes), zstd.WithDecoderLowmem(true))
	if err != nil {
		return 0, err
	}
	defer in.Close()
	lines := bufio.NewReaderSize(in, 256<<10)
	var text []byte
	last, records := s.First-1, int64(0)
	for {
		text, err = readLine(lines, text[:0])
		if err == io.EOF {
			break
		}
		// guard: archive: a segment unpacks to no more than it says | rawBytes > rawLimit -> false
		if rawBytes += int64(len(text)); rawBytes > rawLimit {
			return rawBytes, fmt.Errorf("it unpacks to more than %d bytes", rawLimit)
		}
		if err != nil {
			return rawBytes, err
		}
		offset, ok := offsetOf(text)
		if !ok || offset <= last || offset > s.Last {
			const text = "line %d has offset %d: want one from %d to %d"
			return rawBytes, fmt.Errorf(text, records+1, offset, last+1, s.Last)
		}
		last = offset
		records++
		if offset < of.From || offset >= of.To {
			continue
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil || l.Offset != offset {
			return rawBytes, fmt.Errorf("line %d is no record: %w", records, cmp.Or(err, errOtherOffset))
		}
		if err := use(l.record()); err != nil {
			return rawBytes, &useError{err}
		}
	}
	if s.Records >= 0 && records != s.Records {
		return rawBytes, fmt.Errorf("it has %d records, and %d by its manifest", records, s.Records)
	}
	return rawBytes, nil
}

var errOtherOffset = errors.New("it has two offsets")

// offsetOf returns the offset of a line without reading the rest. It stands before what a feed wrote.
func offsetOf(text []byte) (offset int64, ok bool) {
	const name = `"offset":`
	i := bytes.Index(text[:min(len(text), 512)], []byte(name))
	if i < 0 {
		return 0, false
	}
	digits := text[i+len(name):]
	end := bytes.IndexByte(digits[:min(len(digits), 32)], ',')
	if end < 0 {
		return 0, false
	}
	offset, err := strconv.ParseInt(string(digits[:end]), 10, 64)
	return offset, err == nil
}

// useError is an error of the caller, not of the segment.
type useError struct{ err error }

func (e *useError) Error() string { return e.err.Error() }
func (e *useError) Unwrap() error { return e.err }

var errLongLine = fmt.Errorf("a line has more than %d bytes", maxLineBytes)

// readLine appends a line with its end to text. A last line without an end is an error, because a segment is
// written whole.
func readLine(in *bufio.Reader, text []byte) ([]byte, error) {
	for {
		part, err := in.ReadSlice('\n')
		text = append(text, part...)
		switch {
		case err == nil:
			return text, nil
		case errors.Is(err, bufio.ErrBufferFull):
			// guard: archive: a line is bounded
			if len(text) > maxLineBytes {
				return text, errLongLine
			}
		case err == io.EOF && len(text) > 0:
			return text, io.ErrUnexpectedEOF
		default:
			return text, err
		}
	}
}

// unpackChecked is unpack for a segment of a manifest: what is wrong in it names the file.
func unpackChecked(
	store blob.Store, folder string, content []byte, s Segment, of kafkaread.Span,
	use func(schemas.Record) error,
) error {
	_, err := unpack(content, s, of, s.RawBytes, use)
	var own *useError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own.err
	}
	return &DamagedError{File: store.URL() + "/" + path.Join(folder, s.name()), Err: err}
}

// measure returns what the manifest says of a segment, from its file.
func measure(content []byte, s Segment) (Segment, error) {
	sum := sha256.Sum256(content)
	out := Segment{First: s.First, Last: s.Last, Bytes: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
	s.Records = -1
	raw, err := unpack(content, s, whole(s), maxRawBytes, func(r schemas.Record) error {
		out.count(r.TimestampMS)
		return nil
	})
	out.RawBytes = raw
	return out, err
}
