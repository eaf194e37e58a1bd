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
// Most files have no revisions and no timestamps, so that the last record of a pitch is current, as in a
// stream that receives them in this order. Records with a version of their own follow the rule of the stores.
// Spool holds about 40 bytes per pitch in memory, 100 for one with such a version, and 200 in the file.
type Spool struct {
	file   *os.File
	buffer *bufio.Writer
	gob    *gob.Encoder
	rows   int64
	// current is the number of the pitch's current row, from 0, or deletedRow.
	current  map[schemas.PitchID]uint32
	deleted  int64
	versions map[schemas.PitchID]schemas.Version // of current changes that have a revision or a timestamp
	// identified are the identifiers that the game feed names, with their versions.
	identified map[schemas.PitchID]schemas.Change
}

const (
	spoolBufferBytes = 256 << 10
	deletedRow       = math.MaxUint32
)

// NewSpool begins a spool in an empty file, which the caller closes.
func NewSpool(file *os.File) *Spool {
	buffer := bufio.NewWriterSize(file, spoolBufferBytes)
	return &Spool{
		file: file, buffer: buffer, gob: gob.NewEncoder(buffer), current: map[schemas.PitchID]uint32{},
		versions: map[schemas.PitchID]schemas.Version{}, identified: map[schemas.PitchID]schemas.Change{},
	}
}

// Add keeps the change of a record. Its row, given for an upsert, supersedes an older one of the same pitch.
func (s *Spool) Add(c schemas.Change, r *Row) error {
	if s.rows >= deletedRow {
		return errors.New("more than 4,294,967,295 rows: give fewer files at a time")
	}
	if c.Op == schemas.OpIdentify {
		// guard: files: an older identify supersedes none | >= 0 -> >= -1
		if held, ok := s.identified[c.PitchID]; !ok || c.Version.Compare(held.Version) >= 0 {
			s.identified[c.PitchID] = c
		}
		return nil
	}
	s.supersede(c)
	if c.Op == schemas.OpDelete {
		return nil
	}
	s.rows++
	return s.gob.Encode(r)
}

// supersede makes a change, whose row comes next, the current one of its pitch, unless that is newer.
func (s *Spool) supersede(c schemas.Change) {
	plain := schemas.Version{TimestampMS: schemas.MaxTimestampMS} // a load sends it now, as the newest
	held, isVersioned := s.versions[c.PitchID]
	if !isVersioned {
		held = plain
	}
	isPlain := c.Version.Revision == 0 && c.Version.TimestampMS == 0
	if isPlain {
		c.Version = plain
	}
	row, isHeld := s.current[c.PitchID]
	// guard: files: an older change supersedes none | < 0 -> < -1
	if isHeld && c.Version.Compare(held) < 0 {
		return
	}
	if delete(s.versions, c.PitchID); !isPlain {
		s.versions[c.PitchID] = c.Version
	}
	if isHeld && row == deletedRow {
		s.deleted--
	}
	s.current[c.PitchID] = uint32(s.rows)
	if c.Op == schemas.OpDelete {
		s.current[c.PitchID] = deletedRow
		s.deleted++
	}
}

// Rows returns how many rows are current.
func (s *Spool) Rows() int64 { return int64(len(s.current)) - s.deleted }

// Superseded returns how many added rows are not current any more.
func (s *Spool) Superseded() int64 { return s.rows - s.Rows() }

// Current calls yield with the current rows and their versions, in the order in which they were added, until
// yield returns an error. It is called once, after the last Add. A row is valid until yield returns.
func (s *Spool) Current(yield func(*Row, schemas.Version) error) error {
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
		if s.current[r.PitchID] != uint32(n) {
			continue
		}
		if c, ok := s.identified[r.PitchID]; ok {
			c.IDs.NameIn(&r.Row)
		}
		if err := yield(&r, s.versionOf(r.PitchID, n)); err != nil {
			return err
		}
	}
	return nil
}

// versionOf returns the version of the current row of a pitch, which is row n. Rows without one of their
// own are ordered as they come, because a load sends them so.
func (s *Spool) versionOf(id schemas.PitchID, n int64) schemas.Version {
	v, isVersioned := s.versions[id]
	// guard: process: a row keeps the version of its record | !isVersioned -> isVersioned || !isVersioned
	if !isVersioned {
		v = schemas.Version{TimestampMS: schemas.MaxTimestampMS, Offset: n}
	}
	return v
}
