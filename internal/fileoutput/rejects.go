package fileoutput

import (
	"bufio"
	"io"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// Reject is a record that became no row, and the reason.
type Reject struct {
	Source     string       `json:"source"`      // the file, as the user named it, in UTF-8
	Record     int64        `json:"record"`      // its number in that file, from 1
	ByteOffset int64        `json:"byte_offset"` // of its first byte in the uncompressed content
	SizeBytes  int64        `json:"size_bytes"`  // of the whole record
	Code       schemas.Code `json:"code"`
	Message    string       `json:"message"` // one line
	// Value is the record, byte for byte. If the record was too large to be read whole, it is the beginning.
	Value []byte `json:"value_base64"`
}

// Rejects writes rejected records, one JSON object per line, and counts them.
type Rejects struct {
	w      *bufio.Writer
	Counts map[schemas.Code]int64
	Total  int64
}

// NewRejects begins a file of rejected records.
func NewRejects(w io.Writer) *Rejects {
	return &Rejects{w: bufio.NewWriterSize(w, textBufferBytes), Counts: map[schemas.Code]int64{}}
}

// Add writes a record. It keeps no reference to its value.
func (j *Rejects) Add(r *Reject) error {
	j.Counts[r.Code]++
	j.Total++
	return terminal.PrintJSON(j.w, r)
}

// Close writes the buffered records. It does not close the underlying writer.
func (j *Rejects) Close() error { return j.w.Flush() }
