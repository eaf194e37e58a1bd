package fileoutput

import (
	"bufio"
	"encoding/gob"
	"errors"
	"io"
	"math"
	"os"

	"github.com/pitchstream/pitchstream/schemas"
)

// Spool keeps rows in a file until all records have been read, because any later record may supersede a row.
// Files have no revisions and no timestamps, so that the last record of a pitch is current, as in a stream
// that receives them in this order. Spool holds about 40 bytes per pitch in memory and 200 in the file.
type Spool struct {
	file   *os.File
	buffer *bufio.Writer
	gob    *gob.Encoder
	rows   int64
	last   map[schemas.PitchID]uint32 // number of the pitch's current row, from 0
}

const spoolBufferBytes = 256 << 10

// NewSpool begins a spool in an empty file, which the caller closes.
func NewSpool(file *os.File) *Spool {
	buffer := bufio.NewWriterSize(file, spoolBufferBytes)
	return &Spool{file: file, buffer: buffer, gob: gob.NewEncoder(buffer), last: map[schemas.PitchID]uint32{}}
}

// Add keeps a row, which supersedes an earlier one of the same pitch.
func (s *Spool) Add(r *Row) error {
	if s.rows > math.MaxUint32 {
		return errors.New("more than 4,294,967,296 rows: give fewer files at a time")
	}
	s.last[r.PitchID] = uint32(s.rows)
	s.rows++
	return s.gob.Encode(r)
}

// Rows returns how many rows are current.
func (s *Spool) Rows() int64 { return int64(len(s.last)) }

// Superseded returns how many added rows are not current any more.
func (s *Spool) Superseded() int64 { return s.rows - s.Rows() }

// Current calls yield with the current rows, in the order in which they were added, until yield returns an
// error. It is called once, after the last Add. A row is valid until yield returns.
func (s *Spool) Current(yield func(*Row) error) error {
	if err := s.buffer.Flush(); err != nil {
		return err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	d := gob.NewDecoder(bufio.NewReaderSize(s.file, spoolBufferBytes))
	for n := range s.rows {
		var r Row
		if err := d.Decode(&r); err != nil {
			return err
		}
		if s.last[r.PitchID] != uint32(n) {
			continue
		}
		if err := yield(&r); err != nil {
			return err
		}
	}
	return nil
}
