package kafkaread

import (
	"encoding/binary"
	"errors"
	"io"
)

// snappyWindow is how far back a copy in a snappy block may reach. Encoders reach back 64 KiB, some of them
// some MiB.
const snappyWindow = 16 << 20

var errSnappy = errors.New("snappy: corrupt block")

// snappyReader unpacks snappy as a stream. The libraries unpack a block only as a whole, however large it
// says that it is.
type snappyReader struct {
	blocks [][]byte // not begun
	block  []byte   // what is left of the current one
	out    []byte   // unpacked bytes, as far back as a copy may reach
	read   int      // of out
}

func newSnappyReader(src []byte) *snappyReader {
	r := &snappyReader{}
	err := snappyBlocks(src, func(block []byte) error {
		r.blocks = append(r.blocks, block)
		return nil
	})
	if err != nil {
		r.blocks = append(r.blocks, nil) // an empty block is corrupt
	}
	return r
}

// Read implements io.Reader.
func (r *snappyReader) Read(p []byte) (int, error) {
	const step = 64 << 10
	for r.read == len(r.out) {
		if len(r.out) > 2*snappyWindow {
			r.out = append(r.out[:0], r.out[len(r.out)-snappyWindow:]...)
			r.read = len(r.out)
		}
		if len(r.block) == 0 {
			if len(r.blocks) == 0 {
				return 0, io.EOF
			}
			_, n := binary.Uvarint(r.blocks[0])
			if n <= 0 {
				return 0, errSnappy
			}
			r.block, r.blocks = r.blocks[0][n:], r.blocks[1:]
			r.out, r.read = r.out[:0], 0 // copies stay within a block
		}
		for len(r.block) > 0 && len(r.out)-r.read < step {
			if err := r.element(); err != nil {
				return 0, err
			}
		}
	}
	n := copy(p, r.out[r.read:])
	r.read += n
	return n, nil
}

// element unpacks one literal or copy.
func (r *snappyReader) element() error {
	tag := r.block[0]
	var more int // bytes of the tag behind the first
	n := int(tag >> 2)
	switch tag & 3 {
	case 0:
		more = max(0, n-59)
	case 1:
		more = 1
	case 2:
		more = 2
	case 3:
		more = 4
	}
	if len(r.block) < 1+more {
		return errSnappy
	}
	var number [8]byte
	copy(number[:], r.block[1:1+more])
	value := int(binary.LittleEndian.Uint64(number[:]))
	r.block = r.block[1+more:]
	if tag&3 == 0 {
		if more > 0 {
			n = value
		}
		if n++; n > len(r.block) {
			return errSnappy
		}
		r.out = append(r.out, r.block[:n]...)
		r.block = r.block[n:]
		return nil
	}
	n++
	if tag&3 == 1 {
		n, value = 4+int(tag>>2&7), value|int(tag>>5)<<8
	}
	if value == 0 || value > len(r.out) {
		return errSnappy
	}
	for n > 0 { // a copy may reach into itself
		from := len(r.out) - value
		some := min(n, value)
		r.out = append(r.out, r.out[from:from+some]...)
		n -= some
	}
	return nil
}
