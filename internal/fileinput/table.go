package fileinput

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// NewTable returns a reader of the lines of a CSV file, the header line first. The file may be compressed and
// begin with a byte order mark. Commas, semicolons, tabs or bars separate the cells: the one with which
// column is a cell of the header line.
func NewTable(r io.Reader, column string) (*csv.Reader, error) {
	s := &stream{}
	raw := &rawReader{ctx: context.Background(), r: r, readBytes: new(atomic.Int64)}
	if err := s.unpack(raw, raw); err != nil {
		return nil, err
	}
	return s.table(column)
}

// table returns the stream as a table; see NewTable.
func (s *stream) table(column string) (*csv.Reader, error) {
	if s.isTar() || s.isZip() {
		return nil, errors.New("it is an archive or a workbook: give the CSV file in it, in UTF-8")
	}
	if err := s.foreign("CSV in UTF-8, plain or with gzip or zstd"); err != nil {
		return nil, err
	}
	comma := ','
	if line := s.firstLine(); len(line) >= 5 && bytes.EqualFold(line[:4], []byte("sep=")) {
		comma = rune(line[4]) // a line for Excel alone
		_, _ = s.Discard(len(line))
	} else {
		for _, c := range ",;\t|" {
			if slices.ContainsFunc(strings.Split(string(line), string(c)), func(cell string) bool {
				return strings.EqualFold(strings.Trim(cell, "\" \r\n"), column)
			}) {
				comma = c
				break
			}
		}
	}
	rows := csv.NewReader(s)
	rows.Comma = comma
	return rows, nil
}

// firstLine returns the first line with its end, without reading it.
func (s *stream) firstLine() []byte {
	for n := 512; ; n *= 2 {
		head, err := s.Peek(min(n, peekBytes))
		if i := newline(head); i >= 0 {
			return head[:i+1]
		}
		if err != nil || n >= peekBytes {
			return head
		}
	}
}

// missing are the texts that pandas, R and databases write for a missing value, in lower case.
var missing = []string{"", "na", "nan", "null", "none", "n/a", "#n/a", "<na>", "nat", `\n`}

// IsMissing reports whether a cell means that there is no value.
func IsMissing(cell string) bool { return slices.Contains(missing, strings.ToLower(cell)) }

// maxExactFloat is the largest number below which each whole number is a double of its own.
const maxExactFloat = 1 << 53

// ParseIdentifier reads a whole number of 64 bits, also as 660271.0 and 660271,0: pandas writes a column of
// identifiers so if some are missing, and Excel where the decimal point is a comma. A comma for
// thousands has three digits behind it.
func ParseIdentifier(cell string) (int64, error) {
	whole, fraction, hasPoint := strings.Cut(cell, ".")
	if before, ok := strings.CutSuffix(cell, ",0"); ok {
		whole, fraction, hasPoint = before, "", true
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || strings.Trim(fraction, "0") != "" {
		return 0, fmt.Errorf("%q is no identifier: a whole number within 64 bits", cell)
	}
	if hasPoint && (n >= maxExactFloat || n <= -maxExactFloat) {
		return 0, fmt.Errorf("%q is no identifier: as a number with a point it has lost digits; "+
			"write the column as whole numbers (pandas: Int64)", cell)
	}
	return n, nil
}
