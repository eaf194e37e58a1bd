package fileoutput

import (
	"bufio"
	"encoding/base64"
	"io"
	"strconv"

	"github.com/pitchstream/pitchstream/schemas"
)

// Reject is a record that became no row, and why.
type Reject struct {
	Source     string // the file, as it was named, in UTF-8
	Record     int64  // its number in that file, from 1
	ByteOffset int64  // of its first byte in the uncompressed content
	SizeBytes  int64  // of the whole record
	Code       schemas.Code
	Message    string // one line
	// Value is the record, byte for byte. If it is far too large, Value is only its beginning, shorter than
	// SizeBytes; ByteOffset says where all of it is.
	Value []byte
}

// Rejects writes rejected records, one JSON object per line, and counts them.
type Rejects struct {
	w      *bufio.Writer
	buf    []byte
	Counts map[schemas.Code]int64
	Total  int64
}

// NewRejects begins a file of rejected records.
func NewRejects(w io.Writer) *Rejects {
	return &Rejects{w: bufio.NewWriterSize(w, textBufferBytes), Counts: map[schemas.Code]int64{}}
}

// base64Step is a number of bytes that base64 writes without padding.
const base64Step = 3 << 10

// Add writes a record. It keeps no reference to its value.
func (j *Rejects) Add(r *Reject) error {
	j.Counts[r.Code]++
	j.Total++
	b := append(j.buf[:0], `{"source":`...)
	b = appendJSONText(b, r.Source)
	b = strconv.AppendInt(append(b, `,"record":`...), r.Record, 10)
	b = strconv.AppendInt(append(b, `,"byte_offset":`...), r.ByteOffset, 10)
	b = strconv.AppendInt(append(b, `,"size_bytes":`...), r.SizeBytes, 10)
	b = appendJSONText(append(b, `,"code":`...), string(r.Code))
	b = appendJSONText(append(b, `,"message":`...), r.Message)
	b = append(b, `,"value_base64":"`...)
	for rest := r.Value; len(rest) > 0; { // in steps, because a value may have megabytes
		n := min(len(rest), base64Step)
		b = base64.StdEncoding.AppendEncode(b, rest[:n])
		if _, err := j.w.Write(b); err != nil {
			return err
		}
		b, rest = b[:0], rest[n:]
	}
	j.buf = append(b, '"', '}', '\n')
	_, err := j.w.Write(j.buf)
	return err
}

// Close writes the buffered records. It does not close the underlying writer.
func (j *Rejects) Close() error { return j.w.Flush() }
