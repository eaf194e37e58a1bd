package fileoutput

import (
	"bufio"
	"bytes"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

const textBufferBytes = 256 << 10

// textWriter writes one line per row. The buffer keeps its first error, which Close returns.
type textWriter struct {
	w         *bufio.Writer
	line      []byte
	appendRow func(line []byte, r *Row) []byte
}

func newTextWriter(w io.Writer, header string, appendRow func([]byte, *Row) []byte) *textWriter {
	t := &textWriter{w: bufio.NewWriterSize(w, textBufferBytes), appendRow: appendRow}
	_, _ = t.w.WriteString(header)
	return t
}

func (t *textWriter) Write(r *Row) error {
	t.line = append(t.appendRow(t.line[:0], r), '\n')
	_, err := t.w.Write(t.line)
	return err
}

func (t *textWriter) Close() error { return t.w.Flush() }

// headerOf returns the first line of a CSV file.
func headerOf(columns []schemas.Column) string {
	return strings.Join(schemas.Map(columns, schemas.ColumnName), ",") + "\n"
}

// appendCSVRow writes RFC 4180 with lines that end in \n. A missing value is empty; lists are joined by ";".
func appendCSVRow(line []byte, r *Row) []byte {
	return appendCells(line, r, func(v cell) cell { return v })
}

// appendGuardedRow writes a row as appendCSVRow does, but texts cannot be formulas.
func appendGuardedRow(line []byte, r *Row) []byte { return appendCells(line, r, guarded) }

func appendCells(line []byte, r *Row, change func(cell) cell) []byte {
	for i := range columns {
		if i > 0 {
			line = append(line, ',')
		}
		line = columns[i].kind.appendCSV(line, change(columns[i].of(r)))
	}
	return line
}

// guarded returns a cell with an apostrophe before a text that a spreadsheet would run: = + - @ tab or CR.
func guarded(v cell) cell {
	runs := func(s string) bool { return s != "" && strings.ContainsAny(s[:1], "=+-@\t\r") }
	if len(v.list) > 0 && runs(v.list[0]) {
		v.list = slices.Concat([]string{"'" + v.list[0]}, v.list[1:])
	}
	// guard: files: a spreadsheet runs no cell | runs(v.s) -> false
	if runs(v.s) {
		v.s = "'" + v.s
	}
	return v
}

func (k kind) appendCSV(b []byte, v cell) []byte {
	if !v.present {
		return b
	}
	switch k {
	case int16Kind, int32Kind, int64Kind:
		return strconv.AppendInt(b, v.n, 10)
	case floatKind:
		return appendFloat(b, v.f)
	case boolKind:
		return strconv.AppendBool(b, v.n != 0)
	case timeKind:
		return append(b, schemas.TimeMS(v.n).String()...)
	}
	text := v.s
	if k == listKind {
		text = strings.Join(v.list, ";")
	}
	// Quotes keep delimiters, line ends, and white space around the text, which some readers would trim.
	if strings.ContainsAny(text, ",\"\r\n") || strings.TrimSpace(text) != text {
		text = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
	}
	return append(b, text...)
}

// appendJSONRow writes an object with all columns; a missing value is null.
func appendJSONRow(line []byte, r *Row) []byte {
	line = append(line, '{')
	for i := range columns {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(append(append(line, '"'), columns[i].Name...), '"', ':')
		line = columns[i].kind.appendJSON(line, columns[i].of(r))
	}
	return append(line, '}')
}

func (k kind) appendJSON(b []byte, v cell) []byte {
	if !v.present {
		return append(b, "null"...)
	}
	switch k {
	case int16Kind, int32Kind, int64Kind, floatKind, boolKind:
		return k.appendCSV(b, v)
	case timeKind:
		return appendJSONText(b, schemas.TimeMS(v.n).String())
	case listKind:
		b = append(b, '[')
		for i, s := range v.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSONText(b, s)
		}
		return append(b, ']')
	}
	return appendJSONText(b, v.s)
}

func appendJSONText(b []byte, s string) []byte {
	needsEscape := func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }
	if !strings.ContainsFunc(s, needsEscape) {
		return append(append(append(b, '"'), s...), '"')
	}
	quoted, _ := jsonOf(s) // a text can always be encoded
	return append(b, quoted...)
}

// jsonOf returns the JSON of v, in which < and & are not escaped.
func jsonOf(v any) ([]byte, error) {
	var b bytes.Buffer
	err := terminal.PrintJSON(&b, v)
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), err
}

// appendFloat writes the shortest text that reads back as the same number, as encoding/json does.
func appendFloat(b []byte, f float64) []byte {
	if size := math.Abs(f); size == 0 || 1e-6 <= size && size < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	b = strconv.AppendFloat(b, f, 'e', -1, 64)
	if n := len(b); string(b[n-4:n-1]) == "e-0" { // e-07 becomes e-7
		b = append(b[:n-2], b[n-1])
	}
	return b
}

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
