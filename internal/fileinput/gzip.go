package fileinput

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

// gzipMembers reads a gzip content member by member. It passes over zero bytes between and behind members, as
// gzip(1) does, because bsdtar fills a packed archive up with them when it writes to a pipe.
type gzipMembers struct {
	in *bufio.Reader
	z  *gzip.Reader
}

func newGzipMembers(in *bufio.Reader) (*gzipMembers, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &gzipMembers{in: in, z: z}, nil
}

// Close implements io.Closer.
func (g *gzipMembers) Close() error { return g.z.Close() }

// Read implements io.Reader. It returns bytes and their end in two calls, because more members may follow.
func (g *gzipMembers) Read(p []byte) (int, error) {
	for {
		n, err := g.z.Read(p)
		if n > 0 && err == io.EOF {
			err = nil
		}
		if n > 0 || err != io.EOF {
			return n, err
		}
		if err := g.next(); err != nil {
			return 0, err
		}
	}
}

var errBehindGzip = errors.New("bytes follow its gzip content that are no gzip")

// next goes to the next member. It returns io.EOF if there is none, and errBehindGzip before other bytes.
func (g *gzipMembers) next() error {
	// guard: files: zeros behind a packed content are no content
	if err := g.skipZeros(); err != nil {
		return err
	}
	if head, _ := g.in.Peek(2); !bytes.HasPrefix([]byte{0x1f, 0x8b}, head) {
		return errBehindGzip
	}
	if err := g.z.Reset(g.in); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	g.z.Multistream(false)
	return nil
}

func (g *gzipMembers) skipZeros() error {
	for {
		b, err := g.in.ReadByte()
		if err != nil {
			return err
		}
		if b != 0 {
			return g.in.UnreadByte()
		}
	}
}
