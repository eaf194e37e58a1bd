package fileoutput

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

const textBufferBytes = 256 << 10

// csvWriter writes RFC 4180 with lines that end in \n. A missing value is empty; lists are joined by ";".
type csvWriter struct {
	w    *bufio.Writer
	line []byte
	err  error // of the header line
}

func newCSVWriter(w io.Writer) *csvWriter {
	c := &csvWriter{w: bufio.NewWriterSize(w, textBufferBytes)}
	c.err = writeHeader(c.w, Columns)
	return c
}

func writeHeader(w io.Writer, columns []schemas.Column) error {
	names := make([]string, 0, len(columns))
	for _, c := range columns {
		names = append(names, c.Name)
	}
	_, err := io.WriteString(w, strings.Join(names, ",")+"\n")
	return err
}

func (c *csvWriter) Write(r *Row) error {
	if c.err != nil {
		return c.err
	}
	c.line = c.line[:0]
	for i := range columns {
		if i > 0 {
			c.line = append(c.line, ',')
		}
		if v := columns[i].of(r); v.present {
			c.line = columns[i].kind.appendCSV(c.line, v)
		}
	}
	c.line = append(c.line, '\n')
	_, err := c.w.Write(c.line)
	return err
}

func (c *csvWriter) Close() error {
	if c.err != nil {
		return c.err
	}
	return c.w.Flush()
}

func (k kind) appendCSV(b []byte, v cell) []byte {
	switch k {
	case int16Kind, int32Kind, int64Kind:
		return strconv.AppendInt(b, v.n, 10)
	case floatKind:
		return appendFloat(b, v.f)
	case boolKind:
		return strconv.AppendBool(b, v.n != 0)
	case timeKind:
		return append(b, schemas.TimeMS(v.n).String()...)
	case listKind:
		return appendCSVText(b, strings.Join(v.list, ";"))
	}
	return appendCSVText(b, v.s)
}

// appendCSVText quotes text that needs it: delimiters, quotes, line ends, and white space around the text,
// which some readers would trim.
func appendCSVText(b []byte, s string) []byte {
	if !strings.ContainsAny(s, ",\"\r\n") && strings.TrimSpace(s) == s {
		return append(b, s...)
	}
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' {
			b = append(b, '"')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

// jsonlWriter writes one JSON object per line, each with all columns; a missing value is null.
type jsonlWriter struct {
	w    *bufio.Writer
	line []byte
}

func newJSONLWriter(w io.Writer) *jsonlWriter {
	return &jsonlWriter{w: bufio.NewWriterSize(w, textBufferBytes)}
}

func (j *jsonlWriter) Write(r *Row) error {
	j.line = append(j.line[:0], '{')
	for i := range columns {
		if i > 0 {
			j.line = append(j.line, ',')
		}
		j.line = append(append(append(j.line, '"'), columns[i].Name...), '"', ':')
		j.line = columns[i].kind.appendJSON(j.line, columns[i].of(r))
	}
	j.line = append(j.line, '}', '\n')
	_, err := j.w.Write(j.line)
	return err
}

func (j *jsonlWriter) Close() error { return j.w.Flush() }

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
	if isPlain(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	var quoted bytes.Buffer
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a text can always be encoded
	return append(b, bytes.TrimSuffix(quoted.Bytes(), []byte{'\n'})...)
}

// isPlain reports whether a text needs no escapes in JSON.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
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
