package fileinput

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
)

// stream is the uncompressed content of one input, without its byte order mark.
type stream struct {
	*bufio.Reader
	file   *os.File // nil for standard input and members of archives
	raw    *rawReader
	layers int   // how often it is compressed
	marks  int64 // bytes of byte order marks before it
	// uncounted are stored bytes that were read without being counted.
	uncounted int64
	closes    []func() error
}

func (s *stream) close() {
	for _, c := range s.closes {
		_ = c() // nothing was written, so that an error means no loss
	}
}

// open opens an input. The caller must close the stream.
func open(ctx context.Context, f *File, stdin io.Reader, readBytes *atomic.Int64) (*stream, error) {
	s := &stream{}
	r := stdin
	mayWait := f.SizeBytes < 0
	switch {
	case f.store != nil:
		content, err := f.openRemote(ctx)
		if err != nil {
			return nil, err
		}
		s.closes = append(s.closes, content.Close)
		r = content
	case f.Path != Stdin:
		file, isPipe, err := openFile(ctx, f.Path)
		if err != nil {
			return nil, err
		}
		s.closes = append(s.closes, file.Close)
		s.file, r = file, file
		mayWait = mayWait || isPipe
	}
	if f.sha256 != "" {
		checked, err := checkedCopy(r, f)
		if err != nil {
			s.close()
			return nil, err
		}
		s.closes = append(s.closes, checked.Close)
		s.file, r = nil, checked
	}
	if mayWait {
		r = &interruptible{ctx: ctx, r: r}
	}
	raw := &rawReader{ctx: ctx, r: r, readBytes: readBytes}
	return s, s.unpack(raw, raw)
}

// openPipe opens a named pipe. Tests replace it.
var openPipe = os.Open

// openFile opens a file. A named pipe opens only when a program writes to it, so that waiting for that ends
// with ctx. The open that still waits is left behind, and closes the file if a writer comes.
func openFile(ctx context.Context, path string) (file *os.File, isPipe bool, err error) {
	info, err := os.Stat(path)
	if err != nil || info.Mode().IsRegular() || info.IsDir() {
		file, err = os.Open(path) // its error names the operation that people know
		return file, false, err
	}
	type opened struct {
		file *os.File
		err  error
	}
	done := make(chan opened)
	go func() {
		file, err := openPipe(path)
		select {
		case done <- opened{file, err}:
		case <-ctx.Done():
			_ = file.Close() // nil after an error
		}
	}()
	select {
	case o := <-done:
		return o.file, true, o.err
	case <-ctx.Done():
		return nil, true, context.Cause(ctx)
	}
}

// OpenFile opens a file for a command that ends with ctx, also while it waits for a pipe. With the path - it
// returns stdin.
func OpenFile(ctx context.Context, path string, stdin io.Reader) (io.ReadCloser, error) {
	if path == Stdin && stdin != nil {
		return io.NopCloser(&interruptible{ctx: ctx, r: stdin}), nil
	}
	file, isPipe, err := openFile(ctx, path)
	if err != nil || !isPipe {
		return file, err
	}
	return readCloser{&interruptible{ctx: ctx, r: file}, file.Close}, nil
}

// Unpack returns the content of r without compression and byte order marks, as records are read. A format
// that is not read here is an error; want says what to give instead. Reading more than most bytes is an
// error, too, because a small file can unpack to any size. The caller must close it, and r.
func Unpack(ctx context.Context, r io.Reader, want string, most int64) (io.ReadCloser, error) {
	s := &stream{}
	raw := &rawReader{ctx: ctx, r: r, readBytes: new(atomic.Int64)}
	if err := s.unpack(raw, raw); err != nil {
		return nil, err
	}
	err := s.foreign(want)
	if s.isTar() || s.isZip() {
		err = errors.New("it is an archive: give " + want)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return readCloser{&bounded{r: s, most: most}, func() error { s.close(); return nil }}, nil
}

type readCloser struct {
	r     io.Reader
	close func() error
}

// Read implements io.Reader.
func (c readCloser) Read(p []byte) (int, error) { return c.r.Read(p) }

// Close implements io.Closer.
func (c readCloser) Close() error { return c.close() }

// bounded reads at most so many bytes, and then returns an error.
type bounded struct {
	r    io.Reader
	read int64
	most int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	left := b.most - b.read
	b.read += int64(n)
	// guard: files: what a file unpacks to is bounded | b.read > b.most -> false
	if b.read > b.most {
		return int(max(left, 0)), fmt.Errorf("it has more than %d bytes, unpacked: split it", b.most)
	}
	return n, err
}

const (
	// maxWindowBytes bounds the memory that a zstd stream may need (zstd --long=27; zstd -19 needs 8 MiB).
	maxWindowBytes = 128 << 20
	// maxLayers bounds how often a content may be compressed, because each layer takes memory.
	maxLayers = 4

	peekBytes = 64 << 10
)

// unpack removes compression and byte order marks. Unpacked content is looked at again, because people pack
// twice. It closes the stream if it returns an error.
func (s *stream) unpack(raw *rawReader, r io.Reader) error {
	s.raw, s.Reader = raw, bufio.NewReaderSize(r, peekBytes)
	for {
		layer, err := s.layer()
		if err == nil && layer != nil && s.layers == maxLayers {
			err = fmt.Errorf("it is compressed more than %d times, which is not read here: unpack it", maxLayers)
		}
		if err != nil {
			s.close()
			return err
		}
		if layer == nil {
			break
		}
		s.layers++
		s.Reader = bufio.NewReaderSize(layer, peekBytes)
	}
	for {
		if head, _ := s.Peek(len(byteOrderMark)); !bytes.Equal(head, byteOrderMark) {
			return nil
		}
		n, _ := s.Discard(len(byteOrderMark))
		s.marks += int64(n)
	}
}

// layer returns what a compressed content decompresses to, nil for one that is not compressed.
func (s *stream) layer() (io.Reader, error) {
	head, _ := s.Peek(4) // the first Read returns the same error
	packed := &idleInput{r: s.Reader}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := newGzipMembers(bufio.NewReaderSize(packed, peekBytes))
		if err != nil {
			return failed{err}, nil
		}
		s.closes = append(s.closes, z.Close)
		return unpacked{z, packed}, nil
	case isZstd(head):
		z, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindowBytes))
		if err != nil {
			return nil, err
		}
		s.closes = append(s.closes, func() error { z.Close(); return nil })
		return unpacked{z, packed}, nil
	}
	return nil, nil
}

// maxIdleBytes bounds the packed bytes in a row that unpack to nothing: zeros behind a member, empty members,
// frames to be skipped. A small file that is packed twice may have any number of them. The programs that
// write them write some KiB.
const maxIdleBytes = 16 << 20

// idleInput returns an error after maxIdleBytes of which nothing was unpacked. Its count is atomic, because
// zstd reads in another goroutine.
type idleInput struct {
	r     io.Reader
	bytes atomic.Int64
}

// Read implements io.Reader.
func (i *idleInput) Read(p []byte) (int, error) {
	// guard: files: packed bytes that unpack to nothing are bounded | i.bytes.Load() > maxIdleBytes -> false
	if i.bytes.Load() > maxIdleBytes {
		return 0, fmt.Errorf("more than %d packed bytes in a row unpack to nothing", maxIdleBytes)
	}
	n, err := i.r.Read(p)
	i.bytes.Add(int64(n))
	return n, err
}

// unpacked is a layer's content, and notes that something was unpacked.
type unpacked struct {
	io.Reader
	from *idleInput
}

// Read implements io.Reader.
func (u unpacked) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if n > 0 {
		u.from.bytes.Store(0)
	}
	return n, err
}

// failed is a compressed stream whose header is broken.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }

// isZstd recognises a frame, and the skippable frames that some writers put before it.
func isZstd(head []byte) bool {
	return bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}) ||
		len(head) == 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:], []byte{0x2a, 0x4d, 0x18})
}

// foreignFormats are what files begin with that may hold records but are not read here.
var foreignFormats = []struct{ magic, name string }{
	{"PK\x05\x06", "an empty zip archive"}, {"7z\xbc\xaf\x27\x1c", "a 7z archive"},
	{"Rar!\x1a\x07", "a RAR archive"}, {"\xfd7zXZ\x00", "compressed with xz"},
	{"BZh", "compressed with bzip2"}, {"\x1f\x9d", "compressed with compress"},
	{"\x04\x22\x4d\x18", "compressed with lz4"}, {"\xff\x06\x00\x00sNaPpY", "compressed with snappy"},
	{"PAR1", "a Parquet file"}, {"Obj\x01", "an Avro file"}, {"ORC", "an ORC file"}, {"ARROW1", "an Arrow file"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"}, {"SQLite format 3\x00", "an SQLite database"},
	{"\xff\xfe", "UTF-16 text"}, {"\xfe\xff", "UTF-16 text"}, {"%PDF-", "a PDF document"},
	{"version https://git-lfs.github.com/spec/", "a pointer of Git LFS, whose content was not fetched"},
}

// foreign returns an error for a format that is not read here, because one clear error is better than a dead
// letter per line. want says what to give instead.
func (s *stream) foreign(want string) error {
	head := s.head(64)
	name := ""
	for _, f := range foreignFormats {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			name = f.name
		}
	}
	if len(head) >= 2 && (head[0] == 0) != (head[1] == 0) {
		name = "UTF-16 text"
	}
	if name == "" {
		return nil
	}
	return fmt.Errorf("it is %s, which is not read here: give %s", name, want)
}

func (s *stream) isTar() bool {
	head := s.head(262)
	return len(head) == 262 && string(head[257:]) == "ustar"
}

func (s *stream) isZip() bool {
	return string(s.head(4)) == "PK\x03\x04"
}

// head returns the first n bytes. It does not wait for more of a pipe that begins like JSON.
func (s *stream) head(n int) []byte {
	head, _ := s.Peek(4)
	if len(head) > 0 && (isSpace(head[0]) || head[0] == '{' || head[0] == '[') {
		n = min(n, s.Buffered())
	}
	head, _ = s.Peek(n)
	return head
}

// rawReader counts the stored bytes, ends with the context, and keeps the error of the file itself. Without
// that error a failing disk would look like a file that is cut short.
type rawReader struct {
	ctx       context.Context
	r         io.Reader
	readBytes *atomic.Int64
	err       atomic.Pointer[error] // of the file; io.EOF is none
}

// failure returns the error of the file itself, nil if there was none. It is atomic, because a decompressor
// may read ahead in a goroutine of its own.
func (r *rawReader) failure() error {
	if err := r.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (r *rawReader) Read(p []byte) (int, error) {
	n, err := r.note(func() (int, error) { return r.r.Read(p) })
	r.readBytes.Add(int64(n))
	return n, err
}

// note keeps the error of a read, which it does not begin after the context has ended.
func (r *rawReader) note(read func() (int, error)) (int, error) {
	if r.ctx.Err() != nil {
		err := context.Cause(r.ctx)
		r.err.Store(&err)
		return 0, err
	}
	n, err := read()
	if err != nil && err != io.EOF {
		r.err.Store(&err)
	}
	return n, err
}

// interruptible reads a pipe, whose next byte may never arrive, so that waiting for it ends with ctx. The
// pending read stays behind until the pipe moves or closes; no other read follows it.
type interruptible struct {
	ctx  context.Context
	r    io.Reader
	buf  [64 << 10]byte
	left []byte
	err  error
}

func (r *interruptible) Read(p []byte) (int, error) {
	if len(r.left) == 0 && r.err == nil {
		r.wait()
	}
	if len(r.left) == 0 {
		return 0, r.err
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

func (r *interruptible) wait() {
	done := make(chan func(), 1) // stores the result, unless the context ended first
	go func() {
		n, err := r.r.Read(r.buf[:])
		done <- func() { r.left, r.err = r.buf[:n], err }
	}()
	select {
	case store := <-done:
		store()
	case <-r.ctx.Done():
		r.err = context.Cause(r.ctx)
	}
}
