package terminal

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Count formats n with its thousands separated: 12,000.
func Count(n int64) string {
	if n < 0 {
		return "-" + Count(-n)
	}
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return Count(n/1000) + fmt.Sprintf(",%03d", n%1000)
}

// Counted formats a count with its noun. The plural is one with an s, unless many gives another:
// Counted(2, "input"), Counted(1, "record has", "records have").
func Counted(n int64, one string, many ...string) string {
	switch {
	case n == 1:
		return "1 " + one
	case len(many) > 0:
		return Count(n) + " " + many[0]
	}
	return Count(n) + " " + one + "s"
}

// Bytes formats a size in units of 1,000: 1.1 GB.
func Bytes(n int64) string {
	value, units := float64(n), []string{"B", "kB", "MB", "GB", "TB"}
	for value >= 999.95 && len(units) > 1 {
		value, units = value/1000, units[1:]
	}
	if units[0] == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", value, units[0])
}

// Duration formats seconds, rounded up, as 38s, 4m10s or 3h05m.
func Duration(seconds float64) string {
	s := int64(math.Min(math.Ceil(seconds), 1e9))
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
}

// Line writes one line of a summary; see Lines.
type Line = func(name, format string, args ...any)

// Lines returns a function that writes a line of a summary to w: its name, and a text beside it.
func Lines(w io.Writer) Line {
	return func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-12s %s\n", name, OneLine(fmt.Sprintf(format, args...)))
	}
}

// CountOf is a count in a list of which only some are printed.
type CountOf struct {
	N    int64
	What string
}

// Shown returns at most 61 characters of a value, and nothing for an empty one.
func Shown(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return cmp.Or(s, "nothing")
}

// PrintJSON writes v as one line of JSON, in which a terminal obeys nothing.
func PrintJSON(out io.Writer, v any) error {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	text := line.String()
	if strings.ContainsFunc(text, isHidden) {
		var escaped strings.Builder
		for _, r := range text {
			if !isHidden(r) {
				escaped.WriteRune(r)
				continue
			}
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&escaped, `\u%04x`, unit)
			}
		}
		text = escaped.String()
	}
	_, err := io.WriteString(out, text)
	return err
}

// isHidden reports whether a character without a shape may stand in JSON as it is.
func isHidden(r rune) bool { return r >= 0x7f && !unicode.IsGraphic(r) }
