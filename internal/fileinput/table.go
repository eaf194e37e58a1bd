package fileinput

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// NewTable returns a reader of the lines of a CSV file, the header line first. The file may be compressed
// and begin with a byte order mark. Commas, semicolons, tabs or bars separate the cells: the one with which
// column is a cell of the header line. A line of more than a MiB is an error, and so are more than most
// bytes, because a small file can unpack to any size.
func NewTable(ctx context.Context, r io.Reader, column string, most int64) (*csv.Reader, error) {
	s := &stream{}
	raw := &rawReader{ctx: ctx, r: r, readBytes: new(atomic.Int64)}
	if err := s.unpack(raw, raw); err != nil {
		return nil, err
	}
	return s.table(column, most)
}

// maxLineBytes bounds a line of a table.
const maxLineBytes = 1 << 20

// boundedLines returns an error within a line of more than maxLineBytes. A line end between quotes ends no
// line. A csv.Reader would hold all of such a line in memory, and most often a quote is open.
type boundedLines struct {
	r        io.Reader
	line     int // from 1
	bytes    int // of the line so far
	isQuoted bool
}

// Read implements io.Reader.
func (b *boundedLines) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	for _, c := range p[:n] {
		b.bytes++
		switch {
		case c == '"':
			b.isQuoted = !b.isQuoted
		case c == '\n' && !b.isQuoted:
			b.line, b.bytes = b.line+1, 0
		}
		// guard: files: a line of a table is bounded | b.bytes > maxLineBytes -> false
		if b.bytes > maxLineBytes {
			return 0, fmt.Errorf("line %d has more than %d bytes: is a quote open?", b.line, maxLineBytes)
		}
	}
	return n, err
}

// carriageReturns turns the line ends of old Macintosh programs, as of Excel's format CSV (Macintosh), into
// those that a csv.Reader knows. Otherwise the whole table would be one header line.
type carriageReturns struct{ r io.Reader }

// Read implements io.Reader.
func (c carriageReturns) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for i, b := range p[:n] {
		if b == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}

// table returns the stream as a table; see NewTable.
func (s *stream) table(column string, most int64) (*csv.Reader, error) {
	if s.isTar() || s.isZip() {
		return nil, errors.New("it is an archive or a workbook: give the CSV file in it, in UTF-8")
	}
	if err := s.foreign("CSV in UTF-8, plain or with gzip or zstd"); err != nil {
		return nil, err
	}
	// guard: files: a table whose lines end with CR alone is read
	if endsWithCR(s.firstLine(), column) {
		s.Reader = bufio.NewReaderSize(carriageReturns{s.Reader}, peekBytes)
	}
	comma := ','
	line := 1
	if first := s.firstLine(); isForExcel(first) {
		comma = rune(first[4])
		_, _ = s.Discard(len(first))
	} else if c := commaOf(first, column); c != 0 {
		comma = c
	}
	rows := csv.NewReader(&boundedLines{r: &bounded{r: s, most: most}, line: line})
	rows.Comma = comma
	return rows, nil
}

// isForExcel reports whether a line says to Excel alone what separates the cells.
func isForExcel(line []byte) bool { return len(line) >= 5 && bytes.EqualFold(line[:4], []byte("sep=")) }

// commaOf returns what separates the cells of a header line, one of which is column; 0 if none is.
func commaOf(line []byte, column string) rune {
	for _, c := range ",;\t|" {
		if slices.ContainsFunc(strings.Split(string(line), string(c)), func(cell string) bool {
			return strings.EqualFold(strings.Trim(cell, "\" \r\n"), column)
		}) {
			return c
		}
	}
	return 0
}

// endsWithCR reports whether a CR alone ends the first line of a table. first goes to the first LF, which may
// be in a cell or at the end of the whole table, or is as much as was looked at.
func endsWithCR(first []byte, column string) bool {
	end := bytes.IndexByte(first, '\r')
	switch {
	case end < 0 || bytes.HasPrefix(first[end:], []byte("\r\n")):
		return false
	case newline(first) < 0:
		return true
	}
	head := first[:end]
	isQuoted := bytes.Count(head, []byte(`"`))%2 == 1
	// guard: files: a table whose lines end with CR may have an LF | return !isQuoted -> return false && !isQuoted
	return !isQuoted && (isForExcel(head) || commaOf(head, column) != 0)
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

// ParseGamePK returns the game that a cell names. Programs write a column of whole numbers with missing cells
// as 745804.0 or 745804,0, which would be another game than 745804. A number with an exponent (7e+05) is an
// error, because it may have lost digits. Any other text is returned as it is.
func ParseGamePK(cell string) (string, error) {
	if exponential.MatchString(cell) {
		return "", fmt.Errorf("game_pk %q has an exponent, so it may have lost digits: write whole numbers "+
			"(R: options(scipen=999); Excel: the format 0)", cell)
	}
	// guard: files: a game with a point is the game without | !integral.MatchString(cell) -> true
	if !integral.MatchString(cell) {
		return cell, nil
	}
	n, err := ParseIdentifier(cell)
	if err != nil {
		return "", fmt.Errorf("game_pk: %w", err)
	}
	return strconv.FormatInt(n, 10), nil
}

var (
	integral    = regexp.MustCompile(`^[+-]?\d+(?:\.0*|,0)$`)
	exponential = regexp.MustCompile(`^[+-]?\d+(?:[.,]\d+)?[eE]\+\d+$`)
)

// CheckGame returns an error if the value of the flag --game can be no game_pk: 1 to 64 bytes of UTF-8
// without control characters. It also refuses 745804.0, as scripts print a column of pandas. "" is none.
func CheckGame(game string) error {
	isControl := func(c rune) bool { return c < 0x20 || c == 0x7f }
	if len(game) > 64 || !utf8.ValidString(game) || strings.ContainsFunc(game, isControl) {
		return fmt.Errorf("--game=%q: want 1 to 64 bytes of UTF-8 without control characters", game)
	}
	pk, err := ParseGamePK(game)
	if err == nil && pk != game {
		err = fmt.Errorf("want %s, because the game of a record has no point", pk)
	}
	if err != nil {
		return fmt.Errorf("--game=%q: %w", game, err)
	}
	return nil
}

// ParseGameDate reads YYYY-MM-DD from 1800 on, also with a midnight behind it, as pandas writes a date.
func ParseGameDate(cell string) (string, error) {
	date, clock := cell, ""
	if len(cell) > len(time.DateOnly) { // pandas writes 2024-09-28 00:00:00
		date, clock = cell[:len(time.DateOnly)], cell[len(time.DateOnly):]
	}
	isMidnight := clock == "" || strings.ContainsAny(clock[:1], " T") && strings.Trim(clock[1:], "0:.Z+") == ""
	if t, err := time.Parse(time.DateOnly, date); err != nil || t.Year() < 1800 || !isMidnight {
		return "", fmt.Errorf("game_date %.40q is no date YYYY-MM-DD from 1800 on: "+
			"in Excel, give the column the format yyyy-mm-dd before saving it as CSV", cell)
	}
	return date, nil
}

// ParseTime reads RFC 3339, also with a blank in place of T, as pandas and Postgres write it.
func ParseTime(cell string) (time.Time, error) {
	text := strings.ToUpper(strings.Replace(cell, " ", "T", 1))
	if zone, ok := strings.CutSuffix(text, " UTC"); ok {
		text = zone + "Z"
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07"} {
		if t, err := time.Parse(layout, text); err == nil && t.UTC().Year() >= 1 && t.UTC().Year() <= 9999 {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is no RFC 3339 time with its zone, as 2024-09-28T19:05:00.250Z", cell)
}
