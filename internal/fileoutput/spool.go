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

// Spool keeps rows in a file until all records are read: only then is it known which of them stand, since any record
// may be of a pitch that was there before. Files name no revisions and no timestamps, so of several records of one pitch
// the last one stands, which is what a stream ends with that gets them in this order.
//
// In memory it holds about 40 bytes a pitch; in the file some 200, half a percent of what was read.
type Spool struct {
	file   *os.File
	buffer *bufio.Writer
	gob    *gob.Encoder
	rows   int64
	last   map[schemas.PitchID]uint32 // number of the pitch's last row, from 0
}

const spoolBufferBytes = 256 << 10

// NewSpool begins a spool in an empty file, which stays the caller's.
func NewSpool(file *os.File) *Spool {
	buffer := bufio.NewWriterSize(file, spoolBufferBytes)
	return &Spool{file: file, buffer: buffer, gob: gob.NewEncoder(buffer), last: map[schemas.PitchID]uint32{}}
}

// Add keeps a row; it takes the place of an earlier one of the same pitch.
func (s *Spool) Add(r *Row) error {
	if s.rows > math.MaxUint32 {
		return errors.New("more than 4,294,967,296 rows: give fewer files at a time")
	}
	s.last[r.PitchID] = uint32(s.rows)
	s.rows++
	return s.gob.Encode(r)
}

// Rows is how many rows stand.
func (s *Spool) Rows() int64 { return int64(len(s.last)) }

// Superseded is how many rows were added of pitches of which a later one stands.
func (s *Spool) Superseded() int64 { return s.rows - s.Rows() }

// Standing gives the rows that stand, in the order in which they were added, until yield returns an error, and returns
// that. It is called once; nothing is added after it. A row is yield's until it returns.
func (s *Spool) Standing(yield func(*Row) error) error {
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
