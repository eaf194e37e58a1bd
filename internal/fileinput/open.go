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

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// stream is the uncompressed content of one input, with the functions that close it.
type stream struct {
	io.Reader
	raw    *rawReader
	closes []func() error
}

func (s *stream) close() {
	for _, c := range s.closes {
		_ = c() // nothing was written, so that an error means no loss
	}
}

// open opens an input and detects its compression from the first bytes. The caller must close the stream.
func open(ctx context.Context, f *File, stdin io.Reader, readBytes *atomic.Int64) (*stream, error) {
	s := &stream{}
	r := stdin
	if f.Path != Stdin {
		file, err := os.Open(f.Path)
		if err != nil {
			return nil, err
		}
		s.closes = append(s.closes, file.Close)
		r = file
	}
	if f.SizeBytes < 0 {
		r = interruptible(ctx, r)
	}
	s.raw = &rawReader{ctx: ctx, r: r, readBytes: readBytes}
	if err := s.decompress(bufio.NewReaderSize(s.raw, 64<<10)); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// maxWindowBytes bounds the memory that a zstd stream may need (zstd --long=27; zstd -19 needs 8 MiB).
const maxWindowBytes = 128 << 20

func (s *stream) decompress(r *bufio.Reader) error {
	s.Reader = r
	head, _ := r.Peek(4) // the first Read returns the same error
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(r)
		if err != nil {
			s.Reader = failed{err}
			return nil
		}
		s.Reader, s.closes = z, append(s.closes, z.Close)
	case isZstd(head):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindowBytes))
		if err != nil {
			return err
		}
		s.Reader, s.closes = z, append(s.closes, func() error { z.Close(); return nil })
	default:
		return foreign(r)
	}
	return nil
}

// failed is a compressed stream whose header is broken.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }

// isZstd recognises a frame, and the skippable frames that some writers put before it.
func isZstd(head []byte) bool {
	return bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}) ||
		len(head) == 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:], []byte{0x2a, 0x4d, 0x18})
}

// foreign returns an error for a format that may hold records but is not read here, because one clear error
// is better than a dead letter per line.
func foreign(r *bufio.Reader) error {
	head, _ := r.Peek(min(r.Buffered(), 512))
	for _, f := range []struct{ magic, name string }{
		{"PK\x03\x04", "a zip archive"}, {"\xfd7zXZ\x00", "compressed with xz"}, {"BZh", "compressed with bzip2"},
		{"\x04\x22\x4d\x18", "compressed with lz4"}, {"PAR1", "a Parquet file"},
		{"\xff\xfe", "UTF-16 text"}, {"\xfe\xff", "UTF-16 text"},
	} {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return fmt.Errorf("it is %s, which is not read here: give JSON, plain or with gzip or zstd", f.name)
		}
	}
	if len(head) > 262 && string(head[257:262]) == "ustar" {
		return errors.New("it is a tar archive, which is not read here: unpack it and give the folder")
	}
	return nil
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
	if r.ctx.Err() != nil {
		err := context.Cause(r.ctx)
		r.err.Store(&err)
		return 0, err
	}
	n, err := r.r.Read(p)
	r.readBytes.Add(int64(n))
	if err != nil && err != io.EOF {
		r.err.Store(&err)
	}
	return n, err
}

// interruptible reads a pipe, whose next byte may never arrive, so that waiting for it ends with ctx. The
// pending read stays behind until the pipe moves or closes; no other read follows it.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	go func() {
		_, err := io.Copy(in, r)
		_ = in.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { _ = out.CloseWithError(context.Cause(ctx)) })
	return out
}
